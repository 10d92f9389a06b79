//! A PostgreSQL server of a test's own, for what the one that all tests share cannot show.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// It stops, and its folder goes, with the value.
pub struct Cluster {
    folder: TempDir,
    /// On loopback.
    pub port: u16,
}

/// PostgreSQL refuses to run as root, so that root lends it another user, as `tests/with-postgres` does.
fn as_owner(program: &str) -> Command {
    let programs = std::env::var("MDES_RECEIVER_TEST_PG_BIN")
        .expect("no MDES_RECEIVER_TEST_PG_BIN: run it under `tests/with-postgres`, as `tests/run` does");
    let program = format!("{programs}/{program}");
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--", &program]);
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

fn run(command: &mut Command) {
    let output = command.current_dir("/").output().expect("it starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {words}");
}

impl Cluster {
    /// A new one with these lines in its configuration; `files` (name, content) lie beside its data, for its eyes alone.
    pub fn start(settings: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir_in("/tmp").expect("a temporary folder");
        let port = free_port();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::write(&path, content).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
        }
        if is_root() {
            run(Command::new("chown").args(["-R", "postgres"]).arg(folder.path()));
        }
        let cluster = Cluster { folder, port };
        run(as_owner("initdb").arg("--pgdata").arg(cluster.data()).args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]));
        let path = cluster.folder.path().display();
        let ours =
            format!("{settings}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{path}'\nport = {port}\n");
        let file = cluster.path("data/postgresql.conf");
        let theirs = fs::read_to_string(&file).expect("initdb wrote it");
        // Written over, not anew, so that it stays its owner's.
        fs::write(&file, theirs + &ours).expect("written");
        cluster.pg_ctl("start", &["--wait", "--timeout=60"]);
        cluster
    }

    fn data(&self) -> String {
        self.path("data")
    }

    /// Where a file of its folder lies.
    pub fn path(&self, name: &str) -> String {
        Path::join(self.folder.path(), name).display().to_string()
    }

    fn pg_ctl(&self, what: &str, arguments: &[&str]) {
        let mut command = as_owner("pg_ctl");
        command
            .args([what, "--silent", "--pgdata", &self.data(), "--log", &self.path("log")])
            .args(arguments);
        // The server would hold the pipes open.
        let ended = command
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        assert!(ended.expect("it starts").success() || what == "stop", "{what}: {log}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.pg_ctl("stop", &["--mode=immediate"]);
    }
}

fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("bound").port()
}
