//! TLS as the way out speaks it: whom it trusts, and what it shows of itself.

use std::path::PathBuf;
use std::sync::Arc;

use mdes_receiver::config::settings::Egress;
use mdes_receiver::delivery::Destination as _;
use mdes_receiver::delivery::Failure;
use mdes_receiver::simulator::pki::{Authority, Issued, Leaf, Validity};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use tempfile::TempDir;
use time::macros::datetime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::sink::{Says, Sink, answer, builder, server};
use super::{destination, egress, failed, taken};

const ALWAYS: Validity = (datetime!(2000-01-01 0:00 UTC), datetime!(2049-01-01 0:00 UTC));
const PAST: Validity = (datetime!(2000-01-01 0:00 UTC), datetime!(2001-01-01 0:00 UTC));

/// A way out that trusts this authority.
fn trusting(authority: &Authority, folder: &TempDir) -> Egress {
    let root = folder.path().join("root.pem");
    std::fs::write(&root, authority.certificate_pem()).expect("written");
    Egress {
        roots: vec![root],
        ..egress()
    }
}

async fn answering(certificate: &Issued) -> Sink {
    Sink::tls(Says::Raw(answer(200, "", "ok")), server(certificate)).await
}

#[tokio::test]
async fn an_own_root_is_trusted_and_an_unknown_one_is_not() {
    let (authority, folder) = (Authority::new("Own Root", ALWAYS), TempDir::new().expect("a folder"));
    let sink = answering(&authority.issue(&Leaf::localhost(ALWAYS))).await;
    taken(&destination(&sink.https(), &trusting(&authority, &folder))).await;
    let (class, text, _) = failed(&destination(&sink.https(), &egress())).await;
    assert_eq!(class, Failure::Tls);
    assert!(text.contains("name it in `roots`"), "{text}");
}

#[tokio::test]
async fn a_certificate_for_another_name_or_out_of_date_is_not_trusted() {
    let (authority, folder) = (Authority::new("Own Root", ALWAYS), TempDir::new().expect("a folder"));
    let elsewhere = Leaf {
        dns_names: vec!["elsewhere.example".to_owned()],
        ip_addresses: Vec::new(),
        ..Leaf::localhost(ALWAYS)
    };
    for leaf in [elsewhere, Leaf::localhost(PAST)] {
        let sink = answering(&authority.issue(&leaf)).await;
        let (class, text, _) = failed(&destination(&sink.https(), &trusting(&authority, &folder))).await;
        assert_eq!(class, Failure::Tls, "{text}");
        assert_eq!(sink.heard().len(), 0);
    }
}

/// What a TLS 1.0 server says to our first words: as OpenSSL refuses them, and as one that goes on in its old way.
#[tokio::test]
async fn a_peer_of_old_tls_has_its_own_class() {
    let protocol_version = vec![0x15, 3, 1, 0, 2, 2, 70];
    let handshake_failure = vec![0x15, 3, 3, 0, 2, 2, 40];
    let mut server_hello = vec![0x16, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
    server_hello.extend([7; 32]);
    server_hello.extend([0, 0xc0, 0x13, 0]);
    for said in [protocol_version, handshake_failure, server_hello] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback listens");
        let url = format!(
            "https://localhost:{}/",
            listener.local_addr().expect("an address").port()
        );
        let old = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("someone comes");
            assert!(stream.read(&mut [0; 4096]).await.expect("a hello") > 0);
            stream.write_all(&said).await.expect("said");
            stream.read(&mut [0; 16]).await.unwrap_or_default()
        });
        let (class, text, _) = failed(&destination(&url, &egress())).await;
        assert_eq!(class, Failure::TlsTooOld, "{text}");
        old.await.expect("no panic");
    }
}

#[tokio::test]
async fn what_speaks_no_tls_is_a_handshake_that_failed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback listens");
    let port = listener.local_addr().expect("an address").port();
    let speaking = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("someone comes");
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .expect("said");
        stream.read(&mut [0; 4096]).await.unwrap_or_default()
    });
    let (class, text, _) = failed(&destination(&format!("https://localhost:{port}/"), &egress())).await;
    assert_eq!(class, Failure::Tls, "{text}");
    speaking.await.expect("no panic");
}

/// Certificate and key of our own, in files.
struct Own {
    authority: Authority,
    files: (PathBuf, PathBuf),
}

impl Own {
    fn issue(&self, name: &str) -> Issued {
        let issued = self.authority.issue(&Leaf::client(name, ALWAYS));
        std::fs::write(&self.files.0, &issued.certificate_pem).expect("written");
        std::fs::write(&self.files.1, &issued.private_key_pem).expect("written");
        issued
    }
}

/// An end that lets in who shows a certificate of that authority.
async fn demanding(authority: &Authority, own: &Authority) -> Sink {
    let mut roots = RootCertStore::empty();
    let der = rustls::pki_types::CertificateDer::from_pem_slice(own.certificate_pem().as_bytes()).expect("PEM");
    roots.add(der).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
    let issued = authority.issue(&Leaf::localhost(ALWAYS));
    let key = PrivateKeyDer::from_pem_slice(issued.private_key_pem.as_bytes()).expect("a key");
    let config = builder()
        .with_client_cert_verifier(verifier.build().expect("a root"))
        .with_single_cert(vec![issued.certificate_der.clone().into()], key)
        .expect("a pair");
    Sink::tls(Says::Raw(answer(200, "", "ok")), config).await
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_a_new_one_after_a_reload() {
    let (authority, folder) = (Authority::new("Own Root", ALWAYS), TempDir::new().expect("a folder"));
    let files = (folder.path().join("client.pem"), folder.path().join("client.key"));
    let own = Own {
        authority: Authority::new("Client Root", ALWAYS),
        files: files.clone(),
    };
    let sink = demanding(&authority, &own.authority).await;
    let shown = || sink.heard().last().and_then(|heard| heard.client.clone());
    let first = own.issue("first");
    let settings = Egress {
        client_certificate: Some(files.clone()),
        ..trusting(&authority, &folder)
    };
    let destination = destination(&sink.https(), &settings);
    taken(&destination).await;
    assert_eq!(shown().as_ref(), Some(&first.certificate_der));

    let second = own.issue("second");
    taken(&destination).await;
    assert_eq!(shown().as_ref(), Some(&first.certificate_der), "not before it is told");
    destination.reload().expect("good files");
    taken(&destination).await;
    assert_eq!(shown().as_ref(), Some(&second.certificate_der));

    std::fs::write(&files.1, "no key").expect("written");
    let error = destination.reload().expect_err("a bad file").to_string();
    assert!(error.contains("client_key") && error.contains("client.key"), "{error}");
    taken(&destination).await;
    assert_eq!(
        shown().as_ref(),
        Some(&second.certificate_der),
        "the old one stays in force"
    );
}

#[tokio::test]
async fn a_missing_client_certificate_is_a_handshake_that_failed() {
    let (authority, folder) = (Authority::new("Own Root", ALWAYS), TempDir::new().expect("a folder"));
    let sink = demanding(&authority, &Authority::new("Client Root", ALWAYS)).await;
    let (class, text, _) = failed(&destination(&sink.https(), &trusting(&authority, &folder))).await;
    assert_eq!(class, Failure::Tls, "{text}");
}
