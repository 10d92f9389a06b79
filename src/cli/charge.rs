//! `charge`: may this token be charged? The same answer as `GET /v1/charge/{reference}`.

use std::process::ExitCode;

use clap::Args;

use super::output::{self, table, time};
use super::{NOT_WELL, open_memory};
use crate::config::settings::Settings;
use crate::domain::charge::Charge;
use crate::domain::id::Namespace;
use crate::domain::status::Status;
use crate::store::Store as _;
use crate::store::outbox::Standing;
use crate::store::search::Search as _;
use crate::store::shown::charged;

/// Neither is the code of a mistake: a script that mistypes must not take it for an answer.
const NO: u8 = 3;
const CONFIRM: u8 = 4;

#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 yes · 3 no · 4 confirm: find out before you charge · 1 never heard of · 2 the call or the configuration is wrong

Examples:
  mdes-receiver charge DWSPMC000000000132d72d4fcb2f4136a0532d3093ff1a45
  mdes-receiver charge card-4711 --json")]
pub(super) struct ChargeArgs {
    /// The token's reference, or your own; of several tokens of one reference the most careful answer.
    reference: String,
    /// Whose reference it is: mdes or tokenex.
    #[arg(long, default_value = "mdes", value_parser = namespace)]
    namespace: Namespace,
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &ChargeArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let memory = open_memory(settings).await?;
    let found = memory.called(args.namespace, &args.reference).await;
    memory.close().await;
    let found = found?;
    let Some((word, answer)) = charged(&found) else {
        output::tell("no such token was ever heard of: `mdes-receiver token list` shows those that were");
        return Ok(ExitCode::from(NOT_WELL));
    };
    if args.json {
        output::print_json(&answer);
    } else {
        let why = answer["why"].as_str().unwrap_or_default();
        let rows: Vec<[String; 5]> = found.iter().map(row).collect();
        let tokens = table(["TOKEN", "STATUS", "SINCE", "UPDATED", ""], &rows);
        output::print(&format!("{}: {why}\n\n{tokens}", output::word(word.as_str())));
    }
    Ok(match word {
        Charge::Yes => ExitCode::SUCCESS,
        Charge::No => ExitCode::from(NO),
        Charge::Confirm => ExitCode::from(CONFIRM),
    })
}

fn row(standing: &Standing) -> [String; 5] {
    let token = &standing.token;
    [
        token.reference.shown(),
        token.status().map_or_else(output::dash, Status::to_string),
        time(token.status_at()),
        time(Some(standing.updated_at)),
        standing.charge().0.as_str().to_owned(),
    ]
}

fn namespace(word: &str) -> Result<Namespace, String> {
    Namespace::parse(word).ok_or_else(|| "must be mdes or tokenex".to_owned())
}
