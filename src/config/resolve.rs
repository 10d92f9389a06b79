//! From what was written to what it means: looks up names, places paths, checks bounds and contradictions.
//!
//! It opens no file and asks no network; `check` does that.

mod callback;
mod destinations;
mod door;
mod lifecycle;
mod outward;
mod overhear;
mod watch;

mod probe;
mod retention;
mod traces;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{Error, Origins};
use super::{file, settings};
use crate::domain::masked::Secret;

const SECS_MAX: u64 = 86_400;
const FINGERPRINT_CHARS_MAX: usize = 128;

/// Where paths stand, and where keys were given.
pub(super) struct Resolver<'a> {
    folder: &'a Path,
    origins: &'a Origins,
}

/// The settings that the file means.
pub(super) fn settings(file: file::File, at: &Resolver<'_>) -> Result<settings::Settings, Error> {
    let callback = callback::callback(file.callback, at)?;
    let settings = settings::Settings {
        probe: probe::probe(&file.probe, &callback, at)?,
        callback,
        keys: keys(file.keys, at)?,
        envelope: settings::Envelope {
            try_all: file.envelope.unknown_fingerprint == file::UnknownFingerprint::TryAll,
            legacy_pkcs1_v15: file.envelope.legacy_pkcs1_v15,
            refuse_expired: file.envelope.expired == file::Expired::Refuse,
        },
        store: store(file.store, at)?,
        inbox: inbox(&file.inbox, at)?,
        admin: admin(file.admin, at)?,
        delivery: destinations::delivery(&file.delivery, at)?,
        destinations: destinations::destinations(file.destinations, at)?,
        lifecycle: lifecycle::lifecycle(file.lifecycle, at)?,
        tokenex_callbacks: overhear::callbacks(file.tokenex_callbacks, at)?,
        watch: watch::watch(&file.watch, at)?,

        retention: retention::retention(&file.retention, at)?,
        log: log(file.log, at)?,
        traces: traces::traces(&file.traces, at)?,
    };
    agree(&settings, at)?;
    Ok(settings)
}

/// What only shows when two settings are held against each other.
fn agree(settings: &settings::Settings, at: &Resolver<'_>) -> Result<(), Error> {
    let limits = &settings.callback.limits;
    if settings.admin.listen.port() != 0 && settings.admin.listen == settings.callback.listen {
        return Err(at.invalid("admin.listen", "is also `callback.listen`: they need different ports"));
    }
    if settings.store.deadline >= limits.answer {
        let why = "must be less than `callback.limits.answer_secs`, so that a slow store still gets its 503";
        return Err(at.invalid("store.deadline_secs", why));
    }
    for (index, destination) in settings.destinations.iter().enumerate() {
        if destination.egress.total >= limits.stop {
            let why = "must be less than `callback.limits.stop_secs`, so that a stop can settle what was under way";
            return Err(at.invalid(format!("destinations[{index}].total_secs"), why));
        }
    }
    let lifecycle = &settings.lifecycle;
    let ways = [
        lifecycle.tokenex.as_ref().map(|service| &service.egress),
        lifecycle.mdes.as_ref().map(|service| &service.egress),
    ];
    if ways.iter().flatten().any(|way| way.total >= limits.stop) {
        let why = "must be less than `callback.limits.stop_secs`, so that a stop can hear what was under way";
        return Err(at.invalid("lifecycle.total_secs", why));
    }
    if settings.inbox.batch_max > settings.inbox.queue_max {
        return Err(at.invalid("inbox.batch_max", "must not be more than `inbox.queue_max`"));
    }
    overhear::agree(settings, at)
}

fn keys(keys: Vec<file::Key>, at: &Resolver<'_>) -> Result<Vec<settings::KeyFile>, Error> {
    if keys.is_empty() {
        let why = "at least one decryption key is needed: add a `[[keys]]` table with its `private_key`";
        return Err(at.invalid("keys", why));
    }
    let entries = keys.into_iter().enumerate();
    entries
        .map(|(index, entry)| key(entry, &format!("keys[{index}]"), at))
        .collect()
}

fn key(entry: file::Key, name: &str, at: &Resolver<'_>) -> Result<settings::KeyFile, Error> {
    let wrong = entry
        .fingerprints
        .iter()
        .position(|text| !(1..=FINGERPRINT_CHARS_MAX).contains(&text.trim().len()));
    if let Some(index) = wrong {
        let why = format!("must have from 1 to {FINGERPRINT_CHARS_MAX} characters");
        return Err(at.invalid(format!("{name}.fingerprints[{index}]"), why));
    }
    Ok(settings::KeyFile {
        private_key: at.required_path(entry.private_key, &format!("{name}.private_key"))?,
        password: entry.password,
        certificate: at.optional_path(entry.certificate, &format!("{name}.certificate"))?,
        fingerprints: entry.fingerprints,
    })
}

fn store(store: file::Store, at: &Resolver<'_>) -> Result<settings::Store, Error> {
    let is = |scheme: &str| store.url.iter().filter(|url| url.expose().starts_with(scheme)).count();
    let (sqlite, postgres) = (is("sqlite://"), is("postgres://") + is("postgresql://"));
    let why = match (sqlite, postgres, store.url.len()) {
        (_, _, 0) => Some("names no database"),
        (1, 0, 1) => None,
        (0, postgres, all) if postgres == all => None,
        (sqlite, postgres, all) if sqlite + postgres < all => {
            Some("must begin with `sqlite://`, or with `postgres://` as in `postgres://user@host/database`")
        }
        (_, 0, _) => Some("names several SQLite files: there can be only one"),
        _ => Some("mixes SQLite and Postgres: a list holds the hosts of one Postgres"),
    };
    if let Some(why) = why {
        return Err(at.invalid("store.url", why));
    }
    let urls: Result<Vec<Secret>, Error> = store.url.into_iter().map(|url| at.store_url(url)).collect();
    Ok(settings::Store {
        urls: urls?,
        migrate_on_start: store.migrate_on_start,
        connections_max: at.bounded(store.connections_max, 1, 1_000, "store.connections_max")?,
        deadline: at.secs(store.deadline_secs, "store.deadline_secs")?,
    })
}

fn inbox(inbox: &file::Inbox, at: &Resolver<'_>) -> Result<settings::Inbox, Error> {
    Ok(settings::Inbox {
        queue_max: at.bounded(inbox.queue_max, 1, 1_000_000, "inbox.queue_max")?,
        batch_max: at.bounded(inbox.batch_max, 1, 10_000, "inbox.batch_max")?,
        retry_window: at.secs(inbox.retry_window_secs, "inbox.retry_window_secs")?,
    })
}

fn admin(admin: file::Admin, at: &Resolver<'_>) -> Result<settings::Admin, Error> {
    let listen = at.address(&admin.listen, "admin.listen")?;
    let tls = match admin.tls {
        None => None,
        Some(tls) => Some((
            at.required_path(tls.certificate, "admin.tls.certificate")?,
            at.required_path(tls.private_key, "admin.tls.private_key")?,
        )),
    };
    if tls.is_none() && !listen.ip().is_loopback() {
        let why = "is beyond loopback: set `[admin.tls]`, or listen on 127.0.0.1";
        return Err(at.invalid("admin.listen", why));
    }
    let hosts = admin.hosts.iter().enumerate();
    let hosts = hosts.map(|(index, host)| at.dns_name(host, &format!("admin.hosts[{index}]")));
    Ok(settings::Admin {
        listen,
        tls,
        hosts: hosts.collect::<Result<_, _>>()?,
    })
}

fn log(log: file::Log, at: &Resolver<'_>) -> Result<settings::Log, Error> {
    if log.filter.parse::<tracing_subscriber::filter::Targets>().is_err() {
        let why = "is no filter: write a level such as `info`, or `info,mdes_receiver=debug`";
        return Err(at.invalid("log.filter", why));
    }
    Ok(settings::Log {
        json: log.format == file::LogFormat::Json,
        filter: log.filter,
    })
}

impl<'a> Resolver<'a> {
    pub(super) fn new(folder: &'a Path, origins: &'a Origins) -> Self {
        Resolver { folder, origins }
    }

    fn invalid(&self, key: impl Into<String>, why: impl Into<String>) -> Error {
        self.origins.invalid(key, why)
    }

    fn path(&self, text: &str, key: &str) -> Result<PathBuf, Error> {
        match text {
            "" => Err(self.invalid(key, "is empty: name a file")),
            text => Ok(self.folder.join(text)),
        }
    }

    fn paths(&self, texts: &[String], key: &str) -> Result<Vec<PathBuf>, Error> {
        let texts = texts.iter().enumerate();
        texts
            .map(|(index, text)| self.path(text, &format!("{key}[{index}]")))
            .collect()
    }

    fn optional_path(&self, text: Option<String>, key: &str) -> Result<Option<PathBuf>, Error> {
        text.map(|text| self.path(&text, key)).transpose()
    }

    fn required_path(&self, text: Option<String>, key: &str) -> Result<PathBuf, Error> {
        self.path(&self.required(text, key)?, key)
    }

    fn required<T>(&self, value: Option<T>, key: &str) -> Result<T, Error> {
        value.ok_or_else(|| self.origins.missing(key))
    }

    fn address(&self, text: &str, key: &str) -> Result<SocketAddr, Error> {
        let why = "must be an IP address and a port, such as `127.0.0.1:8443` or `[::]:8443`";
        text.parse().map_err(|_| self.invalid(key, why))
    }

    fn secs(&self, secs: u64, key: &str) -> Result<Duration, Error> {
        self.bounded(secs, 1, SECS_MAX, key).map(Duration::from_secs)
    }

    /// A wait as in `5s`, `30m`, `2h`: at most 30 days.
    fn wait(&self, text: &str, key: &str) -> Result<Duration, Error> {
        const DAYS_MAX: u64 = 30;
        let secs_of = |unit: &str| match unit {
            "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3_600),
            "d" => Some(86_400),
            _ => None,
        };
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number: Option<u64> = digits.parse().ok();
        let secs = number
            .zip(secs_of(&text[digits.len()..]))
            .and_then(|(n, unit)| n.checked_mul(unit));
        let fitting = secs.filter(|secs| *secs <= DAYS_MAX * 86_400).map(Duration::from_secs);
        let why = format!("must be a number and a unit (s, m, h, d), such as `30m`, and at most {DAYS_MAX}d");
        fitting.ok_or_else(|| self.invalid(key, why))
    }

    fn bounded<T: TryFrom<u64>>(&self, number: u64, least: u64, most: u64, key: &str) -> Result<T, Error> {
        let within = Some(number).filter(|number| (least..=most).contains(number));
        let fitting = within.and_then(|number| T::try_from(number).ok());
        fitting.ok_or_else(|| self.invalid(key, format!("must be from {least} to {most}, and is {number}")))
    }

    /// A DNS name (or, for a Host header, an address) in lower case.
    fn dns_name(&self, name: &str, key: &str) -> Result<String, Error> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
        let plain = (1..=253).contains(&name.len()) && name.chars().all(allowed);
        let why = "must be a plain name such as `ws.mastercard.com`: no scheme, no path, no wildcard";
        if plain {
            Ok(name.to_ascii_lowercase())
        } else {
            Err(self.invalid(key, why))
        }
    }

    /// An SQLite file's path stands against the folder of the configuration file, as every path does.
    fn store_url(&self, url: Secret) -> Result<Secret, Error> {
        let Some(rest) = url.expose().strip_prefix("sqlite://") else {
            return Ok(url);
        };
        let (path, options) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        if path.is_empty() || path.contains(":memory:") || options.contains("mode=memory") {
            let why = "names no file: what is answered must be on disk, as in `sqlite://data/receiver.db`";
            return Err(self.invalid("store.url", why));
        }
        if path.starts_with('/') || self.folder.as_os_str().is_empty() {
            return Ok(url);
        }
        let folder = self.folder.to_string_lossy();
        let folder = percent_encoding::utf8_percent_encode(&folder, IN_URL_PATHS);
        Ok(Secret::new(format!("sqlite://{folder}/{path}{options}")))
    }
}

const IN_URL_PATHS: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b'%').add(b'?').add(b'#').add(b' ');
