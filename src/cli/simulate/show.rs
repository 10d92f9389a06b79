//! What `simulate` prints: aligned blocks for people, a JSON object a line for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::cli::output::{escaped, json_line};
use crate::simulator::load::{Plan, Report};
use crate::simulator::play::Played;
use crate::simulator::scenario;
use crate::simulator::sender::Answer;

/// So much of an answer is shown to people.
const ANSWER_CHARS_MAX: usize = 400;

/// Every scenario with its sentence and what it expects.
pub fn list() -> String {
    let width = scenario::all()
        .iter()
        .map(|scenario| scenario.name.len())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for scenario in scenario::all() {
        let mut expected: Vec<&str> = scenario.steps.iter().map(|step| step.expect.as_str()).collect();
        expected.dedup();
        let ca = match scenario.needs_client_ca() {
            true => "; needs --client-ca",
            false => "",
        };
        let _ = writeln!(out, "{:width$}  {}", scenario.name, scenario.about);
        let _ = writeln!(out, "{:width$}    expects {}{ca}", "", expected.join(", then "));
    }
    let _ = writeln!(out, "{:width$}  the first six in their order", "life");
    let _ = writeln!(out, "{:width$}  every one", "all");
    out
}

/// One request as a block.
pub fn played(played: &Played) -> String {
    let mut out = String::new();
    let how = Some(&played.how).filter(|how| !how.is_empty());
    for (n, line) in how.into_iter().chain(&played.sent).enumerate() {
        let _ = writeln!(out, "  {:9} {}", if n == 0 { "sent" } else { "" }, escaped(line));
    }
    let answer = match &played.answer {
        Ok(answer) => format!("{} {}", answer.status, text(answer)),
        Err(error) => error.clone(),
    };
    let verdict = if played.passed { "ok" } else { "NOT AS EXPECTED" };
    let millis = played.took.as_secs_f64() * 1000.0;
    let _ = writeln!(out, "  {:9} {}", "expected", played.expected);
    let _ = writeln!(out, "  {:9} {}", "answer", escaped(&answer));
    let _ = writeln!(out, "  {verdict:9} after {millis:.1} ms");
    out
}

/// The same as one line of JSON.
pub fn played_json(played: &Played) -> String {
    let (status, body, error) = match &played.answer {
        Ok(answer) => {
            let body = serde_json::from_slice(&answer.body).unwrap_or_else(|_| Value::from(text(answer)));
            (Some(answer.status), body, None)
        }
        Err(error) => (None, Value::Null, Some(error)),
    };
    let line = json!({
        "scenario": played.scenario,
        "how": played.how,
        "request_id": played.request_id,
        "tokens": played.token_unique_references,
        "sent": played.sent,
        "expected": played.expected,
        "status": status,
        "body": body,
        "error": error,
        "passed": played.passed,
        "ms": played.took.as_secs_f64() * 1000.0,
    });
    json_line(&line)
}

/// A load's figures.
pub fn report(report: &Report, plan: &Plan) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} of {} requests answered over {} connections in {:.2} s, {} accepted",
        report.answered, plan.requests, plan.connections, report.seconds, report.accepted
    );
    let _ = writeln!(out, "  {:9} {:10.1} a second", "rate", report.per_second);
    for (name, ms) in [
        ("p50", report.p50_ms),
        ("p95", report.p95_ms),
        ("p99", report.p99_ms),
        ("p99.9", report.p999_ms),
        ("max", report.max_ms),
    ] {
        let _ = writeln!(out, "  {name:9} {ms:10.1} ms");
    }
    for (status, count) in &report.statuses {
        let _ = writeln!(out, "  {:9} {count:10}", format!("HTTP {status}"));
    }
    for (error, count) in &report.errors {
        let _ = writeln!(out, "  {:9} {count:10} {}", "error", escaped(error));
    }
    if report.unsent > 0 {
        let _ = writeln!(out, "  {:9} {:10}", "unsent", report.unsent);
    }
    out
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body)
        .chars()
        .take(ANSWER_CHARS_MAX)
        .collect()
}
