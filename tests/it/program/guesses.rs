//! Who guesses at tokens: what the log says of it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::process::Program;
use crate::support::Database;
use crate::world::Desk;

const GUESS: &str = "mdr_guess-at-a-token";

/// The status line that answers it.
async fn asked(program: &Program, head: &str, body: &str) -> String {
    let mut socket = TcpStream::connect(program.admin).await.expect("it listens");
    let (admin, length) = (program.admin, body.len());
    let request = format!("{head} HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\ncontent-length: {length}\r\n");
    let kind = "content-type: application/x-www-form-urlencoded";
    let request = format!("{request}authorization: Bearer {GUESS}\r\n{kind}\r\n\r\n{body}");
    socket.write_all(request.as_bytes()).await.expect("written");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guess_leaves_a_line_with_where_it_came_from_and_nothing_of_the_guess() {
    let program = Program::serve(&Desk::over(Database::sqlite().await)).await;
    assert!(asked(&program, "GET /v1/tokens", "").await.contains(" 401 "));
    let refused = program.said("refused at the admin API").await;
    assert_eq!(
        (&refused["reason"], &refused["from"]),
        (&"bad_token".into(), &"127.0.0.1".into())
    );

    let form = format!("token={GUESS}&to=");
    assert!(asked(&program, "POST /console/login", &form).await.contains(" 200 "));
    let failed = program.said("a login at the console failed").await;
    assert_eq!(failed["from"], "127.0.0.1");
    for _ in 0..200 {
        asked(&program, "GET /v1/tokens", "").await;
    }
    assert!(
        program.events("refused at the admin API").len() < 50,
        "who guesses does not fill the log"
    );
    assert!(!program.process.log().join("\n").contains(GUESS));
}
