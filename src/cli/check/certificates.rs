//! The door's certificates: ours, the roots of those who may come in, and the lists of those who may no more.

use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use time::OffsetDateTime;
use x509_parser::prelude::{CertificateRevocationList, FromDer, Validity, X509Certificate};

use super::findings::Findings;
use super::server::Server;
use crate::config::settings::{Admin, Callback, ForwardedProof, PeerRule, Tls, TokenExCallbacks};

const MASTERCARD: &str = "ws.mastercard.com";

/// Everything that `[callback.tls]` names.
pub(super) fn door(callback: &Callback, now: OffsetDateTime, findings: &mut Findings) {
    let tls = &callback.tls;
    let ours = Server {
        setting: "callback.tls.certificate",
        file: &tls.certificate,
        key_setting: "callback.tls.private_key",
        key_file: &tls.private_key,
        host: callback.response_host.split([':', '/']).next(),
    };
    ours.examine(now, findings);
    for rule in &tls.peers {
        peer("callback.tls", rule, now, findings);
    }
    if let Some(rule) = &tls.probe {
        peer("callback.probe", rule, now, findings);
    }
    if let Some(ForwardedProof::MutualTls(rule)) = callback.forwarded.as_ref().map(|forwarded| &forwarded.proof) {
        peer("callback.forwarded.mutual_tls", rule, now, findings);
    }
    if !tls
        .peers
        .iter()
        .any(|rule| rule.names.iter().any(|name| name == MASTERCARD))
    {
        let text = format!("no rule admits {MASTERCARD}, the name that Mastercard's documents give");
        findings.warn(
            "callback.tls.client_names",
            text,
            "right for a test; for Mastercard add the name",
        );
    }
    lists(tls, now, findings);
}

/// What `[tokenex_callbacks]` shows.
pub(super) fn callbacks(callbacks: &TokenExCallbacks, now: OffsetDateTime, findings: &mut Findings) {
    let ours = Server {
        setting: "tokenex_callbacks.certificate",
        file: &callbacks.certificate,
        key_setting: "tokenex_callbacks.private_key",
        key_file: &callbacks.private_key,
        host: None,
    };
    ours.examine(now, findings);
}

/// `[admin.tls]`, if there is one.
pub(super) fn admin(admin: &Admin, now: OffsetDateTime, findings: &mut Findings) {
    if let Some((certificate, key)) = &admin.tls {
        let ours = Server {
            setting: "admin.tls.certificate",
            file: certificate,
            key_setting: "admin.tls.private_key",
            key_file: key,
            host: None,
        };
        ours.examine(now, findings);
    }
}

/// A rule's roots, each with the names that it stands for.
fn peer(table: &str, rule: &PeerRule, now: OffsetDateTime, findings: &mut Findings) {
    for file in &rule.roots {
        roots(&format!("{table} roots"), file, &rule.names, now, findings);
    }
}

fn roots(subject: &str, file: &Path, names: &[String], now: OffsetDateTime, findings: &mut Findings) {
    let Some(bundle) = findings
        .read(subject, file)
        .and_then(|bytes| findings.certificates(subject, file, &bytes))
    else {
        return;
    };
    let mut holding = 0;
    for der in &bundle {
        let Ok((_, root)) = X509Certificate::from_der(der) else {
            findings.fail(
                subject,
                format!("{}: a certificate cannot be read", file.display()),
                "fetch the bundle again",
            );
            continue;
        };
        let what = format!("{}: {}", file.display(), root.subject());
        if !root.is_ca() {
            findings.warn(
                subject,
                format!("{what} is no authority"),
                "name the roots that issue, not the client's own",
            );
        }
        holding += usize::from(findings.valid(subject, &what, period(root.validity()), now));
    }
    if holding > 0 {
        let names = names.join(", ");
        findings.ok(
            subject,
            format!("{}: valid roots: {holding}, for {names}", file.display()),
        );
    }
}

fn lists(tls: &Tls, now: OffsetDateTime, findings: &mut Findings) {
    let subject = "callback.tls.crls";
    for file in &tls.crls {
        let Some(bytes) = findings.read(subject, file) else {
            continue;
        };
        let from_pem: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&bytes).collect();
        let lists = match from_pem {
            Ok(lists) if !lists.is_empty() => lists,
            _ => vec![CertificateRevocationListDer::from(bytes)],
        };
        for der in lists {
            list(subject, file, &der, tls.crl_expiry_enforced, now, findings);
        }
    }
}

fn list(subject: &str, file: &Path, der: &[u8], enforced: bool, now: OffsetDateTime, findings: &mut Findings) {
    let Ok((_, list)) = CertificateRevocationList::from_der(der) else {
        let hint = "PEM or DER is wanted: fetch the list again from its distribution point";
        findings.fail(subject, format!("{}: holds no revocation list", file.display()), hint);
        return;
    };
    let what = format!("{}: the list of {}", file.display(), list.issuer());
    let until = list.next_update().map(|until| until.to_datetime());
    let hint = "fetch it again from its distribution point; it is reloaded without a restart";
    match until {
        Some(until) if until < now && enforced => {
            findings.fail(
                subject,
                format!("{what} is stale since {}: its clients are refused", until.date()),
                hint,
            );
        }
        Some(until) if until < now => findings.warn(subject, format!("{what} is stale since {}", until.date()), hint),
        Some(until) => findings.ok(subject, format!("{what} is fresh until {}", until.date())),
        None => findings.ok(subject, format!("{what} names no next update")),
    }
}

impl Findings {
    /// The certificates of a PEM file; none, or one that is cut, is a finding.
    pub(super) fn certificates(
        &mut self,
        subject: &str,
        file: &Path,
        pem: &[u8],
    ) -> Option<Vec<CertificateDer<'static>>> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let read = read.ok().filter(|certificates| !certificates.is_empty());
        if read.is_none() {
            let hint = "PEM is wanted: whole blocks that begin with `-----BEGIN CERTIFICATE-----`";
            self.fail(
                subject,
                format!("{}: holds no readable certificates", file.display()),
                hint,
            );
        }
        read
    }
}

/// From when to when.
pub(super) fn period(validity: &Validity) -> (OffsetDateTime, OffsetDateTime) {
    (validity.not_before.to_datetime(), validity.not_after.to_datetime())
}
