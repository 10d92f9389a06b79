//! The alert rules: what they ask for is there, they fire when they should, and each has its entry in the runbook.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::{metrics, path, ran, text, yaml};

const RULES: &str = "deploy/prometheus/alerts.yaml";
const TESTS: [&str; 2] = ["tests/prometheus/alerts.yaml", "tests/prometheus/long.yaml"];

#[test]
fn each_fires_when_it_should_and_only_then() {
    ran(Command::new("promtool").args(["check", "rules"]).arg(path(RULES)));
    ran(Command::new("promtool").args(["test", "rules"]).args(TESTS.map(path)));
}

#[test]
fn none_is_without_a_test_that_it_fires() {
    let files: Vec<Value> = TESTS.iter().flat_map(|name| yaml(name)).collect();
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let cases = files.iter().flat_map(|file| list(&file["tests"]));
    let cases = cases.flat_map(|test| list(&test["alert_rule_test"]));
    let firing = cases.filter(|case| !case["exp_alerts"].is_null());
    let tested: BTreeSet<String> = firing
        .map(|case| case["alertname"].as_str().expect("a name").to_owned())
        .collect();
    for alert in alerts() {
        let name = alert["alert"].as_str().expect("a name");
        assert!(tested.contains(name), "nothing shows that {name} fires");
    }
}

#[test]
fn each_asks_for_metrics_that_there_are_in_words_that_the_program_says() {
    for alert in alerts() {
        metrics::hold(alert["expr"].as_str().expect("an expression"));
    }
}

#[test]
fn each_has_its_entry_in_the_runbook_and_no_entry_is_without_one() {
    let runbook = text("docs/runbook.md");
    let entries: Vec<&str> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let mut told = Vec::new();
    for alert in alerts() {
        let name = alert["alert"].as_str().expect("a name").to_owned();
        let link = format!("docs/runbook.md#{}", name.to_lowercase());
        assert_eq!(alert["annotations"]["runbook"], link, "{name}");
        let severity = alert["labels"]["severity"].as_str();
        assert!(matches!(severity, Some("page" | "ticket")), "{name}");
        told.push(name);
    }
    assert_eq!(entries, told, "in the same order");
}

#[test]
fn the_runbook_looks_at_metrics_that_there_are() {
    let series = metrics::series();
    let strange: Vec<String> = metrics::asked(&text("docs/runbook.md"))
        .into_iter()
        .filter(|name| !series.iter().any(|one| one.starts_with(name.as_str())))
        .collect();
    assert_eq!(strange, Vec::<String>::new());
}

fn alerts() -> Vec<Value> {
    let rules = yaml(RULES);
    let groups = rules[0]["groups"].as_array().expect("groups");
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().expect("rules"));
    rules.cloned().collect()
}
