//! What a hint may do, one sentence each, and what it never does.

use super::*;
use crate::domain::notification::{CARD_METADATA, TOKEN_REFERENCE_ID};

/// Long after every hint.
const LATER: OffsetDateTime = datetime!(2026-11-02 18:00 UTC);

fn hint(token: &Token, statement: &Statement) -> Decision {
    token.hinted(statement, &heard_at(NOON), &Windows::default())
}

fn hint_all(token: &Token, statements: &[Statement]) -> Token {
    (0..).zip(statements).fold(token.clone(), |token, (place, statement)| {
        let received_at = NOON + time::Duration::minutes(place);
        token
            .hinted(statement, &heard_at(received_at), &Windows::default())
            .token
    })
}

/// GetStatus's answer, which gives neither an instant nor names.
fn answer_at(token: &Token, status: &str, received_at: OffsetDateTime) -> Decision {
    let asked = Asked {
        sequence: token.sequence,
        vouched: false,
    };
    let statement = says(status, None, &[]);
    token.answered(&statement, &heard_at(received_at), &asked, &Windows::default())
}

fn answer(token: &Token, status: &str) -> Decision {
    answer_at(token, status, LATER)
}

fn of_network_token(statement: Statement, id: &str) -> Statement {
    shows(statement, TOKEN_REFERENCE_ID, Some(json!(id)))
}

fn active() -> Token {
    after_all(&[says("ACTIVE", Some("09:00:00.5"), &[])])
}

fn because(mut statement: Statement, reason: &str) -> Statement {
    statement.reason_code = Some(reason.to_owned());
    statement
}

#[test]
fn a_hint_changes_nothing_and_raises_a_doubt() {
    let token = active();
    let decision = hint(&token, &says("SUSPENDED", Some("10:00:00.5"), &["ISSUER"]));
    assert_eq!((decision.verdict, decision.changes.len()), (Verdict::Hinted, 0));
    assert_eq!((word(&decision.token), decision.token.sequence), ("ACTIVE", 1));
    assert_eq!(decision.token.doubts(), &BTreeSet::from([Doubt::Hinted]));
}

#[test]
fn an_answer_that_agrees_takes_the_hint_s_instant_suspenders_and_reason() {
    let told = because(
        says("SUSPENDED", Some("10:00:00.5"), &["ISSUER"]),
        "SUSPENDED_BY_ISSUER",
    );
    let decision = answer(&hint(&active(), &told).token, "SUSPENDED");
    let token = &decision.token;
    assert_eq!(
        (decision.verdict, word(token), suspenders(token)),
        (Verdict::Advanced, "SUSPENDED", vec!["ISSUER"])
    );
    assert_eq!(token.status_at(), Some(instant("10:00:00.5").at()));
    assert_eq!(token.reason_code(), Some("SUSPENDED_BY_ISSUER"));
    assert_eq!(
        decision.reason_code(&says("SUSPENDED", None, &[])).as_deref(),
        Some("SUSPENDED_BY_ISSUER")
    );
    assert!(!token.is_provisional());
    let stale = hear(token, &says("ACTIVE", Some("09:30:00.5"), &[]));
    assert_eq!(stale.verdict, Verdict::Stale, "it is as timed as any statement");
}

#[test]
fn an_answer_that_denies_it_ends_the_doubt_and_changes_nothing() {
    let token = active();
    let hinted = hint(&token, &says("SUSPENDED", Some("10:00:00.5"), &["ISSUER"])).token;
    let decision = answer(&hinted, "ACTIVE");
    assert_eq!(
        (decision.verdict, word(&decision.token)),
        (Verdict::Unchanged, "ACTIVE")
    );
    assert!(!decision.token.is_provisional());
    assert_eq!(decision.token.status_at(), token.status_at());
    let again = answer(&decision.token, "SUSPENDED").token;
    assert_eq!(suspenders(&again), Vec::<&str>::new(), "what was denied is forgotten");
}

#[test]
fn an_answer_that_came_too_soon_to_know_of_it_denies_nothing() {
    let hinted = hint(&active(), &says("SUSPENDED", Some("10:00:00.5"), &["ISSUER"])).token;
    let soon = answer_at(&hinted, "ACTIVE", NOON + time::Duration::seconds(5)).token;
    assert_eq!((word(&soon), soon.doubts().contains(&Doubt::Hinted)), ("ACTIVE", true));
    let agreed = answer_at(&soon, "SUSPENDED", NOON + time::Duration::seconds(9)).token;
    assert_eq!((suspenders(&agreed), agreed.is_provisional()), (vec!["ISSUER"], false));
}

#[test]
fn what_was_said_anew_is_not_loosened_by_an_answer_that_may_not_know_of_it() {
    let token = after_all(&[says("SUSPENDED", Some("09:00:00.5"), &["ISSUER"])]);
    let resumed = hint(&token, &says("ACTIVE", Some("10:00:00.5"), &[])).token;
    let again = hint(&resumed, &says("SUSPENDED", Some("11:00:00.5"), &["ISSUER"])).token;
    let soon = answer_at(&again, "ACTIVE", NOON + time::Duration::seconds(5));
    assert_eq!((soon.verdict, word(&soon.token)), (Verdict::Late, "SUSPENDED"));
    assert!(soon.token.is_provisional(), "it is asked again");
    assert_eq!(word(&answer(&soon.token, "ACTIVE").token), "ACTIVE", "this one knows");
    let settled = answer(&soon.token, "SUSPENDED").token;
    assert_eq!(
        (settled.status_at(), settled.is_provisional()),
        (Some(instant("11:00:00.5").at()), false)
    );
}

#[test]
fn a_hint_that_says_what_we_hold_or_is_older_raises_no_doubt() {
    let token = after_all(&[says("SUSPENDED", Some("10:00:00.5"), &["ISSUER"])]);
    let same = hint(&token, &says("SUSPENDED", Some("11:00:00.5"), &["ISSUER"]));
    assert_eq!((same.verdict, same.token.is_provisional()), (Verdict::Unchanged, false));
    assert_eq!(
        (same.token.status_at(), same.token.sequence),
        (token.status_at(), token.sequence)
    );
    let older = hint(&token, &says("ACTIVE", Some("09:00:00.5"), &[]));
    assert_eq!((older.verdict, &older.token), (Verdict::Stale, &token));
}

#[test]
fn a_hint_heard_again_is_a_repeat() {
    let told = says("SUSPENDED", Some("10:00:00.5"), &["ISSUER"]);
    let denied = answer(&hint(&active(), &told).token, "ACTIVE").token;
    let again = Hearing {
        heard_before: Some(NOON),
        ..heard_at(NOON + time::Duration::minutes(3))
    };
    let decision = denied.hinted(&told, &again, &Windows::default());
    assert_eq!((decision.verdict, &decision.token), (Verdict::Repeat, &denied));
}

#[test]
fn a_hint_of_an_end_is_asked_after_like_any_other() {
    let gone = says("DEACTIVATED", Some("10:00:00.5"), &[]);
    let hinted = hint(&active(), &gone).token;
    assert_eq!(word(&hinted), "ACTIVE");
    assert_eq!(word(&answer(&hinted, "ACTIVE").token), "ACTIVE");
    let confirmed = answer(&hinted, "DEACTIVATED").token;
    assert_eq!(
        (word(&confirmed), confirmed.status_at()),
        ("DEACTIVATED", Some(instant("10:00:00.5").at()))
    );
}

#[test]
fn of_a_token_that_is_gone_a_hint_and_one_answer_are_not_enough() {
    let gone = after_all(&[says("DEACTIVATED", Some("09:00:00.5"), &[])]);
    let hinted = hint(&gone, &says("ACTIVE", Some("10:00:00.5"), &[])).token;
    assert_eq!((word(&hinted), hinted.is_provisional()), ("DEACTIVATED", true));
    let first = answer(&hinted, "ACTIVE").token;
    assert_eq!((word(&first), first.is_provisional()), ("DEACTIVATED", true));
    let second = answer_at(&first, "ACTIVE", LATER + time::Duration::minutes(6)).token;
    assert_eq!(
        (word(&second), second.status_at()),
        ("ACTIVE", Some(instant("10:00:00.5").at()))
    );
}

#[test]
fn a_proven_statement_that_is_as_new_ends_a_hint() {
    let hinted = hint(&active(), &says("SUSPENDED", Some("10:00:00.5"), &["ISSUER"])).token;
    let older = hear(&hinted, &says("SUSPENDED", Some("09:30:00.5"), &["CARDHOLDER"])).token;
    assert!(older.doubts().contains(&Doubt::Hinted), "the hint is newer");
    let newer = hear(&hinted, &says("ACTIVE", Some("10:30:00.5"), &[])).token;
    assert!(!newer.is_provisional());
}

#[test]
fn a_card_to_fetch_is_told_once_the_token_was_asked_after() {
    let mut card = shows(says("ACTIVE", None, &[]), CARD_METADATA, Some(json!("message")));
    card.status = None;
    let hinted = hint(&active(), &card);
    assert_eq!(
        (hinted.verdict, hinted.token.field(CARD_METADATA)),
        (Verdict::Hinted, None)
    );
    let decision = answer(&hinted.token, "ACTIVE");
    assert_eq!(decision.kind(), Some("metadata"));
    assert_eq!(decision.token.field(CARD_METADATA), Some(&json!("message")));
    assert!(!decision.token.is_provisional());
}

#[test]
fn of_another_network_token_nothing_is_applied_and_the_doubt_stays() {
    let first = of_network_token(says("ACTIVE", Some("09:00:00.5"), &[]), "one");
    let other = of_network_token(says("SUSPENDED", Some("10:00:00.5"), &["ISSUER"]), "two");
    let token = after_all(&[first]);
    for manner in [Manner::Told, Manner::Hinted] {
        let decision = token.heard(&other, &heard_at(NOON), &manner, &Windows::default());
        assert_eq!((decision.verdict, word(&decision.token)), (Verdict::Hinted, "ACTIVE"));
        assert!(decision.flags.contains(&Flag::SeveralNetworkTokens));
        let answered = answer(&decision.token, "ACTIVE").token;
        assert!(
            answered.doubts().contains(&Doubt::SeveralNetworkTokens),
            "of which one?"
        );
        let asked = Asked {
            sequence: answered.sequence,
            vouched: true,
        };
        let vouched = answered.answered(
            &says("ACTIVE", None, &[]),
            &heard_at(LATER),
            &asked,
            &Windows::default(),
        );
        assert!(!vouched.token.is_provisional(), "a person knows");
    }
}

#[test]
fn a_hint_names_the_network_token_and_a_second_name_is_noticed() {
    let hinted = hint(
        &unheard(),
        &of_network_token(says("ACTIVE", Some("09:00:00.5"), &[]), "one"),
    );
    assert_eq!(hinted.token.token_reference_id(), Some("one"));
    let second = hint(
        &hinted.token,
        &of_network_token(says("ACTIVE", Some("09:10:00.5"), &[]), "two"),
    );
    assert!(second.flags.contains(&Flag::SeveralNetworkTokens));
    assert_eq!(second.token.token_reference_id(), Some("one"));
}

#[test]
fn after_an_end_another_network_token_may_come() {
    let gone = after_all(&[of_network_token(says("DEACTIVATED", Some("09:00:00.5"), &[]), "one")]);
    let next = hint(&gone, &of_network_token(says("ACTIVE", Some("10:00:00.5"), &[]), "two"));
    assert!(!next.flags.contains(&Flag::SeveralNetworkTokens));
    assert_eq!(
        (next.token.token_reference_id(), word(&next.token)),
        (Some("two"), "DEACTIVATED")
    );
}

#[test]
fn a_hint_survives_in_the_token_s_own_memory() {
    let token = hint(&active(), &says("SUSPENDED", Some("10:00:00.5"), &["ISSUER"])).token;
    let kept = serde_json::to_string(&token).expect("a token is JSON");
    assert_eq!(serde_json::from_str::<Token>(&kept).expect("its own JSON"), token);
}

fn hints() -> impl Strategy<Value = Vec<Statement>> {
    prop::collection::vec(prop_oneof![timed(), untimed()], 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_hint_by_itself_neither_loosens_nor_tightens(
        told in prop::collection::vec(prop_oneof![timed(), untimed()], 0..4),
        hints in hints(),
    ) {
        let before = after_all(&told);
        let after = hint_all(&before, &hints);
        prop_assert_eq!(after.status(), before.status());
        prop_assert_eq!(suspenders(&after), suspenders(&before));
        prop_assert_eq!(after.status_at(), before.status_at());
        prop_assert_eq!(after.sequence, before.sequence);
    }

    #[test]
    fn hints_in_any_order_end_in_the_same_answer(
        told in prop::collection::vec(timed(), 0..3),
        orders in hints().prop_flat_map(|hints| (Just(hints.clone()), Just(hints).prop_shuffle())),
        status in any_status(),
    ) {
        let before = after_all(&told);
        let (one, two) = (hint_all(&before, &orders.0), hint_all(&before, &orders.1));
        prop_assert_eq!(one.doubts(), two.doubts());
        let (one, two) = (answer(&one, status).token, answer(&two, status).token);
        prop_assert_eq!(one.status(), two.status());
        prop_assert_eq!(suspenders(&one), suspenders(&two));
        prop_assert_eq!(one.status_at(), two.status_at());
        prop_assert_eq!(one.doubts(), two.doubts());
    }

    #[test]
    fn whatever_was_hinted_the_answer_s_status_is_the_one_that_holds(
        told in prop::collection::vec(timed(), 0..3), hints in hints(), status in any_status(),
    ) {
        let before = after_all(&told);
        prop_assume!(before.status() != Some(&Status::Deactivated));
        let decision = answer(&hint_all(&before, &hints), status);
        prop_assert_eq!(word(&decision.token), status);
        prop_assert!(!decision.token.doubts().contains(&Doubt::Hinted));
    }
}
