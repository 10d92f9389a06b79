//! Strangers, each turned away for the reason that metrics and logs then name.

use std::sync::Arc;
use std::time::Duration;

use mdes_receiver::simulator::pki::{Authority, Issued, Leaf, Usage, decryption_key};
use rustls::version::{TLS12, TLS13};
use time::macros::datetime;
use tokio::io::AsyncWriteExt;

use super::street::{Door, NAME, Setup, YEAR};
use super::visitor::{eventually, last_words, says_goodbye};
use crate::support::Lines;

/// Knocks in both versions; each time the peer is told, and the word is counted.
async fn is_refused(door: &Door, client: &Issued, word: &str, alert: &str) {
    let chain = || Some((client.certificate_pem.clone(), client));
    for (times, version) in [(1, &TLS12), (2, &TLS13)] {
        let told = door
            .ask(door.config_with(chain(), &[version]))
            .await
            .expect_err("a refusal");
        assert!(told.contains(alert), "{version:?}: {told}");
        door.saw(word, times).await;
    }
    assert_eq!(door.handshakes("accepted"), 0);
}

#[tokio::test]
async fn without_a_certificate_nobody_comes_in() {
    let door = Setup::new().open().await;
    let told = door
        .ask(door.config_with(None, &[&TLS12]))
        .await
        .expect_err("a refusal");
    assert!(
        told.contains("HandshakeFailure") || told.contains("CertificateRequired"),
        "{told}"
    );
    let told = door
        .ask(door.config_with(None, &[&TLS13]))
        .await
        .expect_err("a refusal");
    assert!(told.contains("CertificateRequired"), "{told}");
    door.saw("no_certificate", 2).await;
}

#[tokio::test]
async fn another_authority_is_refused_even_under_our_roots_name() {
    let door = Setup::new().open().await;
    let impostor = Authority::new("Client Root", YEAR).issue(&Leaf::client(NAME, YEAR));
    is_refused(&door, &impostor, "unknown_issuer", "UnknownCA").await;
}

#[tokio::test]
async fn a_probe_that_is_refused_is_nobody_who_was_missed() {
    let mut setup = Setup::new();
    let probes = Authority::new("Probe Root", YEAR);
    setup.tls.probe = Some(setup.rule("probes.pem", &probes, &["probe.example"]));
    let door = setup.open().await;
    let past = (YEAR.0, datetime!(2026-11-01 0:00 UTC));
    let expired = probes.issue(&Leaf::client("probe.example", past));
    is_refused(&door, &expired, "expired", "CertificateExpired").await;
    let mastercards = probes.issue(&Leaf::client(NAME, YEAR));
    assert!(
        door.ask_as(&mastercards).await.is_err(),
        "a probe's authority vouches for no sender"
    );
    assert_eq!(door.missed(), [(NAME.to_owned(), "wrong_name", 1)]);
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused() {
    let door = Setup::new().open().await;
    is_refused(&door, &decryption_key(2048, NAME), "unknown_issuer", "UnknownCA").await;
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let door = Setup::new().open().await;
    let valid = (datetime!(2025-01-01 0:00 UTC), datetime!(2026-11-22 11:59:59 UTC));
    is_refused(
        &door,
        &door.root.issue(&Leaf::client(NAME, valid)),
        "expired",
        "CertificateExpired",
    )
    .await;
}

#[tokio::test]
async fn a_certificate_from_tomorrow_is_refused() {
    let door = Setup::new().open().await;
    let valid = (datetime!(2026-11-23 0:00 UTC), datetime!(2027-11-22 0:00 UTC));
    is_refused(
        &door,
        &door.root.issue(&Leaf::client(NAME, valid)),
        "not_yet_valid",
        "CertificateExpired",
    )
    .await;
}

#[tokio::test]
async fn a_wrong_name_is_refused() {
    let door = Setup::new().open().await;
    let other = door.root.issue(&Leaf::client("ws.mastercard.com.example", YEAR));
    is_refused(&door, &other, "wrong_name", "AccessDenied").await;
}

#[tokio::test]
async fn a_servers_certificate_is_refused() {
    let door = Setup::new().open().await;
    let mut leaf = Leaf::client(NAME, YEAR);
    leaf.usage = Usage::Server;
    is_refused(&door, &door.root.issue(&leaf), "wrong_usage", "UnsupportedCertificate").await;
}

#[tokio::test]
async fn a_revoked_certificate_is_refused() {
    let mut setup = Setup::new();
    let (revoked, other) = (setup.client(), setup.client());
    let crl = setup.root.crl(&[&revoked], YEAR.0, YEAR.1);
    setup.tls.crls = vec![setup.write("clients.crl", &crl)];
    let door = setup.open().await;
    is_refused(&door, &revoked, "revoked", "CertificateRevoked").await;
    assert!(door.ask_as(&other).await.is_ok());
}

#[tokio::test]
async fn a_certificate_whose_key_it_does_not_hold_is_refused() {
    let door = Setup::new().open().await;
    // rustls itself will not load such a pair, so the key is swapped behind its back.
    let (shown, held) = (door.client(), door.client());
    let mut config = door.config(None);
    config.client_auth_cert_resolver = Arc::new(Mismatched::new(&shown, &held));
    assert!(door.ask(config).await.is_err());
    door.saw("bad_signature", 1).await;
}

#[tokio::test]
async fn tls_1_1_is_refused() {
    let door = Setup::new().open().await;
    let as_of_2006 = [0, 10, 0, 4, 0, 2, 0, 23]; // one extension: P-256
    let with_later_extensions = [as_of_2006.as_slice(), &[0, 13, 0, 4, 0, 2, 4, 3]].concat(); // and its signatures
    for (times, extensions) in [(1, as_of_2006.as_slice()), (2, &with_later_extensions)] {
        let mut socket = door.tcp().await;
        socket.write_all(&hello_of_tls_1_1(extensions)).await.expect("written");
        let alert = last_words(&mut socket).await;
        let (handshake_failure, protocol_version) = ([2, 40], [2, 70]);
        assert_eq!(alert[0], 21, "an alert");
        assert_eq!(
            alert[5..],
            if times == 1 {
                handshake_failure
            } else {
                protocol_version
            }
        );
        door.saw("protocol_version", times).await;
    }
}

#[tokio::test]
async fn plain_http_is_refused_and_even_one_who_talks_on_hears_it() {
    let door = Setup::new().open().await;
    let mut socket = door.tcp().await;
    let body = [b'x'; 40_000];
    socket
        .write_all(b"POST /who HTTP/1.1\r\nhost: localhost\r\ncontent-length: 40000\r\n\r\n")
        .await
        .expect("written");
    socket.write_all(&body).await.expect("written");
    assert_eq!(last_words(&mut socket).await[0], 21, "an alert, not HTTP");
    door.saw("not_tls", 1).await;
}

#[tokio::test]
async fn one_who_says_nothing_is_sent_away_and_others_are_served_meanwhile() {
    let mut setup = Setup::new();
    setup.limits.handshake = Duration::from_millis(700);
    let door = setup.open().await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(door.tcp().await);
    }
    assert!(door.ask_as(&door.client()).await.is_ok());
    assert_eq!(door.handshakes("timeout"), 0, "served while they were silent");

    door.saw("timeout", 50).await;
    says_goodbye(&mut silent[0]).await;
}

#[tokio::test]
async fn a_balancers_probe_is_no_stranger() {
    let lines = Lines::default();
    let _guard = lines.capture();
    let door = Setup::new().open().await;
    drop(door.tcp().await);
    door.saw("probe", 1).await;
    assert_eq!(lines.text(), "");
}

/// By each reason for which one whom we know may stand outside.
#[tokio::test]
async fn whoever_bears_a_known_name_and_is_refused_is_noted_as_missed() {
    let mut setup = Setup::new();
    let revoked = setup.client();
    setup.tls.crls = vec![setup.write("clients.crl", &setup.root.crl(&[&revoked], YEAR.0, YEAR.1))];
    let door = setup.open().await;
    let past = (datetime!(2025-01-01 0:00 UTC), datetime!(2026-11-22 11:59:59 UTC));
    let mut servers = Leaf::client(NAME, YEAR);
    servers.usage = Usage::Server;
    let mut common = Leaf::client(NAME, past);
    common.dns_names.clear();
    let cases = [
        (door.root.issue(&Leaf::client("WS.Mastercard.com", past)), "expired"),
        (door.root.issue(&common), "expired"),
        (door.root.issue(&servers), "wrong_usage"),
        (revoked, "revoked"),
        (
            Authority::new("Another Root", YEAR).issue(&Leaf::client(NAME, YEAR)),
            "unknown_issuer",
        ),
    ];
    for (client, word) in cases {
        assert!(door.ask_as(&client).await.is_err());
        let noted = || !door.misses.take().lines().is_empty();
        assert!(eventually(noted).await, "{word}");
        assert_eq!(door.missed(), [(NAME.to_owned(), word, 1)]);
    }
}

#[tokio::test]
async fn a_stranger_is_no_miss_nor_is_who_was_let_in() {
    let door = Setup::new().open().await;
    let past = (datetime!(2025-01-01 0:00 UTC), datetime!(2026-11-22 11:59:59 UTC));
    assert!(door.ask_as(&door.client()).await.is_ok());
    assert!(
        door.ask_as(&door.root.issue(&Leaf::client("other.example", YEAR)))
            .await
            .is_err()
    );
    assert!(
        door.ask_as(&door.root.issue(&Leaf::client("other.example", past)))
            .await
            .is_err()
    );
    assert!(door.ask(door.config(None)).await.is_err());
    drop(door.tcp().await);
    for word in ["wrong_name", "expired", "no_certificate", "probe"] {
        door.saw(word, 1).await;
    }
    assert_eq!(door.missed(), []);
}

/// What he shows is public; the key is not.
#[tokio::test]
async fn who_does_not_hold_the_key_of_a_known_names_certificate_is_no_miss() {
    let door = Setup::new().open().await;
    let mut config = door.config(Some(&door.client()));
    let thief = door.root.issue(&Leaf::client("thief.example", YEAR));
    config.client_auth_cert_resolver = Arc::new(Mismatched::new(&door.client(), &thief));
    assert!(door.ask(config).await.is_err());
    door.saw("bad_signature", 1).await;
    assert_eq!(door.missed(), []);
}

#[tokio::test]
async fn a_refusal_is_one_line_whatever_the_name_on_the_certificate() {
    let lines = Lines::default();
    let _guard = lines.capture();
    let door = Setup::new().open().await;
    let mut leaf = Leaf::client(&format!("evil\n2026-11-22 INFO accepted {}", "x".repeat(300)), YEAR);
    leaf.dns_names.clear();
    assert!(door.ask_as(&door.root.issue(&leaf)).await.is_err());
    door.saw("wrong_name", 1).await;

    let text = lines.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.contains("reason=\"wrong_name\"") && text.contains("evil\\n2026"),
        "{text}"
    );
    assert!(!text.contains(&"x".repeat(65)), "{text}");
}

#[derive(Debug)]
struct Mismatched(Arc<rustls::sign::CertifiedKey>);

impl Mismatched {
    fn new(shown: &Issued, held: &Issued) -> Self {
        use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
        let key = PrivateKeyDer::from_pem_slice(held.private_key_pem.as_bytes()).expect("a key");
        let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).expect("a key");
        let chain = vec![CertificateDer::from(shown.certificate_der.clone())];
        Mismatched(Arc::new(rustls::sign::CertifiedKey::new(chain, key)))
    }
}

impl rustls::client::ResolvesClientCert for Mismatched {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A ClientHello that offers 1.1 at most, as RFC 4346 writes it.
fn hello_of_tls_1_1(extensions: &[u8]) -> Vec<u8> {
    let mut hello = vec![3, 2];
    hello.extend([7; 32]); // random
    hello.push(0); // no session
    hello.extend([0, 4, 0xc0, 0x13, 0xc0, 0x14]); // two suites of its time
    hello.extend([1, 0]); // no compression
    hello.extend([0, extensions.len() as u8]);
    hello.extend(extensions);
    let mut record = vec![22, 3, 1, 0, hello.len() as u8 + 4, 1, 0, 0, hello.len() as u8];
    record.extend(hello);
    record
}
