//! A Postgres beyond this machine: what it must prove before it is told anything.

use std::sync::Arc;

use mdes_receiver::clock::SystemClock;
use mdes_receiver::simulator::pki::{Authority, Leaf};
use mdes_receiver::store::{self, Store as _};

use crate::support::cluster::Cluster;
use crate::support::settings;
use crate::world::valid;

/// A cluster whose certificate is for `localhost`, and for no address.
fn cluster(ca: &Authority) -> Cluster {
    let leaf = Leaf {
        ip_addresses: Vec::new(),
        ..Leaf::localhost(valid())
    };
    let server = ca.issue(&leaf);
    let files = [
        ("server.pem", server.certificate_pem.as_str()),
        ("server.key", server.private_key_pem.as_str()),
    ];
    let tls = "ssl = on\nssl_cert_file = '../server.pem'\nssl_key_file = '../server.key'";
    Cluster::start(tls, &files)
}

/// What comes of asking for its answer.
async fn asked(url: &str) -> Result<(), String> {
    let store = store::open(&settings(&[url]), Arc::new(SystemClock))
        .await
        .expect("a URL");
    let answer = store.migrate().await.map(drop).map_err(|error| error.to_string());
    store.close().await;
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_prove_its_name_is_told_nothing() {
    let (ca, other) = (Authority::new("Database", valid()), Authority::new("Other", valid()));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, authority: &Authority| {
        let path = folder.path().join(name);
        std::fs::write(&path, authority.certificate_pem()).expect("written");
        path.display().to_string()
    };
    let (ca_file, other_file) = (file("ca.pem", &ca), file("other.pem", &other));
    let (proud, plain) = (cluster(&ca), Cluster::start("", &[]));
    let url = |host: &str, cluster: &Cluster, ca: &str| {
        let port = cluster.port;
        format!("postgres://postgres@{host}:{port}/postgres?sslmode=verify-full&sslrootcert={ca}")
    };

    assert_eq!(asked(&url("localhost", &proud, &ca_file)).await, Ok(()));
    for (why, refused) in [
        ("another name", url("127.0.0.1", &proud, &ca_file)),
        ("another authority", url("localhost", &proud, &other_file)),
        ("no TLS at all", url("localhost", &plain, &ca_file)),
    ] {
        let told = asked(&refused).await.expect_err(why);
        assert!(
            told.contains("TLS to the database failed: its certificate must be for the host"),
            "{why}: {told}"
        );
    }
}
