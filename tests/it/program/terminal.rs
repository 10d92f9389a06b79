//! What a terminal sees, and what a pipe does: colours, progress, and nothing that speaks to either.

use std::process::Command;

use super::process::{BINARY, config_file};
use crate::support::Database;
use crate::world::Desk;

/// What a terminal is sent by `mdes-receiver ARGS`, run on this desk with these variables.
fn on_a_terminal(desk: &Desk, args: &str, env: &[(&str, &str)]) -> String {
    let line = format!("{BINARY} {args}");
    let ran = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env_clear()
        .env("TERM", "xterm")
        .env("MDES_RECEIVER_CONFIG", config_file(desk))
        .envs(env.iter().copied())
        .current_dir(desk.path(""))
        .output()
        .expect("script, of Debian's bsdutils");
    String::from_utf8(ran.stdout).expect("UTF-8")
}

/// The same, into a pipe.
fn into_a_pipe(desk: &Desk, args: &[&str], env: &[(&str, &str)]) -> String {
    let ran = Command::new(BINARY)
        .args(args)
        .env_clear()
        .env("MDES_RECEIVER_CONFIG", config_file(desk))
        .envs(env.iter().copied())
        .current_dir(desk.path(""))
        .output()
        .expect("it starts");
    format!(
        "{}{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    )
}

/// A desk whose store has this table of tokens to import.
async fn desk(rows: usize) -> Desk {
    let desk = Desk::over(Database::sqlite().await);
    let lines: String = (0..rows).map(|row| format!("DM4MMC{row:06}\n")).collect();
    std::fs::write(desk.path("tokens.csv"), format!("reference\n{lines}")).expect("written");
    desk
}

#[tokio::test]
async fn there_are_colours_on_a_terminal_alone_unless_somebody_says_otherwise() {
    let desk = desk(0).await;
    let has_colours = |text: &str| text.contains("\x1b[3");
    assert!(has_colours(&on_a_terminal(&desk, "check", &[])));
    for (args, env) in [
        ("check --color never", &[] as &[(&str, &str)]),
        ("check", &[("NO_COLOR", "1")]),
        ("check", &[("TERM", "dumb")]),
    ] {
        assert!(!has_colours(&on_a_terminal(&desk, args, env)), "{args} {env:?}");
    }
    assert!(!has_colours(&into_a_pipe(&desk, &["check"], &[])));
    assert!(has_colours(&into_a_pipe(&desk, &["check", "--color", "always"], &[])));
    assert!(has_colours(&into_a_pipe(&desk, &["check"], &[("CLICOLOR_FORCE", "1")])));
}

#[tokio::test]
async fn long_work_shows_how_far_it_is_on_a_terminal_alone() {
    let desk = desk(2_000).await;
    let shown = on_a_terminal(&desk, "tokens import tokens.csv", &[]);
    assert!(shown.contains("lines\r\x1b[2K"), "and it goes again: {shown:?}");
    let quiet = on_a_terminal(&desk, "tokens import tokens.csv --quiet", &[]);
    let piped = into_a_pipe(&desk, &["tokens", "import", "tokens.csv"], &[]);
    for plain in [quiet.replace("\r\n", "\n"), piped] {
        assert_eq!(
            plain,
            "2000 registered: 0 new, 0 that the network had spoken of already, 2000 registered before\n"
        );
    }
}

#[tokio::test]
async fn what_strangers_wrote_speaks_to_no_terminal() {
    let desk = desk(0).await;
    let sly = "DM4\u{1b}]0;owned\u{7}\u{202e}";
    for args in [
        &["token", "show", sly] as &[&str],
        &["explain", sly],
        &["--config", sly, "check"],
    ] {
        let said = into_a_pipe(&desk, args, &[]);
        assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{args:?}: {said:?}");
    }
}
