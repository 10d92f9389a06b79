//! Behind a load balancer: what it may say of the peer, and what is said by those who are none.

use mdes_receiver::config::settings::{Forwarded, ForwardedForm, ForwardedProof};
use mdes_receiver::domain::masked::Secret;
use mdes_receiver::simulator::pki::{Authority, Issued, Leaf};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use time::macros::datetime;
use tokio::io::AsyncWriteExt;

use super::street::{ALWAYS, Door, NAME, Setup, YEAR};
use super::visitor::{ask_over, tls_over};

const HEADER: &str = "x-client-cert";
const PROVED: &str = "x-balancer-secret: open sesame\r\n";
/// What AWS leaves as it is besides letters and digits, `+=/`, all other PEM bytes encoded.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%').add(b';').add(b',');

fn behind_a_tcp_balancer(from: &str) -> Setup {
    let mut setup = Setup::new();
    setup.proxy_protocol_from = vec![from.parse().expect("a network")];
    setup
}

async fn ask_after(door: &Door, header: &[u8]) -> Result<String, String> {
    let mut socket = door.tcp().await;
    socket.write_all(header).await.expect("written");
    let config = door.config(Some(&door.client()));
    let mut stream = tls_over(socket, config).await.map_err(|e| e.to_string())?;
    ask_over(&mut stream, "").await
}

#[tokio::test]
async fn a_proxy_header_tells_where_the_peer_is() {
    let door = behind_a_tcp_balancer("127.0.0.0/8").open().await;
    let v1 = ask_after(&door, b"PROXY TCP4 203.0.113.7 127.0.0.1 4321 443\r\n")
        .await
        .expect("let in");
    assert!(v1.ends_with("at 203.0.113.7"), "{v1}");

    let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\x00\x27".to_vec();
    let source: std::net::Ipv6Addr = "2001:db8::7".parse().expect("an address");
    v2.extend(source.octets());
    v2.extend([0; 16]);
    v2.extend([0x10, 0xe1, 1, 0xbb]);
    v2.extend([4, 0, 0]); // an extension without content
    let v2 = ask_after(&door, &v2).await.expect("let in");
    assert!(v2.ends_with("at 2001:db8::7"), "{v2}");
}

#[tokio::test]
async fn a_balancer_that_speaks_for_itself_keeps_its_address() {
    let door = behind_a_tcp_balancer("127.0.0.1/32").open().await;
    for header in [b"PROXY UNKNOWN\r\n".as_slice(), b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"] {
        assert!(
            ask_after(&door, header)
                .await
                .expect("let in")
                .ends_with("at 127.0.0.1")
        );
    }
    drop(door.tcp().await);
    door.saw("probe", 1).await;
}

#[tokio::test]
async fn from_a_listed_address_the_header_is_demanded() {
    let door = behind_a_tcp_balancer("127.0.0.1/32").open().await;
    assert!(ask_after(&door, b"").await.is_err());
    assert!(ask_after(&door, b"PROXY TCP4 garbage\r\n").await.is_err());
    assert!(ask_after(&door, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff").await.is_err());
    door.saw("proxy_header", 3).await;
}

#[tokio::test]
async fn from_another_address_the_header_is_a_strangers_noise() {
    let door = behind_a_tcp_balancer("192.0.2.0/24").open().await;
    assert!(
        ask_after(&door, b"PROXY TCP4 192.0.2.1 127.0.0.1 4321 443\r\n")
            .await
            .is_err()
    );
    door.saw("not_tls", 1).await;
    assert!(ask_after(&door, b"").await.is_ok());
}

fn forwarded(form: ForwardedForm, from: &str) -> Setup {
    let mut setup = Setup::new();
    setup.forwarded = Some(Forwarded {
        from: vec![from.parse().expect("a network")],
        form,
        header: HEADER.to_owned(),
        proof: ForwardedProof::SharedSecret {
            header: "x-balancer-secret".to_owned(),
            secret: Secret::new("open sesame"),
        },
    });
    setup
}

fn escaped(pem: &str) -> String {
    utf8_percent_encode(pem, ESCAPED).to_string()
}

fn header(client: &Issued) -> String {
    format!("{HEADER}: {}\r\n", escaped(&client.certificate_pem))
}

/// One request over a balancer's connection without a client certificate; what the door made of the caller.
async fn caller(door: &Door, headers: &str) -> String {
    let mut stream = door
        .knock(door.config(None))
        .await
        .expect("no certificate is asked for");
    let response = ask_over(&mut stream, headers).await.expect("an answer");
    response.rsplit("\r\n").next().unwrap_or_default().to_owned()
}

const LET_IN: &str = "ws.mastercard.com of None at 127.0.0.1";

#[tokio::test]
async fn a_forwarded_certificate_is_read_in_all_three_forms() {
    for form in [ForwardedForm::Nginx, ForwardedForm::Aws] {
        let door = forwarded(form, "127.0.0.1/32").open().await;
        assert_eq!(
            caller(&door, &format!("{PROVED}{}", header(&door.client()))).await,
            LET_IN
        );
    }
    let door = forwarded(ForwardedForm::Envoy, "127.0.0.1/32").open().await;
    let intermediate = door.root.intermediate("Client CA");
    let client = intermediate.issue(&Leaf::client(NAME, YEAR));
    let (leaf, chain) = (
        escaped(&client.certificate_pem),
        escaped(&intermediate.certificate_pem()),
    );
    let xfcc = format!("{HEADER}: Hash=0;Cert=\"{leaf}\";Subject=\"CN=a,b;c\";URI=;Chain=\"{leaf}{chain}\"\r\n");
    assert_eq!(caller(&door, &format!("{PROVED}{xfcc}")).await, LET_IN);

    let twice = format!("{HEADER}: Cert=\"{leaf}\",Cert=\"{leaf}\"\r\n");
    assert_eq!(
        caller(&door, &format!("{PROVED}{twice}")).await,
        "refused: forwarded_header"
    );
    let contradiction = format!("{HEADER}: Cert=\"{leaf}\";Chain=\"{chain}\"\r\n");
    assert_eq!(
        caller(&door, &format!("{PROVED}{contradiction}")).await,
        "refused: forwarded_header"
    );
}

#[tokio::test]
async fn a_forwarded_certificate_meets_the_same_rules() {
    let mut setup = forwarded(ForwardedForm::Nginx, "127.0.0.1/32");
    let revoked = setup.client();
    setup.tls.crls = vec![setup.write("clients.crl", &setup.root.crl(&[&revoked], YEAR.0, YEAR.1))];
    let door = setup.open().await;
    let past = (YEAR.0, datetime!(2026-11-01 0:00 UTC));
    let cases = [
        (door.root.issue(&Leaf::client("other.example", YEAR)), "wrong_name"),
        (door.root.issue(&Leaf::client(NAME, past)), "expired"),
        (
            Authority::new("Client Root", YEAR).issue(&Leaf::client(NAME, YEAR)),
            "unknown_issuer",
        ),
        (door.root.issue(&Leaf::localhost(YEAR)), "wrong_usage"),
        (revoked, "revoked"),
    ];
    for (client, word) in cases {
        assert_eq!(
            caller(&door, &format!("{PROVED}{}", header(&client))).await,
            format!("refused: {word}")
        );
        door.saw(word, 1).await;
    }
}

#[tokio::test]
async fn a_forwarded_probe_is_known_as_one() {
    let mut setup = forwarded(ForwardedForm::Nginx, "127.0.0.1/32");
    let probes = Authority::new("Probe Root", YEAR);
    setup.tls.probe = Some(setup.rule("probes.pem", &probes, &["probe.example"]));
    let door = setup.open().await;
    let probe = probes.issue(&Leaf::client("probe.example", YEAR));
    let told = caller(&door, &format!("{PROVED}{}", header(&probe))).await;
    assert_eq!(told, "a probe: probe.example");
    let told = caller(&door, &format!("{PROVED}{}", header(&door.client()))).await;
    assert_eq!(told, LET_IN);
}

#[tokio::test]
async fn a_known_name_that_is_forwarded_and_refused_is_noted_as_missed() {
    let door = forwarded(ForwardedForm::Nginx, "127.0.0.1/32").open().await;
    let past = (YEAR.0, datetime!(2026-11-01 0:00 UTC));
    for name in [NAME, "other.example"] {
        let client = door.root.issue(&Leaf::client(name, past));
        let told = caller(&door, &format!("{PROVED}{}", header(&client))).await;
        assert_eq!(told, "refused: expired", "{name}");
    }
    assert_eq!(door.missed(), [(NAME.to_owned(), "expired", 1)]);
}

#[tokio::test]
async fn a_forwarded_header_counts_once_and_with_proof_only() {
    let door = forwarded(ForwardedForm::Nginx, "127.0.0.1/32").open().await;
    let good = header(&door.client());
    let cases = [
        (format!("{PROVED}{good}{good}"), "forwarded_header"),
        (format!("{PROVED}{HEADER}: nonsense\r\n"), "forwarded_header"),
        (format!("{PROVED}{HEADER}: \r\n"), "no_certificate"),
        (PROVED.to_owned(), "no_certificate"),
        (good.clone(), "no_proof"),
        (format!("x-balancer-secret: open sesam\r\n{good}"), "no_proof"),
        (format!("{PROVED}{PROVED}{good}"), "no_proof"),
    ];
    for (headers, word) in cases {
        assert_eq!(caller(&door, &headers).await, format!("refused: {word}"), "{headers}");
    }
}

#[tokio::test]
async fn from_another_address_nothing_is_forwarded() {
    let door = forwarded(ForwardedForm::Nginx, "192.0.2.0/24").open().await;
    assert!(door.knock(door.config(None)).await.is_err());
    door.saw("wrong_address", 1).await;
}

#[tokio::test]
async fn a_balancer_may_prove_itself_by_its_own_certificate() {
    let mut setup = forwarded(ForwardedForm::Nginx, "127.0.0.1/32");
    let inside = Authority::new("Inside Root", ALWAYS);
    let rule = setup.rule("inside.pem", &inside, &["balancer.internal"]);
    let settings = setup.forwarded.as_mut().expect("set above");
    settings.proof = ForwardedProof::MutualTls(rule);
    let door = setup.open().await;

    let balancer = inside.issue(&Leaf::client("balancer.internal", YEAR));
    let mut stream = door.knock(door.config(Some(&balancer))).await.expect("let in");
    let response = ask_over(&mut stream, &header(&door.client())).await.expect("an answer");
    assert!(response.ends_with(LET_IN), "{response}");

    assert!(
        door.ask_as(&door.client()).await.is_err(),
        "Mastercard is not the balancer"
    );
    assert!(door.ask(door.config(None)).await.is_err(), "and a stranger neither");
    door.saw("no_certificate", 1).await;
    let mut stream = door.knock(door.config(Some(&balancer))).await.expect("let in");
    let response = ask_over(&mut stream, &header(&balancer)).await.expect("an answer");
    assert!(
        response.ends_with("refused: unknown_issuer"),
        "the balancer is not Mastercard"
    );
}
