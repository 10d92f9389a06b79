//! `token erase`: everything that is held of a token goes, at once or not at all.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;

use super::{called, namespace};
use crate::cli::{NOT_WELL, because, deliveries, misuse, output};
use crate::domain::id::{Namespace, TokenReference};
use crate::store::Memory;
use crate::store::erasing::{Erased, Erasing as _, Erasure};

#[derive(Debug, Args)]
#[command(after_help = "\
The audit stays, with an entry of this erasure; so does a notification that speaks of other tokens too, since its body is
sealed as one. A notification that comes afterwards begins a new story.

Examples:
  mdes-receiver token erase DWSPMC000000000132d72d4fcb2f4136a0532d3093ff1a45 --dry-run
  mdes-receiver token erase card-4711 --all --yes --reason \"the customer asked for it, case 812\"")]
pub(super) struct Erase {
    /// The token's reference, or your own.
    reference: String,
    /// Whose reference it is: mdes or tokenex.
    #[arg(long, default_value = "mdes", value_parser = namespace)]
    namespace: Namespace,
    /// All tokens that your reference names, if there are several.
    #[arg(long)]
    all: bool,
    /// Why, for the audit.
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run", value_parser = deliveries::reason)]
    reason: Option<String>,
    /// It cannot be undone, and you mean it.
    #[arg(long)]
    yes: bool,
    /// Erase what somebody was not told of yet, is asked after, or is open in quarantine, too.
    #[arg(long)]
    force: bool,
    /// Count what would go, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Exit code 1 if nothing was erased.
pub(super) async fn run(args: &Erase, memory: &Memory) -> anyhow::Result<ExitCode> {
    if !args.yes && !args.dry_run {
        return Err(misuse("it cannot be undone: look with --dry-run, then say --yes"));
    }
    let Some(found) = called(memory, args.namespace, &args.reference).await? else {
        return Ok(ExitCode::from(NOT_WELL));
    };
    let tokens: BTreeSet<TokenReference> = found.into_iter().map(|one| one.token.reference).collect();
    if tokens.len() > 1 && !args.all {
        output::tell(format_args!(
            "{} names {} tokens: say --all, or erase one of them:",
            output::escaped(&args.reference),
            tokens.len()
        ));
        for token in &tokens {
            output::tell(format_args!(
                "  {} of {}",
                output::escaped(&token.shown()),
                token.namespace.as_str()
            ));
        }
        return Ok(ExitCode::from(NOT_WELL));
    }
    let why = args.reason.as_deref();
    let erasure = Erasure {
        tokens,
        force: args.force,
        dry_run: args.dry_run,
    };
    Ok(told(&because(memory, why).erase(&erasure).await?, args.dry_run))
}

fn told(erased: &Erased, dry_run: bool) -> ExitCode {
    match erased {
        Erased::Unknown => {
            output::tell("it went away meanwhile: nothing was erased");
            ExitCode::from(NOT_WELL)
        }
        Erased::Held(held) => {
            output::tell("nothing was erased, since somebody still needs it:");
            for (what, many) in held {
                output::tell(format_args!("  {many} {what}"));
            }
            output::tell(
                "let these come to their end, or say --force; a command ends by itself or by `lifecycle withdraw`",
            );
            ExitCode::from(NOT_WELL)
        }
        Erased::Gone { rows, shared } => {
            let rows: Vec<[String; 2]> = rows
                .iter()
                .map(|(table, many)| [(*table).to_owned(), many.to_string()])
                .collect();
            output::print(&output::table(
                ["TABLE", if dry_run { "WOULD GO" } else { "GONE" }],
                &rows,
            ));
            if *shared > 0 {
                output::print(&format!(
                    "{shared} notifications stay: they speak of other tokens too\n"
                ));
            }
            ExitCode::SUCCESS
        }
    }
}
