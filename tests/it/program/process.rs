//! A running `mdes-receiver`: what it says, how it is told to stop, and that none is left behind.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::world::{Desk, eventually};

/// Long enough for a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_mdes-receiver");

/// How much of a log a failed test shows.
const SHOWN_MAX: usize = 30;

/// A child that is killed when it is dropped; what it said is shown if the test has failed by then.
pub struct Process {
    child: Child,
    out: Lines,
    err: Lines,
}

/// `serve`, with both doors open.
pub struct Program {
    /// The child.
    pub process: Process,
    /// Where the door listens.
    pub callback: SocketAddr,
    /// Where the admin side listens.
    pub admin: SocketAddr,
    /// From the start of the process to ready.
    pub ready_after: Duration,
}

/// What came on one of its streams so far.
type Lines = watch::Receiver<Vec<String>>;

impl Process {
    /// Starts the program with these arguments in this folder, with nothing of ours in its environment.
    pub fn start(folder: &Path, args: &[&str]) -> Self {
        let mut command = command(args);
        command.current_dir(folder).stdin(Stdio::null());
        Process::of(command)
    }

    /// Starts this command.
    pub fn of(mut command: Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let out = lines(child.stdout.take().expect("it is piped"));
        let err = lines(child.stderr.take().expect("it is piped"));
        Process { child, out, err }
    }

    /// The first line of its standard error for which `wanted` has an answer.
    pub async fn logged<T>(&self, what: &str, wanted: impl Fn(&str) -> Option<T>) -> T {
        first(&self.err, what, wanted).await
    }

    /// The first line of its standard output for which `wanted` has an answer.
    pub async fn printed<T>(&self, what: &str, wanted: impl Fn(&str) -> Option<T>) -> T {
        first(&self.out, what, wanted).await
    }

    /// Everything on its standard output so far.
    pub fn output(&self) -> String {
        self.out.borrow().join("\n")
    }

    /// Everything on its standard error so far.
    pub fn log(&self) -> Vec<String> {
        self.err.borrow().clone()
    }

    /// What the system says of it, in that file of `/proc`.
    #[cfg(target_os = "linux")]
    pub fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("it runs")
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        let line = format!("kill -s {name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &line]).status().expect("a shell");
        assert!(status.success(), "{line}");
    }

    /// SIGKILL, now: nothing of it runs after this.
    pub fn kill(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it has ended");
    }

    /// Waits for its end, and for the last of what it said.
    pub async fn ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        for lines in [&mut self.out, &mut self.err] {
            // The sender is dropped at the end of the stream.
            let closed = async { while lines.changed().await.is_ok() {} };
            timeout(PATIENCE, closed).await.expect("its streams end with it");
        }
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let last = &log[log.len().saturating_sub(SHOWN_MAX)..];
            eprintln!("the program had printed:\n{}", self.output());
            eprintln!("the program had logged, at last:\n{}", last.join("\n"));
        }
    }
}

impl Program {
    /// Starts the receiver on this desk, and waits until it is ready.
    pub async fn serve(desk: &Desk) -> Self {
        let began = Instant::now();
        let mut program = Program::start(desk).await;
        let admin = program.admin;
        eventually("the receiver is ready", || async {
            get(admin, "/readyz").await.starts_with("HTTP/1.1 200")
        })
        .await;
        program.ready_after = began.elapsed();
        program
    }

    /// Starts the receiver on this desk, and waits for its doors, not for its store.
    pub async fn start(desk: &Desk) -> Self {
        Program::start_with(desk, &[]).await
    }

    /// The same, with these in its environment.
    pub async fn start_with(desk: &Desk, env: &[(&str, &str)]) -> Self {
        let began = Instant::now();
        let config = config_file(desk);
        let mut command = command(&["--config", text(&config), "serve"]);
        command.current_dir(config.parent().expect("it is in a folder"));
        command.stdin(Stdio::null()).envs(env.iter().copied());
        let process = Process::of(command);
        let listening = |line: &str| {
            let event = event(line).filter(|event| event["message"] == "listening")?;
            let address = |key: &str| event[key].as_str()?.parse().ok();
            Some((address("callback")?, address("admin")?))
        };
        let (callback, admin) = process.logged("it listens", listening).await;
        Program {
            process,
            callback,
            admin,
            ready_after: began.elapsed(),
        }
    }

    /// Waits for a log line with this message, and gives it whole.
    pub async fn said(&self, message: &str) -> Value {
        let wanted = |line: &str| event(line).filter(|event| event["message"] == message);
        self.process.logged(message, wanted).await
    }

    /// The log lines with this message so far.
    pub fn events(&self, message: &str) -> Vec<Value> {
        let events = self.process.log().into_iter().filter_map(|line| event(&line));
        events.filter(|event| event["message"] == message).collect()
    }
}

/// The desk's configuration, with its log for programs.
pub fn config_file(desk: &Desk) -> PathBuf {
    let file = desk.config_file();
    let toml = format!("{}\n[log]\nformat = \"json\"\n", desk.toml());
    std::fs::write(&file, toml).expect("a file is written");
    file
}

/// The program, about to be started, with nothing of ours in its environment.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MDES_RECEIVER"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command.args(args);
    command
}

/// A path of a test, as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders are UTF-8")
}

/// A page of the admin side, with its head.
pub async fn get(admin: SocketAddr, path: &str) -> String {
    let asked = async {
        let mut socket = TcpStream::connect(admin).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = timeout(PATIENCE, asked).await.expect("the admin side answers");
    answer.expect("the admin side answers")
}

fn event(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok()
}

/// Reads a stream to its end on a thread of its own, so that the child never waits for us.
fn lines(stream: impl Read + Send + 'static) -> Lines {
    let (told, lines) = watch::channel(Vec::new());
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            told.send_modify(|lines| lines.push(line));
        }
    });
    lines
}

async fn first<T>(lines: &Lines, what: &str, wanted: impl Fn(&str) -> Option<T>) -> T {
    let mut lines = lines.clone();
    let found = async {
        loop {
            if let Some(found) = lines.borrow_and_update().iter().find_map(|line| wanted(line)) {
                return Some(found);
            }
            lines.changed().await.ok()?;
        }
    };
    let found = timeout(PATIENCE, found).await;
    let found = found.unwrap_or_else(|_| panic!("not in time: {what}"));
    found.unwrap_or_else(|| panic!("it ended before this: {what}"))
}
