//! `[traces]`: where spans go.

use axum::http::{HeaderName, HeaderValue};

use super::super::{file, settings};
use super::{Error, Resolver, outward};
use crate::domain::masked::Secret;

/// Of the path, which OTLP fixes (opentelemetry-proto, OTLP/HTTP).
const PATH: &str = "/v1/traces";
const TOTAL_SECS_MAX: u64 = 30;
const ONE_IN_MAX: u64 = 1_000_000;
const NAME_CHARS_MAX: usize = 64;

/// The traces that `[traces]` means; none without its `endpoint`.
pub(super) fn traces(traces: &file::traces::Traces, at: &Resolver<'_>) -> Result<Option<settings::Traces>, Error> {
    let Some(endpoint) = &traces.endpoint else {
        return Ok(None);
    };
    let written = outward::Written {
        allow_networks: &traces.allow_networks,
        proxy: traces.proxy.as_ref(),
        roots: &traces.roots,
        client_certificate: traces.client_certificate.as_deref(),
        client_key: traces.client_key.as_deref(),
        connect_secs: traces.connect_secs,
        total_secs: traces.total_secs,
        total_secs_max: TOTAL_SECS_MAX,
    };
    let egress = outward::egress(&written, "traces", at)?;
    let endpoint = Secret::new(endpoint.trim_end_matches('/'));
    outward::url(&endpoint, &traces.allow_networks, "traces.endpoint", at)?;
    if !(1..=NAME_CHARS_MAX).contains(&traces.service_name.chars().count()) {
        let why = format!("must have from 1 to {NAME_CHARS_MAX} characters");
        return Err(at.invalid("traces.service_name", why));
    }
    let headers = traces.headers.iter().enumerate();
    let headers = headers.map(|(index, text)| header(text, &format!("traces.headers[{index}]"), at));
    Ok(Some(settings::Traces {
        url: Secret::new(format!("{}{PATH}", endpoint.expose())),
        headers: headers.collect::<Result<_, _>>()?,
        one_in: at.bounded(traces.one_in, 1, ONE_IN_MAX, "traces.one_in")?,
        service_name: traces.service_name.clone(),
        egress,
    }))
}

/// `name: value`. The value is shown nowhere.
fn header(text: &Secret, key: &str, at: &Resolver<'_>) -> Result<(HeaderName, HeaderValue), Error> {
    let why = "must be a header as it is sent, such as `authorization: Bearer ${COLLECTOR_TOKEN}`";
    let parsed = text.expose().split_once(':').and_then(|(name, value)| {
        let name = HeaderName::try_from(name.trim()).ok()?;
        let mut value = HeaderValue::try_from(value.trim()).ok()?;
        value.set_sensitive(true);
        Some((name, value))
    });
    parsed.ok_or_else(|| at.invalid(key, why))
}
