//! What is sent to an endpoint, and what its answers mean.

use std::time::Duration;

use mdes_receiver::delivery::{Answer, Destination as _, Failure, Sent};

use super::sink::{Says, Sink, answer};
use super::{BODY, destination, egress, eventually, failed, outgoing, taken};

#[tokio::test]
async fn an_event_is_one_post_with_its_three_headers() {
    let sink = Sink::plain(Says::Raw(answer(204, "", ""))).await;
    taken(&destination(&sink.http(), &egress())).await;
    let heard = sink.heard();
    assert_eq!(heard.len(), 1);
    assert!(
        heard[0].head.starts_with("POST /hook HTTP/1.1\r\n"),
        "{}",
        heard[0].head
    );
    assert_eq!(heard[0].body, BODY.as_bytes());
    let headers = ["host", "content-type", "user-agent", "webhook-id", "webhook-timestamp"];
    let host = sink.address.to_string();
    assert_eq!(
        headers.map(|name| heard[0].header(name)),
        [
            Some(host.as_str()),
            Some("application/json"),
            Some(concat!("mdes-receiver/", env!("CARGO_PKG_VERSION"))),
            Some("00000000-0000-0000-0000-000000000007"),
            Some("1795348800"),
        ]
    );
    assert!(
        heard[0]
            .header("webhook-signature")
            .is_some_and(|value| value.starts_with("v1,"))
    );
}

#[tokio::test]
async fn every_status_has_one_meaning() {
    for status in [200, 201, 202, 204] {
        let sink = Sink::plain(Says::Raw(answer(status, "", ""))).await;
        taken(&destination(&sink.http(), &egress())).await;
    }
    for (status, class) in [
        (400, Failure::Refused),
        (401, Failure::Refused),
        (404, Failure::Refused),
        (500, Failure::Refused),
        (502, Failure::Refused),
        (304, Failure::Redirect),
        (429, Failure::Busy),
        (503, Failure::Busy),
    ] {
        let sink = Sink::plain(Says::Raw(answer(status, "", ""))).await;
        assert_eq!(failed(&destination(&sink.http(), &egress())).await.0, class, "{status}");
    }
}

#[tokio::test]
async fn gone_is_no_failure_but_a_wish() {
    let sink = Sink::plain(Says::Raw(answer(410, "", "no more"))).await;
    let sent = destination(&sink.http(), &egress()).send(&outgoing()).await;
    let text = "no more".to_owned();
    assert_eq!(
        sent,
        Sent::Gone(Answer {
            status: Some(410),
            text
        })
    );
}

#[tokio::test]
async fn retry_after_is_understood_in_both_forms() {
    for (value, wait) in [
        ("120", Some(Duration::from_mins(2))),
        ("Sun, 22 Nov 2026 12:01:30 GMT", Some(Duration::from_secs(90))),
        ("Sun, 22 Nov 2026 11:00:00 GMT", Some(Duration::ZERO)),
        ("soon", None),
        ("-5", None),
    ] {
        for status in [429, 503] {
            let sink = Sink::plain(Says::Raw(answer(status, &format!("Retry-After: {value}\r\n"), ""))).await;
            let (class, _, after) = failed(&destination(&sink.http(), &egress())).await;
            assert_eq!((class, after), (Failure::Busy, wait), "{value}");
        }
    }
}

#[tokio::test]
async fn a_card_number_in_an_answer_is_masked() {
    let sink = Sink::plain(Says::Raw(answer(500, "", "cannot find 5204730000001201\x1b[2J"))).await;
    let (_, text, _) = failed(&destination(&sink.http(), &egress())).await;
    assert_eq!(text, "cannot find ····1201 [2J");
}

#[tokio::test]
async fn connections_are_used_again() {
    let sink = Sink::plain(Says::Raw(answer(200, "", "ok"))).await;
    let destination = destination(&sink.http(), &egress());
    for _ in 0..20 {
        taken(&destination).await;
    }
    assert_eq!((sink.heard().len(), sink.connections()), (20, 1));
}

#[tokio::test]
async fn an_end_that_hangs_up_between_two_events_loses_none_and_fails_none() {
    let sink = Sink::plain(Says::Once(answer(200, "", "ok"))).await;
    let destination = destination(&sink.http(), &egress());
    for expected in 1..=5 {
        taken(&destination).await;
        // Our end has heard of it, as it would between two events.
        assert!(eventually(|| sink.closed() == expected).await);
    }
    assert_eq!(sink.heard().len(), 5);
}
