//! `check` names what is wrong, with the next step, and changes nothing.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use mdes_receiver::simulator::pki::{Authority, Leaf};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::desk::{Desk, Ran, from_now};

/// The first line about this subject at this level.
fn line<'a>(ran: &'a Ran, level: &str, subject: &str) -> &'a str {
    let start = format!("{level:4}  {subject}: ");
    let found = ran.out.lines().find(|line| line.starts_with(&start));
    found.unwrap_or_else(|| panic!("no line {start:?} in:\n{}{}", ran.out, ran.err))
}

/// What it says about a subject that it finds wrong: the text and the next step.
fn failure(desk: &Desk, subject: &str) -> String {
    let ran = desk.run(&["check"]);
    assert_eq!(ran.code, 1, "a FAIL is an exit code:\n{}", ran.out);
    let found = desk.plain(line(&ran, "FAIL", subject));
    assert!(found.contains(" → "), "a FAIL says what to do next: {found}");
    found
}

fn warning(desk: &Desk, subject: &str) -> String {
    let ran = desk.run(&["check"]);
    assert_eq!(ran.code, 0, "a warning is no failure:\n{}", ran.out);
    desk.plain(line(&ran, "warn", subject))
}

#[test]
fn where_all_is_well_it_says_so_of_everything() {
    let desk = Desk::new();
    let migrated = desk.run(&["migrate"]);
    assert_eq!(migrated.code, 0, "{}", migrated.err);
    let ran = desk.run(&["check"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    for subject in [
        "configuration",
        "callback.tls.certificate",
        "callback.tls.private_key",
        "callback.tls roots",
        "keys",
        "store.url",
        "callback.listen",
        "admin.listen",
    ] {
        line(&ran, "ok", subject);
    }
    assert!(
        line(&ran, "ok", "keys").contains("RSA-2048, SPKI SHA-256 "),
        "{}",
        ran.out
    );
    assert!(
        ran.out
            .lines()
            .all(|line| line.starts_with("ok  ") || line.contains("connections_max")),
        "{}",
        ran.out
    );
}

#[test]
fn it_makes_no_store() {
    let desk = Desk::new();
    assert!(warning(&desk, "store.url").contains("receiver.db: is not there yet → `mdes-receiver migrate`"));
    assert!(!desk.path("data").exists());
}

#[test]
fn a_configuration_that_cannot_be_loaded_is_a_finding() {
    let desk = Desk::new();
    desk.configure("[admni]\nx = 1");
    let found = failure(&desk, "configuration");
    assert!(found.contains("unknown key `admni`: did you mean `admin`?"), "{found}");
}

#[test]
fn a_missing_file_is_named() {
    let desk = Desk::new();
    for (file, subject) in [
        ("server.pem", "callback.tls.certificate"),
        ("server.key", "callback.tls.private_key"),
        ("mastercard-roots.pem", "callback.tls roots"),
        ("decrypt.key", "keys"),
    ] {
        let kept = std::fs::read(desk.path(file)).expect("it was there");
        std::fs::remove_file(desk.path(file)).expect("it was there");
        assert!(failure(&desk, subject).contains(file));
        std::fs::write(desk.path(file), kept).expect("the folder is writable");
    }
}

#[test]
fn a_store_that_everyone_may_read_is_a_warning() {
    let desk = Desk::new();
    assert!(desk.run(&["migrate"]).code == 0);
    desk.permit("data/receiver.db", 0o644);
    let found = warning(&desk, "store.url");
    assert!(
        found.contains("open to every user of this machine (mode 644) → chmod 600 "),
        "{found}"
    );
}

#[test]
fn a_private_key_that_everyone_may_read_is_a_warning() {
    let desk = Desk::new();
    desk.permit("server.key", 0o644);
    let found = warning(&desk, "callback.tls.private_key");
    assert!(
        found.contains("open to every user of this machine (mode 644) → chmod 600 server.key"),
        "{found}"
    );
    desk.permit("server.key", 0o640);
    desk.permit("decrypt.key", 0o604);
    assert!(warning(&desk, "keys[0].private_key").contains("(mode 604)"));
}

#[test]
fn a_key_of_another_certificate_is_a_failure() {
    let desk = Desk::new();
    let other = desk.authority.issue(&Leaf::localhost(from_now(-1, 365)));
    desk.write_private("server.key", &other.private_key_pem);
    let found = failure(&desk, "callback.tls.private_key");
    assert!(found.contains("server.key: does not belong to server.pem"), "{found}");
}

#[test]
fn a_chain_out_of_order_is_a_failure() {
    let desk = Desk::new();
    let server = std::fs::read_to_string(desk.path("server.pem")).expect("it is there");
    let second = server.rfind("-----BEGIN").expect("two certificates");
    let leaf = &server[..second];
    desk.write("server.pem", &format!("{leaf}{}", desk.authority.certificate_pem()));
    let found = failure(&desk, "callback.tls.certificate");
    assert!(
        found.contains("CN=localhost is not followed by its issuer → order the chain"),
        "{found}"
    );
    desk.write("server.pem", leaf);
    assert!(warning(&desk, "callback.tls.certificate").contains("own certificate only"));
}

#[test]
fn a_server_certificate_is_judged_by_its_dates() {
    let desk = Desk::new();
    let dates = |from, until| {
        let issued = desk.authority.issue(&Leaf::localhost(from_now(from, until)));
        desk.write(
            "server.pem",
            &format!("{}{}", issued.certificate_pem, desk.authority.certificate_pem()),
        );
        desk.write_private("server.key", &issued.private_key_pem);
    };
    dates(-10, -1);
    assert!(failure(&desk, "callback.tls.certificate").contains("CN=localhost expired on "));
    dates(2, 100);
    assert!(failure(&desk, "callback.tls.certificate").contains("CN=localhost is not valid before "));
    dates(-10, 29);
    let found = warning(&desk, "callback.tls.certificate");
    assert!(found.contains(", in 28 days → renew it"), "{found}");
    dates(-10, 31);
    assert!(!desk.run(&["check"]).out.contains("warn  callback.tls.certificate"));
}

#[test]
fn a_server_certificate_needs_a_name_and_should_bear_ours() {
    let desk = Desk::new();
    let nameless = Leaf {
        dns_names: Vec::new(),
        ip_addresses: Vec::new(),
        ..Leaf::localhost(from_now(-1, 365))
    };
    let wildcard = Leaf {
        dns_names: vec!["*.merchant.example".to_owned()],
        ..Leaf::localhost(from_now(-1, 365))
    };
    let show = |leaf: &Leaf| {
        let issued = desk.authority.issue(leaf);
        desk.write(
            "server.pem",
            &format!("{}{}", issued.certificate_pem, desk.authority.certificate_pem()),
        );
        desk.write_private("server.key", &issued.private_key_pem);
    };
    show(&nameless);
    assert!(failure(&desk, "callback.tls.certificate").contains("bears no subject alternative name"));
    show(&wildcard);
    let found = warning(&desk, "callback.tls.certificate");
    assert!(
        found.contains("is for *.merchant.example, not for localhost"),
        "{found}"
    );
    let ours = desk.run(&[
        "--setting",
        "callback.response_host=tokens.merchant.example:8443/mdes",
        "check",
    ]);
    assert!(!ours.out.contains("warn  callback.tls.certificate"), "{}", ours.out);
}

#[test]
fn roots_are_judged_by_what_they_are_and_by_their_dates() {
    let desk = Desk::new();
    desk.write("mastercard-roots.pem", "not a certificate");
    assert!(failure(&desk, "callback.tls roots").contains("holds no readable certificates"));
    desk.write(
        "mastercard-roots.pem",
        &Authority::new("old", from_now(-100, -1)).certificate_pem(),
    );
    assert!(failure(&desk, "callback.tls roots").contains("CN=old expired on "));
    let client = desk
        .authority
        .issue(&Leaf::client("ws.mastercard.com", from_now(-1, 365)));
    desk.write("mastercard-roots.pem", &client.certificate_pem);
    assert!(warning(&desk, "callback.tls roots").contains("CN=ws.mastercard.com is no authority"));
}

#[test]
fn names_without_mastercards_are_a_warning() {
    let desk = Desk::new();
    let ran = desk.run(&["--setting", "callback.tls.client_names=test.example", "check"]);
    assert!(line(&ran, "warn", "callback.tls.client_names").contains("ws.mastercard.com"));
}

#[test]
fn a_stale_revocation_list_is_a_failure_only_where_that_refuses_clients() {
    let desk = Desk::new();
    let (from, until) = from_now(-10, -1);
    desk.write("stale.crl", &desk.authority.crl(&[], from, until));
    let crls = "callback.tls.crls=stale.crl";
    let ran = desk.run(&["--setting", crls, "check"]);
    assert!(
        line(&ran, "warn", "callback.tls.crls").contains("CN=test authority is stale since "),
        "{}",
        ran.out
    );
    let ran = desk.run(&[
        "--setting",
        crls,
        "--setting",
        "callback.tls.crl_expiry_enforced=true",
        "check",
    ]);
    assert!(
        line(&ran, "FAIL", "callback.tls.crls").contains("its clients are refused"),
        "{}",
        ran.out
    );
    let (from, until) = from_now(-10, 10);
    desk.write("stale.crl", &desk.authority.crl(&[], from, until));
    let ran = desk.run(&["--setting", crls, "check"]);
    assert!(
        line(&ran, "ok", "callback.tls.crls").contains("is fresh until "),
        "{}",
        ran.out
    );
}

#[test]
fn a_bad_decryption_key_is_a_failure() {
    let desk = Desk::new();
    desk.write_private(
        "decrypt.key",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    let found = failure(&desk, "keys");
    assert!(
        found.contains("keys[0].private_key") && found.contains("decrypt.key"),
        "{found}"
    );
}

#[test]
fn the_end_of_pkcs1_is_a_warning_with_its_date() {
    let desk = Desk::new();
    let ran = desk.run(&["--setting", "envelope.legacy_pkcs1_v15=true", "check"]);
    assert!(line(&ran, "warn", "envelope.legacy_pkcs1_v15").contains("2027-03-31"));
}

#[test]
fn a_store_that_is_away_is_a_failure_and_its_password_stays_hidden() {
    let desk = Desk::new();
    desk.configure("[store]\nurl = \"postgres://app:hunter2@127.0.0.1:1/tokens\"\ndeadline_secs = 2");
    let found = failure(&desk, "store.url");
    assert!(found.contains("is the database up"), "{found}");
    assert!(!found.contains("hunter2"), "{found}");
}

#[test]
fn a_store_without_tables_is_a_failure() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("data")).expect("the folder is writable");
    desk.write("data/receiver.db", "");
    assert!(failure(&desk, "store.url").contains("mdes-receiver migrate"));
}

#[test]
fn a_port_that_another_program_holds_is_a_failure() {
    let desk = Desk::new();
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = holder.local_addr().expect("it is bound").to_string();
    let ran = desk.run(&["--setting", &format!("callback.listen={address}"), "check"]);
    assert_eq!(ran.code, 1);
    let found = line(&ran, "FAIL", "callback.listen");
    assert!(found.contains("is taken by something else → `ss -ltnp"), "{found}");
}

#[test]
fn a_port_that_a_receiver_of_ours_holds_is_well() {
    let desk = Desk::new();
    let address = serve("200 OK", "mdes-receiver is alive\n");
    let ran = desk.run(&["--setting", &format!("admin.listen={address}"), "check"]);
    assert!(
        line(&ran, "ok", "admin.listen").contains("is taken by a running mdes-receiver"),
        "{}",
        ran.out
    );
    let address = serve("200 OK", "some other program\n");
    let ran = desk.run(&["--setting", &format!("admin.listen={address}"), "check"]);
    assert!(
        line(&ran, "FAIL", "admin.listen").contains("is taken by something else"),
        "{}",
        ran.out
    );
}

#[test]
fn its_findings_are_there_for_programs_too() {
    let desk = Desk::new();
    std::fs::remove_file(desk.path("server.key")).expect("it was there");
    let ran = desk.run(&["check", "--json"]);
    assert_eq!(ran.code, 1);
    let findings: Vec<serde_json::Value> = serde_json::from_str(&ran.out).expect("JSON");
    let failed: Vec<_> = findings.iter().filter(|finding| finding["level"] == "FAIL").collect();
    assert_eq!(failed.len(), 1, "{}", ran.out);
    assert_eq!(failed[0]["subject"], "callback.tls.private_key");
    assert!(failed[0]["hint"].is_string());
}

#[test]
fn the_health_check_is_the_answer_of_readyz() {
    let desk = Desk::new();
    let health = |address: String| desk.run(&["--setting", &format!("admin.listen={address}"), "check", "--health"]);
    let ready = health(serve("200 OK", "ready\n"));
    assert_eq!((ready.code, ready.out.as_str()), (0, "ready\n"));
    let not_ready = health(serve("503 Service Unavailable", "not ready: stopping\n"));
    assert_eq!((not_ready.code, not_ready.out.as_str()), (1, "not ready: stopping\n"));
    let nobody = desk.run(&["check", "--health"]);
    assert_eq!(nobody.code, 1);
    assert!(nobody.err.contains("does not answer"), "{}", nobody.err);
}

#[test]
fn a_listener_that_says_nothing_is_not_healthy_for_long() {
    let desk = Desk::new();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("it is bound");
    let ran = desk.run(&["--setting", &format!("admin.listen={address}"), "check", "--health"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("did not answer within 2 s"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_check_speaks_tls_where_the_admin_listener_does() {
    let desk = Desk::new();
    let address = serve_tls(&desk).await;
    desk.configure("[admin.tls]\ncertificate = \"server.pem\"\nprivate_key = \"server.key\"");
    let ran = desk.run(&["--setting", &format!("admin.listen={address}"), "check", "--health"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "ready\n"), "{}", ran.err);
}

/// The same over TLS, with the desk's certificate, and always ready.
async fn serve_tls(desk: &Desk) -> String {
    let chain = CertificateDer::pem_file_iter(desk.path("server.pem")).expect("PEM");
    let chain = chain.collect::<Result<_, _>>().expect("certificates");
    let key = PrivateKeyDer::from_pem_file(desk.path("server.key")).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config
        .expect("both versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("they fit");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.expect("a caller");
        let mut stream = acceptor.accept(socket).await.expect("a handshake");
        let _ = stream.read(&mut [0; 4096]).await;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nready\n";
        let _ = stream.write_all(answer).await;
        let _ = stream.shutdown().await;
    });
    address
}

/// A listener that gives every caller this answer, for as long as the test runs.
fn serve(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let _ = socket.read(&mut request);
            let length = body.len();
            let _ = write!(
                socket,
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
        }
    });
    address
}

#[test]
fn a_destination_is_looked_at_and_a_forbidden_address_names_the_setting_that_allows_it() {
    let secret = "secrets = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]";
    let destination = |name: &str, url: &str, extra: &str| {
        format!("[[destinations]]\nname = \"{name}\"\nurl = \"{url}\"\n{secret}\n{extra}\n")
    };
    let desk = Desk::new();
    let good = destination("good", "https://orders.example/hook", "");
    let bad = destination("bad", "https://169.254.169.254/hook", "");
    desk.configure(&format!("{good}{bad}"));
    let failed = failure(&desk, "destination bad");
    assert!(failed.contains("allow_networks"), "{failed}");
    let ran = desk.run(&["check"]);
    line(&ran, "ok", "destination good");
}

#[test]
fn a_token_service_is_looked_at_and_a_forbidden_address_names_the_setting_that_allows_it() {
    let tokenex = |url: &str| {
        format!(
            "[lifecycle.tokenex]\nurl = \"{url}\"\ntokenex_id = \"1234567890123456\"\napi_key = \"hunter2\"\n\
             [[lifecycle.clients]]\ntokenex_id = \"1\"\napi_key_sha256 = \"{}\"\nactions = [\"DELETE_TOKEN\"]\n",
            "ab".repeat(32)
        )
    };
    let desk = Desk::new();
    desk.configure(&tokenex("https://test-api.tokenex.com"));
    let ran = desk.run(&["check"]);
    line(&ran, "ok", "lifecycle.tokenex");
    assert!(line(&ran, "ok", "lifecycle.clients").contains("1 of them delete"));
    desk.configure(&tokenex("https://127.0.0.1:9"));
    let found = failure(&desk, "lifecycle.tokenex");
    assert!(
        found.contains("loopback") && found.contains("allow_networks"),
        "{found}"
    );
}

#[test]
fn a_signing_key_that_is_not_there_is_a_failure() {
    let mdes = "[lifecycle.mdes]\nurl = \"https://sandbox.api.mastercard.com/mdes\"\nconsumer_key = \"a!b\"\n\
                signing_key = \"signing.p12\"\n";
    let desk = Desk::new();
    desk.configure(mdes);
    let found = failure(&desk, "lifecycle.mdes.signing_key");
    assert!(found.contains("signing.p12"), "{found}");
}

#[test]
fn a_signing_key_is_opened_by_its_password() {
    let with = |password: &str| {
        let desk = Desk::new();
        crate::mdes_client::signing_key(desk.folder());
        desk.permit("signing.p12", 0o600);
        desk.configure(&format!(
            "[lifecycle.mdes]\nurl = \"https://sandbox.api.mastercard.com/mdes\"\nconsumer_key = \"a!b\"\n\
             signing_key = \"signing.p12\"\nsigning_key_password = \"{password}\"\n"
        ));
        desk
    };
    let ran = with("keys and doors").run(&["check"]);
    line(&ran, "ok", "lifecycle.mdes.signing_key");
    let found = failure(&with("hunter2"), "lifecycle.mdes.signing_key");
    assert!(
        found.contains("signing_key_password") && !found.contains("hunter2"),
        "{found}"
    );
}
