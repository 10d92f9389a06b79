//! `certificates`: certificates and revocation lists of the configuration, with the days that are left of each.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::output::{self, dash, table, time};
use crate::config::settings::Settings;
use crate::service;

#[derive(Debug, Args)]
pub(super) struct CertificatesArgs {
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// As the files are now.
pub(super) fn run(args: &CertificatesArgs, settings: &Settings, now: OffsetDateTime) -> ExitCode {
    let all = service::certificates(settings);
    if args.json {
        let all: Vec<Value> = all.iter().map(|one| one.shown(now)).collect();
        output::print_json(&json!(all));
        return ExitCode::SUCCESS;
    }
    let rows: Vec<[String; 5]> = all
        .into_iter()
        .map(|one| {
            let days = one.not_after.map(|end| (end - now).whole_days());
            [
                one.purpose.to_owned(),
                one.subject,
                time(one.not_after),
                days.map_or_else(dash, |days| days.to_string()),
                one.problem.unwrap_or(one.file),
            ]
        })
        .collect();
    output::print(&table(["FOR", "SUBJECT", "UNTIL", "DAYS LEFT", "FILE"], &rows));
    ExitCode::SUCCESS
}
