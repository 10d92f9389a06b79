//! What a notification does to a token: nothing, until an answer agrees with it.

use mdes_receiver::domain::token::Doubt;
use mdes_receiver::simulator::services::tokens::{Act, Cause, NewToken, State};
use mdes_receiver::simulator::services::{Post, Services, Settings};
use serde_json::json;
use time::Duration;

use super::{Ear, REFERENCE_ID, SECRET, TOKEN, change, millis};
use crate::support::Database;
use crate::world::{eventually, read};

promises!(
    a_hint_is_acknowledged_journalled_and_changes_nothing,
    a_hint_that_an_answer_agrees_with_is_taken_as_it_was_told,
    a_forged_hint_changes_nothing_and_its_doubt_ends,
    a_retry_is_counted_and_nothing_more,
    at_once_it_is_believed,
    a_card_update_is_told_once_the_token_was_asked_after,
    a_second_network_token_is_noticed_and_never_mixed_in,
    what_says_what_is_held_or_is_older_raises_no_doubt,
    what_the_simulator_s_tokenex_says_is_understood,
);

const LATER: Duration = Duration::minutes(2);

/// A receiver that holds ACTIVE, by an answer.
async fn active(database: Database) -> Ear {
    let ear = Ear::over(database).await;
    ear.answered("ACTIVE", Duration::ZERO).await;
    ear
}

async fn a_hint_is_acknowledged_journalled_and_changes_nothing(database: Database) {
    let ear = active(database).await;
    let answer = ear
        .told(&change("m-1", "SUSPENDED", "SUSPENDED_BY_TR", &millis(5)))
        .await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(ear.stands().await, ("ACTIVE".to_owned(), true, 1));
    assert_eq!(ear.verdicts().await, ["advanced", "hinted"]);
    let hinted = &ear.journal().await[0];
    assert_eq!(hinted.reason_code.as_deref(), Some("SUSPENDED_BY_TR"));
    assert_eq!(
        ear.0
            .count("mdes_receiver_tokenex_callbacks_total{outcome=\"recorded\"}"),
        1
    );
    assert_eq!(ear.0.count("mdes_receiver_statements_total{outcome=\"hinted\"}"), 1);
}

async fn a_hint_that_an_answer_agrees_with_is_taken_as_it_was_told(database: Database) {
    let ear = active(database).await;
    let at = millis(5);
    ear.told(&change("m-1", "SUSPENDED", "SUSPENDED_BY_TR", &at)).await;
    ear.answered("SUSPENDED", Duration::seconds(1)).await;
    let token = ear.token().await.expect("it is held");
    assert_eq!(ear.stands().await, ("SUSPENDED".to_owned(), false, 2));
    assert_eq!(token.suspended_by().collect::<Vec<_>>(), ["TOKEN_REQUESTOR"]);
    let since = token.status_at().expect("it was told").unix_timestamp_nanos() / 1_000_000;
    assert_eq!(since.to_string(), at);
    let transition = ear.transitions().await.pop().expect("it changed");
    assert_eq!(transition.reason_code.as_deref(), Some("SUSPENDED_BY_TR"));
    let told = "select cast(count(*) as text) from events where type = 'token.suspended'";
    assert_eq!(
        ear.0.desk.database.text(told).await.as_deref(),
        Some("1"),
        "an event as any other"
    );
}

async fn a_forged_hint_changes_nothing_and_its_doubt_ends(database: Database) {
    let ear = active(database).await;
    let before = ear.transitions().await;
    for (message, state) in [("m-1", "SUSPENDED"), ("m-2", "DELETED"), ("m-3", "NEW_WORD")] {
        ear.told(&change(message, state, "DELETED_BY_ISSUER", &millis(1))).await;
        assert_eq!(ear.stands().await, ("ACTIVE".to_owned(), true, 1), "{state}");
    }
    ear.answered("ACTIVE", LATER).await;
    assert_eq!(ear.stands().await, ("ACTIVE".to_owned(), false, 1));
    assert_eq!(ear.transitions().await, before);
    let told = "select cast(count(*) as text) from events";
    assert_eq!(
        ear.0.desk.database.text(told).await.as_deref(),
        Some("2"),
        "those of the first answer"
    );
}

async fn a_retry_is_counted_and_nothing_more(database: Database) {
    let ear = active(database).await;
    let mut notice = change("m-1", "SUSPENDED", "SUSPENDED_BY_TR", &millis(5));
    ear.told(&notice).await;
    notice["referenceNumber"] = json!("21082509302518699999");
    let again = ear.told(&notice).await;
    assert_eq!(again.status, 200);
    assert_eq!(ear.verdicts().await, ["advanced", "hinted"]);
    let notification = ear.journal().await[0].notification;
    let kept = ear
        .0
        .store()
        .notification(notification)
        .await
        .expect("the store answers");
    assert_eq!(kept.expect("it is kept").repeats, 1);
    assert_eq!(
        ear.0.count("mdes_receiver_tokenex_callbacks_total{outcome=\"repeat\"}"),
        1
    );
    // The same under another name is the same statement.
    notice["networkTokenStateChangeNotification"]["messageId"] = json!("m-2");
    ear.told(&notice).await;
    assert_eq!(ear.journal().await[0].repeats, 1);
    assert_eq!(ear.stands().await, ("ACTIVE".to_owned(), true, 1));
}

async fn at_once_it_is_believed(database: Database) {
    let ear = Ear::with(database, "allow_from = [\"127.0.0.0/8\"]\napply = \"at_once\"").await;
    ear.told(&change("m-1", "ACTIVE", "ACTIVATED_BY_ISSUER", &millis(9)))
        .await;
    assert_eq!(ear.stands().await, ("ACTIVE".to_owned(), false, 1));
    ear.told(&change("m-2", "SUSPENDED", "SUSPENDED_BY_ISSUER", &millis(5)))
        .await;
    assert_eq!(ear.stands().await, ("SUSPENDED".to_owned(), false, 2));
    let token = ear.token().await.expect("it is held");
    assert_eq!(token.suspended_by().collect::<Vec<_>>(), ["ISSUER"]);
    assert_eq!(token.token_reference_id(), Some(REFERENCE_ID));
    assert_eq!(token.requestor(), Some("12345678901"));
    ear.told(&change("m-3", "ACTIVE", "RESUMED_BY_ISSUER", &millis(7)))
        .await;
    assert_eq!(ear.stands().await.0, "SUSPENDED", "the older one is stale");
    ear.told(&change("m-4", "DELETED", "DELETED_BY_ISSUER", &millis(3)))
        .await;
    assert_eq!(ear.stands().await, ("DEACTIVATED".to_owned(), false, 3));
}

async fn a_card_update_is_told_once_the_token_was_asked_after(database: Database) {
    let ear = active(database).await;
    let card = json!({
        "token": TOKEN, "referenceNumber": "1", "success": "true", "error": "",
        " networkTokenCardUpdateNotification": {
            "messageId": "m-1", "conversationId": "c-1", "tokenRequestorId": "12345678901", "tokenReferenceId": REFERENCE_ID,
        },
    });
    let answer = ear.posted("card", card.to_string().into_bytes()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(ear.stands().await, ("ACTIVE".to_owned(), true, 1));
    ear.answered("ACTIVE", Duration::seconds(1)).await;
    assert_eq!(ear.stands().await, ("ACTIVE".to_owned(), false, 2));
    let changed = ear.transitions().await.pop().expect("it changed");
    let fields: Vec<&str> = changed.changes.iter().map(|change| change.field.as_str()).collect();
    assert!(fields.contains(&"cardMetadata"), "{fields:?}");
    let told = "select cast(count(*) as text) from events where type = 'card.changed'";
    assert_eq!(ear.0.desk.database.text(told).await.as_deref(), Some("1"));
}

async fn a_second_network_token_is_noticed_and_never_mixed_in(database: Database) {
    let ear = active(database).await;
    ear.told(&change("m-1", "SUSPENDED", "SUSPENDED_BY_TR", &millis(9)))
        .await;
    ear.answered("SUSPENDED", Duration::seconds(1)).await;
    let mut other = change("m-2", "ACTIVE", "RESUMED_BY_TR", &millis(5));
    other["networkTokenStateChangeNotification"]["tokenReferenceId"] = json!("another");
    ear.told(&other).await;
    ear.answered("SUSPENDED", LATER).await;
    let token = ear.token().await.expect("it is held");
    assert_eq!(ear.stands().await, ("SUSPENDED".to_owned(), true, 2));
    assert!(
        token.doubts().contains(&Doubt::SeveralNetworkTokens),
        "no answer says of which one it speaks"
    );
    assert_eq!(token.token_reference_id(), Some(REFERENCE_ID));
}

async fn what_says_what_is_held_or_is_older_raises_no_doubt(database: Database) {
    let ear = Ear::over(database).await;
    ear.told(&change("m-1", "SUSPENDED", "SUSPENDED_BY_TR", &millis(60)))
        .await;
    ear.answered("SUSPENDED", Duration::seconds(1)).await;
    ear.told(&change("m-2", "SUSPENDED", "SUSPENDED_BY_TR", &millis(50)))
        .await;
    ear.told(&change("m-3", "ACTIVE", "RESUMED_BY_TR", &millis(70))).await;
    assert_eq!(ear.verdicts().await[..1], ["hinted"]);
    let mut verdicts = ear.verdicts().await;
    verdicts.sort_unstable();
    assert_eq!(verdicts, ["advanced", "hinted", "stale", "unchanged"]);
    assert_eq!(ear.stands().await, ("SUSPENDED".to_owned(), false, 1));
}

async fn what_the_simulator_s_tokenex_says_is_understood(database: Database) {
    let ear = active(database).await;
    let services = Services::start(Settings::default()).await.expect("loopback listens");
    let roots = read(&ear.0.desk.files.ca.certificate);
    let post = Post::to(&ear.url(&format!("/{SECRET}/state")), Some(&roots)).expect("a URL");
    services.notify_tokenex(post);
    let new = NewToken {
        token: Some(TOKEN.to_owned()),
        state: State::Active,
        ..NewToken::default()
    };
    services.make(&new).expect("it is made");
    services
        .act(TOKEN, Act::Suspend, &Cause::by("ISSUER"))
        .expect("it is held");
    eventually("the hint is heard", || async { ear.stands().await.1 }).await;
    ear.answered("SUSPENDED", Duration::seconds(1)).await;
    let token = ear.token().await.expect("it is held");
    assert_eq!(ear.stands().await, ("SUSPENDED".to_owned(), false, 2));
    assert_eq!(token.suspended_by().collect::<Vec<_>>(), ["ISSUER"]);
    assert!(token.status_at().is_some());
    assert_eq!(ear.quarantined().await, []);
}
