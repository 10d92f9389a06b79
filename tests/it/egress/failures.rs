//! Ends that do not behave: each costs one attempt, and no more than its deadline.

use std::time::{Duration, Instant};

use mdes_receiver::delivery::{Destination as _, Failure, Sent};

use super::sink::{Says, Sink, answer};
use super::{destination, egress, eventually, failed, hasty, outgoing, taken};

#[tokio::test]
async fn an_end_that_never_answers_holds_no_attempt_past_its_deadline() {
    let sink = Sink::plain(Says::Nothing).await;
    let began = Instant::now();
    let (class, text, _) = failed(&destination(&sink.http(), &hasty())).await;
    assert_eq!((class, text.as_str()), (Failure::Timeout, "no answer within 0.6 s"));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_end_that_took_it_and_then_dawdles_took_it() {
    let sink = Sink::plain(Says::Drip).await;
    let began = Instant::now();
    taken(&destination(&sink.http(), &hasty())).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_endless_body_is_read_to_its_bound_and_hung_up_on() {
    let sink = Sink::plain(Says::Endless).await;
    let destination = destination(&sink.http(), &egress());
    let Sent::Taken(answer) = destination.send(&outgoing()).await else {
        panic!("a status of 200 was said")
    };
    assert!(answer.text.len() < 2_048, "{}", answer.text.len());
    assert!(
        eventually(|| sink.closed() == 1).await,
        "{} bytes and more",
        sink.written()
    );
    // What the kernel's buffers of loopback take, and no more.
    assert!(sink.written() < 16 << 20, "{}", sink.written());
    taken(&destination).await;
    assert_eq!(sink.connections(), 2, "a connection with leftovers is not used again");
}

#[tokio::test]
async fn an_endless_head_is_no_answer() {
    let says = Says::Raw(format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(1 << 20)));
    let sink = Sink::plain(says).await;
    let (class, _, _) = failed(&destination(&sink.http(), &egress())).await;
    assert_eq!(class, Failure::Connection);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let inside = Sink::plain(Says::Raw(answer(200, "", ""))).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: {}\r\n", inside.http());
        let sink = Sink::plain(Says::Raw(answer(status, &location, ""))).await;
        let (class, _, _) = failed(&destination(&sink.http(), &egress())).await;
        assert_eq!(class, Failure::Redirect, "{status}");
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn nobody_there_is_a_connection_that_failed() {
    let sink = Sink::plain(Says::Nothing).await;
    let url = sink.http().replace("/hook", "/secret-path?key=secret");
    drop(sink);
    let gone = destination(&url, &egress());
    let mut last = (Failure::Timeout, String::new(), None);
    for _ in 0..50 {
        last = failed(&gone).await;
    }
    assert_eq!(last.0, Failure::Connection, "{}", last.1);
    assert!(last.1.contains("127.0.0.1") && !last.1.contains("secret"), "{}", last.1);
}

#[tokio::test]
async fn what_is_not_http_is_a_connection_that_failed() {
    let sink = Sink::plain(Says::Once("SSH-2.0-OpenSSH_9.2\r\n".to_owned())).await;
    assert_eq!(
        failed(&destination(&sink.http(), &egress())).await.0,
        Failure::Connection
    );
    let sink = Sink::plain(Says::Once(String::new())).await;
    assert_eq!(
        failed(&destination(&sink.http(), &egress())).await.0,
        Failure::Connection
    );
}
