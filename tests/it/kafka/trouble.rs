//! A cluster that is away, silent, unwilling, or behind the guard.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use mdes_receiver::delivery::{Destination as _, Failure, Sent};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use tokio::net::TcpListener;

use super::front::Front;
use super::{Cluster, Setup, event, refused, taken};
use crate::world::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_was_away_takes_the_rest_when_it_is_back_in_order() {
    let cluster = Cluster::with("tokens", 1);
    let kafka = Setup::to(&cluster.url()).open();
    taken(&kafka, &event("DM4MMC1", "first")).await;
    cluster.mock.broker_down(1).expect("it goes");
    let second = event("DM4MMC1", "second");
    let (class, text) = refused(&kafka, &second).await;
    assert_eq!(class, Failure::Connection, "{text}");
    cluster.mock.broker_up(1).expect("it comes");
    eventually("it is taken", || async {
        matches!(kafka.send(&second).await, Sent::Taken(_))
    })
    .await;
    taken(&kafka, &event("DM4MMC1", "third")).await;
    let bodies: Vec<String> = cluster.kept("tokens").into_iter().map(|record| record.body).collect();
    assert_eq!(bodies, ["first", "second", "third"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_never_was_there_is_given_up_at_once() {
    let port = free_port().await;
    let kafka = Setup::to(&format!("kafka://127.0.0.1:{port}")).open();
    let began = Instant::now();
    let (class, text) = refused(&kafka, &event("DM4MMC1", "alone")).await;
    assert_eq!(class, Failure::Connection, "{text}");
    assert!(text.contains("refused"), "{text}");
    assert!(began.elapsed() < Duration::from_secs(4), "it waited for its deadline");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_never_speaks_costs_one_deadline_however_many_wait_for_it() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let mut setup = Setup::to(&format!("kafka://{}", listener.local_addr().expect("its address")));
    setup.egress.connect = Duration::from_secs(1);
    let kafka = setup.open();
    let began = Instant::now();
    let attempts: [_; 5] = std::array::from_fn(|_| async { refused(&kafka, &event("DM4MMC1", "unheard")).await });
    let [a, b, c, d, e] = attempts;
    let ended = tokio::join!(a, b, c, d, e);
    for (class, text) in [ended.0, ended.1, ended.2, ended.3, ended.4] {
        assert!(
            matches!(class, Failure::Timeout | Failure::Connection),
            "{class:?} {text}"
        );
    }
    assert!(began.elapsed() < Duration::from_secs(4), "each of them waited in turn");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_that_does_not_come_is_not_waited_for_past_the_deadline() {
    let cluster = Cluster::with("tokens", 1);
    let mut setup = Setup::to(&cluster.url());
    setup.egress.total = Duration::from_secs(3);
    let kafka = setup.open();
    taken(&kafka, &event("DM4MMC1", "first")).await;
    let slow = Duration::from_secs(10);
    cluster.mock.broker_round_trip_time(1, slow).expect("it is slow");
    let began = Instant::now();
    let (class, text) = refused(&kafka, &event("DM4MMC1", "second")).await;
    assert_eq!(class, Failure::Timeout, "{text}");
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "it waited for {:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_not_there_says_what_to_do_and_is_written_to_once_it_is() {
    let cluster = Cluster::with("tokens", 1);
    let unknown = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    cluster.mock.topic_error("tokens", unknown).expect("it is away");
    let kafka = Setup::to(&cluster.url()).open();
    let (class, text) = refused(&kafka, &event("DM4MMC1", "early")).await;
    assert_eq!(class, Failure::Unacknowledged, "{text}");
    assert!(text.contains("topic tokens"), "{text}");
    let none = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
    cluster.mock.topic_error("tokens", none).expect("it is made");
    let late = event("DM4MMC1", "late");
    eventually("it is taken", || async {
        matches!(kafka.send(&late).await, Sent::Taken(_))
    })
    .await;
    assert_eq!(cluster.kept("tokens")[0].body, "late");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_we_may_not_write_to_is_a_refusal() {
    let cluster = Cluster::with("tokens", 1);
    let denied = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    cluster.mock.request_errors(RDKafkaApiKey::Produce, &[denied]);
    let kafka = Setup::to(&cluster.url()).open();
    let (class, text) = refused(&kafka, &event("DM4MMC1", "out")).await;
    assert_eq!(class, Failure::Refused, "{text}");
    assert!(text.contains("topic tokens"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_too_large_says_so_and_hinders_no_other() {
    let cluster = Cluster::with("tokens", 1);
    let kafka = Setup::to(&cluster.url()).open();
    let (class, text) = refused(&kafka, &event("DM4MMC1", &"x".repeat(2_000_000))).await;
    assert_eq!(class, Failure::Refused);
    assert!(text.contains("`max.message.bytes`"), "{text}");
    taken(&kafka, &event("DM4MMC1", "small")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_in_a_network_that_is_not_allowed_is_never_connected_to() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let mut setup = Setup::to(&format!("kafka://{}", listener.local_addr().expect("its address")));
    setup.egress.allow_networks.clear();
    let (class, text) = refused(&setup.open(), &event("DM4MMC1", "kept in")).await;
    assert_eq!(class, Failure::Guarded);
    assert!(
        text.contains("127.0.0.1") && text.contains("`allow_networks`"),
        "{text}"
    );
    let accepted = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(accepted.is_err(), "it was connected to");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_tells_of_a_server_that_is_not_allowed_is_given_nothing() {
    let cluster = Cluster::with("tokens", 1);
    let front = Front {
        told: Some(("127.0.0.2", cluster.port())),
        ..Front::default()
    };
    let port = front.before(cluster.port()).await;
    let kafka = Setup::to(&format!("kafka://127.0.0.1:{port}")).open();
    let (class, text) = refused(&kafka, &event("DM4MMC1", "kept in")).await;
    assert_eq!(class, Failure::Guarded);
    assert!(text.contains("127.0.0.2"), "{text}");
    assert!(cluster.kept("tokens").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_without_an_address_says_so() {
    let kafka = Setup::to("kafka://nowhere.invalid:9092").open();
    let (class, text) = refused(&kafka, &event("DM4MMC1", "nowhere")).await;
    assert_eq!(class, Failure::Unresolved, "{text}");
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    listener.local_addr().expect("its address").port()
}
