//! HAProxy, nginx and Envoy as processes of a test, with a folder of their own, gone when the value is.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::program::process::Process;
use crate::world::{Desk, eventually};

/// One of them, listening.
pub struct Balancer {
    _process: Process,
    folder: TempDir,
    port: u16,
}

impl Balancer {
    /// `haproxy.cfg`, before this receiver.
    pub async fn haproxy(receiver: SocketAddr) -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a temporary folder"), free_port());
        let config = with(
            &example("haproxy.cfg"),
            &[
                ("bind :443", &format!("bind 127.0.0.1:{port}")),
                ("10.0.0.11:8443", &receiver.to_string()),
                ("    server two 10.0.0.12:8443\n", ""),
                // As many open files as a test's shell may have.
                ("maxconn 12000", "maxconn 100"),
            ],
        );
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, config).expect("a file is written");
        let mut command = Command::new(installed("haproxy"));
        command.arg("-db").arg("-f").arg(file);
        Balancer::start(command, folder, port).await
    }

    /// This example of nginx's, before this receiver, with this secret.
    pub async fn nginx(name: &str, desk: &Desk, receiver: SocketAddr, secret: &str) -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a temporary folder"), free_port());
        let own = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(
            own("secret.conf"),
            format!("proxy_set_header x-balancer-secret \"{secret}\";\n"),
        )
        .expect("written");
        let files = &desk.files;
        let of_the_desk = |file: &Path| file.display().to_string();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("    {what}_temp_path {};\n", own(what)))
            .concat();
        let mut places = vec![
            ("http {\n".to_owned(), format!("http {{\n{temporary}")),
            (
                "/etc/nginx/mdes/server.pem".to_owned(),
                of_the_desk(&files.server.certificate),
            ),
            (
                "/etc/nginx/mdes/server.key".to_owned(),
                of_the_desk(&files.server.private_key),
            ),
            (
                "/etc/nginx/mdes/receiver-ca.pem".to_owned(),
                of_the_desk(&files.ca.certificate),
            ),
            (
                "include /etc/nginx/mdes/secret.conf".to_owned(),
                format!("include {}", own("secret.conf")),
            ),
            ("/var/log/nginx/mdes.log".to_owned(), own("access.log")),
            (
                "proxy_ssl_name tokens.merchant.example".to_owned(),
                "proxy_ssl_name localhost".to_owned(),
            ),
        ];
        let listen = |port: u16| format!("listen 127.0.0.1:{port} ssl");
        if name == "nginx.conf" {
            places.push(("listen 443 ssl".to_owned(), listen(port)));
            places.push(("10.0.0.11:8443".to_owned(), receiver.to_string()));
            places.push((
                "        server 10.0.0.12:8443 max_fails=1 fail_timeout=5s;\n".to_owned(),
                String::new(),
            ));
            let roots = of_the_desk(&files.client_ca.certificate);
            places.push(("/etc/nginx/mdes/mastercard-roots.pem".to_owned(), roots));
        } else {
            places.push(("listen 8444 ssl".to_owned(), listen(port)));
            places.push(("server 127.0.0.1:8443".to_owned(), format!("server {receiver}")));
        }
        let places: Vec<(&str, &str)> = places.iter().map(|(from, to)| (&**from, &**to)).collect();
        let file = own("nginx.conf");
        std::fs::write(&file, with(&example(name), &places)).expect("a file is written");
        let mut command = Command::new(installed("nginx"));
        // One process, so that none is left behind when it is killed.
        let settings = format!("daemon off; master_process off; pid {}; error_log stderr;", own("pid"));
        command.args(["-p", &own("."), "-c", &file, "-g", &settings]);
        Balancer::start(command, folder, port).await
    }

    /// `envoy.yaml`, before this receiver; the desk has its certificate.
    pub async fn envoy(desk: &Desk, receiver: SocketAddr) -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a temporary folder"), free_port());
        let files = &desk.files;
        let places: [(&str, String); 10] = [
            (
                "address: 0.0.0.0, port_value: 443",
                format!("address: 127.0.0.1, port_value: {port}"),
            ),
            (
                "address: 10.0.0.11, port_value: 8443",
                format!("address: 127.0.0.1, port_value: {}", receiver.port()),
            ),
            (
                "              - endpoint: {address: {socket_address: {address: 10.0.0.12, port_value: 8443}}}\n",
                String::new(),
            ),
            ("tokens.merchant.example", "localhost".to_owned()),
            (
                "/etc/envoy/mdes/server.pem",
                files.server.certificate.display().to_string(),
            ),
            (
                "/etc/envoy/mdes/server.key",
                files.server.private_key.display().to_string(),
            ),
            (
                "/etc/envoy/mdes/mastercard-roots.pem",
                files.client_ca.certificate.display().to_string(),
            ),
            (
                "/etc/envoy/mdes/receiver-ca.pem",
                files.ca.certificate.display().to_string(),
            ),
            (
                "/etc/envoy/mdes/balancer.pem",
                desk.path("balancer.pem").display().to_string(),
            ),
            (
                "/etc/envoy/mdes/balancer.key",
                desk.path("balancer.key").display().to_string(),
            ),
        ];
        let places: Vec<(&str, &str)> = places.iter().map(|(from, to)| (*from, &**to)).collect();
        let file = folder.path().join("envoy.yaml");
        std::fs::write(&file, with(&example("envoy.yaml"), &places)).expect("a file is written");
        let named = std::env::var_os("MDES_RECEIVER_TEST_ENVOY").map(PathBuf::from);
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/envoy/bin/envoy");
        let mut command = Command::new(named.unwrap_or(ours));
        command
            .args(["--disable-hot-restart", "--concurrency", "1", "-c"])
            .arg(file);
        Balancer::start(command, folder, port).await
    }

    async fn start(command: Command, folder: TempDir, port: u16) -> Self {
        let balancer = Balancer {
            _process: Process::of(command),
            folder,
            port,
        };
        let address = balancer.address();
        let listens = || async move { TcpStream::connect(address).await.is_ok() };
        eventually("the balancer listens", listens).await;
        balancer
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What nginx wrote of each request.
    pub fn access_log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("access.log")).expect("it is written")
    }
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy/balancers")
        .join(name);
    std::fs::read_to_string(path).expect("an example")
}

/// With each of these in the place of that; each is there.
fn with(text: &str, places: &[(&str, &str)]) -> String {
    places.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the example says no more: {from}");
        text.replace(from, to)
    })
}

/// Debian keeps them where a user's PATH may not look.
fn installed(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let mut programs = folders.map(|folder| folder.join(name));
    programs
        .find(|program| program.is_file())
        .unwrap_or_else(|| panic!("no {name} here; `tests/run` installs it"))
}

/// One that nobody had a moment ago. Tests run in processes of their own, which begin in different places.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % 1_000).expect("below a thousand") * 8;
    for _ in 0..8_000 {
        let port = 10_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 8_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}
