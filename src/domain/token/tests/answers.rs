//! What an answer to a question of ours may do, one sentence each, and what it never does.

use super::*;

fn unmoved(token: &Token) -> Asked {
    Asked {
        sequence: token.sequence,
        vouched: false,
    }
}

/// The nth notification, each ten minutes after the one before.
fn nth(n: u8) -> Hearing {
    Hearing {
        notification: NotificationId(Uuid::from_u128(n.into())),
        ..heard_at(NOON + time::Duration::minutes(10) * n)
    }
}

/// The token after an answer to what was asked of it as it stands.
fn ask(token: &Token, answer: &Statement) -> Decision {
    token.answered(answer, &nth(1), &unmoved(token), &Windows::default())
}

#[test]
fn an_answer_settles_a_tie_either_way() {
    let token = after_all(&[
        says("ACTIVE", Some("09:00:00.0"), &[]),
        says("SUSPENDED", Some("09:00:00.0"), &["ISSUER"]),
    ]);
    assert_eq!((word(&token), token.is_provisional()), ("SUSPENDED", true));
    let decision = ask(&token, &says("ACTIVE", Some("09:00:00.0"), &[]));
    assert_eq!((word(&decision.token), decision.verdict), ("ACTIVE", Verdict::Advanced));
    assert!(!decision.token.is_provisional());
    let again = hear(&decision.token, &says("SUSPENDED", Some("09:00:00.0"), &["ISSUER"]));
    assert_eq!((word(&again.token), again.verdict), ("ACTIVE", Verdict::Stale));
    assert!(!again.token.is_provisional(), "it is settled");
}

#[test]
fn an_answer_that_agrees_clears_the_doubts_and_changes_nothing() {
    let untimed = says("SUSPENDED", None, &["ISSUER"]);
    let token = after_all(&[says("ACTIVE", Some("09:00:00"), &[]), untimed]);
    assert!(token.is_provisional());
    let decision = ask(&token, &says("SUSPENDED", None, &[]));
    assert_eq!(decision.verdict, Verdict::Unchanged);
    assert_eq!(
        (word(&decision.token), suspenders(&decision.token)),
        ("SUSPENDED", vec!["ISSUER"])
    );
    assert!(!decision.token.is_provisional());
}

#[test]
fn an_answer_without_an_instant_holds_until_something_newer_is_said() {
    let token = after_all(&[says("SUSPENDED", Some("09:00:00.0"), &["ISSUER"])]);
    let answered = ask(&token, &says("ACTIVE", None, &[])).token;
    assert_eq!((word(&answered), answered.status_at()), ("ACTIVE", None));
    assert!(!answered.is_provisional());
    for old in ["08:00:00.0", "09:00:00.0"] {
        let decision = hear(&answered, &says("SUSPENDED", Some(old), &["CARDHOLDER"]));
        assert_eq!((decision.verdict, word(&decision.token)), (Verdict::Stale, "ACTIVE"));
    }
    let newer = hear(&answered, &says("SUSPENDED", Some("09:00:01.0"), &["ISSUER"])).token;
    assert_eq!((word(&newer), newer.status_at().is_some()), ("SUSPENDED", true));
}

#[test]
fn an_answer_that_names_no_suspenders_leaves_them_as_they_are() {
    let token = after_all(&[says("SUSPENDED", Some("09:00:00"), &["ISSUER"])]);
    let decision = ask(&token, &says("SUSPENDED", None, &[]));
    assert_eq!(
        (decision.verdict, suspenders(&decision.token)),
        (Verdict::Unchanged, vec!["ISSUER"])
    );
    let named = ask(&token, &says("SUSPENDED", None, &["TOKEN_REQUESTOR"]));
    assert_eq!(
        (named.kind(), suspenders(&named.token)),
        (Some("suspenders"), vec!["TOKEN_REQUESTOR"])
    );
}

#[test]
fn an_answer_after_the_token_moved_applies_to_nothing() {
    let token = after_all(&[says("ACTIVE", Some("09:00:00"), &[])]);
    let asked = unmoved(&token);
    let moved = hear(&token, &says("SUSPENDED", Some("10:00:00"), &["ISSUER"])).token;
    let answer = shows(
        says("ACTIVE", Some("11:00:00"), &[]),
        "tokenInfo.tokenExpiry",
        Some(json!("1132")),
    );
    let decision = moved.answered(&answer, &nth(1), &asked, &Windows::default());
    assert_eq!((decision.verdict, &decision.token), (Verdict::Late, &moved));
    assert_eq!(decision.changes, []);
}

#[test]
fn an_older_answer_loosens_nothing_whatever_is_in_doubt() {
    let token = after_all(&[says("SUSPENDED", Some("10:00:00"), &["ISSUER"])]);
    let decision = ask(&token, &says("ACTIVE", Some("09:00:00"), &[]));
    assert_eq!((decision.verdict, word(&decision.token)), (Verdict::Stale, "SUSPENDED"));
    let tied = hear(&token, &says("ACTIVE", Some("10:00:00"), &[])).token;
    let untimed = hear(&token, &says("ACTIVE", None, &[])).token;
    for doubted in [tied, untimed] {
        assert!(doubted.is_provisional());
        let decision = ask(&doubted, &says("ACTIVE", Some("09:00:00"), &[]));
        assert_eq!((decision.verdict, word(&decision.token)), (Verdict::Stale, "SUSPENDED"));
        assert!(decision.token.is_provisional(), "it settles nothing either");
    }
}

#[test]
fn an_older_answer_settles_a_status_that_is_in_doubt_and_no_other() {
    let older = says("SUSPENDED", Some("09:00:00"), &["CARDHOLDER"]);
    let named = says("SUSPENDED", Some("10:00:00"), &["ISSUER"]);
    let mut metadata = shows(says("ACTIVE", None, &[]), "tokenInfo.tokenExpiry", Some(json!("1132")));
    metadata.status = None;
    let about_metadata = after_all(&[named.clone(), metadata]);
    assert!(about_metadata.is_provisional());
    assert_eq!(suspenders(&ask(&about_metadata, &older).token), ["ISSUER"]);
    let tied = after_all(&[named, says("SUSPENDED", Some("10:00:00"), &["TOKEN_REQUESTOR"])]);
    assert!(tied.is_provisional());
    assert_eq!(suspenders(&ask(&tied, &older).token), ["CARDHOLDER"]);
}

#[test]
fn two_answers_that_agree_undo_deactivated() {
    let token = after_all(&[says("DEACTIVATED", Some("09:00:00"), &[])]);
    let answer = says("ACTIVE", None, &[]);
    let first = token.answered(&answer, &nth(1), &unmoved(&token), &Windows::default());
    assert_eq!((first.verdict, word(&first.token)), (Verdict::Anomaly, "DEACTIVATED"));
    assert!(first.token.is_provisional(), "it is worth asking again");
    let same = first
        .token
        .answered(&answer, &nth(1), &unmoved(&token), &Windows::default());
    assert_eq!(word(&same.token), "DEACTIVATED", "the same answer is no second one");
    let other = first.token.answered(
        &says("SUSPENDED", None, &[]),
        &nth(2),
        &unmoved(&token),
        &Windows::default(),
    );
    assert_eq!(word(&other.token), "DEACTIVATED", "they do not agree");
    let second = first
        .token
        .answered(&answer, &nth(2), &unmoved(&token), &Windows::default());
    assert_eq!((second.verdict, word(&second.token)), (Verdict::Advanced, "ACTIVE"));
    assert!(!second.token.is_provisional());
}

#[test]
fn an_answer_that_is_no_newer_than_the_end_says_nothing_against_it_however_often() {
    for gone_at in ["09:00:00", "09:00:00.0"] {
        let token = after_all(&[says("DEACTIVATED", Some(gone_at), &[])]);
        let asked = unmoved(&token);
        let lagging = says("ACTIVE", Some("09:00:00.0"), &[]);
        let heard = (1..9).fold(token.clone(), |token, n| {
            let decision = token.answered(&lagging, &nth(n), &asked, &Windows::default());
            assert_eq!(
                (decision.verdict, word(&decision.token)),
                (Verdict::Stale, "DEACTIVATED")
            );
            decision.token
        });
        assert!(!heard.is_provisional(), "it is no reason to doubt");
    }
}

#[test]
fn two_answers_in_a_row_are_one() {
    let token = after_all(&[says("DEACTIVATED", Some("09:00:00"), &[])]);
    let answer = says("ACTIVE", None, &[]);
    let asked = unmoved(&token);
    let seconds = |n: u8, seconds: i64| Hearing {
        received_at: NOON + time::Duration::seconds(seconds),
        ..nth(n)
    };
    let mut held = token;
    for (n, after) in [(1, 0), (2, 2), (3, 200), (4, 299)] {
        held = held
            .answered(&answer, &seconds(n, after), &asked, &Windows::default())
            .token;
        assert_eq!(word(&held), "DEACTIVATED", "{after} s after the first");
    }
    let last = held.answered(&answer, &seconds(5, 300), &asked, &Windows::default());
    assert_eq!(word(&last.token), "ACTIVE", "five minutes after the first");
}

#[test]
fn a_first_answer_counts_for_nothing_once_the_token_moved() {
    let token = after_all(&[says("DEACTIVATED", Some("09:00:00"), &[])]);
    let answer = says("ACTIVE", None, &[]);
    let first = ask(&token, &answer).token;
    let mut expires = shows(
        says("ACTIVE", Some("09:30:00"), &[]),
        "tokenInfo.tokenExpiry",
        Some(json!("1132")),
    );
    expires.status = None;
    let moved = hear(&first, &expires).token;
    assert!(moved.sequence > first.sequence);
    let second = moved.answered(&answer, &nth(2), &unmoved(&moved), &Windows::default());
    assert_eq!(word(&second.token), "DEACTIVATED");
    let third = second
        .token
        .answered(&answer, &nth(3), &unmoved(&second.token), &Windows::default());
    assert_eq!(word(&third.token), "ACTIVE");
}

#[test]
fn an_end_that_was_answered_against_does_not_come_back_but_a_newer_one_does() {
    let gone = says("DEACTIVATED", Some("09:00:00"), &[]);
    let token = after_all(std::slice::from_ref(&gone));
    let asked = Asked {
        vouched: true,
        ..unmoved(&token)
    };
    let alive = token.answered(
        &says("ACTIVE", Some("09:30:00"), &[]),
        &nth(1),
        &asked,
        &Windows::default(),
    );
    assert_eq!(word(&alive.token), "ACTIVE", "a person vouches for it");
    let again = hear(&alive.token, &gone);
    assert_eq!((again.verdict, word(&again.token)), (Verdict::Stale, "ACTIVE"));
    let suspended = hear(&alive.token, &says("SUSPENDED", Some("10:00:00"), &["ISSUER"])).token;
    assert_eq!(word(&hear(&suspended, &gone).token), "SUSPENDED");
    let newer = hear(&alive.token, &says("DEACTIVATED", Some("09:40:00"), &[]));
    assert_eq!(word(&newer.token), "DEACTIVATED");
}

#[test]
fn deactivated_said_once_more_makes_a_first_answer_against_it_count_for_nothing() {
    let token = after_all(&[says("DEACTIVATED", Some("09:00:00"), &[])]);
    let answer = says("ACTIVE", None, &[]);
    let first = token
        .answered(&answer, &nth(1), &unmoved(&token), &Windows::default())
        .token;
    let confirmed = hear(&first, &says("DEACTIVATED", Some("09:10:00"), &[])).token;
    let second = confirmed.answered(&answer, &nth(2), &unmoved(&confirmed), &Windows::default());
    assert_eq!((second.verdict, word(&second.token)), (Verdict::Anomaly, "DEACTIVATED"));
}

#[test]
fn an_answer_that_it_is_gone_is_believed_at_once_whatever_its_instant() {
    let token = after_all(&[says("ACTIVE", Some("10:00:00"), &[])]);
    for at in [None, Some("09:00:00")] {
        let decision = ask(&token, &says("DEACTIVATED", at, &[]));
        assert_eq!(word(&decision.token), "DEACTIVATED");
        assert!(!decision.token.is_provisional());
    }
}

#[test]
fn the_first_thing_heard_of_a_token_may_be_an_answer() {
    let decision = ask(&unheard(), &says("SUSPENDED", None, &[]));
    assert_eq!(
        (decision.verdict, word(&decision.token)),
        (Verdict::Advanced, "SUSPENDED")
    );
    assert!(!decision.token.is_provisional());
    let timed = hear(&decision.token, &says("ACTIVE", Some("09:00:00"), &[]));
    assert_eq!(word(&timed.token), "ACTIVE", "nothing newer was held");
}

/// What is heard: a statement, or an answer to what was asked of the token as it stands.
fn anything() -> impl Strategy<Value = (bool, Statement)> {
    (any::<bool>(), prop_oneof![timed(), untimed()])
}

fn after_anything(heard: &[(bool, Statement)]) -> Token {
    (1..).zip(heard).fold(unheard(), |token, (n, (is_answer, statement))| {
        let decision = match is_answer {
            true => token.answered(statement, &nth(n), &unmoved(&token), &Windows::default()),
            false => token.after(statement, &nth(n), &Windows::default()),
        };
        decision.token
    })
}

/// Says anything but DEACTIVATED.
fn alive(statements: impl Strategy<Value = Statement>) -> impl Strategy<Value = Statement> {
    statements.prop_filter("it is gone", |statement| statement.status != Some(Status::Deactivated))
}

fn is_gone(token: &Token) -> bool {
    token.status() == Some(&Status::Deactivated)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_answer_never_applies_when_the_token_moved_meanwhile(
        heard in prop::collection::vec(anything(), 0..6), answer in prop_oneof![timed(), untimed()], since in 1_u64..4, vouched: bool,
    ) {
        let token = after_anything(&heard);
        let asked = Asked { sequence: token.sequence + since, vouched };
        let decision = token.answered(&answer, &nth(99), &asked, &Windows::default());
        prop_assert_eq!((decision.verdict, &decision.token), (Verdict::Late, &token));
    }

    #[test]
    fn an_answer_without_an_instant_is_how_it_stands_and_leaves_no_doubt(
        heard in prop::collection::vec(anything(), 0..6), answer in untimed(),
    ) {
        let token = after_anything(&heard);
        let asked = Asked { vouched: true, ..unmoved(&token) };
        let after = token.answered(&answer, &nth(99), &asked, &Windows::default()).token;
        prop_assert_eq!(after.status(), answer.status.as_ref());
        prop_assert!(!after.is_provisional());
    }

    #[test]
    fn after_an_answer_what_is_newer_takes_over_and_nothing_else(
        heard in prop::collection::vec(alive(timed()), 1..6), answer in alive(untimed()), next in timed(),
    ) {
        let statements: Vec<_> = heard.into_iter().map(|statement| (false, statement)).collect();
        let token = after_anything(&statements);
        let newest = token.timed.as_ref().and_then(Said::standing);
        let answered = ask(&token, &answer).token;
        prop_assume!(answered.status() != token.status());
        let after = hear(&answered, &next).token;
        let status = next.status.clone().expect("it states one");
        let takes_over = status == Status::Deactivated
            || next.instant.map(|instant| instant.standing_for(&status)) > newest;
        let expected = if takes_over { &next } else { &answer };
        prop_assert_eq!(after.status(), expected.status.as_ref());
    }

    #[test]
    fn whatever_was_answered_newer_statements_end_in_the_same_status_in_any_order(
        heard in prop::collection::vec(anything(), 0..4), (told, other) in told_twice(),
    ) {
        let token = after_anything(&heard);
        let later = |mut statement: Statement| {
            let at = statement.instant.expect("timed").at() + time::Duration::hours(24);
            statement.instant = Some(Instant::new(at, false));
            statement
        };
        let windows = Windows { ahead: time::Duration::days(9), ..Windows::default() };
        let after = |statements: Vec<Statement>| {
            let hear = |token: Token, statement: Statement| token.after(&later(statement), &heard_at(NOON), &windows).token;
            statements.into_iter().fold(token.clone(), hear)
        };
        let (one, two) = (after(told), after(other));
        prop_assert_eq!(one.status(), two.status());
        prop_assert_eq!(suspenders(&one), suspenders(&two));
    }

    #[test]
    fn an_answer_that_is_older_by_its_instant_never_loosens_the_status(
        heard in prop::collection::vec(anything(), 0..6), answer in timed(),
    ) {
        let token = after_anything(&heard);
        let newest = token.timed.as_ref().and_then(Said::standing);
        let status = answer.status.clone().expect("it states one");
        let is_older = answer.instant.map(|instant| instant.standing_for(&status)) < newest;
        let after = token.answered(&answer, &nth(99), &unmoved(&token), &Windows::default()).token;
        let strictness = |token: &Token| token.status().map(Status::strictness);
        prop_assert!(!is_older || strictness(&after) >= strictness(&token));
    }

    #[test]
    fn one_answer_alone_never_brings_back_what_is_gone(
        heard in prop::collection::vec(timed(), 0..5), answer in prop_oneof![timed(), untimed()],
    ) {
        let statements: Vec<_> = heard.into_iter().map(|statement| (false, statement)).collect();
        let token = hear(&after_anything(&statements), &says("DEACTIVATED", Some("10:00:00"), &[])).token;
        prop_assert!(is_gone(&ask(&token, &answer).token));
    }

    #[test]
    fn with_answers_too_the_sequence_moves_by_one_exactly_when_something_changed(
        heard in prop::collection::vec(anything(), 0..6), last in anything(),
    ) {
        let token = after_anything(&heard);
        let kept: Token = serde_json::from_str(&serde_json::to_string(&token).expect("JSON")).expect("JSON");
        prop_assert_eq!(&kept, &token);
        let decision = match last.0 {
            true => ask(&token, &last.1),
            false => hear(&token, &last.1),
        };
        let advanced = decision.verdict == Verdict::Advanced;
        prop_assert_eq!(decision.token.sequence, token.sequence + u64::from(advanced));
        prop_assert_eq!(decision.changes.is_empty(), !advanced);
        let same = (decision.token.status(), suspenders(&decision.token)) == (token.status(), suspenders(&token));
        prop_assert!(same || advanced);
    }
}
