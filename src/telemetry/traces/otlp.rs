//! Spans as a collector reads them: OTLP in its JSON form (opentelemetry-proto, `ExportTraceServiceRequest`).
//!
//! Written by hand: it is one page, and the libraries for it bring a dozen crates, of which that page is what we would use.
//! In that form ids are hexadecimal, 64-bit figures are texts, and enumerations are numbers.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use super::{Kind, Place, Said, Span};

const NAME: &str = env!("CARGO_PKG_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Whose spans they are.
#[derive(Clone, Debug)]
pub struct Resource {
    /// `service.name`.
    pub service: String,
    /// `service.instance.id`: of this process.
    pub instance: String,
}

/// These spans in one request's body.
pub fn written(resource: &Resource, spans: &[Span]) -> Vec<u8> {
    let text = |text: &str| Said::Text(text.to_owned());
    let whose = [
        ("service.name", text(&resource.service)),
        ("service.version", Said::Word(VERSION)),
        ("service.instance.id", text(&resource.instance)),
    ];
    let request = Request {
        resource_spans: [ResourceSpans {
            resource: Attributed {
                attributes: all(&whose),
            },
            scope_spans: [ScopeSpans {
                scope: Scope {
                    name: NAME,
                    version: VERSION,
                },
                spans: spans.iter().map(one).collect(),
            }],
        }],
    };
    serde_json::to_vec(&request).expect("texts and figures alone make JSON")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Attributed<'a>,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Serialize)]
struct Attributed<'a> {
    attributes: Vec<Attribute<'a>>,
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    scope: Scope,
    spans: Vec<Written<'a>>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    name: &'static str,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute<'a>>,
    links: Vec<Link>,
    status: Status,
}

#[derive(Serialize)]
struct Attribute<'a> {
    key: &'static str,
    value: Value<'a>,
}

struct Value<'a>(&'a Said);

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self.0 {
            Said::Word(word) => map.serialize_entry("stringValue", word)?,
            Said::Text(text) => map.serialize_entry("stringValue", text)?,
            Said::Figure(figure) => map.serialize_entry("intValue", &figure.to_string())?,
        }
        map.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Link {
    trace_id: String,
    span_id: String,
}

#[derive(Serialize)]
struct Status {
    code: u8,
}

fn one(span: &Span) -> Written<'_> {
    let Place { trace, span: id } = span.place;
    Written {
        trace_id: hex::encode(trace),
        span_id: hex::encode(id),
        parent_span_id: span.under.map(hex::encode),
        name: span.name,
        kind: match span.kind {
            Kind::Internal => 1,
            Kind::Server => 2,
            Kind::Client => 3,
        },
        start_time_unix_nano: nanos(span.from),
        end_time_unix_nano: nanos(span.until),
        attributes: all(&span.says),
        links: span.links.iter().map(link).collect(),
        // Unset, or error.
        status: Status {
            code: if span.failed { 2 } else { 0 },
        },
    }
}

fn all<'a>(says: &'a [(&'static str, Said)]) -> Vec<Attribute<'a>> {
    says.iter()
        .map(|(key, said)| Attribute {
            key,
            value: Value(said),
        })
        .collect()
}

fn link(place: &Place) -> Link {
    Link {
        trace_id: hex::encode(place.trace),
        span_id: hex::encode(place.span),
    }
}

fn nanos(at: OffsetDateTime) -> String {
    at.unix_timestamp_nanos().max(0).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_span_is_written_as_collectors_read_it() {
        let id: Uuid = "019aab7c-5b1e-7e01-b1f6-0123456789ab".parse().expect("an id");
        let resource = Resource {
            service: "receiver".to_owned(),
            instance: "a".to_owned(),
        };
        let span = Span {
            place: Place::of(id),
            under: Some([0, 0, 0, 0, 0, 0, 0, 1]),
            name: "notification",
            kind: Kind::Server,
            from: datetime!(2026-11-22 12:00 UTC),
            until: datetime!(2026-11-22 12:00:01.5 UTC),
            says: vec![("outcome", Said::Word("recorded")), ("status", Said::Figure(200))],
            links: vec![Place::of(id)],
            failed: true,
        };
        let written: serde_json::Value = serde_json::from_slice(&written(&resource, &[span])).expect("JSON");
        let spans = &written["resourceSpans"][0]["scopeSpans"][0]["spans"];
        let place = json!({"traceId": "019aab7c5b1e7e01b1f60123456789ab", "spanId": "b1f60123456789ab"});
        assert_eq!(
            spans[0],
            json!({
                "traceId": "019aab7c5b1e7e01b1f60123456789ab", "spanId": "b1f60123456789ab",
                "parentSpanId": "0000000000000001", "name": "notification", "kind": 2,
                "startTimeUnixNano": "1795348800000000000", "endTimeUnixNano": "1795348801500000000",
                "attributes": [
                    {"key": "outcome", "value": {"stringValue": "recorded"}},
                    {"key": "status", "value": {"intValue": "200"}},
                ],
                "links": [place], "status": {"code": 2},
            })
        );
        let whose = &written["resourceSpans"][0]["resource"]["attributes"];
        assert_eq!(
            whose[0],
            json!({"key": "service.name", "value": {"stringValue": "receiver"}})
        );
    }
}
