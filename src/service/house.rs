//! What the admin side is told of keys, certificates and sealed bodies.

use std::sync::Arc;

use async_trait::async_trait;

use super::watch::Watch;
use crate::config::settings::{ForwardedProof, Settings};
use crate::domain::id::NotificationId;
use crate::domain::masked::Secret;
use crate::http::admin::house::{Certificate, House, Key, KeyName};
use crate::inbox::{Inbox, Redriven};
use crate::keys::{DecryptionKey, Keys};
use crate::net::exhibit::{self, Exhibit};
use crate::store::alarms::Standing;
use crate::store::{self, KeptQuarantine};

/// The house, as the admin side asks it.
pub(super) struct Assembled {
    inbox: Arc<Inbox>,
    keys: Arc<Keys>,
    watch: Arc<Watch>,
    pub(super) settings: Settings,
}

impl Assembled {
    /// Over these parts.
    pub(super) fn of(inbox: &Arc<Inbox>, keys: &Arc<Keys>, watch: &Arc<Watch>, settings: &Settings) -> Arc<Self> {
        Arc::new(Assembled {
            inbox: inbox.clone(),
            keys: keys.clone(),
            watch: watch.clone(),
            settings: settings.clone(),
        })
    }
}

#[async_trait]
impl House for Assembled {
    async fn token_number(&self, notification: NotificationId, index: u32) -> Result<Option<Secret>, store::Error> {
        self.inbox.token_number(notification, index).await
    }

    async fn redrive(&self, entry: &KeptQuarantine) -> Result<Redriven, store::Error> {
        self.inbox.redrive(entry).await
    }

    async fn needs(&self) -> Result<Standing, store::Error> {
        self.watch.needs().await
    }

    async fn certificates(&self) -> Vec<Certificate> {
        let settings = self.settings.clone();
        let read = tokio::task::spawn_blocking(move || certificates(&settings));
        read.await.unwrap_or_default() // it does not panic; and if it did, there is nothing to show
    }

    fn keys(&self) -> Vec<Key> {
        let ring = self.keys.current();
        let newest = ring.newest().spki_sha256().to_owned();
        ring.keys().iter().map(|key| shown(key, &newest)).collect()
    }

    fn veil(&self, text: &str) -> String {
        self.keys.current().newest().veil(text)
    }

    fn unveil(&self, veiled: &str) -> Option<String> {
        let ring = self.keys.current();
        ring.keys().iter().find_map(|key| key.unveil(veiled))
    }
}

fn shown(key: &DecryptionKey, newest: &str) -> Key {
    let names = key.fingerprints().iter().map(|name| KeyName {
        label: name.label,
        value: name.value.clone(),
    });
    Key {
        spki_sha256: key.spki_sha256().to_owned(),
        is_newest: key.spki_sha256() == newest,
        names: names.collect(),
    }
}

/// Every certificate and revocation list that the configuration names, as its file is now.
pub fn certificates(settings: &Settings) -> Vec<Certificate> {
    let tls = &settings.callback.tls;
    let mut all = Vec::new();
    let mut add = |purpose, exhibits: Vec<Exhibit>| all.extend(exhibits.into_iter().map(|one| named(purpose, one)));
    add(
        "callback",
        exhibit::certificates("callback.tls.certificate", &tls.certificate),
    );
    for file in tls.peers.iter().flat_map(|rule| &rule.roots) {
        add(
            "callback client root",
            exhibit::certificates("callback.tls.client_roots", file),
        );
    }
    for file in tls.probe.iter().flat_map(|rule| &rule.roots) {
        add("probe root", exhibit::certificates("callback.probe.roots", file));
    }
    let proof = settings.callback.forwarded.as_ref().map(|forwarded| &forwarded.proof);
    if let Some(ForwardedProof::MutualTls(rule)) = proof {
        for file in &rule.roots {
            add("balancer root", exhibit::certificates("callback.forwarded.roots", file));
        }
    }
    for file in &tls.crls {
        add(
            "callback revocation list",
            exhibit::revocation_lists("callback.tls.crls", file),
        );
    }
    let shown = settings
        .probe
        .as_ref()
        .and_then(|probe| probe.egress.client_certificate.as_ref());
    if let Some((certificate, _)) = shown {
        add("probe", exhibit::certificates("probe.client_certificate", certificate));
    }
    if let Some((certificate, _)) = &settings.admin.tls {
        add("admin", exhibit::certificates("admin.tls.certificate", certificate));
    }
    all
}

fn named(purpose: &'static str, one: Exhibit) -> Certificate {
    Certificate {
        purpose,
        setting: one.setting,
        file: one.file,
        subject: one.subject,
        sha256: one.sha256,
        not_before: one.not_before,
        not_after: one.not_after,
        problem: one.problem,
    }
}
