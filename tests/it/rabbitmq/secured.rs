//! Who it is to us, and who we are to it, by certificates.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use mdes_receiver::delivery::{Destination as _, Failure};
use mdes_receiver::simulator::pki::{Authority, Issued, Leaf};

use super::{Broker, Setup, event, refused, taken};
use crate::world::valid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_trusted_by_its_ca_and_name_and_sees_our_certificate() {
    let files = tempfile::tempdir().expect("a temporary folder");
    let ca = Authority::new("broker CA", valid());
    let write = |name: &str, text: &str| fs::write(files.path().join(name), text).expect("a file");
    let write_pair = |name: &str, pair: &Issued| {
        write(&format!("{name}.crt"), &pair.certificate_pem);
        write(&format!("{name}.key"), &pair.private_key_pem);
    };
    write("ca.crt", &ca.certificate_pem());
    write("other.crt", &Authority::new("another CA", valid()).certificate_pem());
    write_pair("server", &ca.issue(&Leaf::localhost(valid())));
    write_pair("client", &ca.issue(&Leaf::client("receiver", valid())));
    let file = |name: &str| files.path().join(name);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    drop(listener);
    let broker = Broker::start(&format!(
        "listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.cacertfile = {}\nssl_options.certfile = {}\n\
         ssl_options.keyfile = {}\nssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true",
        file("ca.crt").display(),
        file("server.crt").display(),
        file("server.key").display(),
    ))
    .await
    .with_exchange()
    .await;
    broker.bind("ours", "#").await;

    let mut setup = Setup::to(&format!("amqps://guest:guest@127.0.0.1:{port}"));
    setup.egress.roots = vec![file("ca.crt")];
    setup.egress.client_certificate = Some((file("client.crt"), file("client.key")));
    let rabbitmq = setup.open();
    taken(&rabbitmq, &event("sealed")).await;
    assert!(rabbitmq.files().contains(&file("ca.crt")));
    assert_eq!(broker.bodies("ours").await, ["sealed"]);

    setup.egress.client_certificate = None;
    let (class, text) = refused(&setup.open(), &event("unknown to it")).await;
    assert!(matches!(class, Failure::Tls | Failure::Connection), "{class:?} {text}");

    setup.egress.roots = vec![file("other.crt")];
    let (class, text) = refused(&setup.open(), &event("out")).await;
    assert_eq!(class, Failure::Tls, "{text}");
}
