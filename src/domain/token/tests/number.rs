//! When a number is missing, one sentence each.

use super::*;
use crate::domain::notification::{REDIGITISED, TOKEN_EXPIRY, TOKEN_SUFFIX};

const LATER: OffsetDateTime = datetime!(2026-11-02 18:00 UTC);

fn ends_in(statement: Statement, suffix: &str) -> Statement {
    shows(statement, TOKEN_SUFFIX, Some(json!(suffix)))
}

fn numbered(statement: Statement, end: &str) -> Statement {
    shows(ends_in(statement, end), TOKEN_NUMBER, Some(json!(format!("····{end}"))))
}

fn active(at: &str) -> Statement {
    says("ACTIVE", Some(at), &[])
}

fn redigitised(at: &str) -> Statement {
    Statement {
        reason_code: Some(REDIGITISED.to_owned()),
        ..active(at)
    }
}

fn lacks(statements: &[Statement]) -> bool {
    let token = after_all(statements);
    assert_eq!(token.doubts().contains(&Doubt::NumberMissing), token.lacks_number());
    token.lacks_number()
}

/// getToken's answer to a question about the token as it stands.
fn answer(token: &Token, statement: &Statement) -> Decision {
    let asked = Asked {
        sequence: token.sequence,
        vouched: false,
    };
    token.answered(statement, &heard_at(LATER), &asked, &Windows::default())
}

#[test]
fn another_end_without_its_number_is_a_number_that_is_missing() {
    let before = ends_in(active("09:00:00.5"), "1111");
    assert!(!lacks(std::slice::from_ref(&before)), "the first time it says nothing");
    assert!(lacks(&[before.clone(), ends_in(active("10:00:00.5"), "2222")]));
    assert!(!lacks(&[before.clone(), numbered(active("10:00:00.5"), "2222")]));
    assert!(!lacks(&[before.clone(), ends_in(active("10:00:00.5"), "1111")]));
    let first = numbered(active("08:00:00.5"), "1111");
    assert!(
        lacks(&[first, before, ends_in(active("10:00:00.5"), "2222")]),
        "it is of before"
    );
}

#[test]
fn where_the_end_cannot_tell_the_reason_or_a_new_expiry_does() {
    let expires = |statement, at: &str| shows(statement, TOKEN_EXPIRY, Some(json!(at)));
    assert!(lacks(&[active("09:00:00.5"), redigitised("10:00:00.5")]));
    assert!(lacks(&[
        expires(active("09:00:00.5"), "1027"),
        expires(active("10:00:00.5"), "1032")
    ]));
    let same_end = [
        ends_in(active("09:00:00.5"), "1111"),
        expires(ends_in(redigitised("10:00:00.5"), "1111"), "1032"),
    ];
    assert!(!lacks(&same_end), "only its expiry was extended");
}

#[test]
fn a_number_that_is_newer_ends_the_doubt_and_an_older_one_does_not() {
    let before = ends_in(active("09:00:00.5"), "1111");
    let replaced = ends_in(active("10:00:00.5"), "2222");
    assert!(!lacks(&[
        before.clone(),
        replaced.clone(),
        numbered(active("11:00:00.5"), "2222")
    ]));
    assert!(!lacks(&[
        before.clone(),
        replaced.clone(),
        numbered(active("10:00:00.5"), "2222")
    ]));
    assert!(lacks(&[before, replaced, numbered(active("09:30:00.5"), "1111")]));
}

#[test]
fn it_does_not_matter_which_of_the_two_came_first() {
    let (first, second) = (
        ends_in(active("09:00:00.5"), "1111"),
        ends_in(active("10:00:00.5"), "2222"),
    );
    assert!(lacks(&[second.clone(), first.clone()]));
    assert!(lacks(&[second, numbered(active("09:00:00.5"), "1111")]));
    assert!(!lacks(&[numbered(active("10:00:00.5"), "2222"), first]));
}

#[test]
fn an_answer_with_the_number_ends_it_whatever_the_instant_of_its_status() {
    let token = after_all(&[
        numbered(active("09:00:00.5"), "1111"),
        ends_in(redigitised("10:00:00.5"), "2222"),
    ]);
    assert!(token.lacks_number());
    for at in [Some("08:00:00.5"), Some("10:00:00.5"), None] {
        let decision = answer(&token, &numbered(says("ACTIVE", at, &[]), "2222"));
        assert!(!decision.token.is_provisional(), "{at:?}");
        assert_eq!(decision.token.number_in(), Some(heard_at(LATER).notification));
        assert_eq!(decision.token.field(TOKEN_NUMBER), Some(&json!("····2222")));
        assert_eq!(
            (decision.verdict, decision.kind()),
            (Verdict::Advanced, Some("metadata"))
        );
    }
}

#[test]
fn the_number_of_an_answer_is_not_replaced_by_what_was_said_before_the_replacement() {
    let before = ends_in(active("09:00:00.5"), "1111");
    let replaced = ends_in(redigitised("10:00:00.5"), "2222");
    let late = numbered(active("09:30:00.5"), "1111");
    for at in [Some("08:00:00.5"), Some("09:00:00.5"), Some("10:00:00.5"), None] {
        let token = after_all(&[before.clone(), replaced.clone()]);
        let learned = answer(&token, &numbered(says("ACTIVE", at, &[]), "2222")).token;
        let hearing = heard_at(LATER + time::Duration::minutes(1));
        let token = learned.heard(&late, &hearing, &Manner::Told, &Windows::default()).token;
        assert_eq!(token.field(TOKEN_NUMBER), Some(&json!("····2222")), "{at:?}");
        assert_eq!(token.number_in(), Some(heard_at(LATER).notification), "{at:?}");
        assert!(!token.lacks_number(), "{at:?}");
    }
}

#[test]
fn an_answer_without_it_leaves_it_missing_and_finds_what_was_never_told() {
    let token = after_all(&[
        ends_in(active("09:00:00.5"), "1111"),
        ends_in(active("10:00:00.5"), "2222"),
    ]);
    assert!(
        answer(&token, &ends_in(active("10:00:00.5"), "2222"))
            .token
            .lacks_number()
    );
    let unaware = after_all(&[ends_in(active("09:00:00.5"), "1111")]);
    assert!(
        answer(&unaware, &ends_in(active("09:00:00.5"), "2222"))
            .token
            .lacks_number()
    );
}

#[test]
fn nobody_asks_for_the_number_of_a_token_that_is_gone_nor_of_tokenex_s() {
    let gone = [
        active("09:00:00.5"),
        redigitised("10:00:00.5"),
        says("DEACTIVATED", Some("11:00:00.5"), &[]),
    ];
    assert!(!lacks(&gone));
    let token = Token::unheard(TokenReference {
        namespace: crate::domain::id::Namespace::TokenEx,
        reference: "T".to_owned(),
    });
    assert!(!hear(&token, &redigitised("10:00:00.5")).token.lacks_number());
}

#[test]
fn what_is_missing_survives_in_the_token_s_own_memory() {
    let token = after_all(&[active("09:00:00.5"), redigitised("10:00:00.5")]);
    let kept = serde_json::to_string(&token).expect("a token is JSON");
    assert_eq!(serde_json::from_str::<Token>(&kept).expect("its own JSON"), token);
}
