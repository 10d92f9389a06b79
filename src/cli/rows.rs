//! The lines of a CSV file, read one by one, so that a file may be of any length.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use csv::{Reader, StringRecord};

use super::output;

/// A file with a header line; `-` is standard input.
pub(super) fn open(file: &Path) -> anyhow::Result<Reader<Box<dyn Read + Send>>> {
    let input: Box<dyn Read + Send> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let opened = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
        Box::new(BufReader::new(opened))
    };
    Ok(csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input))
}

/// Every column is one of ours, and once; whatever is misspelt would otherwise be lost in silence.
pub(super) fn header(
    reader: &mut Reader<impl Read>,
    columns: &[&str],
    required: &[&str],
) -> anyhow::Result<StringRecord> {
    let header = reader
        .headers()
        .context("line 1: the header line cannot be read")?
        .clone();
    for (index, column) in header.iter().enumerate() {
        if !columns.contains(&column) || header.iter().take(index).any(|earlier| earlier == column) {
            let column = output::escaped(column);
            bail!(
                "line 1: column `{column}` is not known, or there twice: the columns are {}",
                columns.join(",")
            );
        }
    }
    if let Some(missing) = required.iter().find(|one| !header.iter().any(|column| column == **one)) {
        bail!("line 1: no column `{missing}`: the columns are {}", columns.join(","));
    }
    Ok(header)
}

/// What is wrong with a line as CSV, without what stands in it.
pub(super) fn broken(error: &csv::Error) -> &'static str {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { .. } => "does not have as many fields as the header line",
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8",
        _ => "cannot be read as CSV",
    }
}

/// The lines that are wrong: they are told and left out, and told one by one only up to a bound.
#[derive(Default)]
pub(super) struct Wrong {
    pub(super) count: u64,
}

impl Wrong {
    const TOLD_MAX: u64 = 100;

    pub(super) fn tell(&mut self, line: u64, why: &str) {
        self.count += 1;
        match self.count {
            0..=Self::TOLD_MAX => output::tell(format_args!("line {line}: {why}")),
            _ if self.count == Self::TOLD_MAX + 1 => output::tell("and more wrong lines, which are only counted"),
            _ => {}
        }
    }
}
