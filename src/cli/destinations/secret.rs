//! `destinations secret`: makes what signs a webhook.

use std::process::ExitCode;

use clap::Args;
use zeroize::Zeroizing;

use crate::cli::output;
use crate::delivery::signature::new_secret;

/// Make a new secret for a webhook, and print it
#[derive(Debug, Args)]
#[command(after_help = "\
The secret goes to the standard output, and is kept nowhere:
  (umask 077; mdes-receiver destinations secret > orders.secret)    then  secret_files = [\"orders.secret\"]

To change a secret: name the new one beside the old one, give it to the receiver, then take the old one out.")]
pub struct SecretArgs {
    /// An Ed25519 key instead of a shared secret; its public half, for the receiver, goes to the standard error
    #[arg(long)]
    ed25519: bool,
}

/// Prints it, and for Ed25519 its public half.
pub fn run(args: &SecretArgs) -> anyhow::Result<ExitCode> {
    let made = new_secret(args.ed25519)?;
    output::print_whole(&Zeroizing::new(format!("{}\n", made.secret.expose())))?;
    if let Some(public) = &made.public {
        output::tell(format_args!("its public half, which the receiver checks by: {public}"));
    }
    Ok(ExitCode::SUCCESS)
}
