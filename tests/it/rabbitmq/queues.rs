//! What lies in a queue afterwards, and what does not come to lie in one.

use mdes_receiver::delivery::{Destination as _, Failure, Sent};

use super::{Broker, Setup, event, refused, taken};
use crate::world::eventually;

/// It outlives the server, since queue and message do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_taken_when_it_lies_in_a_queue_under_its_id_and_survives_the_server() {
    let mut broker = Broker::start("").await.with_exchange().await;
    broker.bind("ours", "tokens.50100000001.#").await;
    let rabbitmq = Setup::to(&broker.url()).open();
    let first = event(r#"{"type":"token.suspended"}"#);
    let said = taken(&rabbitmq, &first).await;
    assert_eq!(said, "exchange tokens, routing key tokens.50100000001.token.suspended");
    let numbers: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    for number in &numbers {
        taken(&rabbitmq, &event(number)).await;
    }

    broker.kill();
    let (class, text) = refused(&rabbitmq, &event("while it is away")).await;
    assert_eq!(class, Failure::Connection, "{text}");
    broker.resume().await;
    let last = event("last");
    eventually("it is taken", || async {
        matches!(rabbitmq.send(&last).await, Sent::Taken(_))
    })
    .await;

    let kept = broker.drained("ours").await;
    let properties = &kept[0].delivery.properties;
    let text = |text: &Option<lapin::types::ShortString>| text.as_ref().map(|text| text.as_str().to_owned());
    assert_eq!(text(properties.message_id()), Some(first.id.to_string()));
    assert_eq!(text(properties.kind()).as_deref(), Some("token.suspended"));
    assert_eq!(text(properties.content_type()).as_deref(), Some("application/json"));
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(kept[0].delivery.data, first.body);
    let bodies: Vec<&[u8]> = kept[1..]
        .iter()
        .map(|message| message.delivery.data.as_slice())
        .collect();
    let expected: Vec<&[u8]> = numbers.iter().map(String::as_bytes).chain([&b"last"[..]]).collect();
    assert_eq!(bodies, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_queue_takes_is_not_taken_and_says_what_to_do() {
    let broker = Broker::start("").await;
    let rabbitmq = Setup::to(&broker.url()).open();
    let (class, text) = refused(&rabbitmq, &event("nowhere")).await;
    assert_eq!(class, Failure::Unacknowledged, "{text}");
    assert!(text.contains("no exchange tokens"), "{text}");

    let broker = broker.with_exchange().await;
    let (class, text) = refused(&rabbitmq, &event("unbound")).await;
    assert_eq!(class, Failure::Unacknowledged, "{text}");
    assert!(
        text.contains("no queue takes the routing key tokens.50100000001.token.suspended"),
        "{text}"
    );

    // Those that come back, and those that do not, at once: none is taken for another.
    broker.bind("ours", "tokens.1.#").await;
    let sent: Vec<_> = (0..40)
        .map(|number| {
            let mut one = event(&number.to_string());
            one.requestor = Some((number % 2).to_string());
            one
        })
        .collect();
    let mut told = tokio::task::JoinSet::new();
    let rabbitmq = std::sync::Arc::new(rabbitmq);
    for (number, one) in sent.into_iter().enumerate() {
        let rabbitmq = rabbitmq.clone();
        told.spawn(async move { (number, matches!(rabbitmq.send(&one).await, Sent::Taken(_))) });
    }
    for (number, is_taken) in told.join_all().await {
        assert_eq!(is_taken, number % 2 == 1, "{number}");
    }
    assert_eq!(broker.bodies("ours").await.len(), 20);

    let strange = broker.url().replace("guest:guest", "guest:wr0ng");
    let (class, text) = refused(&Setup::to(&strange).open(), &event("out")).await;
    assert_eq!(class, Failure::Refused, "{text}");
    assert!(text.contains("the URL's user") && !text.contains("wr0ng"), "{text}");
}
