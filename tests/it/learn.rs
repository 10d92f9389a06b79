//! What a service says when we call it is taken in like a notice, sealed by us, and judged as an answer if we asked.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mdes_receiver::clock::{SystemClock, new_id};
use mdes_receiver::domain::command::Service;
use mdes_receiver::domain::id::{Namespace, TokenReference};
use mdes_receiver::domain::masked::Secret;
use mdes_receiver::domain::notification::Windows;
use mdes_receiver::domain::status::Status;
use mdes_receiver::domain::token::{Token, Verdict};
use mdes_receiver::inbox::batch::{Batch, Bounds};
use mdes_receiver::inbox::{Inbox, Learned, Unlearned};
use mdes_receiver::keys::Keys;
use mdes_receiver::mdes::Reading;
use mdes_receiver::store::{QuarantineFilter, SealedBy, SharedStore};
use mdes_receiver::telemetry::Metrics;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::support::Database;
use crate::world::Desk;

promises!(
    mdes_s_answer_is_taken_in_as_a_notice_and_sealed_by_us,
    the_token_s_number_in_an_answer_rests_sealed_and_opens_again,
    a_number_that_came_sealed_is_opened_by_our_key_and_sealed_again,
    a_number_that_cannot_be_opened_takes_nothing_else_with_it,
    what_an_answer_says_of_other_tokens_is_not_heard,
    tokenex_s_words_are_of_its_own_tokens,
    an_answer_to_a_question_is_judged_by_what_we_held,
    the_same_answer_given_twice_counts_twice,
    what_cannot_be_used_is_named_and_not_kept,
);

/// An inbox over a database.
struct House {
    desk: Desk,
    store: SharedStore,
    inbox: Inbox,
}

impl House {
    async fn over(database: Database) -> Self {
        let store = database.open().await;
        let desk = Desk::over(database);
        let settings = desk.settings();
        let clock = Arc::new(SystemClock);
        let bounds = Bounds {
            queue_max: 8,
            queue_bytes_max: 1 << 20,
            batch_max: 8,
            batch_bytes_max: 1 << 20,
            deadline: Duration::from_secs(20),
            windows: Windows::default(),
        };
        let (batch, _worker) = Batch::start(store.clone(), bounds, clock.clone(), Metrics::new());
        let keys = Arc::new(Keys::load(settings.keys.clone()).expect("the keys are good"));
        let rules = Reading {
            payload: settings.callback.payload,
            envelope: settings.envelope,
        };
        let inbox = Inbox::new(keys, store.clone(), batch, rules, clock, new_id);
        House { desk, store, inbox }
    }

    async fn token(&self, token: &TokenReference) -> Token {
        let kept = self.store.token(token).await.expect("the store answers");
        kept.expect("it was heard of").token
    }
}

fn mdes(reference: &str) -> TokenReference {
    TokenReference::mdes(reference)
}

fn tokenex(reference: &str) -> TokenReference {
    TokenReference {
        namespace: Namespace::TokenEx,
        reference: reference.to_owned(),
    }
}

fn learned(token: TokenReference, body: &Value, asked_at_sequence: Option<u64>) -> Learned {
    Learned {
        service: match token.namespace {
            Namespace::Mdes => Service::Mdes,
            Namespace::TokenEx => Service::TokenEx,
        },
        token,
        body: Bytes::from(body.to_string()),
        asked_at_sequence,
        reconciles: false,
        received_at: OffsetDateTime::now_utc(),
    }
}

fn says(reference: &str, status: &str, at: &str) -> Value {
    json!({
        "tokenUniqueReference": reference,
        "status": status,
        "suspendedBy": ["TOKEN_REQUESTOR"],
        "statusTimestamp": at,
    })
}

async fn mdes_s_answer_is_taken_in_as_a_notice_and_sealed_by_us(database: Database) {
    let house = House::over(database).await;
    let body = json!({ "requestId": "c-1-1", "tokens": [says("A", "SUSPENDED", "2026-11-02T09:15:03Z")] });
    let receipt = house
        .inbox
        .learn(learned(mdes("A"), &body, None))
        .await
        .expect("it is taken in");
    assert_eq!(
        (receipt.response_id.as_str(), receipt.outcomes[0].verdict),
        ("c-1-1", Verdict::Advanced)
    );
    let token = house.token(&mdes("A")).await;
    assert_eq!(token.status(), Some(&Status::Suspended));
    assert_eq!(token.suspended_by().collect::<Vec<_>>(), ["TOKEN_REQUESTOR"]);
    let kept = house
        .store
        .notification(receipt.id)
        .await
        .expect("the store answers")
        .expect("it is kept");
    assert_eq!((kept.sealed_by, kept.peer.name.as_str()), (SealedBy::Us, "mdes"));
    assert_eq!(kept.peer.certificate_sha256, "none: it answered a request of ours");
    assert_eq!(kept.flags, [], "nothing is odd about it");
    let again = house
        .inbox
        .learn(learned(mdes("A"), &body, None))
        .await
        .expect("it is taken in");
    assert!(again.repeat);
}

async fn the_token_s_number_in_an_answer_rests_sealed_and_opens_again(database: Database) {
    const NUMBER: &str = "5480981500100002";
    let house = House::over(database).await;
    let mut entry = says("A", "ACTIVE", "2026-11-02T09:15:03Z");
    entry["tokenInfo"] = json!({ "tokenNumber": NUMBER });
    let learned = learned(mdes("A"), &json!({ "tokens": [entry] }), Some(0));
    let receipt = house.inbox.learn(learned).await.expect("it is taken in");
    let kept = house
        .store
        .notification(receipt.id)
        .await
        .expect("the store answers")
        .expect("it is kept");
    assert!(!String::from_utf8_lossy(&kept.sealed_body).contains(NUMBER));
    let token = house.token(&mdes("A")).await;
    assert_eq!(token.field("tokenInfo.tokenNumber"), Some(&json!("····0002")));
    let number = house
        .inbox
        .token_number(receipt.id, 0)
        .await
        .expect("the store answers");
    assert_eq!(number.as_ref().map(Secret::expose), Some(NUMBER));
}

async fn a_number_that_came_sealed_is_opened_by_our_key_and_sealed_again(database: Database) {
    const NUMBER: &str = "5480981500100002";
    let house = House::over(database).await;
    let detail =
        json!({ "tokenNumber": NUMBER, "expiryMonth": "10", "expiryYear": "29", "dataValidUntilTimestamp": null });
    let detail = house
        .desk
        .sealer()
        .seal(detail.to_string().as_bytes())
        .expect("it seals");
    let body = json!({ "tokens": [says("A", "ACTIVE", "2026-11-02T09:15:03Z")], "tokenDetail": detail });
    let receipt = house
        .inbox
        .learn(learned(mdes("A"), &body, Some(0)))
        .await
        .expect("it is taken in");
    let kept = house
        .store
        .notification(receipt.id)
        .await
        .expect("the store answers")
        .expect("it is kept");
    assert_eq!(
        (kept.sealed_by, kept.flags.as_slice()),
        (SealedBy::Us, &[][..]),
        "nothing is odd about it"
    );
    assert!(!String::from_utf8_lossy(&kept.sealed_body).contains(NUMBER));
    let token = house.token(&mdes("A")).await;
    assert_eq!(
        (token.field("tokenInfo.tokenNumber"), token.number_in()),
        (Some(&json!("····0002")), Some(receipt.id))
    );
    let number = house
        .inbox
        .token_number(receipt.id, 0)
        .await
        .expect("the store answers");
    assert_eq!(number.as_ref().map(Secret::expose), Some(NUMBER));
}

async fn a_number_that_cannot_be_opened_takes_nothing_else_with_it(database: Database) {
    let house = House::over(database).await;
    let details = [
        json!({ "encryptedData": "c0ffee" }),
        json!("5480981500100002"),
        json!(house.desk.sealer().seal(br#"{"expiryMonth": "10"}"#).expect("it seals")),
    ];
    for (sequence, detail) in (0..).zip(details) {
        let at = format!("2026-11-02T09:15:0{sequence}Z");
        let status = ["ACTIVE", "SUSPENDED", "ACTIVE"][usize::try_from(sequence).expect("a few")];
        let body = json!({ "tokens": [says("A", status, &at)], "tokenDetail": detail });
        let receipt = house
            .inbox
            .learn(learned(mdes("A"), &body, Some(sequence)))
            .await
            .expect("it is taken in");
        assert_eq!(receipt.outcomes[0].verdict, Verdict::Advanced, "{detail}");
        assert_eq!(house.token(&mdes("A")).await.number_in(), None);
    }
}

async fn what_an_answer_says_of_other_tokens_is_not_heard(database: Database) {
    let house = House::over(database).await;
    let at = "2026-11-02T09:15:03Z";
    let body = json!({ "tokens": [says("B", "SUSPENDED", at), says("A", "SUSPENDED", at)] });
    let receipt = house
        .inbox
        .learn(learned(mdes("A"), &body, Some(0)))
        .await
        .expect("it is taken in");
    assert_eq!(receipt.outcomes.len(), 1);
    assert_eq!(house.store.token(&mdes("B")).await.expect("the store answers"), None);
}

async fn tokenex_s_words_are_of_its_own_tokens(database: Database) {
    let house = House::over(database).await;
    let t = tokenex("5480981500100002");
    let body = |status: &str| json!({ "tokens": [{ "tokenUniqueReference": t.reference, "status": status }] });
    for (sequence, (word, status)) in (0..).zip([
        ("ACTIVE", Status::Active),
        ("SUSPENDED", Status::Suspended),
        ("CONSUMED", Status::Unknown("CONSUMED".to_owned())),
        ("DELETED", Status::Deactivated),
    ]) {
        let answer = learned(t.clone(), &body(word), Some(sequence));
        house.inbox.learn(answer).await.expect("it is taken in");
        let token = house.token(&t).await;
        assert_eq!(
            (token.status(), token.is_provisional()),
            (Some(&status), false),
            "{word}"
        );
    }
    let mdes = house.store.token(&mdes(&t.reference)).await.expect("the store answers");
    assert_eq!(mdes, None, "an MDES token of that name is another");
}

async fn an_answer_to_a_question_is_judged_by_what_we_held(database: Database) {
    let house = House::over(database).await;
    let said = |status, at| json!({ "tokens": [says("A", status, at)] });
    let notice = learned(mdes("A"), &said("SUSPENDED", "2026-11-02T09:15:03Z"), None);
    house.inbox.learn(notice).await.expect("it is taken in");
    let newer = said("ACTIVE", "2026-11-02T10:15:03Z");
    let late = house
        .inbox
        .learn(learned(mdes("A"), &newer, Some(0)))
        .await
        .expect("it is taken in");
    assert_eq!(late.outcomes[0].verdict, Verdict::Late);
    let in_time = house
        .inbox
        .learn(learned(mdes("A"), &newer, Some(1)))
        .await
        .expect("it is taken in");
    assert_eq!(
        (in_time.outcomes[0].verdict, in_time.outcomes[0].sequence),
        (Verdict::Advanced, 2)
    );
}

async fn the_same_answer_given_twice_counts_twice(database: Database) {
    let house = House::over(database).await;
    let gone = json!({ "tokens": [says("A", "DEACTIVATED", "2026-11-02T09:15:03Z")] });
    house
        .inbox
        .learn(learned(mdes("A"), &gone, None))
        .await
        .expect("it is taken in");
    let alive = json!({ "requestId": "look", "tokens": [says("A", "ACTIVE", "2026-11-02T10:00:00Z")] });
    let mut verdicts = Vec::new();
    for minutes in [0, 5] {
        let answer = learned(mdes("A"), &alive, Some(1));
        let answer = Learned {
            received_at: answer.received_at + time::Duration::minutes(minutes),
            ..answer
        };
        let receipt = house.inbox.learn(answer).await.expect("it is taken in");
        verdicts.push(receipt.outcomes[0].verdict);
    }
    assert_eq!(verdicts, [Verdict::Anomaly, Verdict::Advanced]);
}

async fn what_cannot_be_used_is_named_and_not_kept(database: Database) {
    let house = House::over(database).await;
    let at = "2026-11-02T09:15:03Z";
    let unusable = [
        json!("5480981500100002"),
        json!({ "token": says("A", "ACTIVE", at) }),
        json!({ "tokens": [] }),
        json!({ "tokens": [{ "status": "ACTIVE" }] }),
        json!({ "tokens": [says("B", "ACTIVE", at)] }),
    ];
    for body in unusable {
        let refused = house.inbox.learn(learned(mdes("A"), &body, Some(0))).await;
        let error = refused.expect_err("it cannot be used");
        assert!(matches!(error, Unlearned::Unusable(_)), "{error}");
        assert!(!error.to_string().contains("548098"), "{error}");
    }
    assert_eq!(house.store.tokens(None, 10).await.expect("the store answers"), []);
    let kept = house.store.quarantined(&QuarantineFilter::default(), None, 10).await;
    assert_eq!(kept.expect("the store answers"), []);
}
