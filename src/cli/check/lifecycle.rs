//! The token services: each could be asked as it is configured; and who may ask us in TokenEx's words.

use std::sync::Arc;

use super::findings::Findings;
use crate::clock::SystemClock;
use crate::config::settings::{Egress, Lifecycle, Mdes};
use crate::domain::command::Action;
use crate::domain::masked::Secret;
use crate::mdes;
use crate::net::egress::{Client, Target};

pub(super) fn examine(lifecycle: &Lifecycle, findings: &mut Findings) {
    if let Some(tokenex) = &lifecycle.tokenex {
        service("lifecycle.tokenex", &tokenex.url, &tokenex.egress, findings);
    }
    if let Some(mdes) = &lifecycle.mdes {
        let about = "lifecycle.mdes.signing_key";
        if findings.read(about, &mdes.signing_key).is_some() {
            findings.private(about, &mdes.signing_key);
            signing_key(about, mdes, findings);
            service("lifecycle.mdes", &mdes.url, &mdes.egress, findings);
        }
    }
    if !lifecycle.clients.is_empty() {
        clients(lifecycle, findings);
    }
}

fn signing_key(about: &str, mdes: &Mdes, findings: &mut Findings) {
    match mdes::client::opens(mdes) {
        Ok(()) => findings.ok(about, "it opens, and can sign"),
        Err(error) => {
            let hint = "or correct `lifecycle.mdes.signing_key_password`";
            findings.fail(about, error.to_string(), hint);
        }
    }
}

fn service(about: &str, url: &Secret, egress: &Egress, findings: &mut Findings) {
    let url_hint = "write the address that the service gave you, as in config/example.toml";
    let target = match Target::parse(url.expose()) {
        Ok(target) => target,
        Err(error) => return findings.fail(about, error.to_string(), url_hint),
    };
    let client = match Client::new(egress, Arc::new(SystemClock)) {
        Ok(client) => client,
        Err(error) => {
            let hint = "correct `lifecycle.roots`, `lifecycle.proxy` or `lifecycle.client_certificate`";
            return findings.fail(about, error.to_string(), hint);
        }
    };
    match client.admits(&target) {
        Ok(()) => findings.ok(about, "its settings and files are good; it was not asked"),
        Err(error) => findings.fail(about, error.to_string(), "or correct its `url`"),
    }
}

fn clients(lifecycle: &Lifecycle, findings: &mut Findings) {
    let deleting = lifecycle.clients.iter();
    let deleting = deleting
        .filter(|client| client.actions.contains(&Action::Delete))
        .count();
    let text = format!(
        "{} may use the TokenEx contract on the admin listener, {deleting} of them delete",
        lifecycle.clients.len()
    );
    findings.ok("lifecycle.clients", text);
}
