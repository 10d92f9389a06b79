//! What lies on the stream afterwards.

use async_nats::jetstream::{self, stream::StorageType};
use mdes_receiver::delivery::Failure;
use mdes_receiver::domain::event::EventType;

use super::{Broker, Setup, bodies, event, refused, taken};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_taken_when_it_lies_on_the_stream_under_its_id() {
    let broker = Broker::start("").await.with_stream("tokens", "tokens.>").await;
    let nats = Setup::to(&[broker.url()]).open();
    let sent = event(r#"{"type":"token.suspended"}"#);
    assert_eq!(taken(&nats, &sent).await, "stream tokens, sequence 1");

    let stream = jetstream::new(broker.client().await)
        .get_stream("tokens")
        .await
        .expect("a stream");
    let message = stream.get_raw_message(1).await.expect("a message");
    let header = |name: &str| message.headers.get(name).map(|value| value.as_str().to_owned());
    assert_eq!(message.subject.as_str(), "tokens.50100000001.token.suspended");
    assert_eq!(message.payload, sent.body);
    assert_eq!(header("Nats-Msg-Id"), Some(sent.id.to_string()));
    assert_eq!(header("Content-Type").as_deref(), Some("application/json"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_under_the_same_id_is_taken_and_kept_once() {
    let broker = Broker::start("").await.with_stream("tokens", "tokens.>").await;
    let sent = event("once");
    taken(&Setup::to(&[broker.url()]).open(), &sent).await;
    // Another replica, which knows nothing of the first.
    let again = taken(&Setup::to(&[broker.url()]).open(), &sent).await;
    assert_eq!(again, "stream tokens, which had it already, sequence 1");
    assert_eq!(bodies(&broker.kept("tokens").await), ["once"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_lie_in_the_order_in_which_they_were_taken() {
    let broker = Broker::start("").await.with_stream("tokens", "tokens.>").await;
    let nats = Setup::to(&[broker.url()]).open();
    let sent: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    for body in &sent {
        taken(&nats, &event(body)).await;
    }
    assert_eq!(bodies(&broker.kept("tokens").await), sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_speaks_of_no_token_has_placeholders_in_its_subject() {
    let broker = Broker::start("").await.with_stream("tokens", "tokens.>").await;
    let nats = Setup::to(&[broker.url()]).open();
    let mut test = event("test");
    (test.kind, test.token, test.requestor) = (EventType::Test, None, None);
    taken(&nats, &test).await;
    assert_eq!(broker.kept("tokens").await[0].0, "tokens.unknown.test");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subject_that_no_stream_takes_says_what_to_do_and_is_taken_once_one_does() {
    let broker = Broker::start("").await;
    let nats = Setup::to(&[broker.url()]).open();
    let (class, text) = refused(&nats, &event("early")).await;
    assert_eq!(class, Failure::Unacknowledged);
    assert!(
        text.contains("tokens.50100000001.token.suspended") && text.contains("`create_stream`"),
        "{text}"
    );
    let broker = broker.with_stream("tokens", "tokens.>").await;
    taken(&nats, &event("late")).await;
    assert_eq!(bodies(&broker.kept("tokens").await), ["late"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_made_if_that_is_wished_for_every_type_there_is() {
    let broker = Broker::start("").await;
    let nats = Setup::to(&[broker.url()]).on_stream("made", true).open();
    for kind in EventType::ALL {
        let mut one = event(kind.as_str());
        one.kind = *kind;
        taken(&nats, &one).await;
    }
    assert_eq!(broker.kept("made").await.len(), EventType::ALL.len());

    let context = jetstream::new(broker.client().await);
    let mut stream = context.get_stream("made").await.expect("a stream");
    let config = stream.info().await.expect("it answers").config.clone();
    assert_eq!(
        (config.subjects, config.storage),
        (vec!["tokens.*.>".to_owned()], StorageType::File)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_went_is_made_again() {
    let broker = Broker::start("").await;
    let nats = Setup::to(&[broker.url()]).on_stream("made", true).open();
    taken(&nats, &event("before")).await;
    let context = jetstream::new(broker.client().await);
    context.delete_stream("made").await.expect("it goes");
    refused(&nats, &event("between")).await;
    taken(&nats, &event("after")).await;
    assert_eq!(bodies(&broker.kept("made").await), ["after"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_lands_on_no_other_stream_than_the_one_named() {
    let broker = Broker::start("").await.with_stream("others", "tokens.>").await;
    let nats = Setup::to(&[broker.url()]).on_stream("ours", false).open();
    let (class, text) = refused(&nats, &event("stray")).await;
    assert_eq!(class, Failure::Unacknowledged, "{text}");
    assert!(text.contains("expected stream does not match"), "{text}");
    assert!(broker.kept("others").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_too_large_for_the_server_says_so() {
    let broker = Broker::start("max_payload: 1024")
        .await
        .with_stream("tokens", "tokens.>")
        .await;
    let nats = Setup::to(&[broker.url()]).open();
    let (class, text) = refused(&nats, &event(&"x".repeat(2_000))).await;
    assert_eq!(class, Failure::Refused);
    assert!(text.contains("`max_payload`"), "{text}");
    taken(&nats, &event("small")).await;
}
