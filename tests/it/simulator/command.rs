//! `simulate` as an operator types it.

use std::process::ExitCode;

use clap::Parser;
use mdes_receiver::cli::simulate::{Args, run};

use super::Desk;
use super::receiver::{Manner, Receiver};

#[derive(Debug, Parser)]
struct Typed {
    #[command(flatten)]
    args: Args,
}

fn typed(desk: &Desk, receiver: &Receiver, more: &[&str]) -> Args {
    let files = &desk.files;
    let file = |path: &std::path::Path| path.to_string_lossy().into_owned();
    let mut line = vec![
        "simulate".to_owned(),
        "--to".to_owned(),
        format!("https://{}/shop", receiver.address),
    ];
    for (flag, path) in [
        ("--client-certificate", &files.client.certificate),
        ("--client-key", &files.client.private_key),
        ("--server-roots", &files.ca.certificate),
        ("--encryption-certificate", &files.decryption.certificate),
    ] {
        line.extend([flag.to_owned(), file(path)]);
    }
    line.extend(more.iter().map(|word| word.to_string()));
    Typed::try_parse_from(line).expect("a good command line").args
}

async fn exit(desk: &Desk, receiver: &Receiver, more: &[&str]) -> ExitCode {
    run(&typed(desk, receiver, more), desk.now)
        .await
        .expect("it could be played")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_says_whether_the_answers_were_as_expected() {
    let desk = Desk::set_up();
    let good = Receiver::start(&desk.files, Manner::Good).await;
    let careless = Receiver::start(&desk.files, Manner::Careless).await;
    assert_eq!(
        exit(&desk, &good, &["life", "all", "--seed", "3"]).await,
        ExitCode::SUCCESS
    );
    assert_eq!(
        exit(&desk, &careless, &["active", "wrong-key", "--json"]).await,
        ExitCode::FAILURE
    );
    assert!(
        good.requests()
            .iter()
            .all(|(path, _)| path.starts_with("/shop/digitization/"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn any_body_is_sealed_as_it_is_or_sent_as_it_is() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Good).await;
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(&file, "{\"any\":  [\"thing\"]}").expect("it can be written");
    let path = file.path().to_string_lossy();

    let sealed = [
        "--body", &path, "--oaep", "sha512", "--aes", "256", "--http2", "--set", "any.1=2",
    ];
    assert_eq!(exit(&desk, &receiver, &sealed).await, ExitCode::SUCCESS);
    assert_eq!(receiver.opened(), [serde_json::json!({"any": ["thing", 2]})]);

    assert_eq!(
        exit(&desk, &receiver, &["--body", &path, "--unsealed"]).await,
        ExitCode::FAILURE
    );
    assert_eq!(receiver.requests()[1].1, "{\"any\":  [\"thing\"]}".as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_is_sent_and_counted() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Good).await;
    let load = ["--load", "20", "--connections", "2", "--tokens", "5", "--json"];
    assert_eq!(exit(&desk, &receiver, &load).await, ExitCode::SUCCESS);
    assert_eq!(receiver.opened().len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_by_the_clock_keeps_what_was_acknowledged() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Good).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("acknowledged");
    let name = file.to_str().expect("plain");
    let load = [
        "--duration",
        "1",
        "--rate",
        "25",
        "--connections",
        "2",
        "--acknowledged",
        name,
    ];
    assert_eq!(exit(&desk, &receiver, &load).await, ExitCode::SUCCESS);
    let acknowledged = std::fs::read_to_string(&file).expect("it was written");
    assert_eq!((acknowledged.lines().count(), receiver.requests().len()), (25, 25));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_scenario_is_refused_with_the_nearest_before_anything_is_sent() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Good).await;
    let error = run(&typed(&desk, &receiver, &["active", "suspendet"]), desk.now).await;
    assert!(error.is_err_and(|error| error.to_string().contains("the nearest is `suspended`")));
    assert_eq!(receiver.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_that_needs_the_client_ca_says_so_before_anything_is_sent() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Good).await;
    let error = run(&typed(&desk, &receiver, &["active", "wrong-name"]), desk.now).await;
    assert!(error.is_err_and(|error| error.to_string().contains("--client-ca-key")));
    assert_eq!(receiver.requests().len(), 0);
}

#[test]
fn a_list_needs_nothing_else_and_a_scenario_needs_an_address() {
    assert!(Typed::try_parse_from(["simulate", "--list"]).is_ok());
    let refused = Typed::try_parse_from(["simulate", "active"])
        .expect_err("no address")
        .to_string();
    assert!(refused.contains("--to"), "{refused}");
}
