//! What the callback answers. The only file that knows its status codes.
//!
//! A 200 for what is on disk has two fields and no more, since a body that MDES cannot map counts as a failure
//! there. Nothing here is ever a redirect: MDES would try again for ever at the wrong door.

use std::time::Duration;

use serde::Serialize;

use super::reason::{Field, Reason};

/// An answer, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Header fields, their names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
}

/// On disk. `response_id` is the sender's `requestId`, or ours if that was missing.
pub fn accepted(response_host: &str, response_id: &str) -> Answer {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Accepted<'a> {
        response_host: &'a str,
        response_id: &'a str,
    }
    let body = Accepted {
        response_host,
        response_id,
    };
    json(200, &body)
}

/// In quarantine, and no retry would help: `refusal_status` (400 or 200) with the MDES code.
pub fn refused(reason: Reason, refusal_status: u16, response_host: &str, request_id: Option<&str>) -> Answer {
    failure(refusal_status, Failure::of(reason), response_host, request_id)
}

/// Nothing could be kept: the sender is to try again. MDES does so on 503.
pub fn unavailable(retry_after: Duration, response_host: &str, request_id: Option<&str>) -> Answer {
    let fault = Failure {
        // The code list knows two sources, and the fault is not in the input.
        source: "MDES",
        code: "INTERNAL_SERVICE_FAILURE",
        title: "Internal Service Failure",
        description: "Internal Service Failure".into(),
        recoverable: true,
    };
    let seconds = retry_after.as_secs().max(1).to_string();
    failure(503, fault, response_host, request_id).with("retry-after", seconds)
}

/// No such path.
pub fn not_found(response_host: &str) -> Answer {
    failure(
        404,
        Failure::input("INVALID_METHOD", "Invalid Method"),
        response_host,
        None,
    )
}

/// Another method than POST.
pub fn method_not_allowed(response_host: &str) -> Answer {
    failure(
        405,
        Failure::input("INVALID_METHOD", "Invalid Method"),
        response_host,
        None,
    )
    .with("allow", "POST".to_owned())
}

/// Another content type than `application/json`.
pub fn unsupported_media_type(response_host: &str) -> Answer {
    let reason = Reason::Value(Field::ContentType);
    failure(415, Failure::of(reason), response_host, None)
}

/// A body over the limit.
pub fn too_large(response_host: &str) -> Answer {
    let reason = Reason::Length(Field::Body);
    failure(413, Failure::of(reason), response_host, None)
}

/// A body that did not come whole in time; sent again it may.
pub fn too_slow(response_host: &str) -> Answer {
    let fault = Failure {
        recoverable: true,
        ..Failure::of(Reason::NotJson)
    };
    failure(408, fault, response_host, None)
}

/// A body whose framing makes no sense; sent again it may.
pub fn malformed(response_host: &str) -> Answer {
    let fault = Failure {
        recoverable: true,
        ..Failure::of(Reason::NotJson)
    };
    failure(400, fault, response_host, None)
}

/// A peer whose (forwarded) certificate does not admit it.
pub fn forbidden(response_host: &str) -> Answer {
    failure(
        403,
        Failure::input("AUTHORIZATION_FAILED", "Authorization Failed"),
        response_host,
        None,
    )
}

impl Answer {
    fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// One fault, in the words of the MDES code list.
struct Failure {
    source: &'static str,
    code: &'static str,
    title: &'static str,
    description: std::borrow::Cow<'static, str>,
    recoverable: bool,
}

impl Failure {
    fn of(reason: Reason) -> Self {
        Failure {
            description: reason.description(),
            ..Failure::input(reason.code(), reason.title())
        }
    }

    fn input(code: &'static str, title: &'static str) -> Self {
        Failure {
            source: "INPUT",
            code,
            title,
            description: title.into(),
            recoverable: false,
        }
    }
}

/// MDES's `ErrorsResponse` as its sandbox sends it: a lower-case `errors` array, and the code beside it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorsResponse<'a> {
    error_code: &'a str,
    error_description: &'a str,
    errors: [ErrorEntry<'a>; 1],
    response_host: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorEntry<'a> {
    source: &'a str,
    reason_code: &'a str,
    description: &'a str,
    recoverable: bool,
}

fn failure(status: u16, fault: Failure, response_host: &str, response_id: Option<&str>) -> Answer {
    let entry = ErrorEntry {
        source: fault.source,
        reason_code: fault.code,
        description: &fault.description,
        recoverable: fault.recoverable,
    };
    let body = ErrorsResponse {
        error_code: fault.code,
        error_description: fault.title,
        errors: [entry],
        response_host,
        response_id,
    };
    json(status, &body)
}

fn json(status: u16, body: &impl Serialize) -> Answer {
    Answer {
        status,
        headers: vec![("content-type", "application/json".to_owned())],
        body: serde_json::to_vec(body).expect("strings and booleans are always JSON"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "tokens.merchant.example";

    fn text(answer: &Answer) -> &str {
        std::str::from_utf8(&answer.body).expect("JSON is UTF-8")
    }

    #[test]
    fn a_yes_has_exactly_two_fields() {
        let answer = accepted(HOST, "7b0f\"1c1e");
        assert_eq!(answer.status, 200);
        assert_eq!(
            text(&answer),
            r#"{"responseHost":"tokens.merchant.example","responseId":"7b0f\"1c1e"}"#
        );
    }

    #[test]
    fn a_refusal_reads_like_one_of_mastercards_own() {
        let answer = refused(Reason::Unopened, 400, HOST, Some("7b0f"));
        assert_eq!(answer.status, 400);
        assert_eq!(
            text(&answer),
            concat!(
                r#"{"errorCode":"CRYPTOGRAPHY_ERROR","errorDescription":"Cryptography Error","errors":["#,
                r#"{"source":"INPUT","reasonCode":"CRYPTOGRAPHY_ERROR","description":"Cryptography Error","recoverable":false}],"#,
                r#""responseHost":"tokens.merchant.example","responseId":"7b0f"}"#
            )
        );
    }

    #[test]
    fn the_missing_field_is_named_in_the_long_text_only() {
        let answer = refused(Reason::Missing(Field::Tokens), 200, HOST, None);
        assert_eq!(answer.status, 200);
        assert!(text(&answer).contains(r#""errorDescription":"Missing Required Field""#));
        assert!(text(&answer).contains(r#""description":"Missing Required Field - tokens""#));
        assert!(!text(&answer).contains("responseId"));
    }

    #[test]
    fn no_is_recoverable_where_a_retry_helps() {
        let answer = unavailable(Duration::from_millis(200), HOST, None);
        assert_eq!(answer.status, 503);
        assert!(answer.headers.contains(&("retry-after", "1".to_owned())));
        assert!(text(&answer).contains(r#""source":"MDES","reasonCode":"INTERNAL_SERVICE_FAILURE""#));
        assert!(text(&answer).contains(r#""recoverable":true"#));
        assert!(text(&too_slow(HOST)).contains(r#""recoverable":true"#));
    }

    #[test]
    fn every_answer_at_the_door_has_the_same_form_and_is_no_redirect() {
        let answers = [
            not_found(HOST),
            method_not_allowed(HOST),
            unsupported_media_type(HOST),
            too_large(HOST),
            too_slow(HOST),
            malformed(HOST),
            forbidden(HOST),
        ];
        assert_eq!(
            answers.each_ref().map(|answer| answer.status),
            [404, 405, 415, 413, 408, 400, 403]
        );
        for answer in answers {
            let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
            assert_eq!(body["errorCode"], body["errors"][0]["reasonCode"]);
            assert!(body["errorDescription"].as_str().is_some_and(|text| text.len() <= 32));
        }
    }
}
