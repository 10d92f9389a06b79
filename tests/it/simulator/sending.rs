//! The HTTPS client: what it keeps, and when it gives up.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use hyper::body::Bytes;
use mdes_receiver::simulator::load::{self, Plan, Sealed};
use mdes_receiver::simulator::refusal::SendError;
use mdes_receiver::simulator::seal::Style;
use mdes_receiver::simulator::sender::{ANSWER_BYTES_MAX, Deadlines, Http, Sender};
use tokio::net::TcpListener;

use super::receiver::{Manner, Receiver, SLOW};
use super::{Desk, SEED, read};

const SOON: Duration = Duration::from_millis(300);

fn body() -> Bytes {
    Bytes::from_static(b"{}")
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_one_after_the_other_share_a_connection_and_the_mdes_path() {
    let desk = Desk::set_up();
    for http in [Http::One, Http::Two] {
        let receiver = Receiver::start(&desk.files, Manner::Good).await;
        let sender = desk.sender_of(&receiver, http, Deadlines::default());
        for _ in 0..3 {
            assert_eq!(sender.send(body()).await.expect("an answer").status, 400);
        }
        let paths: Vec<String> = receiver.requests().into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["/digitization/static/1/0/notifyTokenUpdated"; 3]);
        assert_eq!(receiver.connections(), 1, "{http:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_never_answers_hits_the_deadline() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Silent).await;
    let deadlines = Deadlines {
        answer: SOON,
        ..Deadlines::default()
    };
    let outcome = desk.sender_of(&receiver, Http::One, deadlines).send(body()).await;
    assert_eq!(
        outcome,
        Err(SendError::TooLate {
            what: "answer",
            after: SOON
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_never_shakes_hands_hits_the_deadline() {
    let desk = Desk::set_up();
    let mute = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let deadlines = Deadlines {
        handshake: SOON,
        ..Deadlines::default()
    };
    let outcome = sender_to(&desk, &mute, deadlines).send(body()).await;
    assert_eq!(
        outcome,
        Err(SendError::TooLate {
            what: "handshake",
            after: SOON
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_at_the_address_is_said_with_the_address() {
    let desk = Desk::set_up();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let sender = sender_to(&desk, &listener, Deadlines::default());
    drop(listener);
    let error = sender.send(body()).await.expect_err("nobody listens");
    assert!(
        matches!(&error, SendError::NoConnection { to, .. } if *to == address),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_of_another_ca_is_not_trusted() {
    let desk = Desk::set_up();
    let elsewhere = Desk::set_up();
    let receiver = Receiver::start(&elsewhere.files, Manner::Good).await;
    let error = desk.sender(&receiver).send(body()).await.expect_err("another CA");
    assert!(matches!(error, SendError::ServerNotTrusted(_)), "{error}");
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_answer_is_not_read_to_its_end() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Verbose).await;
    let outcome = desk.sender(&receiver).send(body()).await;
    assert_eq!(outcome, Err(SendError::TooLong(ANSWER_BYTES_MAX)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_sends_every_body_once_over_its_connections() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Good).await;
    let plan = Plan {
        requests: 60,
        connections: 4,
        tokens: 10,
        deadline: Duration::from_secs(60),
        rate: None,
        afresh: false,
    };
    let sealed = load::sealed_bodies(&plan, &desk.sealer(Style::default()), SEED, desk.now).expect("a good key");
    let done = Arc::new(AtomicUsize::new(0));
    let report = load::run(Arc::new(desk.sender(&receiver)), sealed.clone(), &plan, done).await;

    assert!(report.passed(&plan), "{report:?}");
    assert_eq!((report.statuses.get(&200), receiver.connections()), (Some(&60), 4));
    assert!(report.p50_ms > 0.0 && report.p50_ms <= report.p99_ms && report.p99_ms <= report.max_ms);
    let mut arrived: Vec<Bytes> = receiver.requests().into_iter().map(|(_, body)| body).collect();
    let mut sent: Vec<Bytes> = sealed.iter().map(|one| one.body.clone()).collect();
    arrived.sort();
    sent.sort();
    assert!(arrived == sent);
    let mut acknowledged = report.acknowledged;
    let mut ids: Vec<String> = sealed.into_iter().map(|one| one.request_id).collect();
    acknowledged.sort();
    ids.sort();
    assert_eq!(acknowledged, ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_rate_a_slow_receiver_is_charged_for_what_it_kept_waiting() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Slow).await;
    let plan = Plan {
        requests: 20,
        connections: 1,
        tokens: 1,
        deadline: Duration::from_secs(60),
        rate: Some(1000),
        afresh: false,
    };
    let sealed = load::sealed_bodies(&plan, &desk.sealer(Style::default()), SEED, desk.now).expect("a good key");
    let report = load::run(Arc::new(desk.sender(&receiver)), sealed, &plan, Arc::default()).await;
    // The last was due after 19 ms, and 19 others went before it.
    let waited = (SLOW * 20).as_secs_f64() * 1000.0 - 19.0;
    assert!(report.passed(&plan) && report.max_ms >= waited, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_afresh_shakes_hands_for_each() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Good).await;
    let plan = Plan {
        requests: 12,
        connections: 3,
        tokens: 2,
        deadline: Duration::from_secs(60),
        rate: None,
        afresh: true,
    };
    let sealed = load::sealed_bodies(&plan, &desk.sealer(Style::default()), SEED, desk.now).expect("a good key");
    let report = load::run(Arc::new(desk.sender(&receiver)), sealed, &plan, Arc::default()).await;
    assert!(report.passed(&plan), "{report:?}");
    assert_eq!(receiver.connections(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_nobody_answers_ends_and_does_not_pass() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Silent).await;
    let plan = Plan {
        requests: 1000,
        connections: 2,
        tokens: 10,
        deadline: SOON,
        rate: None,
        afresh: false,
    };
    let deadlines = Deadlines {
        answer: SOON,
        ..Deadlines::default()
    };
    let one = Sealed {
        request_id: "any".to_owned(),
        body: body(),
    };
    let sealed = vec![one; plan.requests];
    let sender = Arc::new(desk.sender_of(&receiver, Http::One, deadlines));
    let report = load::run(sender, sealed, &plan, Arc::default()).await;
    assert!(
        !report.passed(&plan) && report.unsent > 0 && report.answered == 0,
        "{report:?}"
    );
}

fn sender_to(desk: &Desk, listener: &TcpListener, deadlines: Deadlines) -> Sender {
    let address = listener.local_addr().expect("it is bound");
    let target = address.to_string().parse().expect("host and port");
    let roots = read(&desk.files.ca.certificate);
    Sender::new(target, Some(desk.identity()), &roots, Http::One, deadlines).expect("the files are good")
}
