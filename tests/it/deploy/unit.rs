//! The systemd unit, by systemd's own judgement.

use std::process::Command;

use super::{path, ran, text};

const UNIT: &str = "deploy/systemd/mdes-receiver.service";

#[test]
fn it_is_exposed_by_less_than_two_of_ten() {
    let mut judge = Command::new("systemd-analyze");
    judge.args(["security", "--offline=true", "--no-pager", "--threshold=20"]);
    let judged = ran(judge.arg(path(UNIT)));
    assert!(
        judged.contains("Overall exposure level for mdes-receiver.service: "),
        "{judged}"
    );
}

#[test]
fn each_of_its_lines_is_one_that_systemd_knows() {
    let judge = Command::new("systemd-analyze")
        .args(["security", "--offline=true"])
        .arg(path(UNIT))
        .output();
    let complaint = String::from_utf8_lossy(&judge.expect("it runs").stderr).into_owned();
    // systemd 252 does not know `notify-reload` yet; the unit's first lines say what to do there.
    let wrong: Vec<&str> = complaint
        .lines()
        .filter(|line| !line.ends_with("ignoring: notify-reload"))
        .collect();
    assert_eq!(wrong, Vec::<&str>::new());
}

#[test]
fn it_waits_for_a_stop_longer_than_the_receiver_takes() {
    let stop = text(UNIT)
        .lines()
        .find_map(|line| line.strip_prefix("TimeoutStopSec=")?.strip_suffix('s')?.parse().ok());
    let example = text("config/example.toml");
    let ours = example
        .lines()
        .find_map(|line| line.strip_prefix("stop_secs = ")?.parse().ok());
    let (stop, ours): (u64, u64) = (stop.expect("a number"), ours.expect("a number"));
    assert!(stop >= ours + 10, "{stop} s for {ours} s and the last steps");
}
