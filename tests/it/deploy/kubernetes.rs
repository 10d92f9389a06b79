//! The Kustomize base, by Kubernetes' own schemas, and what its parts say of each other.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{configured, path, python, ran, yaml};

const BASE: &str = "deploy/kubernetes";

#[test]
fn each_resource_is_one_that_kubernetes_takes() {
    for file in resources() {
        let program = Path::new(&python()).with_file_name("kubernetes-validate");
        ran(Command::new(program).args(["--strict", "--quiet"]).arg(path(&file)));
    }
}

#[test]
fn no_file_is_left_out() {
    let there: BTreeSet<String> = std::fs::read_dir(path(BASE))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .filter(|name| name.ends_with(".yaml") && name != "kustomization.yaml")
        .map(|name| format!("{BASE}/{name}"))
        .collect();
    assert_eq!(resources(), there);
}

#[test]
fn every_pod_is_found_by_what_speaks_of_it() {
    let deployment = one("Deployment");
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    assert_eq!(&deployment["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(&one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(&one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"], labels);
    assert_eq!(&one("Service")["spec"]["selector"], labels);
    assert!(deployment["spec"]["replicas"].as_u64() >= Some(2));
    assert_eq!(one("PodDisruptionBudget")["spec"]["minAvailable"], 1);
}

#[test]
fn its_probes_ask_the_admin_listener_and_its_ports_are_those_of_the_configuration() {
    let settings = configured(
        &format!("{BASE}/receiver.toml"),
        "postgres://receiver@postgres/receiver",
    );
    let receiver = &one("Deployment")["spec"]["template"]["spec"]["containers"][0];
    for (probe, page) in [("readinessProbe", "/readyz"), ("livenessProbe", "/livez")] {
        assert_eq!(receiver[probe]["httpGet"]["path"], page);
        assert_eq!(receiver[probe]["httpGet"]["port"], "admin");
        assert_eq!(receiver[probe]["httpGet"]["scheme"], "HTTPS");
    }
    assert!(settings.admin.tls.is_some(), "the kubelet asks by HTTPS");
    let port = |name: &str| {
        let ports = receiver["ports"].as_array().expect("ports");
        let port = ports
            .iter()
            .find(|port| port["name"] == name)
            .expect("a port of that name");
        port["containerPort"].as_u64()
    };
    assert_eq!(port("callback"), Some(settings.callback.listen.port().into()));
    assert_eq!(port("admin"), Some(settings.admin.listen.port().into()));
}

#[test]
fn what_the_configuration_reads_is_mounted() {
    let settings = configured(
        &format!("{BASE}/receiver.toml"),
        "postgres://receiver@postgres/receiver",
    );
    let pod = &one("Deployment")["spec"]["template"]["spec"];
    let (certificate, key) = settings.admin.tls.expect("it has one");
    let tls = &settings.callback.tls;
    let read = [
        &certificate,
        &key,
        &tls.certificate,
        &tls.private_key,
        &settings.keys[0].private_key,
    ];
    for container in [&pod["containers"][0], &pod["initContainers"][0]] {
        let mounts = container["volumeMounts"].as_array().expect("mounts");
        for file in read {
            let is_under = |mount: &&Value| file.starts_with(mount["mountPath"].as_str().expect("a path"));
            let mount = mounts.iter().find(is_under);
            let mount = mount.unwrap_or_else(|| panic!("{} is not mounted", file.display()));
            let volumes = pod["volumes"].as_array().expect("volumes");
            assert!(volumes.iter().any(|volume| volume["name"] == mount["name"]), "{mount}");
        }
    }
}

#[test]
fn a_stop_has_the_time_that_it_takes() {
    let settings = configured(
        &format!("{BASE}/receiver.toml"),
        "postgres://receiver@postgres/receiver",
    );
    let pod = &one("Deployment")["spec"]["template"]["spec"];
    let grace = pod["terminationGracePeriodSeconds"].as_u64().expect("seconds");
    let waits = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        .as_u64()
        .expect("seconds");
    assert!(grace >= waits + settings.callback.limits.stop.as_secs() + 5);
}

fn resources() -> BTreeSet<String> {
    let kustomization = &yaml(&format!("{BASE}/kustomization.yaml"))[0];
    let named = kustomization["resources"].as_array().expect("resources");
    named
        .iter()
        .map(|name| format!("{BASE}/{}", name.as_str().expect("a name")))
        .collect()
}

/// The first resource of this kind.
fn one(kind: &str) -> Value {
    let all = resources().into_iter().flat_map(|file| yaml(&file));
    all.into_iter()
        .find(|resource| resource["kind"] == kind)
        .expect("there is one")
}
