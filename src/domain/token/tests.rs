//! The rules, one sentence each, and the algebra that they promise.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use uuid::Uuid;

use super::*;
use crate::domain::notification::{Flag, Hearing, Statement, TOKEN_NUMBER, Windows};

mod answers;
mod hints;
mod number;

const REFERENCE: &str = "DM4MMC00000000013f0c5b0e6d5a4c2f9b7e1a2d3c4b5a697";
const NOON: OffsetDateTime = datetime!(2026-11-02 12:00 UTC);

fn instant(text: &str) -> Instant {
    let at = OffsetDateTime::parse(&format!("2026-11-02T{text}Z"), &Rfc3339).expect("a time of day");
    Instant::new(at, !text.contains('.'))
}

/// A statement about the one token of these tests; its hash follows from what it says.
fn says(status: &str, at: Option<&str>, suspenders: &[&str]) -> Statement {
    Statement {
        token: TokenReference::mdes(REFERENCE),
        index: 0,
        hash: hash(&[status, at.unwrap_or("-"), &suspenders.join(",")]),
        status: Some(Status::from(status.to_owned())),
        suspended_by: suspenders.iter().map(|name| (*name).to_owned()).collect(),
        reason_code: None,
        instant: at.map(instant),
        metadata: BTreeMap::new(),
        unrecognized: serde_json::Map::new(),
        flags: BTreeSet::new(),
    }
}

fn hash(parts: &[&str]) -> ContentHash {
    let mut bytes = [7_u8; 32];
    for (place, byte) in parts.join("|").bytes().enumerate() {
        bytes[place % 32] = bytes[place % 32].wrapping_mul(31).wrapping_add(byte);
    }
    ContentHash(bytes)
}

fn shows(mut statement: Statement, field: &str, value: Option<Value>) -> Statement {
    let printed = value.as_ref().map(Value::to_string).unwrap_or_default();
    statement.hash = hash(&[&statement.hash.to_hex(), field, &printed]);
    statement.metadata.insert(field.to_owned(), value);
    statement
}

fn heard_at(received_at: OffsetDateTime) -> Hearing {
    Hearing {
        received_at,
        notification: NotificationId(Uuid::from_u128(received_at.unix_timestamp_nanos().unsigned_abs())),
        heard_before: None,
    }
}

fn unheard() -> Token {
    Token::unheard(TokenReference::mdes(REFERENCE))
}

fn hear(token: &Token, statement: &Statement) -> Decision {
    token.after(statement, &heard_at(NOON), &Windows::default())
}

/// The token after these statements, each received a minute after the one before.
fn after_all(statements: &[Statement]) -> Token {
    statements
        .iter()
        .enumerate()
        .fold(unheard(), |token, (place, statement)| {
            let received_at = NOON + time::Duration::minutes(i64::try_from(place).expect("few"));
            token
                .after(statement, &heard_at(received_at), &Windows::default())
                .token
        })
}

fn suspenders(token: &Token) -> Vec<&str> {
    token.suspended_by().collect()
}

fn word(token: &Token) -> &str {
    token.status().map_or("", Status::as_str)
}

#[test]
fn the_first_statement_is_believed() {
    let decision = hear(&unheard(), &says("ACTIVE", Some("09:00:00"), &[]));
    assert_eq!(word(&decision.token), "ACTIVE");
    assert_eq!(
        (decision.verdict, decision.kind(), decision.token.sequence),
        (Verdict::Advanced, Some("status"), 1)
    );
    assert_eq!(
        decision.changes,
        [Change {
            field: "status".into(),
            from: None,
            to: Some(json!("ACTIVE"))
        }]
    );
}

#[test]
fn a_late_suspension_does_not_undo_a_resume() {
    let token = after_all(&[
        says("SUSPENDED", Some("09:00:00.0"), &["ISSUER"]),
        says("ACTIVE", Some("10:00:00.0"), &[]),
    ]);
    let decision = hear(&token, &says("SUSPENDED", Some("09:30:00.0"), &["ISSUER"]));
    assert_eq!((decision.verdict, word(&decision.token)), (Verdict::Stale, "ACTIVE"));
    assert!(decision.flags.contains(&Flag::StaleStatus));
    assert_eq!(decision.token.sequence, token.sequence);
}

#[test]
fn a_second_suspender_is_a_change_of_suspenders_only() {
    let token = after_all(&[says("SUSPENDED", Some("09:00:00"), &["ISSUER"])]);
    let decision = hear(
        &token,
        &says("SUSPENDED", Some("10:00:00"), &["ISSUER", "TOKEN_REQUESTOR"]),
    );
    assert_eq!(decision.kind(), Some("suspenders"));
    assert_eq!(suspenders(&decision.token), ["ISSUER", "TOKEN_REQUESTOR"]);
}

#[test]
fn suspenders_belong_to_the_newest_statement() {
    let token = after_all(&[
        says("SUSPENDED", Some("09:00:00"), &["ISSUER", "TOKEN_REQUESTOR"]),
        says("SUSPENDED", Some("10:00:00"), &["ISSUER"]),
    ]);
    assert_eq!(suspenders(&token), ["ISSUER"]);
}

#[test]
fn at_one_instant_suspenders_add_up_and_the_doubt_is_marked() {
    let token = after_all(&[
        says("SUSPENDED", Some("09:00:00.0"), &["ISSUER"]),
        says("SUSPENDED", Some("09:00:00.0"), &["TOKEN_REQUESTOR"]),
    ]);
    assert_eq!(suspenders(&token), ["ISSUER", "TOKEN_REQUESTOR"]);
    assert!(token.doubts().contains(&Doubt::Tie));
}

#[test]
fn at_one_instant_the_stricter_statement_wins_whichever_came_first() {
    for order in [[0, 1], [1, 0]] {
        let told = [
            says("ACTIVE", Some("09:00:00.5"), &[]),
            says("SUSPENDED", Some("09:00:00.5"), &["ISSUER"]),
        ];
        let token = after_all(&order.map(|place| told[place].clone()));
        assert_eq!(word(&token), "SUSPENDED");
        assert!(token.doubts().contains(&Doubt::Tie));
    }
}

#[test]
fn within_a_whole_second_the_doubt_falls_on_the_safe_side() {
    let token = after_all(&[
        says("ACTIVE", Some("09:00:00.700"), &[]),
        says("SUSPENDED", Some("09:00:00"), &["ISSUER"]),
    ]);
    assert_eq!(word(&token), "SUSPENDED");
    assert!(token.doubts().contains(&Doubt::Tie));
    let token = after_all(&[
        says("SUSPENDED", Some("09:00:00.700"), &["ISSUER"]),
        says("ACTIVE", Some("09:00:00"), &[]),
    ]);
    assert_eq!(word(&token), "SUSPENDED");
}

#[test]
fn a_later_statement_settles_a_tie() {
    let token = after_all(&[
        says("ACTIVE", Some("09:00:00.5"), &[]),
        says("SUSPENDED", Some("09:00:00.5"), &["ISSUER"]),
        says("ACTIVE", Some("09:00:02"), &[]),
    ]);
    assert_eq!((word(&token), token.is_provisional()), ("ACTIVE", false));
}

#[test]
fn deactivated_absorbs_even_when_it_is_older() {
    let token = after_all(&[says("ACTIVE", Some("10:00:00"), &[])]);
    let decision = hear(&token, &says("DEACTIVATED", Some("09:00:00"), &[]));
    assert_eq!(
        (word(&decision.token), decision.verdict),
        ("DEACTIVATED", Verdict::Advanced)
    );
    assert!(decision.flags.contains(&Flag::DeactivatedOutOfOrder));
    assert!(decision.token.doubts().contains(&Doubt::DeactivatedOutOfOrder));
}

#[test]
fn waking_after_deactivation_is_an_anomaly_and_not_applied() {
    let token = after_all(&[says("DEACTIVATED", Some("09:00:00"), &[])]);
    let decision = hear(&token, &says("ACTIVE", Some("10:00:00"), &[]));
    assert_eq!(
        (decision.verdict, word(&decision.token)),
        (Verdict::Anomaly, "DEACTIVATED")
    );
    assert!(decision.token.is_provisional());
    let older = hear(&token, &says("ACTIVE", Some("08:00:00"), &[]));
    assert_eq!((older.verdict, older.token.is_provisional()), (Verdict::Stale, false));
}

#[test]
fn an_unknown_status_holds_verbatim_and_is_stricter_than_suspended() {
    let token = after_all(&[
        says("SUSPENDED", Some("09:00:00.0"), &["ISSUER"]),
        says("PENDING_BINDING", Some("09:00:00.0"), &[]),
    ]);
    assert_eq!(word(&token), "PENDING_BINDING");
}

#[test]
fn a_missing_status_states_nothing() {
    let mut silent = says("ACTIVE", Some("10:00:00"), &[]);
    silent.status = None;
    let token = after_all(&[says("SUSPENDED", Some("09:00:00"), &["ISSUER"])]);
    let decision = hear(&token, &silent);
    assert_eq!(
        (decision.verdict, word(&decision.token)),
        (Verdict::Unchanged, "SUSPENDED")
    );
}

#[test]
fn without_an_instant_it_may_tighten_but_only_until_a_timed_statement() {
    let token = after_all(&[says("ACTIVE", Some("09:00:00"), &[])]);
    let decision = hear(&token, &says("SUSPENDED", None, &["ISSUER"]));
    assert_eq!(
        (word(&decision.token), decision.verdict),
        ("SUSPENDED", Verdict::Advanced)
    );
    assert!(decision.token.doubts().contains(&Doubt::Untimed));
    assert_eq!(decision.token.status_at(), None);
    let settled = hear(&decision.token, &says("ACTIVE", Some("09:00:01"), &[])).token;
    assert_eq!((word(&settled), settled.is_provisional()), ("ACTIVE", false));
}

#[test]
fn without_an_instant_it_never_loosens_and_the_doubt_is_marked() {
    let token = after_all(&[says("SUSPENDED", Some("09:00:00"), &["ISSUER"])]);
    let decision = hear(&token, &says("ACTIVE", None, &[]));
    assert_eq!(
        (decision.verdict, word(&decision.token)),
        (Verdict::Untimed, "SUSPENDED")
    );
    assert!(decision.token.doubts().contains(&Doubt::Untimed));
}

#[test]
fn a_tie_does_not_settle_what_was_said_without_an_instant() {
    let token = after_all(&[
        says("INACTIVE", Some("09:00:00.0"), &[]),
        says("SUSPENDED", None, &["ISSUER"]),
        says("ACTIVE", Some("09:00:00.0"), &[]),
    ]);
    assert_eq!(word(&token), "SUSPENDED");
}

#[test]
fn a_timestamp_far_ahead_moves_no_clock() {
    let token = after_all(&[says("SUSPENDED", Some("09:00:00"), &["ISSUER"])]);
    let decision = hear(&token, &says("ACTIVE", Some("12:06:00"), &[]));
    assert_eq!(
        (decision.verdict, word(&decision.token)),
        (Verdict::Untimed, "SUSPENDED")
    );
    assert!(decision.flags.contains(&Flag::FromTheFuture));
    let near = hear(&token, &says("ACTIVE", Some("12:04:59"), &[]));
    assert_eq!(word(&near.token), "ACTIVE");
}

#[test]
fn a_statement_heard_again_within_the_window_changes_nothing() {
    let first = shows(
        says("ACTIVE", Some("09:00:00"), &[]),
        TOKEN_NUMBER,
        Some(json!("····1201")),
    );
    let token = after_all(std::slice::from_ref(&first));
    let again = Hearing {
        heard_before: Some(NOON),
        ..heard_at(NOON + time::Duration::minutes(14))
    };
    let decision = token.after(&first, &again, &Windows::default());
    assert_eq!((decision.verdict, &decision.token), (Verdict::Repeat, &token));
}

#[test]
fn heard_again_after_another_came_between_it_is_marked() {
    let first = says("ACTIVE", Some("09:00:00"), &[]);
    let token = after_all(&[first.clone(), says("SUSPENDED", Some("09:30:00"), &["ISSUER"])]);
    let again = Hearing {
        heard_before: Some(NOON),
        ..heard_at(NOON + time::Duration::minutes(3))
    };
    let decision = token.after(&first, &again, &Windows::default());
    assert_eq!(
        (decision.verdict, word(&decision.token)),
        (Verdict::Repeat, "SUSPENDED")
    );
    assert!(decision.token.doubts().contains(&Doubt::RepeatedAcross));
}

#[test]
fn metadata_of_a_notice_with_an_old_status_is_still_considered() {
    let token = after_all(&[says("SUSPENDED", Some("10:00:00"), &["ISSUER"])]);
    let notice = shows(
        says("ACTIVE", Some("09:00:00"), &[]),
        "tokenInfo.accountPanSuffix",
        Some(json!("7788")),
    );
    let decision = hear(&token, &notice);
    assert_eq!(
        (decision.verdict, decision.kind()),
        (Verdict::Advanced, Some("metadata"))
    );
    assert_eq!(word(&decision.token), "SUSPENDED");
    assert_eq!(decision.token.field("tokenInfo.accountPanSuffix"), Some(&json!("7788")));
    assert!(decision.flags.contains(&Flag::StaleStatus));
}

#[test]
fn at_equal_instants_the_later_receipt_of_metadata_wins() {
    let notice = |suffix: &str| {
        shows(
            says("ACTIVE", Some("09:00:00"), &[]),
            "tokenInfo.accountPanSuffix",
            Some(json!(suffix)),
        )
    };
    let token = after_all(&[notice("0011"), notice("7788")]);
    assert_eq!(token.field("tokenInfo.accountPanSuffix"), Some(&json!("7788")));
    let redriven = Hearing {
        received_at: NOON - time::Duration::hours(1),
        ..heard_at(NOON)
    };
    let token = token.after(&notice("5555"), &redriven, &Windows::default()).token;
    assert_eq!(token.field("tokenInfo.accountPanSuffix"), Some(&json!("7788")));
}

#[test]
fn metadata_without_an_instant_is_taken_and_marked() {
    let told = shows(
        says("ACTIVE", Some("09:00:00"), &[]),
        "tokenInfo.tokenExpiry",
        Some(json!("1029")),
    );
    let token = after_all(&[told]);
    let mut untimed = shows(says("ACTIVE", None, &[]), "tokenInfo.tokenExpiry", Some(json!("1132")));
    untimed.status = None;
    let later = heard_at(NOON + time::Duration::minutes(1));
    let decision = token.after(&untimed, &later, &Windows::default());
    assert_eq!(decision.token.field("tokenInfo.tokenExpiry"), Some(&json!("1132")));
    assert!(decision.token.is_provisional());
}

#[test]
fn a_cleared_field_is_a_change_to_nothing() {
    let field = "productConfig.coBrandName";
    let branded = shows(says("ACTIVE", Some("09:00:00"), &[]), field, Some(json!("Example Air")));
    let plain = shows(says("ACTIVE", Some("10:00:00"), &[]), field, None);
    let decision = hear(&after_all(&[branded]), &plain);
    assert_eq!(
        decision.changes,
        [Change {
            field: field.into(),
            from: Some(json!("Example Air")),
            to: None
        }]
    );
    assert!(decision.token.object("productConfig").is_empty());
}

#[test]
fn a_token_number_is_a_change_even_if_it_looks_the_same() {
    let notice = |at| shows(says("ACTIVE", Some(at), &[]), TOKEN_NUMBER, Some(json!("····1201")));
    let decision = hear(&after_all(&[notice("09:00:00")]), &notice("10:00:00"));
    assert_eq!((decision.verdict, decision.changes.len()), (Verdict::Advanced, 1));
    assert_eq!(decision.token.number_in(), Some(heard_at(NOON).notification));
}

#[test]
fn a_newer_statement_of_the_same_state_moves_only_the_clock() {
    let token = after_all(&[says("ACTIVE", Some("09:00:00"), &[])]);
    let decision = hear(&token, &says("ACTIVE", Some("10:00:00"), &[]));
    assert_eq!((decision.verdict, decision.token.sequence), (Verdict::Unchanged, 1));
    assert_eq!(decision.token.status_at(), Some(instant("10:00:00").at()));
}

#[test]
fn a_token_survives_its_own_memory() {
    let token = after_all(&[
        shows(
            says("SUSPENDED", Some("09:00:00.123456"), &["ISSUER"]),
            TOKEN_NUMBER,
            Some(json!("····1201")),
        ),
        says("WHAT", None, &[]),
    ]);
    let kept = serde_json::to_string(&token).expect("a token is JSON");
    assert_eq!(serde_json::from_str::<Token>(&kept).expect("its own JSON"), token);
}

// ---- the algebra -----------------------------------------------------------------------------

fn any_status() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "INACTIVE",
        "ACTIVE",
        "SUSPENDED",
        "DEACTIVATED",
        "PENDING",
        "OTHER_NEW",
    ])
}

fn any_time() -> impl Strategy<Value = String> {
    (0..3u8, prop::option::of(0..4u16)).prop_map(|(second, fraction)| match fraction {
        None => format!("09:00:0{second}"),
        Some(fraction) => format!("09:00:0{second}.{:03}", fraction * 333),
    })
}

fn any_suspenders() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["ISSUER", "TOKEN_REQUESTOR", "CARDHOLDER"], 0..=3)
}

fn timed() -> impl Strategy<Value = Statement> {
    (any_status(), any_time(), any_suspenders()).prop_map(|(status, at, by)| says(status, Some(&at), &by))
}

fn untimed() -> impl Strategy<Value = Statement> {
    (any_status(), any_suspenders()).prop_map(|(status, by)| says(status, None, &by))
}

/// Statements, and the same ones in another order with some repeated.
fn told_twice() -> impl Strategy<Value = (Vec<Statement>, Vec<Statement>)> {
    prop::collection::vec(timed(), 1..7).prop_flat_map(|told| {
        let again = prop::collection::vec(prop::sample::select(told.clone()), 0..4);
        (Just(told.clone()), again).prop_flat_map(move |(told, again)| {
            let other = [told.clone(), again].concat();
            (Just(told), Just(other).prop_shuffle())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_repetition_of_timed_statements_ends_in_the_same_status((told, other) in told_twice()) {
        let (one, two) = (after_all(&told), after_all(&other));
        prop_assert_eq!(one.status(), two.status());
        prop_assert_eq!(suspenders(&one), suspenders(&two));
        prop_assert_eq!(one.status_at(), two.status_at());
    }

    #[test]
    fn where_instants_differ_any_order_ends_in_the_same_metadata(
        values in prop::collection::vec((0..3u8, 0..3u8, prop::option::of(0..5u8)), 1..8).prop_flat_map(|values| {
            (Just(values.clone()), Just(values.into_iter().enumerate().collect::<Vec<_>>()).prop_shuffle())
        })
    ) {
        let fields = ["tokenInfo.tokenExpiry", "tokenInfo.accountPanSuffix", "productConfig.coBrandName"];
        let statement = |place: usize, (field, _, value): &(u8, u8, Option<u8>)| {
            let at = format!("09:00:{place:02}");
            shows(says("ACTIVE", Some(&at), &[]), fields[usize::from(*field)], value.map(|v| json!(v)))
        };
        let (in_order, shuffled) = values;
        let told: Vec<_> = in_order.iter().enumerate().map(|(place, value)| statement(place, value)).collect();
        let other: Vec<_> = shuffled.iter().map(|(place, value)| statement(*place, value)).collect();
        let (one, two) = (after_all(&told), after_all(&other));
        for field in fields {
            prop_assert_eq!(one.field(field), two.field(field));
        }
    }

    #[test]
    fn an_untimed_statement_never_loosens(told in prop::collection::vec(prop_oneof![timed(), untimed()], 1..6), last in untimed()) {
        let before = after_all(&told);
        let after = hear(&before, &last).token;
        let strictness = |token: &Token| token.status().map(Status::strictness);
        prop_assert!(strictness(&after) >= strictness(&before));
        if after.status() == before.status() {
            prop_assert!(suspenders(&before).iter().all(|name| suspenders(&after).contains(name)));
        }
    }

    #[test]
    fn deactivated_never_leaves(
        before in prop::collection::vec(prop_oneof![timed(), untimed()], 0..4),
        at in prop::option::of(any_time()),
        after in prop::collection::vec(prop_oneof![timed(), untimed()], 0..4),
    ) {
        let gone = says("DEACTIVATED", at.as_deref(), &[]);
        let token = after_all(&[before, vec![gone], after].concat());
        prop_assert_eq!(token.status(), Some(&Status::Deactivated));
    }

    #[test]
    fn the_sequence_moves_by_one_exactly_when_something_changed(
        told in prop::collection::vec(prop_oneof![timed(), untimed()], 1..8)
    ) {
        let mut token = unheard();
        for statement in &told {
            let decision = hear(&token, statement);
            let advanced = decision.verdict == Verdict::Advanced;
            prop_assert_eq!(advanced, !decision.changes.is_empty());
            prop_assert_eq!(decision.token.sequence, token.sequence + u64::from(advanced));
            prop_assert_eq!(decision.kind().is_some(), advanced);
            token = decision.token;
        }
    }
}
