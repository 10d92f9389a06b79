//! A machine that dies: what was answered is on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mdes_receiver::domain::id::TokenReference;
use time::OffsetDateTime;

use super::process::Program;
use super::traffic::{Sent, Traffic, expected};
use crate::support::Database;
use crate::world::{Desk, body};

promises!(a_kill_right_after_answers_loses_nothing);

/// Each round kills another receiver on the same store, at another moment of a commit.
const ROUNDS: usize = 4;

async fn a_kill_right_after_answers_loses_nothing(database: Database) {
    let desk = Desk::over(database);
    let mut acknowledged: Vec<Sent> = Vec::new();
    for round in 0..ROUNDS {
        let mut program = Program::serve(&desk).await;
        told_again(&desk, &program, &acknowledged).await;
        let traffic = Traffic::to(&desk, program.callback, round);
        traffic.answered(60).await;
        tokio::time::sleep(Duration::from_millis(3 * round as u64)).await;
        program.process.kill();
        let sent = traffic.ended().await;
        let answers = sent.iter().filter(|sent| sent.outcome.is_ok()).count();
        acknowledged.extend(sent.into_iter().filter(Sent::acknowledged));
        assert!(answers >= 60, "it was killed in the middle of {answers} answers");
        all_is_there(&desk.database, &acknowledged).await;
        it_adds_up(&desk.database).await;
    }
}

/// Every notification that was answered stands in the store, and its tokens are where they were said to be, or later.
async fn all_is_there(database: &Database, acknowledged: &[Sent]) {
    let kept = request_ids(database).await;
    let lost: Vec<&str> = acknowledged
        .iter()
        .map(|sent| sent.request_id.as_str())
        .filter(|request_id| !kept.contains(*request_id))
        .collect();
    assert!(lost.is_empty(), "answered and lost: {lost:?}");

    let mut latest: BTreeMap<&str, OffsetDateTime> = BTreeMap::new();
    for sent in acknowledged {
        let at = latest.entry(&sent.token).or_insert(sent.at);
        *at = sent.at.max(*at);
    }
    let store = database.open().await;
    for (token, at) in latest {
        let kept = store
            .token(&TokenReference::mdes(token))
            .await
            .expect("the store answers");
        let status_at = kept.expect("it was told of").token.status_at();
        assert!(
            status_at >= Some(at),
            "{token} is at {status_at:?}, and was told of {at}"
        );
    }
    store.close().await;
}

/// What stands in one table and what stands in another say the same.
pub async fn it_adds_up(database: &Database) {
    for (what, sql) in [
        (
            "a notification whose statement is not in the journal",
            "select cast(count(*) as text)
               from notifications
              where id not in (select notification_id from token_statements)",
        ),
        (
            "a gap in the sequence of a token's transitions",
            "select cast(count(*) as text)
               from (select token_unique_reference
                       from token_transitions
                      group by token_unique_reference
                     having min(sequence) <> 1 or max(sequence) <> count(*)) as gaps",
        ),
        (
            "a token that is not where its last transition left it",
            "select cast(count(*) as text)
               from tokens
              where sequence <> (select count(*)
                                   from token_transitions
                                  where token_transitions.token_unique_reference = tokens.token_unique_reference)",
        ),
        (
            "a statement that advanced a token without a transition",
            "select cast(count(*) as text)
               from token_statements
              where verdict = 'advanced'
                and notification_id not in (select notification_id from token_transitions)",
        ),
    ] {
        assert_eq!(database.text(sql).await.as_deref(), Some("0"), "{what}");
    }
}

/// The requestIds of all notifications.
pub async fn request_ids(database: &Database) -> BTreeSet<String> {
    let all = database
        .text("select string_agg(request_id, ' ') from notifications")
        .await;
    all.unwrap_or_default().split(' ').map(str::to_owned).collect()
}

/// To a receiver that was not there when they were first told, they are repeats all the same.
async fn told_again(desk: &Desk, program: &Program, acknowledged: &[Sent]) {
    let count = "select cast(count(*) as text) from notifications";
    let before = desk.database.text(count).await;
    let sender = desk.sender(program.callback);
    for sent in acknowledged {
        let answer = sender.send(sent.body.clone()).await.expect("an answer");
        assert_eq!((answer.status, body(&answer)), (200, expected(&sent.request_id)));
    }
    assert_eq!(desk.database.text(count).await, before);
    let outcomes: BTreeSet<String> = program
        .events("notification")
        .iter()
        .map(|event| event["outcome"].to_string())
        .collect();
    assert!(outcomes.iter().all(|outcome| outcome == "\"repeat\""), "{outcomes:?}");
}
