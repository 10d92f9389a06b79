//! Every quirk, row by row.

use serde_json::json;
use time::macros::datetime;

use super::*;

const REFERENCE_ID: &str = "749f4d0d-4005-443e-9a66-0ea2d317b8f6";

fn hash(bytes: &[u8]) -> ContentHash {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    ContentHash(digest.as_ref().try_into().expect("32 bytes"))
}

/// The documentation's sample of a state change.
fn sample() -> Value {
    json!({
        "token": "476120FDallZ7718", "referenceNumber": "21082509302518698472", "success": "true", "error": "",
        "networkTokenStateChangeNotification": {
            "messageId": "0c859b3b-6414-4e3a-b11b-db481c1107c2",
            "conversationId": "b5a9390f-c232-4ab0-9808-a68168472dec",
            "tokenRequestorId": "12345678901",
            "tokenReferenceId": REFERENCE_ID,
            "tokenTimestamp": "1523879928000",
            "requestReason": "lost", "requestReasonCode": "ACTIVATED_BY_ISSUER",
            "previousTokenState": "INACTIVE", "currentTokenState": "ACTIVE",
        },
    })
}

/// The sample of a card update, whose key begins with a blank.
fn card() -> Value {
    json!({
        "token": "476120FDallZ7718", "referenceNumber": "21082509302518698472", "success": "true", "error": "",
        " networkTokenCardUpdateNotification": {
            "messageId": "1c859b3b-6414-4e3a-b11b-db481c1107c2",
            "conversationId": "b5a9390f-c232-4ab0-9808-a68168472dec",
            "tokenRequestorId": "12345678901",
            "tokenReferenceId": REFERENCE_ID,
        },
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut body = sample();
    body["networkTokenStateChangeNotification"][field] = value;
    body
}

fn heard(body: &Value) -> Notification {
    read(body.to_string().as_bytes(), &hash).expect("it can be read")
}

fn one(body: &Value) -> Statement {
    let mut notification = heard(body);
    assert_eq!(notification.statements.len(), 1);
    notification.statements.remove(0)
}

fn refused(body: &Value) -> &'static str {
    let refused = read(body.to_string().as_bytes(), &hash).expect_err("it cannot be used");
    assert!(!refused.to_string().contains("7718"), "{refused}");
    refused.reason
}

#[test]
fn the_sample_says_what_it_says_and_nothing_about_it_is_odd() {
    let notification = heard(&sample());
    assert_eq!(
        notification.request_id.as_deref(),
        Some("0c859b3b-6414-4e3a-b11b-db481c1107c2")
    );
    let statement = one(&sample());
    assert_eq!(statement.token.namespace, Namespace::TokenEx);
    assert_eq!(statement.token.reference, "476120FDallZ7718");
    assert_eq!(statement.status, Some(Status::Active));
    assert_eq!(statement.reason_code.as_deref(), Some("ACTIVATED_BY_ISSUER"));
    assert_eq!(
        statement.instant.map(Instant::at),
        Some(datetime!(2018-04-16 11:58:48 UTC))
    );
    assert_eq!(statement.metadata[TOKEN_REFERENCE_ID], Some(json!(REFERENCE_ID)));
    assert_eq!(statement.metadata["tokenRequestorId"], Some(json!("12345678901")));
    assert_eq!(
        (statement.flags, notification.flags),
        (BTreeSet::new(), BTreeSet::new())
    );
    assert!(statement.unrecognized.is_empty());
}

#[test]
fn a_card_update_says_that_there_is_something_to_fetch_with_the_blank_and_without() {
    let statement = one(&card());
    assert_eq!((statement.status.clone(), statement.instant), (None, None));
    assert_eq!(
        statement.metadata[CARD_METADATA],
        Some(json!("1c859b3b-6414-4e3a-b11b-db481c1107c2"))
    );
    assert_eq!(statement.flags, BTreeSet::new());
    let plain: Value = serde_json::from_str(&card().to_string().replace("\" network", "\"network")).expect("JSON");
    assert_ne!(plain, card());
    assert_eq!(one(&plain), statement);
}

#[test]
fn two_card_updates_are_two_and_the_same_one_twice_is_one() {
    let mut other = card();
    other[" networkTokenCardUpdateNotification"]["messageId"] = json!("another");
    assert_ne!(one(&card()).hash, one(&other).hash);
    assert_eq!(heard(&card()).content, heard(&card()).content);
}

#[test]
fn keys_are_read_in_any_case_and_trimmed() {
    let shouted = sample().to_string().replace("\"token\"", "\" Token \"");
    let shouted = shouted.replace("currentTokenState", "CURRENTTOKENSTATE");
    let shouted = shouted.replace("networkTokenStateChange", "NetworkTokenStateChange");
    assert_eq!(one(&serde_json::from_str(&shouted).expect("JSON")), one(&sample()));
}

#[test]
fn a_boolean_may_be_one_and_milliseconds_may_be_a_number() {
    let mut real = with("tokenTimestamp", json!(1_523_879_928_000_u64));
    real["success"] = json!(true);
    assert_eq!(one(&real), one(&sample()));
}

#[test]
fn each_state_has_its_status_and_what_is_unknown_is_kept_and_flagged() {
    for (state, status, odd) in [
        ("INACTIVE", Status::Inactive, false),
        ("active", Status::Active, false),
        (" SUSPENDED ", Status::Suspended, false),
        ("DELETED", Status::Deactivated, false),
        ("CONSUMED", Status::Unknown("CONSUMED".to_owned()), true),
    ] {
        let statement = one(&with("currentTokenState", json!(state)));
        assert_eq!(statement.status, Some(status), "{state}");
        assert_eq!(statement.flags.contains(&Flag::UnknownStatus), odd, "{state}");
    }
}

#[test]
fn a_reason_says_who_suspended_it_only_where_that_is_clear() {
    for (code, by) in [
        ("SUSPENDED_BY_ISSUER", Some("ISSUER")),
        ("SUSPENDED_BY_TR", Some("TOKEN_REQUESTOR")),
        ("SUSPENDED_BY_TR_DUE_TO_FRAUD", Some("TOKEN_REQUESTOR")),
        ("SUSPENDED_BY_USER_REQUEST", Some("CARDHOLDER")),
        ("SUSPENDED_DUE_TO_FRAUD", None),
        ("SUSPENDED_BY_CUSTOMER_SERVICE", None),
    ] {
        let mut body = with("requestReasonCode", json!(code));
        body["networkTokenStateChangeNotification"]["currentTokenState"] = json!("SUSPENDED");
        let statement = one(&body);
        let named: Vec<&str> = statement.suspended_by.iter().map(String::as_str).collect();
        assert_eq!(named, Vec::from_iter(by), "{code}");
        assert_eq!(statement.flags, BTreeSet::new(), "{code}");
    }
    let resumed = one(&with("requestReasonCode", json!("SUSPENDED_BY_TR")));
    assert!(resumed.suspended_by.is_empty(), "nobody suspends what is active");
}

#[test]
fn an_unknown_reason_is_kept_as_it_came_and_flagged() {
    let statement = one(&with("requestReasonCode", json!("SUSPENDED_BY_THE_MOON")));
    assert_eq!(statement.reason_code.as_deref(), Some("SUSPENDED_BY_THE_MOON"));
    assert!(statement.flags.contains(&Flag::UnknownReason));
}

#[test]
fn a_moment_that_is_none_or_is_in_seconds_is_no_instant() {
    for text in ["", "soon", "1523879928", "1523879928000000", "99999999999999999999"] {
        let statement = one(&with("tokenTimestamp", json!(text)));
        assert_eq!(statement.instant, None, "{text}");
        assert!(statement.flags.contains(&Flag::Untimed), "{text}");
    }
}

#[test]
fn a_retry_is_known_by_its_message_id_and_what_it_says() {
    let mut retried = with("conversationId", json!("another"));
    retried["referenceNumber"] = json!("21082509302518698999");
    let (first, again) = (heard(&sample()), heard(&retried));
    assert_eq!((&first.request_id, first.content), (&again.request_id, again.content));
    let other = heard(&with("currentTokenState", json!("SUSPENDED")));
    assert_ne!(
        first.content, other.content,
        "what says something else is not swallowed"
    );
}

#[test]
fn without_a_message_id_it_is_known_by_what_it_says() {
    let nameless = heard(&with("messageId", Value::Null));
    assert!(nameless.flags.contains(&Flag::MissingRequestId));
    assert_eq!(nameless.request_id, heard(&with("messageId", json!(""))).request_id);
    let mut later = with("messageId", Value::Null);
    later["networkTokenStateChangeNotification"]["tokenTimestamp"] = json!("1523879929000");
    assert_ne!(nameless.request_id, heard(&later).request_id);
}

#[test]
fn what_is_unknown_is_kept_masked_and_flagged() {
    let mut body = with("channel", json!({"Card": "5204730000001201"}));
    body["Extra"] = json!([1, 2]);
    let statement = one(&body);
    assert_eq!(statement.unrecognized["channel"], json!({"card": "····1201"}));
    assert_eq!(statement.unrecognized["extra"], json!([1, 2]));
    assert!(
        statement
            .flags
            .is_superset(&BTreeSet::from([Flag::UnknownField, Flag::MaskedNumber]))
    );
}

#[test]
fn one_that_is_no_success_is_read_and_flagged() {
    let mut body = sample();
    body["success"] = json!("false");
    assert!(one(&body).flags.contains(&Flag::OddField));
    assert_eq!(one(&body).status, Some(Status::Active));
}

#[test]
fn both_in_one_are_two_statements() {
    let mut body = sample();
    body["networkTokenCardUpdateNotification"] = card()[" networkTokenCardUpdateNotification"].clone();
    let statements = heard(&body).statements;
    assert_eq!(
        statements.iter().map(|one| one.status.is_some()).collect::<Vec<_>>(),
        [true, false]
    );
}

#[test]
fn what_cannot_be_used_says_why_and_nothing_of_what_came() {
    let mut nameless = sample();
    nameless["token"] = Value::Null;
    let mut strange = sample();
    strange["token"] = json!("4761 2025 4412 7718");
    let mut empty = sample();
    empty["networkTokenStateChangeNotification"] = json!("7718");
    let mut hostile = sample();
    hostile["extra"] = json!("7718\u{0}");
    for (body, reason) in [
        (json!(["7718"]), "INVALID_JSON"),
        (nameless, "MISSING_REQUIRED_FIELD"),
        (strange, "INVALID_FIELD_FORMAT"),
        (empty, "MISSING_REQUIRED_FIELD"),
        (with("currentTokenState", Value::Null), "MISSING_REQUIRED_FIELD"),
        (with("currentTokenState", json!("")), "MISSING_REQUIRED_FIELD"),
        (with("currentTokenState", json!(["SUSPENDED"])), "INVALID_FIELD_FORMAT"),
        (with("currentTokenState", json!("7718\u{0}")), "INVALID_FIELD_FORMAT"),
        (with("tokenReferenceId", json!({"7718": 1})), "INVALID_FIELD_FORMAT"),
        (hostile, "INVALID_FIELD_FORMAT"),
    ] {
        assert_eq!(refused(&body), reason, "{body}");
    }
    let twice = br#"{"token": "A", "Token": "B", "networkTokenCardUpdateNotification": {}}"#;
    assert_eq!(read(twice, &hash).expect_err("which one?").reason, "INVALID_JSON");
}
