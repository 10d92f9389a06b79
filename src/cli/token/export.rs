//! `token export`: everything that is held of a token, one JSON object a line.
//!
//! It goes by pages, so that a story may be of any length; what happens meanwhile is behind it. The audit has it before the
//! first line.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{called, namespace};
use crate::cli::progress::Progress;
use crate::cli::{NOT_WELL, because, deliveries, hand, output};
use crate::domain::id::{Namespace, TokenReference};
use crate::store::ledger::{Deed, EntryFilter, Ledger as _, named};
use crate::store::outbox::Standing;
use crate::store::search::{Moment, Search as _};
use crate::store::{Asking as _, Desk as _, Memory};

const PAGE: u32 = 1_000;

#[derive(Debug, Args)]
#[command(after_help = "\
Each line has `record`: token, link, question, story (newest first) or audit. Sealed bodies stay sealed; numbers are masked.

Examples:
  mdes-receiver token export DWSPMC000000000132d72d4fcb2f4136a0532d3093ff1a45 --reason \"case 812\" > token.ndjson
  mdes-receiver token export card-4711 --reason \"the customer asked for it\" | jq -r .record | sort | uniq -c")]
pub(super) struct Export {
    /// The token's reference, or your own: then all tokens that it names.
    reference: String,
    /// Whose reference it is: mdes or tokenex.
    #[arg(long, default_value = "mdes", value_parser = namespace)]
    namespace: Namespace,
    /// Why, for the audit.
    #[arg(long, value_name = "TEXT", value_parser = deliveries::reason)]
    reason: String,
}

pub(super) async fn run(args: &Export, memory: &Memory) -> anyhow::Result<ExitCode> {
    let Some(found) = called(memory, args.namespace, &args.reference).await? else {
        return Ok(ExitCode::from(NOT_WELL));
    };
    let why = args.reason.as_str();
    let deed = Deed::on_tokens("token.export", found.iter().map(|one| &one.token.reference));
    memory.note(&hand(Some(why)), &deed, "exported").await?;
    let memory = because(memory, Some(why));
    let mut lines = Lines::new();
    for standing in &found {
        export(standing, &memory, &mut lines).await?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn export(standing: &Standing, memory: &Memory, lines: &mut Lines) -> anyhow::Result<()> {
    let token = &standing.token.reference;
    lines.print("token", token, standing.shown());
    for link in memory.links_of(token).await? {
        lines.print("link", token, json!(link));
    }
    if let Some(question) = memory.question_of(token).await? {
        lines.print("question", token, json!(question));
    }
    let mut before = Some(Moment::LATEST);
    while let Some(moment) = before {
        let scenes = memory.story(token, &moment, PAGE).await?;
        for scene in &scenes {
            lines.print("story", token, scene.shown());
        }
        let is_full = scenes.len() >= PAGE as usize;
        let next = moment.cursor(&scenes).filter(|_| is_full);
        before = next.and_then(|cursor| Moment::of_cursor(&cursor));
    }
    let about = EntryFilter {
        about: Some(named(token)),
        ..EntryFilter::default()
    };
    let mut last = None;
    loop {
        let entries = memory.entries(&about, last, PAGE).await?;
        for entry in &entries {
            lines.print("audit", token, json!(entry));
        }
        match entries.last().filter(|_| entries.len() >= PAGE as usize) {
            Some(entry) => last = Some(entry.id),
            None => return Ok(()),
        }
    }
}

/// What is exported, and how much of it by now.
struct Lines {
    count: u64,
    progress: Progress,
}

impl Lines {
    fn new() -> Self {
        Lines {
            count: 0,
            progress: Progress::new(),
        }
    }

    fn print(&mut self, record: &str, token: &TokenReference, body: Value) {
        let line = json!({ "record": record, "token": token.shown(), "body": body });
        output::print(&output::json_line(&line));
        self.count += 1;
        self.progress.tell(|| format!("{} lines", self.count));
    }
}
