//! What happened, a line for each, and a line more for each that was told of it.

use crate::cli::output::{self, time};
use crate::domain::delivery::State;
use crate::domain::status::Status;
use crate::domain::token::Change;
use crate::store::search::{Scene, Sending};
use crate::store::{KeptStatement, Transition};

/// As a table.
pub(super) fn table(scenes: &[Scene]) -> String {
    let rows: Vec<[String; 3]> = scenes.iter().flat_map(rows).collect();
    output::table(["AT", "", "WHAT"], &rows)
}

fn rows(scene: &Scene) -> Vec<[String; 3]> {
    let (what, details) = match scene {
        Scene::Heard(statement) => (
            heard(statement),
            vec![format!("notification {}", statement.notification)],
        ),
        Scene::Changed(transition) => changed(transition, scene.summary()),
        Scene::Told(told) => (scene.summary(), told.sendings.iter().map(sending).collect()),
        Scene::Commanded(id, _, step) => {
            let what = format!("{} ({})", scene.summary(), step.stage.as_str());
            (what, vec![format!("command {id}")])
        }
    };
    let first = [time(Some(scene.at())), scene.kind().to_owned(), what];
    let more = details
        .into_iter()
        .map(|detail| [String::new(), String::new(), format!("  {detail}")]);
    std::iter::once(first).chain(more).collect()
}

fn heard(statement: &KeptStatement) -> String {
    let status = statement
        .status
        .as_ref()
        .map_or("nothing of its status", Status::as_str);
    let since = match statement.status_at {
        Some(at) => format!(" since {}", time(Some(at))),
        None => String::new(),
    };
    let reason = statement
        .reason_code
        .as_deref()
        .map_or_else(String::new, |reason| format!(" ({reason})"));
    let again = match statement.repeats {
        0 => String::new(),
        times => format!("; heard {times} times more"),
    };
    format!("{status}{since}{reason}: {}{again}", statement.verdict.sentence())
}

fn changed(transition: &Transition, summary: String) -> (String, Vec<String>) {
    let fields: Vec<&str> = transition.changes.iter().map(field).collect();
    let what = format!("{summary} (change {})", transition.sequence);
    (what, vec![format!("in {}", fields.join(", "))])
}

fn field(change: &Change) -> &str {
    &change.field
}

fn sending(sending: &Sending) -> String {
    let to = &sending.destination;
    let tries = match sending.attempts {
        1 => "1 try".to_owned(),
        tries => format!("{tries} tries"),
    };
    let answered = sending
        .answer_status
        .map_or_else(String::new, |status| format!(", answered {status}"));
    match sending.state {
        State::Delivered => format!("{to}: delivered {}{answered}, {tries}", time(sending.attempted_at)),
        State::Skipped => {
            let by = sending.settled_by.as_deref().unwrap_or("nobody knows who");
            format!("{to}: set aside by {by}")
        }
        State::Parked => format!(
            "{to}: not delivered, waits for a person; last tried {}{answered}, {tries}",
            time(sending.attempted_at)
        ),
        State::Due | State::Leased if sending.attempts == 0 => format!("{to}: on its way"),
        State::Due | State::Leased => format!(
            "{to}: not delivered yet; last tried {}{answered}, {tries}",
            time(sending.attempted_at)
        ),
    }
}
