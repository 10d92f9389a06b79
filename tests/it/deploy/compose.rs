//! `deploy/compose.yaml`: without an engine to run it, what it mounts is there, and what it says of each other is so.

use std::process::Command;

use serde_json::Value;

use super::{configured, path, ran, text, yaml};

const STORE: &str = "postgres://receiver:receiver@postgres/receiver?sslmode=disable";

#[test]
fn what_it_mounts_is_in_the_repository() {
    for (name, service) in services() {
        for mount in service["volumes"].as_array().into_iter().flatten() {
            let from = mount.as_str().expect("text").split(':').next().expect("a source");
            // `dev` makes those; named volumes are the engine's.
            let is_ours = from.starts_with('.') && !from.contains("certs/dev");
            assert!(!is_ours || path("deploy").join(from).exists(), "{name} mounts {from}");
        }
    }
}

#[test]
fn its_receiver_s_configuration_is_a_good_one_and_speaks_to_the_others() {
    let receiver = service("receiver");
    assert_eq!(receiver["environment"]["STORE_URL"], STORE);
    let settings = configured("deploy/compose/receiver.toml", STORE);
    assert!(
        settings.admin.hosts.contains(&"receiver".to_owned()),
        "Prometheus calls it so"
    );
    assert_eq!(settings.destinations[0].name, "bus");
    let (_, key) = settings.admin.tls.expect("it is beyond loopback");
    assert!(key.ends_with("certs/server.key"), "{}", key.display());
    let hosts: Vec<String> = services().into_iter().map(|(name, _)| name).collect();
    let configuration = text("deploy/compose/receiver.toml");
    assert!(configuration.contains("nats://nats:4222") && hosts.contains(&"nats".to_owned()));
    let grace = receiver["stop_grace_period"]
        .as_str()
        .and_then(|text| text.strip_suffix('s')?.parse().ok());
    assert!(grace >= Some(settings.callback.limits.stop.as_secs() + 10));
}

#[test]
fn its_prometheus_scrapes_the_receiver_under_the_name_that_the_alerts_ask_for() {
    let prometheus = &yaml("deploy/compose/prometheus.yaml")[0];
    let scrape = &prometheus["scrape_configs"][0];
    assert_eq!(scrape["job_name"], "mdes-receiver");
    assert_eq!(scrape["static_configs"][0]["targets"][0], "receiver:9443");
    assert!(text("deploy/prometheus/alerts.yaml").contains("up{job=\"mdes-receiver\"}"));
    ran(Command::new("promtool")
        .args(["check", "config", "--syntax-only"])
        .arg(path("deploy/compose/prometheus.yaml")));
}

fn services() -> Vec<(String, Value)> {
    let compose = &yaml("deploy/compose.yaml")[0];
    let services = compose["services"].as_object().expect("services");
    services
        .iter()
        .map(|(name, service)| (name.clone(), service.clone()))
        .collect()
}

fn service(name: &str) -> Value {
    let mut services = services().into_iter();
    services.find(|(one, _)| one == name).expect("it is there").1
}
