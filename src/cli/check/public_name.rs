//! Our own probe: it could ask as it is configured.

use std::sync::Arc;

use time::OffsetDateTime;

use super::findings::Findings;
use crate::clock::SystemClock;
use crate::config::settings::Probe;
use crate::net::egress::{Client, Target};

pub(super) fn examine(probe: &Probe, now: OffsetDateTime, findings: &mut Findings) {
    let client = match Client::new(&probe.egress, Arc::new(SystemClock)) {
        Ok(client) => client,
        Err(error) => {
            let hint = "correct `probe.client_certificate`, `probe.client_key` or `probe.roots`";
            return findings.fail("probe", error.to_string(), hint);
        }
    };
    let admitted = Target::parse(&probe.url).and_then(|target| client.admits(&target));
    match admitted {
        Ok(()) => findings.ok("probe", "its settings and files are good; it was not asked"),
        Err(error) => findings.fail("probe", error.to_string(), "or correct `probe.url`"),
    }
    for (file, until) in client.expiries() {
        if until <= now {
            let text = format!("{file} has expired");
            findings.fail("probe", text, "issue a new one: it is read without a restart");
        }
    }
}
