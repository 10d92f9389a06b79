//! What lies in the topic afterwards.

use std::collections::BTreeMap;

use mdes_receiver::domain::event::EventType;
use mdes_receiver::domain::topic::TopicTemplate;

use super::{Cluster, Setup, event, taken};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_taken_when_it_lies_in_its_topic_under_its_token() {
    let cluster = Cluster::with("tokens", 1);
    let sent = event("DM4MMC1", r#"{"type":"token.suspended"}"#);
    let said = taken(&Setup::to(&cluster.url()).open(), &sent).await;
    assert_eq!(said, "topic tokens, partition 0, offset 0");

    let kept = cluster.kept("tokens");
    assert_eq!((kept.len(), kept[0].key.as_str()), (1, "DM4MMC1"));
    assert_eq!(kept[0].body.as_bytes(), &sent.body[..]);
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        kept[0].headers,
        [
            header("event-id", &sent.id.to_string()),
            header("event-type", "token.suspended"),
            header("content-type", "application/json"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_one_token_lie_in_one_partition_in_their_order() {
    let cluster = Cluster::with("tokens", 4);
    let kafka = Setup::to(&cluster.url()).open();
    let tokens = ["A", "B", "C", "D", "E", "F"];
    for number in 0..20 {
        let sent = tokens.map(|token| event(token, &number.to_string()));
        let [a, b, c, d, e, f] = &sent;
        tokio::join!(
            taken(&kafka, a),
            taken(&kafka, b),
            taken(&kafka, c),
            taken(&kafka, d),
            taken(&kafka, e),
            taken(&kafka, f)
        );
    }
    let mut by_token: BTreeMap<String, Vec<(i32, String)>> = BTreeMap::new();
    for record in cluster.kept("tokens") {
        by_token
            .entry(record.key)
            .or_default()
            .push((record.partition, record.body));
    }
    assert_eq!(by_token.len(), tokens.len());
    let used: std::collections::BTreeSet<i32> = by_token.values().map(|all| all[0].0).collect();
    assert!(used.len() > 1, "all lie in one partition");
    for (token, records) in by_token {
        let partition = records[0].0;
        let expected: Vec<(i32, String)> = (0..20).map(|number| (partition, number.to_string())).collect();
        assert_eq!(records, expected, "{token}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_is_taken_as_another_record_with_the_same_id() {
    let cluster = Cluster::with("tokens", 1);
    let sent = event("DM4MMC1", "twice");
    taken(&Setup::to(&cluster.url()).open(), &sent).await;
    // Another replica, which knows nothing of the first.
    let again = taken(&Setup::to(&cluster.url()).open(), &sent).await;
    assert_eq!(again, "topic tokens, partition 0, offset 1");
    let kept = cluster.kept("tokens");
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0], kept[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_about_no_token_lies_under_its_own_id() {
    let cluster = Cluster::with("tokens", 1);
    let mut test = event("", "test");
    (test.kind, test.token, test.requestor) = (EventType::Test, None, None);
    taken(&Setup::to(&cluster.url()).open(), &test).await;
    assert_eq!(cluster.kept("tokens")[0].key, test.id.to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_requestor_may_have_a_topic_of_its_own() {
    let cluster = Cluster::with("tokens.50100000001", 1);
    let mut setup = Setup::to(&cluster.url());
    setup.kafka.topic = TopicTemplate::parse("tokens.{token_requestor_id}").expect("a template");
    taken(&setup.open(), &event("DM4MMC1", "its own")).await;
    assert_eq!(cluster.kept("tokens.50100000001")[0].body, "its own");
}
