//! Who we are to the server, and who it is to us.

use std::fs;

use mdes_receiver::delivery::{Destination as _, Failure};
use mdes_receiver::simulator::pki::{Authority, Issued, Leaf};
use tempfile::TempDir;

use super::broker::make_stream;
use super::{Broker, Setup, event, refused, taken};
use crate::world::valid;
use async_nats::ConnectOptions;

const USERS: &str = r#"authorization { users = [
  { user: "us", password: "p@ss word" }
  { user: "them", password: "other", permissions: { publish: { deny: ["tokens.>"] } } }
] }"#;

fn with_login(broker: &Broker, login: &str) -> Setup {
    Setup::to(&[format!("nats://{login}@127.0.0.1:{}", broker.port)])
}

async fn with_users() -> Broker {
    let broker = Broker::start(USERS).await;
    let options = ConnectOptions::with_user_and_password("us".to_owned(), "p@ss word".to_owned());
    make_stream(&broker.client_with(options).await, "tokens", "tokens.>", 1).await;
    broker
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_of_the_url_is_let_in_and_a_wrong_one_is_told_so_without_its_password() {
    let broker = with_users().await;
    taken(&with_login(&broker, "us:p%40ss%20word").open(), &event("in")).await;
    let (class, text) = refused(&with_login(&broker, "us:wr0ng").open(), &event("out")).await;
    assert_eq!(class, Failure::Refused, "{text}");
    assert!(
        text.contains("authorization violation") && text.contains("`credentials`"),
        "{text}"
    );
    assert!(!text.contains("wr0ng"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_the_url_is_let_in() {
    let broker = Broker::start("authorization { token: \"t0ken\" }").await;
    make_stream(
        &broker.client_with(ConnectOptions::with_token("t0ken".to_owned())).await,
        "tokens",
        "tokens.>",
        1,
    )
    .await;
    taken(&with_login(&broker, "t0ken").open(), &event("in")).await;
    assert_eq!(
        refused(&with_login(&broker, "other").open(), &event("out")).await.0,
        Failure::Refused
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subject_that_we_may_not_publish_to_is_said() {
    let broker = with_users().await;
    let setup = with_login(&broker, "them:other").within(std::time::Duration::from_secs(2));
    let (class, text) = refused(&setup.open(), &event("denied")).await;
    assert_eq!(class, Failure::Refused, "{text}");
    assert!(text.contains("Permissions Violation"), "{text}");
}

/// A server with a certificate by this CA, which demands one of its clients.
struct Secured {
    broker: Broker,
    files: TempDir,
}

impl Secured {
    async fn start() -> Self {
        Secured::with(Leaf::localhost(valid())).await
    }

    async fn with(leaf: Leaf) -> Self {
        let files = tempfile::tempdir().expect("a temporary folder");
        let ca = Authority::new("broker CA", valid());
        let write = |name: &str, text: &str| fs::write(files.path().join(name), text).expect("a file");
        let write_pair = |name: &str, pair: &Issued| {
            write(&format!("{name}.crt"), &pair.certificate_pem);
            write(&format!("{name}.key"), &pair.private_key_pem);
        };
        write("ca.crt", &ca.certificate_pem());
        write("other.crt", &Authority::new("another CA", valid()).certificate_pem());
        write_pair("server", &ca.issue(&leaf));
        write_pair("client", &ca.issue(&Leaf::client("receiver", valid())));
        let file = |name: &str| files.path().join(name).display().to_string();
        let broker = Broker::start(&format!(
            "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}",
            file("server.crt"),
            file("server.key"),
            file("ca.crt")
        ))
        .await;
        Secured { broker, files }
    }

    fn setup(&self, host: &str, root: &str) -> Setup {
        let mut setup = Setup::to(&[format!("tls://{host}:{}", self.broker.port)]).on_stream("tokens", true);
        let file = |name: &str| self.files.path().join(name);
        setup.egress.roots = vec![file(root)];
        setup.egress.client_certificate = Some((file("client.crt"), file("client.key")));
        setup
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_our_own_ca_is_trusted_by_its_name_and_by_its_address() {
    let secured = Secured::start().await;
    for host in ["localhost", "127.0.0.1"] {
        taken(&secured.setup(host, "ca.crt").open(), &event(host)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_another_ca_is_not_trusted() {
    let secured = Secured::start().await;
    let (class, text) = refused(&secured.setup("localhost", "other.crt").open(), &event("out")).await;
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
    for host in ["localhost", "127.0.0.1"] {
        let (class, text) = refused(&secured.setup(host, "ca.crt").open(), &event("out")).await;
        assert_eq!(class, Failure::Tls, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_certificate_that_the_server_demands_is_missed_in_words() {
    let secured = Secured::start().await;
    let mut setup = secured.setup("localhost", "ca.crt");
    setup.egress.client_certificate = None;
    let (class, text) = refused(&setup.open(), &event("out")).await;
    assert_eq!(class, Failure::Tls, "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_file_that_cannot_be_read_is_named_and_read_again_at_the_next_attempt() {
    let secured = Secured::start().await;
    let nats = secured.setup("localhost", "late.crt").open();
    let (class, text) = refused(&nats, &event("out")).await;
    assert_eq!(class, Failure::Tls);
    assert!(text.contains("`roots`") && text.contains("late.crt"), "{text}");
    let file = |name: &str| secured.files.path().join(name);
    fs::copy(file("ca.crt"), file("late.crt")).expect("a file");
    taken(&nats, &event("in")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_with_a_bad_file_says_which_and_keeps_the_connection() {
    let secured = Secured::start().await;
    let nats = secured.setup("localhost", "ca.crt").open();
    taken(&nats, &event("before")).await;
    let root = secured.files.path().join("ca.crt");
    assert!(nats.files().contains(&root));
    fs::write(&root, "nonsense").expect("a file");
    let why = nats.reload().expect_err("it is nonsense");
    assert!(why.contains("`roots`") && why.contains("ca.crt"), "{why}");
    taken(&nats, &event("after")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_are_none_are_named_and_not_shown() {
    let broker = Broker::start("").await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("receiver.creds");
    fs::write(&file, "SUAnotakey").expect("a file");
    let mut setup = Setup::to(&[broker.url()]);
    setup.nats.credentials = Some(file);
    let (class, text) = refused(&setup.open(), &event("out")).await;
    assert_eq!(class, Failure::Refused);
    assert!(text.contains("receiver.creds") && !text.contains("SUA"), "{text}");
}
