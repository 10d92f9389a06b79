//! What reconciles found, when something may have been missed, and what is in doubt.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::NOT_WELL;
use crate::cli::output::{self, dash, pairs, table, time};
use crate::domain::id::ReconcileId;
use crate::domain::status::Status;
use crate::store::asking::{Found, KeptReconcile};
use crate::store::{Asking as _, Memory};

const PAGE: u32 = 1_000;

pub(super) async fn list(memory: &Memory, as_json: bool) -> anyhow::Result<ExitCode> {
    let all = memory.reconciles(None, PAGE).await?;
    if as_json {
        output::print_json(&json!(all));
        return Ok(ExitCode::SUCCESS);
    }
    let row = |one: &KeptReconcile| {
        [
            one.id.to_string(),
            time(Some(one.created_at)),
            one.asked_by.clone(),
            state(one).to_owned(),
            format!(
                "{} of {}",
                one.counts.all(),
                one.total.map_or_else(dash, |total| total.to_string())
            ),
            one.counts.repaired.to_string(),
            one.counts.differs.to_string(),
            one.counts.unanswered.to_string(),
        ]
    };
    let rows: Vec<[String; 8]> = all.iter().map(row).collect();
    let header = [
        "ID",
        "ASKED FOR",
        "BY",
        "",
        "COMPARED",
        "REPAIRED",
        "DIFFER",
        "UNANSWERED",
    ];
    output::print(&table(header, &rows));
    Ok(ExitCode::SUCCESS)
}

fn state(one: &KeptReconcile) -> &'static str {
    match (one.stopped, one.ended_at, one.total) {
        (true, ..) => "stopped",
        (false, Some(_), _) if one.dry_run => "dry run, through",
        (false, Some(_), _) => "through",
        (false, None, Some(_)) => "under way",
        (false, None, None) => "waits",
    }
}

pub(super) async fn one(memory: &Memory, id: ReconcileId, as_json: bool) -> anyhow::Result<ExitCode> {
    let Some(kept) = memory.reconcile(id).await? else {
        output::tell("no reconcile has that id: `mdes-receiver reconcile list` shows those that there are");
        return Ok(ExitCode::from(NOT_WELL));
    };
    let found = memory.findings(id, None, PAGE).await?;
    if as_json {
        let mut shown = json!(kept);
        shown["findings"] = json!(found);
        output::print_json(&shown);
        return Ok(ExitCode::SUCCESS);
    }
    let counts = kept.counts;
    let figures = [
        ("reconcile", kept.id.to_string()),
        ("state", state(&kept).to_owned()),
        (
            "asked for",
            format!("{} by {}", time(Some(kept.created_at)), kept.asked_by),
        ),
        ("since", time(kept.scope.since)),
        ("agree", counts.agrees.to_string()),
        ("repaired", counts.repaired.to_string()),
        ("differ", counts.differs.to_string()),
        ("moved meanwhile", counts.moved.to_string()),
        ("not there", counts.not_there.to_string()),
        ("unanswered", counts.unanswered.to_string()),
    ];
    output::print(&pairs(&figures));
    if !found.is_empty() {
        output::print(&format!("\n{}", findings(&found)));
    }
    if found.len() >= PAGE as usize {
        output::print("there may be more: GET /v1/reconciles/{id}/findings has all that are kept\n");
    }
    Ok(ExitCode::SUCCESS)
}

fn findings(found: &[Found]) -> String {
    let status = |status: &Option<Status>| status.as_ref().map_or_else(dash, Status::to_string);
    let row = |one: &Found| {
        [
            one.token.shown(),
            one.finding.as_str().replace('_', " "),
            status(&one.held),
            status(&one.seen),
            time(one.seen_at),
            one.why.clone(),
        ]
    };
    let rows: Vec<[String; 6]> = found.iter().map(row).collect();
    table(["TOKEN", "FINDING", "HELD", "NETWORK", "SINCE", "WHY"], &rows)
}

pub(super) async fn gaps(memory: &Memory, as_json: bool) -> anyhow::Result<ExitCode> {
    let all = memory.gaps(None, PAGE).await?;
    if as_json {
        output::print_json(&json!(all));
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 7]> = all
        .iter()
        .map(|gap| {
            [
                gap.missed.as_str().to_owned(),
                time(Some(gap.from)),
                time(Some(gap.until)),
                gap.count.to_string(),
                if gap.peer.is_empty() { dash() } else { gap.peer.clone() },
                gap.reason.clone(),
                match (gap.closed, gap.reconcile) {
                    (false, _) => "open".to_owned(),
                    (true, None) => "closed".to_owned(),
                    (true, Some(id)) => format!("reconcile {id}"),
                },
            ]
        })
        .collect();
    output::print(&table(
        ["MISSED BY", "FROM", "UNTIL", "COUNT", "PEER", "REASON", ""],
        &rows,
    ));
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn questions(memory: &Memory, as_json: bool) -> anyhow::Result<ExitCode> {
    let all = memory.questions(None, PAGE).await?;
    if as_json {
        output::print_json(&json!(all));
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 5]> = all
        .iter()
        .map(|question| {
            let doubts: Vec<&str> = question.doubts.iter().map(|doubt| doubt.sentence()).collect();
            [
                question.token.shown(),
                doubts.join("; "),
                question.asks.to_string(),
                if question.given_up {
                    "needs a person".to_owned()
                } else {
                    time(Some(question.due_at))
                },
                question.why.clone().unwrap_or_else(dash),
            ]
        })
        .collect();
    output::print(&table(["TOKEN", "DOUBT", "ASKED", "NEXT", "WHY"], &rows));
    Ok(ExitCode::SUCCESS)
}
