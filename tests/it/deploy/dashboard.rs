//! The dashboard: JSON that Grafana reads, queries that Prometheus reads, metrics that there are.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use super::{metrics, ran, text};

#[test]
fn each_of_its_questions_is_one_that_prometheus_reads_about_metrics_that_there_are() {
    let questions = questions();
    assert!(questions.len() >= 20, "{questions:?}");
    for question in &questions {
        metrics::hold(question);
    }
    // As recording rules, which promtool checks; Grafana fills in the interval.
    let rules: Vec<Value> = questions
        .iter()
        .map(|question| json!({"record": "asked", "expr": question.replace("$__rate_interval", "5m")}))
        .enumerate()
        .map(|(place, rule)| json!({"name": place.to_string(), "rules": [rule]}))
        .collect();
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), json!({"groups": rules}).to_string()).expect("it is written");
    ran(Command::new("promtool").args(["check", "rules"]).arg(file.path()));
}

#[test]
fn everything_that_is_counted_is_drawn() {
    let drawn: BTreeSet<String> = questions()
        .iter()
        .flat_map(|question| metrics::asked(question))
        .collect();
    let shorn = |name: &String| {
        ["_bucket", "_sum", "_count"]
            .iter()
            .fold(name.clone(), |name, end| name.trim_end_matches(end).to_owned())
    };
    let (drawn, counted): (BTreeSet<_>, BTreeSet<_>) = (
        drawn.iter().map(shorn).collect(),
        metrics::series().iter().map(shorn).collect(),
    );
    let missing: Vec<_> = counted.difference(&drawn).collect();
    assert_eq!(missing, Vec::<&String>::new());
}

#[test]
fn no_panel_lies_on_another() {
    let mut taken = BTreeSet::new();
    for panel in panels() {
        let at = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
        assert!(at("x") + at("w") <= 24, "{}", panel["title"]);
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{} lies on another", panel["title"]);
            }
        }
    }
}

fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(&text("deploy/grafana/dashboard.json")).expect("JSON");
    dashboard["panels"].as_array().expect("panels").clone()
}

fn questions() -> Vec<String> {
    let panels = panels();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    targets
        .map(|target| target["expr"].as_str().expect("a question").to_owned())
        .collect()
}
