//! Who we are to the cluster, and who it is to us.

use std::fs;

use mdes_receiver::config::settings;
use mdes_receiver::delivery::{Destination as _, Failure};
use mdes_receiver::simulator::pki::{Authority, Issued, Leaf};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;
use tempfile::TempDir;

use super::front::Front;
use super::{Cluster, Setup, event, refused, taken};
use crate::world::valid;

/// A cluster behind TLS that demands a certificate of its clients.
struct Secured {
    cluster: Cluster,
    files: TempDir,
    port: u16,
}

impl Secured {
    async fn start() -> Self {
        Secured::with(Leaf::localhost(valid())).await
    }

    async fn with(leaf: Leaf) -> Self {
        let files = tempfile::tempdir().expect("a temporary folder");
        let ca = Authority::new("broker CA", valid());
        let write = |name: &str, text: &str| fs::write(files.path().join(name), text).expect("a file");
        write("ca.crt", &ca.certificate_pem());
        write("other.crt", &Authority::new("another CA", valid()).certificate_pem());
        let client = ca.issue(&Leaf::client("receiver", valid()));
        write("client.crt", &client.certificate_pem);
        write("client.key", &client.private_key_pem);
        let cluster = Cluster::with("tokens", 1);
        let config = config(&ca.certificate_pem(), &ca.issue(&leaf));
        let front = Front {
            tls: Some(Arc::new(config)),
            ..Front::default()
        };
        let port = front.before(cluster.port()).await;
        Secured { cluster, files, port }
    }

    fn setup(&self, root: &str) -> Setup {
        let mut setup = Setup::to(&format!("kafkas://127.0.0.1:{}", self.port));
        let file = |name: &str| self.files.path().join(name);
        setup.egress.roots = vec![file(root)];
        setup.egress.client_certificate = Some((file("client.crt"), file("client.key")));
        setup
    }
}

fn config(ca: &str, server: &Issued) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(certificate(ca)).expect("a root");
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let key = PrivateKeyDer::from_pem_slice(server.private_key_pem.as_bytes()).expect("a key");
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has suites")
        .with_client_cert_verifier(verifier.expect("it has a root"))
        .with_single_cert(vec![certificate(&server.certificate_pem)], key)
        .expect("they fit")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_our_own_ca_is_trusted_and_sees_our_certificate() {
    let secured = Secured::start().await;
    taken(&secured.setup("ca.crt").open(), &event("DM4MMC1", "sealed")).await;
    assert_eq!(secured.cluster.kept("tokens")[0].body, "sealed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_another_ca_is_not_trusted() {
    let secured = Secured::start().await;
    let (class, text) = refused(&secured.setup("other.crt").open(), &event("DM4MMC1", "out")).await;
    assert_eq!(class, Failure::Tls, "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_name_is_not_trusted() {
    let secured = Secured::with(Leaf {
        dns_names: vec!["elsewhere".to_owned()],
        ip_addresses: Vec::new(),
        ..Leaf::localhost(valid())
    })
    .await;
    let (class, text) = refused(&secured.setup("ca.crt").open(), &event("DM4MMC1", "out")).await;
    assert_eq!(class, Failure::Tls, "{text}");
    assert!(secured.cluster.kept("tokens").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_certificate_that_it_demands_nothing_is_taken() {
    let secured = Secured::start().await;
    let mut setup = secured.setup("ca.crt");
    setup.egress.client_certificate = None;
    let (class, text) = refused(&setup.open(), &event("DM4MMC1", "out")).await;
    assert!(matches!(class, Failure::Tls | Failure::Connection), "{class:?} {text}");
    assert!(secured.cluster.kept("tokens").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_with_a_bad_file_says_which_and_keeps_the_producer() {
    let secured = Secured::start().await;
    let kafka = secured.setup("ca.crt").open();
    taken(&kafka, &event("DM4MMC1", "before")).await;
    let root = secured.files.path().join("ca.crt");
    assert!(kafka.files().contains(&root));
    fs::write(&root, "nonsense").expect("a file");
    let why = kafka.reload().expect_err("it is nonsense");
    assert!(why.contains("`roots`") && why.contains("ca.crt"), "{why}");
    taken(&kafka, &event("DM4MMC1", "after")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_of_the_url_is_let_in_and_a_wrong_one_is_not_and_its_password_not_shown() {
    let cluster = Cluster::with("tokens", 1);
    let front = Front {
        login: Some(("me", "p@ss word")),
        ..Front::default()
    };
    let port = front.before(cluster.port()).await;
    let with = |login: &str| Setup::to(&format!("kafka://{login}@127.0.0.1:{port}")).open();
    taken(&with("me:p%40ss%20word"), &event("DM4MMC1", "in")).await;
    let (_, text) = refused(&with("me:wr0ng"), &event("DM4MMC1", "out")).await;
    assert!(!text.contains("wr0ng"), "{text}");
    assert_eq!(cluster.kept("tokens").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_of_the_password_can_be_given_instead_of_it() {
    let cluster = Cluster::with("tokens", 1);
    let mut setup = Setup::to(&cluster.url().replace("//", "//me:s3cret@"));
    for sasl in [settings::Sasl::ScramSha256, settings::Sasl::ScramSha512] {
        setup.kafka.sasl = sasl;
        // This cluster knows no logins; the library knows the mechanism.
        let (class, text) = refused(&setup.open(), &event("DM4MMC1", "out")).await;
        assert!(
            !text.contains("setting") && !text.contains("could not be made"),
            "{class:?} {text}"
        );
        assert!(!text.contains("s3cret"), "{text}");
    }
}
