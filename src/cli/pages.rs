//! `completions` and `man`: what a shell and a reader of manuals want to know of the command line, made from it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, output};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mdes-receiver completions bash > /etc/bash_completion.d/mdes-receiver
  mdes-receiver completions zsh > /usr/local/share/zsh/site-functions/_mdes-receiver
  mdes-receiver completions fish > ~/.config/fish/completions/mdes-receiver.fish")]
pub(super) struct CompletionsArgs {
    /// Of which shell.
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Into this folder, which is made if it is not there: /usr/local/share/man/man1
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// The shell's script, on standard output.
pub(super) fn completions(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mdes-receiver", &mut script);
    let script = String::from_utf8(script).context("the script is not UTF-8")?;
    // For bash it writes the hyphen of our name in two ways (clap_complete 4.6), and finds no command again.
    output::print(&script.replace("mdes__subcmd__receiver", "mdes__receiver"));
    Ok(ExitCode::SUCCESS)
}

/// A page for each command; one that is there already is written anew.
pub(super) fn man(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let folder = args.out.display();
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot make the folder {folder}"))?;
    clap_mangen::generate_to(Cli::command(), &args.out).with_context(|| format!("cannot write to {folder}"))?;
    Ok(ExitCode::SUCCESS)
}
