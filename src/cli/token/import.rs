//! `tokens import`: registers the tokens of a CSV file.
//!
//! It is read line by line and registered a thousand lines at a time, so that a file may be of any length. A crash
//! leaves whole thousands registered; the same file again changes nothing of them.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use csv::{Reader, StringRecord};

use crate::cli::progress::Progress;
use crate::cli::rows::{self, Wrong};
use crate::cli::{NOT_WELL, output};
use crate::domain::id::TokenReference;
use crate::store;
use crate::store::outbox::{NewRegistration, Outbox, Registered};
use crate::store::written::Written;

const COLUMNS: [&str; 5] = [
    "namespace",
    "reference",
    "token_requestor_id",
    "merchant_reference",
    "status",
];
const CHUNK: usize = 1_000;
const TRIES_MAX: u32 = 5;

#[derive(Debug, Args)]
pub(super) struct Import {
    /// CSV with a header line: reference, and any of namespace, token_requestor_id, merchant_reference, status.
    /// `-` is standard input.
    file: PathBuf,
    /// Read and check everything, register nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Wrong lines are told and left out; then the exit code is 1, and the file may be put right and imported again.
pub(super) async fn run(args: &Import, outbox: &dyn Outbox) -> anyhow::Result<ExitCode> {
    let mut import = Importing {
        outbox,
        dry_run: args.dry_run,
        chunk: Vec::with_capacity(CHUNK),
        in_chunk: BTreeSet::new(),
        counts: Counts::default(),
        wrong: Wrong::default(),
        progress: Progress::new(),
    };
    let read = import.read(rows::open(&args.file)?).await;
    let Importing {
        counts,
        wrong,
        progress,
        ..
    } = import;
    drop(progress);
    read?;
    output::print(&counts.told(wrong.count, args.dry_run));
    Ok(if wrong.count == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_WELL)
    })
}

struct Importing<'a> {
    outbox: &'a dyn Outbox,
    dry_run: bool,
    chunk: Vec<NewRegistration>,
    in_chunk: BTreeSet<TokenReference>,
    counts: Counts,
    wrong: Wrong,
    progress: Progress,
}

impl Importing<'_> {
    async fn read(&mut self, mut reader: Reader<impl Read>) -> anyhow::Result<()> {
        let header = rows::header(&mut reader, &COLUMNS, &["reference"])?;
        let mut record = StringRecord::new();
        loop {
            let line = reader.position().line();
            match reader.read_record(&mut record) {
                Ok(false) => return self.register(line).await,
                Ok(true) => {
                    let line = record.position().map_or(line, csv::Position::line);
                    self.take(&record, &header, line).await?;
                }
                Err(error) if error.is_io_error() => return Err(error).context("the file cannot be read on"),
                Err(error) => self.wrong.tell(line, rows::broken(&error)),
            }
        }
    }

    async fn take(&mut self, record: &StringRecord, header: &StringRecord, line: u64) -> anyhow::Result<()> {
        let written = record.deserialize::<Written>(Some(header));
        let checked = match written {
            Ok(written) => written.checked().map_err(|unfit| unfit.to_string()),
            Err(error) => Err(rows::broken(&error).to_owned()),
        };
        let registration = match checked {
            Ok(registration) => registration,
            Err(why) => {
                self.wrong.tell(line, &why);
                return Ok(());
            }
        };
        // A token twice in one chunk would leave open which line holds: the later one does.
        if self.chunk.len() == CHUNK || self.in_chunk.contains(&registration.token) {
            self.register(line).await?;
        }
        self.in_chunk.insert(registration.token.clone());
        self.chunk.push(registration);
        Ok(())
    }

    /// Registers the chunk; whatever stands before `line` is registered then.
    async fn register(&mut self, line: u64) -> anyhow::Result<()> {
        if self.dry_run {
            self.counts.read += self.chunk.len() as u64;
        } else if !self.chunk.is_empty() {
            let first_missing = || {
                format!(
                    "nothing is registered of the {} lines before line {line}; run it again, what is registered stays as it is",
                    self.chunk.len()
                )
            };
            for one in persistent(self.outbox, &self.chunk).await.with_context(first_missing)? {
                self.counts.count(one);
            }
        }
        self.chunk.clear();
        self.in_chunk.clear();
        self.progress.tell(|| format!("{line} lines"));
        Ok(())
    }
}

/// A deadlock with the receiver beside it is no reason to give up.
async fn persistent(outbox: &dyn Outbox, chunk: &[NewRegistration]) -> Result<Vec<Registered>, store::Error> {
    for _ in 1..TRIES_MAX {
        match outbox.register(chunk).await {
            Err(store::Error::Conflict(_)) => {}
            done => return done,
        }
    }
    outbox.register(chunk).await
}

#[derive(Default)]
struct Counts {
    read: u64,
    new: u64,
    known: u64,
    again: u64,
}

impl Counts {
    fn count(&mut self, registered: Registered) {
        match registered {
            Registered::New => self.new += 1,
            Registered::Known => self.known += 1,
            Registered::Again => self.again += 1,
        }
    }

    fn told(&self, wrong: u64, dry_run: bool) -> String {
        let wrong = match wrong {
            0 => String::new(),
            wrong => format!("; {wrong} lines are wrong and were left out"),
        };
        if dry_run {
            return format!("{} lines would be registered{wrong}\n", self.read);
        }
        let (new, known, again) = (self.new, self.known, self.again);
        format!(
            "{} registered: {new} new, {known} that the network had spoken of already, {again} registered before{wrong}\n",
            new + known + again
        )
    }
}
