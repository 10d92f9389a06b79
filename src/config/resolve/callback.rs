//! `[callback]`: the public door, without its TLS.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::super::{file, settings};
use super::{Error, Resolver, door, probe};

const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The public door that `[callback]` means.
pub(super) fn callback(callback: file::Callback, at: &Resolver<'_>) -> Result<settings::Callback, Error> {
    let response_host = at.required(callback.response_host, "callback.response_host")?;
    let context_root = context_root(callback.context_root, at)?;
    Ok(settings::Callback {
        listen: at.address(&callback.listen, "callback.listen")?,
        response_host: checked_host(response_host, "callback.response_host", at)?,
        payload: match callback.payload {
            file::Payload::Encrypted => settings::Payload::Encrypted,
            file::Payload::Plain => settings::Payload::Plain,
            file::Payload::Either => settings::Payload::Either,
        },
        refusal_status: refusal_status(callback.refusal_status, at)?,
        proxy_protocol_from: nets(&callback.proxy_protocol_from, "callback.proxy_protocol_from", at)?,
        forwarded: door::forwarded(callback.forwarded, callback.tls.client_auth, at)?,
        tls: door::tls(callback.tls, callback.probe.as_ref(), at)?,
        probe_path: format!("{context_root}{}", probe::PATH),
        limits: limits(&callback.limits, at)?,
        context_root,
    })
}

fn context_root(root: String, at: &Resolver<'_>) -> Result<String, Error> {
    let is_segment = |segment: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
        !matches!(segment, "" | "." | "..") && segment.chars().all(allowed)
    };
    let holds = root.is_empty()
        || root
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(is_segment));
    let why = "must be empty, or begin with `/` and not end with one, such as `/mdes/prod`";
    if holds {
        Ok(root)
    } else {
        Err(at.invalid("callback.context_root", why))
    }
}

/// MDES's form is `host[:port][/contextRoot]`.
pub(super) fn checked_host(host: String, key: &str, at: &Resolver<'_>) -> Result<String, Error> {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '?' | '#' | '@');
    let holds = (1..=255).contains(&host.len()) && host.chars().all(plain) && !host.contains("://");
    let why = "must be the host by which Mastercard reaches us, such as `tokens.merchant.example`, without `https://`";
    if holds { Ok(host) } else { Err(at.invalid(key, why)) }
}

fn refusal_status(status: u64, at: &Resolver<'_>) -> Result<u16, Error> {
    match status {
        400 => Ok(400),
        200 => Ok(200),
        _ => Err(at.invalid(
            "callback.refusal_status",
            format!("must be 400 or 200, and is {status}"),
        )),
    }
}

/// Networks (`10.0.0.0/8`) and single addresses.
pub(super) fn nets(texts: &[String], key: &str, at: &Resolver<'_>) -> Result<Vec<IpNet>, Error> {
    let net = |(index, text): (usize, &String)| {
        let parsed = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let why = "must be an address or a network, such as `10.0.0.7` or `10.0.0.0/8`";
        parsed.map_err(|_| at.invalid(format!("{key}[{index}]"), why))
    };
    texts.iter().enumerate().map(net).collect()
}

fn limits(limits: &file::Limits, at: &Resolver<'_>) -> Result<settings::Limits, Error> {
    let secs = |secs: u64, key: &str| -> Result<Duration, Error> { at.secs(secs, &format!("callback.limits.{key}")) };
    let bounded = |number: u64, least: u64, most: u64, key: &str| -> Result<usize, Error> {
        at.bounded(number, least, most, &format!("callback.limits.{key}"))
    };
    Ok(settings::Limits {
        handshake: secs(limits.handshake_secs, "handshake_secs")?,
        first_request: secs(limits.first_request_secs, "first_request_secs")?,
        idle: secs(limits.idle_secs, "idle_secs")?,
        body: secs(limits.body_secs, "body_secs")?,
        body_bytes_max: bounded(limits.body_bytes_max, 1_024, BODY_BYTES_MAX, "body_bytes_max")?,
        drain_bytes_max: bounded(limits.drain_bytes_max, 0, 1_024 * BODY_BYTES_MAX, "drain_bytes_max")?,
        drain: secs(limits.drain_secs, "drain_secs")?,
        connections_max: bounded(limits.connections_max, 1, 1_000_000, "connections_max")?,
        connection_age: secs(limits.connection_age_secs, "connection_age_secs")?,
        answer: secs(limits.answer_secs, "answer_secs")?,
        stop: secs(limits.stop_secs, "stop_secs")?,
    })
}
