//! What supervisors do to a program: start it, ask it to read its files again, ask it to stop.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::timeout;

use super::crash::{it_adds_up, request_ids};
use super::door::{Knock, Spoken};
use super::process::{PATIENCE, Program, get};
use super::traffic::{Sent, Traffic};
use crate::support::Database;
use crate::world::{Desk, sealed, statement};

promises!(
    it_is_ready_soon_after_its_start,
    a_stop_finishes_what_was_begun,
    a_stop_under_traffic_answers_what_it_takes_and_takes_nothing_else,
    a_hangup_reads_the_files_again,
    a_hangup_as_soon_as_it_listens_does_not_end_it,
    a_stop_does_not_wait_for_those_who_say_nothing,
);

const TOKEN: &str = "DM4MMC00000000013f0c5b0e6d5a4c2f9b7e1a2d3c4b5a697";

/// The contract is 1 s for a release build on an idle machine; this is neither.
const READY_WITHIN: Duration = Duration::from_secs(5);
/// `stop_secs` as it is by default, with the connections' goodbye.
const STOP_WITHIN: Duration = Duration::from_secs(27);
/// What nobody holds up needs no patience.
const STOP_SOON: Duration = Duration::from_secs(8);

/// A core would hold keys and what was opened. What it inherits allows one, as a test's shell does.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_leaves_no_core_whatever_the_limit_was() {
    let program = Program::serve(&Desk::over(Database::sqlite().await)).await;
    let limits = program.process.proc("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size"));
    let words: Vec<&str> = core.expect("it is listed").split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"]);
}

async fn it_is_ready_soon_after_its_start(database: Database) {
    let desk = Desk::over(database);
    let mut fastest = PATIENCE;
    for _ in 0..3 {
        let program = Program::serve(&desk).await;
        fastest = fastest.min(program.ready_after);
    }
    println!("ready after {fastest:?}");
    assert!(fastest < READY_WITHIN, "{fastest:?}");
}

async fn a_stop_finishes_what_was_begun(database: Database) {
    let desk = Desk::over(database);
    let mut program = Program::serve(&desk).await;
    let (first, second) = halves(notice(&desk, "begun"));
    let mut one = Spoken::to(&desk, program.callback, Knock::default()).await;
    // The receiver says 100 only when it has read the head.
    one.say(&Spoken::head(first.len() + second.len(), "expect: 100-continue\r\n"))
        .await;
    assert_eq!(one.status().await, 100);
    one.say(&first).await;

    let began = Instant::now();
    program.process.signal("TERM");
    program.said("SIGTERM: stopping").await;
    program.said("no longer accepting").await;
    one.say(&second).await;
    assert_eq!(one.status().await, 200);
    let ended = program.process.ended().await;
    assert_eq!(ended.code(), Some(0));
    assert!(began.elapsed() < STOP_WITHIN, "{:?}", began.elapsed());
    assert!(request_ids(&desk.database).await.contains("begun"));
}

async fn a_stop_under_traffic_answers_what_it_takes_and_takes_nothing_else(database: Database) {
    let desk = Desk::over(database);
    let mut program = Program::serve(&desk).await;
    let traffic = Traffic::to(&desk, program.callback, 0);
    traffic.answered(60).await;

    let began = Instant::now();
    program.process.signal("TERM");
    let sent = traffic.ended().await;
    let ended = program.process.ended().await;
    assert_eq!(ended.code(), Some(0));
    assert!(began.elapsed() < STOP_SOON, "{:?}", began.elapsed());

    let kept = request_ids(&desk.database).await;
    for Sent {
        request_id, outcome, ..
    } in &sent
    {
        match outcome {
            Ok(answer) => {
                assert_eq!(answer.status, 200, "{request_id}: a stop is no reason to refuse");
                assert!(kept.contains(request_id), "{request_id} was answered and is lost");
            }
            Err(error) => assert!(
                !kept.contains(request_id),
                "{request_id} was taken and not answered: {error}"
            ),
        }
    }
    it_adds_up(&desk.database).await;
}

async fn a_hangup_reads_the_files_again(database: Database) {
    let desk = Desk::over(database);
    let program = Program::serve(&desk).await;
    program.process.signal("HUP");
    let reloaded = || program.events("reloaded").len() >= 2;
    crate::world::eventually("the door's files and the keys are reloaded", || async { reloaded() }).await;
    let parts: Vec<_> = program
        .events("reloaded")
        .iter()
        .map(|event| event["what"].clone())
        .collect();
    assert_eq!(parts[..2], ["callback.tls", "keys"]);

    std::fs::write(desk.path("decrypt.key"), "not a key").expect("written");
    program.process.signal("HUP");
    let kept = program.said("cannot reload; the old ones stay in force").await;
    assert_eq!(kept["what"], "keys");
    let error = kept["error"].as_str().expect("it says why");
    assert!(error.contains("decrypt.key"), "{error}");
    let answer = desk.sender(program.callback).send(notice(&desk, "after")).await;
    assert_eq!(answer.expect("an answer").status, 200);
}

async fn a_hangup_as_soon_as_it_listens_does_not_end_it(database: Database) {
    let desk = Desk::over(database);
    for _ in 0..3 {
        let program = Program::start(&desk).await;
        program.process.signal("HUP");
        program.said("reloaded").await;
        program.process.signal("HUP");
        assert!(get(program.admin, "/livez").await.starts_with("HTTP/1.1 200"));
    }
}

async fn a_stop_does_not_wait_for_those_who_say_nothing(database: Database) {
    let desk = Desk::over(database);
    let mut program = Program::serve(&desk).await;
    let quiet = Spoken::to(&desk, program.callback, Knock::default()).await;
    let mut idle = Spoken::to(&desk, program.callback, Knock::default()).await;
    idle.post(&notice(&desk, "idle")).await;
    assert_eq!(idle.status().await, 200);
    let stranger = tokio::net::TcpStream::connect(program.callback)
        .await
        .expect("a connection");

    let began = Instant::now();
    program.process.signal("TERM");
    let ended = timeout(STOP_SOON, program.process.ended()).await;
    let ended = ended.unwrap_or_else(|_| panic!("still there after {:?}", began.elapsed()));
    assert_eq!(ended.code(), Some(0));
    drop((quiet, idle, stranger));
}

fn notice(desk: &Desk, request_id: &str) -> Bytes {
    let content = statement(TOKEN, "SUSPENDED", "2025-11-02T09:15:03Z");
    sealed(&desk.sealer(), request_id, &content)
}

fn halves(mut body: Bytes) -> (Bytes, Bytes) {
    let second = body.split_off(body.len() / 2);
    (body, second)
}
