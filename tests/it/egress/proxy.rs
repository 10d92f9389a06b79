//! Through an HTTP proxy: it resolves and connects, and reads nothing of what is encrypted.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mdes_receiver::config::settings::Egress;
use mdes_receiver::delivery::Failure;
use mdes_receiver::delivery::webhook::Webhook;
use mdes_receiver::domain::masked::Secret;
use mdes_receiver::net::egress::Resolver;
use mdes_receiver::simulator::pki::{Authority, Leaf};
use tempfile::TempDir;
use time::macros::datetime;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::sink::{Says, Sink, answer, request, server};
use super::{egress, failed, resolved_by, taken, webhook};

/// A proxy that leads every name to one address, and keeps the heads that it was asked with.
struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn leading_to(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback listens");
        let address = listener.local_addr().expect("an address");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = heads.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(tunnel(stream, to, kept.clone()));
            }
        });
        Proxy { address, heads }
    }

    fn url(&self) -> String {
        format!("http://user:p%40ss@{}", self.address)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic").clone()
    }
}

async fn tunnel(mut stream: TcpStream, to: SocketAddr, heads: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let asked = request(&mut stream).await?;
    heads.lock().expect("no panic").push(asked.head.clone());
    if asked.header("proxy-authorization") != Some("Basic dXNlcjpwQHNz") {
        stream.write_all(answer(407, "", "").as_bytes()).await.ok()?;
        return None;
    }
    stream
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await
        .ok()?;
    let mut onward = TcpStream::connect(to).await.ok()?;
    copy_bidirectional(&mut stream, &mut onward).await.ok().map(drop)
}

/// Who asks it has not left it to the proxy.
struct Nobody;

#[async_trait]
impl Resolver for Nobody {
    async fn resolve(&self, name: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        panic!("{name} is for the proxy to resolve")
    }
}

fn by(proxy: &str, url: &str, egress: Egress) -> Webhook {
    let proxy = Some(Secret::new(proxy));
    resolved_by(Arc::new(Nobody), url, &Egress { proxy, ..egress })
}

/// An end with TLS for `hooks.example`, and the way out that trusts it.
async fn secure_end() -> (Sink, Egress, TempDir) {
    let always = (datetime!(2000-01-01 0:00 UTC), datetime!(2049-01-01 0:00 UTC));
    let (authority, folder) = (Authority::new("Own Root", always), TempDir::new().expect("a folder"));
    let root = folder.path().join("root.pem");
    std::fs::write(&root, authority.certificate_pem()).expect("written");
    let leaf = Leaf {
        dns_names: vec!["hooks.example".to_owned()],
        ..Leaf::localhost(always)
    };
    let sink = Sink::tls(Says::Raw(answer(200, "", "ok")), server(&authority.issue(&leaf))).await;
    let roots = vec![root];
    (sink, Egress { roots, ..egress() }, folder)
}

#[tokio::test]
async fn an_https_url_is_reached_by_a_tunnel_that_is_used_again() {
    let (sink, egress, _folder) = secure_end().await;
    let proxy = Proxy::leading_to(sink.address).await;
    let destination = by(&proxy.url(), "https://hooks.example/hook", egress);
    taken(&destination).await;
    taken(&destination).await;
    let heads = proxy.heads();
    assert_eq!((heads.len(), sink.heard().len()), (1, 2));
    assert!(
        heads[0].starts_with("CONNECT hooks.example:443 HTTP/1.1\r\n"),
        "{}",
        heads[0]
    );
    let head = &sink.heard()[0].head;
    assert!(
        head.starts_with("POST /hook HTTP/1.1") && !head.contains("roxy"),
        "{head}"
    );
}

#[tokio::test]
async fn a_plain_url_stands_whole_in_the_request() {
    let sink = Sink::plain(Says::Raw(answer(200, "", "ok"))).await;
    // The sink plays the proxy itself.
    let proxy = format!("http://user:p%40ss@{}", sink.address);
    let mut egress = egress();
    egress.allow_networks.push("10.0.0.0/8".parse().expect("a network"));
    taken(&by(&proxy, "http://10.1.2.3:8080/hook", egress)).await;
    let heard = &sink.heard()[0];
    assert!(
        heard.head.starts_with("POST http://10.1.2.3:8080/hook HTTP/1.1\r\n"),
        "{}",
        heard.head
    );
    assert_eq!(heard.header("host"), Some("10.1.2.3:8080"));
    assert_eq!(heard.header("proxy-authorization"), Some("Basic dXNlcjpwQHNz"));
}

#[tokio::test]
async fn a_proxy_that_wants_credentials_says_so_and_theirs_are_not_shown() {
    let (sink, egress, _folder) = secure_end().await;
    let proxy = Proxy::leading_to(sink.address).await;
    let wrong = proxy.url().replace("p%40ss", "guess");
    let (class, text, _) = failed(&by(&wrong, "https://hooks.example/", egress)).await;
    assert_eq!(class, Failure::Connection);
    assert!(text.contains("407") && !text.contains("guess"), "{text}");
    assert_eq!(sink.connections(), 0);
}

#[tokio::test]
async fn the_proxy_itself_must_be_allowed() {
    let proxy = Proxy::leading_to(([127, 0, 0, 1], 9).into()).await;
    let nowhere = Egress {
        allow_networks: Vec::new(),
        ..egress()
    };
    let (class, text, _) = failed(&by(&proxy.url(), "https://hooks.example/", nowhere)).await;
    assert_eq!(class, Failure::Guarded);
    assert!(text.contains("the proxy") && text.contains("allow_networks"), "{text}");
    assert_eq!(proxy.heads().len(), 0);
}

#[test]
fn an_address_in_the_url_is_guarded_behind_a_proxy_too() {
    let egress = Egress {
        proxy: Some(Secret::new("http://127.0.0.1:3128")),
        ..egress()
    };
    for url in [
        "https://169.254.169.254/",
        "https://[::ffff:10.0.0.1]/",
        "http://hooks.example/",
    ] {
        let clock = Arc::new(mdes_receiver::clock::SystemClock);
        let refused = Webhook::with_resolver(&webhook(url), &egress, clock, Arc::new(Nobody));
        let text = refused.err().expect(url).to_string();
        assert!(
            text.contains("`destinations.url`") && text.contains("allow_networks"),
            "{text}"
        );
    }
}
