//! `dev`: the main job on a bare machine, in one command.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::process::{Process, get, text};
use crate::world::eventually;

/// Any ports, since those of the README may be taken while tests run.
const PORTS: [&str; 4] = [
    "--setting",
    "callback.listen=127.0.0.1:0",
    "--setting",
    "admin.listen=127.0.0.1:0",
];
const SCENARIOS: [&str; 6] = ["active", "suspended", "resumed", "card-art", "card-changed", "deleted"];

#[tokio::test]
async fn once_needs_nothing_but_an_empty_folder_and_plays_the_six_scenarios() {
    let folder = empty_folder();
    let first = once(folder.path(), &PORTS).await;
    assert_eq!(first.code, Some(0), "{}", first.out);
    for (place, scenario) in SCENARIOS.iter().enumerate() {
        let heading = format!("{} of 6  {scenario}: ", place + 1);
        assert!(first.out.contains(&heading), "{heading}:\n{}", first.out);
    }
    assert!(first.out.contains("  now       DEACTIVATED since "), "{}", first.out);
    assert!(
        first.out.contains("made    certs/dev/mastercard-client.pem"),
        "{}",
        first.out
    );
    assert!(folder.path().join("data/receiver.db").exists());

    let files = files_of(folder.path());
    let again = once(folder.path(), &PORTS).await;
    assert_eq!(again.code, Some(0), "{}", again.out);
    assert!(!again.out.contains("made "), "its files are used again:\n{}", again.out);
    assert_eq!(files_of(folder.path()), files);
}

#[tokio::test]
async fn a_taken_port_is_told_with_what_to_do() {
    let folder = empty_folder();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    let callback = format!("callback.listen={address}");
    let ended = once(folder.path(), &["--setting", &callback]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.out);
    assert_eq!(
        ended.err,
        [format!(
            "mdes-receiver: key `callback.listen`: cannot listen on {address}: Address already in use (os error 98); \
             stop what listens there, or choose another port"
        )]
    );
}

#[tokio::test]
async fn its_curl_line_is_one_that_works_and_ctrl_c_ends_it() {
    let folder = empty_folder();
    let mut dev = Process::start(
        folder.path(),
        &[&["dev", "--services", "127.0.0.1:0"], &PORTS[..]].concat(),
    );
    dev.printed("the last line", |line| line.starts_with("Ctrl-C stops.").then_some(()))
        .await;
    let output = dev.output();
    assert_eq!(output.matches("  ACTIVE\n").count(), 3, "tokens to suspend:\n{output}");
    let (_, token) = output.split_once("/console\nmdr_").expect("the console, with a token");
    assert_eq!(token.lines().next().map(str::len), Some(43), "{output}");
    for _ in 0..2 {
        let (status, body) = pasted(folder.path(), &dev.output());
        assert_eq!(status, "200", "{body}");
        assert!(
            body.starts_with(r#"{"responseHost":"localhost:8443","responseId":""#),
            "{body}"
        );
    }
    dev.signal("INT");
    let ended = dev.ended().await;
    assert_eq!(ended.code(), Some(0), "{}", dev.output());
}

#[tokio::test]
async fn it_calls_itself_by_a_certificate_that_is_no_caller_s() {
    let folder = empty_folder();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = free.expect("a free port").port();
    let listen = format!("callback.listen=127.0.0.1:{port}");
    let url = format!("probe.url=https://127.0.0.1:{port}");
    let mut args = vec![
        "dev",
        "--services",
        "127.0.0.1:0",
        "--setting",
        "admin.listen=127.0.0.1:0",
    ];
    args.extend(["--setting", &listen, "--setting", &url]);
    let mut dev = Process::start(folder.path(), &args);
    let admin = |line: &str| {
        let address = line.strip_prefix("admin   http://")?.strip_suffix("/readyz")?;
        address.parse().ok()
    };
    let admin = dev.printed("the admin listener", admin).await;
    eventually("the door answers our own probe", || async {
        let metrics = get(admin, "/metrics").await;
        metrics.contains("mdes_receiver_probes_total{outcome=\"reached\"}")
            && metrics.contains("mdes_receiver_probes_answered_total{outcome=\"answered\"}")
    })
    .await;
    dev.signal("INT");
    dev.ended().await;
}

/// What `dev --once` did.
struct Once {
    code: Option<i32>,
    out: String,
    err: Vec<String>,
}

async fn once(folder: &Path, more: &[&str]) -> Once {
    let mut process = Process::start(folder, &[&["dev", "--once"], more].concat());
    let code = process.ended().await.code();
    Once {
        code,
        out: process.output(),
        err: process.log(),
    }
}

/// Runs the `curl` that sends a notification by a shell, as it stands; a file of settings makes curl tell the status as well.
fn pasted(folder: &Path, output: &str) -> (String, String) {
    let from = output.find("\ncurl --cacert ").expect("it prints a curl line");
    let line = output[from..].trim_start().split("\n\n").next().expect("it ends");
    let home = empty_folder();
    std::fs::write(
        home.path().join(".curlrc"),
        "silent\nshow-error\nmax-time = 20\nwrite-out = \"\\n%{http_code}\"\n",
    )
    .expect("written");
    let output = Command::new("sh")
        .args(["-c", line])
        .env("CURL_HOME", text(home.path()))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let said = String::from_utf8(output.stdout).expect("text");
    let complaint = String::from_utf8_lossy(&output.stderr);
    let (body, status) = said
        .rsplit_once('\n')
        .unwrap_or_else(|| panic!("{line}\nsaid {said:?} and {complaint}"));
    (status.to_owned(), body.to_owned())
}

/// Each file under `certs/dev/`, with what is in it.
fn files_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder.join("certs/dev")).expect("it was made");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("it can be read").path())
        .map(|path| (text(&path).to_owned(), std::fs::read(&path).expect("a file")))
        .collect();
    files.sort();
    files
}

fn empty_folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}
