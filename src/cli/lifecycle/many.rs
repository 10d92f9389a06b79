//! `lifecycle … --from FILE.csv`: a command for each row.
//!
//! Each row's key is made of what the row says: a crash leaves some rows asked for and the others not, and the same file
//! again asks for those alone. Without `--yes` nothing is asked for.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use aws_lc_rs::digest;
use csv::StringRecord;
use serde::Deserialize;

use super::{Change, ask, shown, wait};
use crate::cli::progress::Progress;
use crate::cli::rows::{self, Wrong};
use crate::cli::{NOT_WELL, output};
use crate::config::settings::Settings;
use crate::domain::command::{Action, Stage};
use crate::domain::id::CommandId;
use crate::lifecycle::ordering::{self, Offered, Refused, Written};
use crate::store::Memory;
use crate::store::desk::{CommandFilter, Desk as _, KeptCommand, Ordered};

const COLUMNS: [&str; 7] = [
    "reference",
    "namespace",
    "token_reference_id",
    "through",
    "caused_by",
    "reason_code",
    "reason",
];
/// So many of what would be done are told one by one.
const TOLD_MAX: u64 = 100;
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Somebody should have carried something out by then.
const STUCK_AFTER: Duration = Duration::from_mins(10);

/// What stands in a row; what it does not say, the flags do.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    reference: String,
    namespace: Option<String>,
    token_reference_id: Option<String>,
    through: Option<String>,
    caused_by: Option<String>,
    reason_code: Option<String>,
    reason: Option<String>,
}

impl Row {
    fn written(self, flags: Written) -> (String, Written) {
        let said = |row: Option<String>, flag: Option<String>| row.filter(|text| !text.is_empty()).or(flag);
        let written = Written {
            namespace: said(self.namespace, flags.namespace),
            token_reference_id: said(self.token_reference_id, flags.token_reference_id),
            through: said(self.through, flags.through),
            caused_by: said(self.caused_by, flags.caused_by),
            reason_code: said(self.reason_code, flags.reason_code),
            reason: said(self.reason, flags.reason),
            ..flags
        };
        (self.reference, written)
    }
}

/// Wrong lines are told and left out; then the exit code is 1, and the file may be put right and given again.
pub(super) async fn run(
    action: Action,
    change: &Change,
    settings: &Settings,
    offered: &Offered,
    memory: &Memory,
) -> anyhow::Result<ExitCode> {
    let mut asking = Asking {
        action,
        change,
        offered,
        memory,
        room: 0,
        counts: Counts::default(),
        ids: Vec::new(),
        wrong: Wrong::default(),
        progress: Progress::new(),
    };
    let read = asking.read().await;
    read.context("what was asked for stays asked for: the same call again goes on")?;
    output::print(&asking.counts.told(asking.wrong.count, action, change.yes));
    let mut is_well = asking.wrong.count == 0;
    if change.wait && change.yes {
        is_well &= asking.ended(Instant::now() + change.patience(settings)).await?;
    }
    Ok(if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_WELL)
    })
}

struct Asking<'a> {
    action: Action,
    change: &'a Change,
    offered: &'a Offered,
    memory: &'a Memory,
    /// So many may be asked for before the open ones are counted again.
    room: u32,
    counts: Counts,
    ids: Vec<CommandId>,
    wrong: Wrong,
    progress: Progress,
}

impl Asking<'_> {
    async fn read(&mut self) -> anyhow::Result<()> {
        let file = self.change.from.as_deref().context("no file is given")?;
        let mut reader = rows::open(file)?;
        let header = rows::header(&mut reader, &COLUMNS, &["reference"])?;
        let mut record = StringRecord::new();
        loop {
            let line = reader.position().line();
            match reader.read_record(&mut record) {
                Ok(false) => return Ok(()),
                Ok(true) => {
                    let line = record.position().map_or(line, csv::Position::line);
                    match record.deserialize::<Row>(Some(&header)) {
                        Ok(row) => self.take(row, line).await?,
                        Err(error) => self.wrong.tell(line, rows::broken(&error)),
                    }
                }
                Err(error) if error.is_io_error() => return Err(error).context("the file cannot be read on"),
                Err(error) => self.wrong.tell(line, rows::broken(&error)),
            }
            self.progress.tell(|| format!("{line} lines"));
        }
    }

    async fn take(&mut self, row: Row, line: u64) -> anyhow::Result<()> {
        let (reference, written) = row.written(self.change.how.written(self.action));
        let done = match self.change.yes {
            true => {
                self.wait_for_room().await?;
                let key = key(&self.change.batch, &reference, &written);
                ask::asked(written, &reference, self.offered, Some(&key), self.memory).await
            }
            false => return self.would(&reference, written, line).await,
        };
        match done {
            Ok(Ordered::New(kept)) => {
                self.room = self.room.saturating_sub(1);
                self.counts.new += 1;
                self.ids.push(kept.command.id);
            }
            Ok(Ordered::Same(kept)) => {
                self.counts.same += 1;
                self.ids.push(kept.command.id);
            }
            Ok(Ordered::Conflict(_)) => {
                let why = "was asked for before, when its links were others: give this run another --batch";
                self.wrong.tell(line, why);
            }
            Err(Refused::Unfit(unfit)) => self.wrong.tell(line, &unfit.to_string()),
            Err(Refused::Store(error)) => return Err(error).with_context(|| format!("line {line}")),
        }
        Ok(())
    }

    /// Says what it would do, having looked at all of it.
    async fn would(&mut self, reference: &str, mut written: Written, line: u64) -> anyhow::Result<()> {
        let token = ordering::token(written.namespace.as_deref(), reference);
        written.confirm = token.ok().map(|token| ordering::confirmation(&token).to_owned());
        match written.order(reference, self.offered, self.memory).await {
            Ok(order) => {
                self.counts.new += 1;
                if self.counts.new <= TOLD_MAX {
                    let (action, through) = (order.action.as_str(), order.through.as_str());
                    let reference = output::escaped(&shown(&order.token));
                    output::print(&format!("line {line}: would {action} {reference} through {through}\n"));
                }
            }
            Err(Refused::Unfit(unfit)) => self.wrong.tell(line, &unfit.to_string()),
            Err(Refused::Store(error)) => return Err(error).with_context(|| format!("line {line}")),
        }
        Ok(())
    }

    /// Until fewer are open than may be; those that wait for a person are nobody's work.
    async fn wait_for_room(&mut self) -> anyhow::Result<()> {
        let open_ones = CommandFilter {
            open: true,
            ..CommandFilter::default()
        };
        let (mut fewest, mut since) = (u32::MAX, Instant::now());
        while self.room == 0 {
            let open = self.memory.commands(&open_ones, None, self.change.open_max).await?;
            let is_under_way = |kept: &&KeptCommand| !kept.waits && kept.command.stage != Stage::Overdue;
            let open = open.iter().filter(is_under_way).count();
            let open = u32::try_from(open).unwrap_or(u32::MAX);
            self.room = self.change.open_max.saturating_sub(open);
            if self.room > 0 {
                return Ok(());
            }
            if open < fewest {
                (fewest, since) = (open, Instant::now());
            } else if since.elapsed() > STUCK_AFTER {
                bail!("{open} commands are open, and none came to its end for 10 minutes: does the receiver run?");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Waits for the end of all; true if all are confirmed.
    async fn ended(&mut self, until: Instant) -> anyhow::Result<bool> {
        let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
        for (place, id) in self.ids.iter().enumerate() {
            let stage = wait::ended(*id, until, self.memory).await?;
            *ends.entry(stage.map_or("gone", |stage| stage.as_str())).or_default() += 1;
            self.progress.bar(place as u64 + 1, self.ids.len() as u64, "");
        }
        let told: Vec<String> = ends.iter().map(|(stage, count)| format!("{count} {stage}")).collect();
        output::print(&format!("{}\n", told.join(", ")));
        Ok(ends.keys().all(|stage| *stage == "confirmed"))
    }
}

/// All that a row says, each part with its length before it, so that no two rows run into one.
fn key(batch: &str, reference: &str, written: &Written) -> String {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    let parts = [
        batch.to_owned(),
        written.action.clone(),
        reference.to_owned(),
        text(&written.namespace),
        text(&written.token_reference_id),
        text(&written.through),
        text(&written.caused_by),
        text(&written.reason_code),
        text(&written.reason),
        written.force.to_string(),
    ];
    let all: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
    let hash = digest::digest(&digest::SHA256, all.as_bytes());
    format!("file-{}", hex::encode(&hash.as_ref()[..16]))
}

#[derive(Default)]
struct Counts {
    new: u64,
    same: u64,
}

impl Counts {
    fn told(&self, wrong: u64, action: Action, done: bool) -> String {
        let wrong = match wrong {
            0 => String::new(),
            1 => "; 1 line is wrong and was left out".to_owned(),
            n => format!("; {n} lines are wrong and were left out"),
        };
        let action = action.as_str();
        match done {
            true => format!(
                "{} asked for: {action}; {} asked for before{wrong}\n",
                self.new, self.same
            ),
            false => format!("{} would be asked for: {action}{wrong}; say --yes to do it\n", self.new),
        }
    }
}
