//! `[callback.probe]` and `[probe]`: who is admitted as a probe, and our own.

use std::time::Duration;

use url::Url;

use super::super::{file, settings};
use super::{Error, Resolver, outward};

/// More seldom than a kept connection lives, so that each probe is a whole handshake.
const EVERY_MIN: Duration = Duration::from_secs(5);
const EVERY_MAX: Duration = Duration::from_secs(86_400);
/// A probe is over before the next is due.
const TOTAL_SECS_MAX: u64 = 30;

/// What follows the context root.
pub(super) const PATH: &str = "/probe";

/// The probe that `[probe]` means; none without its `url`.
pub(super) fn probe(
    probe: &file::probe::Probe,
    callback: &settings::Callback,
    at: &Resolver<'_>,
) -> Result<Option<settings::Probe>, Error> {
    let Some(url) = &probe.url else {
        return Ok(None);
    };
    if callback.tls.probe.is_none() {
        let why = "is set, but nobody is admitted as a probe: add `[callback.probe]`";
        return Err(at.invalid("probe.url", why));
    }
    let written = outward::Written {
        allow_networks: &probe.allow_networks,
        proxy: probe.proxy.as_ref(),
        roots: &probe.roots,
        client_certificate: probe.client_certificate.as_deref(),
        client_key: probe.client_key.as_deref(),
        connect_secs: probe.connect_secs,
        total_secs: probe.total_secs,
        total_secs_max: TOTAL_SECS_MAX,
    };
    let egress = outward::egress(&written, "probe", at)?;
    if egress.client_certificate.is_none() {
        return Err(at.origins.missing("probe.client_certificate"));
    }
    let every = at.wait(&probe.every, "probe.every")?;
    if !(EVERY_MIN..=EVERY_MAX).contains(&every) {
        return Err(at.invalid("probe.every", "must be from 5s to 1d"));
    }
    Ok(Some(settings::Probe {
        url: format!("{}{}", origin(url, at)?, callback.probe_path),
        every,
        egress,
    }))
}

/// Scheme, host and port alone: the path is ours.
fn origin(url: &str, at: &Resolver<'_>) -> Result<String, Error> {
    let why = "must be the public name by which Mastercard reaches us, such as `https://tokens.merchant.example`: \
               `https://`, without a path";
    let bare = |url: &Url| {
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        is_plain && url.scheme() == "https" && url.path() == "/" && url.fragment().is_none()
    };
    let parsed = Url::parse(url).ok().filter(bare);
    let parsed = parsed.ok_or_else(|| at.invalid("probe.url", why))?;
    Ok(parsed.origin().ascii_serialization())
}
