//! How something of ours goes out: what is written of it, for destinations and token services alike.

use std::time::Duration;

use super::Resolver;
use super::callback::nets;
use crate::config::error::Error;
use crate::config::settings;
use crate::domain::masked::Secret;

/// What is written of a way out.
pub(super) struct Written<'a> {
    pub(super) allow_networks: &'a [String],
    pub(super) proxy: Option<&'a Secret>,
    pub(super) roots: &'a [String],
    pub(super) client_certificate: Option<&'a str>,
    pub(super) client_key: Option<&'a str>,
    pub(super) connect_secs: u64,
    pub(super) total_secs: u64,
    /// As long as whoever calls may wait.
    pub(super) total_secs_max: u64,
}

/// The way out that is meant in the table `key`.
pub(super) fn egress(written: &Written<'_>, key: &str, at: &Resolver<'_>) -> Result<settings::Egress, Error> {
    let certificate = at.optional_path(
        written.client_certificate.map(str::to_owned),
        &format!("{key}.client_certificate"),
    )?;
    let client_key = at.optional_path(written.client_key.map(str::to_owned), &format!("{key}.client_key"))?;
    let client_certificate = match (certificate, client_key) {
        (Some(certificate), Some(client_key)) => Some((certificate, client_key)),
        (None, None) => None,
        (Some(_), None) => {
            return Err(at.invalid(format!("{key}.client_key"), "must stand beside `client_certificate`"));
        }
        (None, Some(_)) => {
            return Err(at.invalid(format!("{key}.client_certificate"), "must stand beside `client_key`"));
        }
    };
    let total = at.bounded(
        written.total_secs,
        1,
        written.total_secs_max,
        &format!("{key}.total_secs"),
    )?;
    Ok(settings::Egress {
        allow_networks: nets(written.allow_networks, &format!("{key}.allow_networks"), at)?,
        proxy: written.proxy.cloned(),
        roots: at.paths(written.roots, &format!("{key}.roots"))?,
        client_certificate,
        connect: at.secs(written.connect_secs, &format!("{key}.connect_secs"))?,
        total: Duration::from_secs(total),
    })
}

/// Whether that URL, at `key`, is `https://`; if it is plain HTTP, something must be in `allow_networks`.
pub(super) fn url(url: &Secret, allow_networks: &[String], key: &str, at: &Resolver<'_>) -> Result<bool, Error> {
    let is_https = url.expose().starts_with("https://");
    if !is_https && !url.expose().starts_with("http://") {
        let why = "must begin with `https://`, or `http://` into `allow_networks`";
        return Err(at.invalid(key, why));
    }
    if !is_https && allow_networks.is_empty() {
        let (table, _) = key.split_once('.').unwrap_or((key, ""));
        let whose = match table {
            "lifecycle" => "`lifecycle.allow_networks` names",
            _ => "`allow_networks` beside it names",
        };
        let why = format!("is plain HTTP: it goes only into networks that {whose}");
        return Err(at.invalid(key, why));
    }
    Ok(is_https)
}
