//! Names: the address that was guarded is the one that is connected to.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mdes_receiver::delivery::Failure;
use mdes_receiver::net::egress::Resolver;

use super::sink::{Says, Sink, answer};
use super::{egress, failed, resolved_by, taken};

/// Gives one answer after the other, as a hostile name server with a short TTL does.
struct Fickle(Mutex<VecDeque<Vec<IpAddr>>>);

impl Fickle {
    fn answering(answers: &[&[&str]]) -> Arc<Self> {
        let addresses = |texts: &&[&str]| texts.iter().map(|text| text.parse().expect("an address")).collect();
        Arc::new(Fickle(Mutex::new(answers.iter().map(addresses).collect())))
    }

    fn left(&self) -> usize {
        self.0.lock().expect("no panic").len()
    }
}

#[async_trait]
impl Resolver for Fickle {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let next = self.0.lock().expect("no panic").pop_front();
        next.ok_or_else(|| io::Error::other("no such name"))
    }
}

/// One on the allowed address, and one behind it that must not be reached, on the same port.
async fn outside_and_inside(says: Says) -> (Sink, Sink) {
    let outside = Sink::plain(says.clone()).await;
    let inside = Sink::at(&format!("127.0.0.2:{}", outside.address.port()), says, None).await;
    (outside, inside)
}

fn url(sink: &Sink) -> String {
    format!("http://hooks.example:{}/", sink.address.port())
}

#[tokio::test]
async fn a_name_that_changes_its_mind_leads_nowhere_else() {
    let (outside, inside) = outside_and_inside(Says::Once(answer(200, "", ""))).await;
    let resolver = Fickle::answering(&[&["127.0.0.1"], &["127.0.0.2"], &["127.0.0.1"]]);
    let destination = resolved_by(resolver.clone(), &url(&outside), &egress());
    taken(&destination).await;
    assert_eq!(resolver.left(), 2, "resolved once for one connection");
    let (class, text, _) = failed(&destination).await;
    assert_eq!(class, Failure::Guarded);
    assert!(
        text.contains("127.0.0.2 is loopback") && text.contains("allow_networks"),
        "{text}"
    );
    taken(&destination).await;
    assert_eq!((outside.connections(), inside.connections()), (2, 0));
}

#[tokio::test]
async fn of_several_addresses_those_that_are_refused_are_left_out() {
    let (outside, inside) = outside_and_inside(Says::Raw(answer(200, "", ""))).await;
    let resolver = Fickle::answering(&[&["127.0.0.2", "::ffff:127.0.0.2", "10.0.0.1", "127.0.0.1"]]);
    taken(&resolved_by(resolver, &url(&outside), &egress())).await;
    assert_eq!((outside.connections(), inside.connections()), (1, 0));
}

#[tokio::test]
async fn an_address_that_does_not_answer_leaves_the_others_their_time() {
    let sink = Sink::plain(Says::Raw(answer(200, "", ""))).await;
    let mut egress = egress();
    egress.allow_networks.push("127.0.0.3/32".parse().expect("a network"));
    let resolver = Fickle::answering(&[&["127.0.0.3", "127.0.0.1"]]);
    taken(&resolved_by(resolver, &url(&sink), &egress)).await;
}

#[tokio::test]
async fn a_name_without_an_address_is_unresolved() {
    let resolver = Fickle::answering(&[&[]]);
    let destination = resolved_by(resolver, "https://hooks.example/", &egress());
    for _ in 0..2 {
        let (class, text, _) = failed(&destination).await;
        assert_eq!(class, Failure::Unresolved);
        assert!(text.contains("hooks.example"), "{text}");
    }
}
