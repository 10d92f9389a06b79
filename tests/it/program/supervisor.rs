//! What systemd is told, over a real socket: ready, reading again, stopping, alive.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use super::process::{PATIENCE, Program, get};
use crate::support::Database;
use crate::world::{Desk, eventually};

promises!(
    it_is_told_ready_reloading_and_stopping,
    it_is_told_at_half_of_its_time_that_we_live,
);

/// The socket that `NOTIFY_SOCKET` names.
struct Supervisor {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Supervisor {
    fn beside(desk: &Desk) -> Self {
        let path = desk.path("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        Supervisor { socket, path }
    }

    fn env<'a>(&'a self, watchdog: &'a [(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let path = self.path.to_str().expect("temporary folders are UTF-8");
        [&[("NOTIFY_SOCKET", path)], watchdog].concat()
    }

    /// The next thing that it is told.
    fn told(&self) -> String {
        let mut datagram = [0; 1024];
        let read = || self.socket.recv(&mut datagram);
        let length = tokio::task::block_in_place(read).expect("it is told something in time");
        String::from_utf8(datagram[..length].to_vec()).expect("words")
    }
}

async fn it_is_told_ready_reloading_and_stopping(database: Database) {
    let desk = Desk::over(database);
    let supervisor = Supervisor::beside(&desk);
    let mut program = Program::start_with(&desk, &supervisor.env(&[])).await;
    assert_eq!(supervisor.told(), "READY=1");
    assert!(get(program.admin, "/readyz").await.starts_with("HTTP/1.1 200"));

    let asked = uptime_usec();
    program.process.signal("HUP");
    let reloading = supervisor.told();
    let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
    let since: u64 = since.expect("it says since when").parse().expect("a number");
    // systemd takes no earlier one for the answer to its signal.
    assert!(since > asked && since < asked + 60_000_000, "{since} after {asked}");
    assert_eq!(supervisor.told(), "READY=1");
    // It is written by then; the other end of the pipe may read it a moment later.
    eventually("it is done", || async { program.events("reloaded").len() >= 2 }).await;

    program.process.signal("TERM");
    assert_eq!(supervisor.told(), "STOPPING=1");
    assert_eq!(program.process.ended().await.code(), Some(0));
}

async fn it_is_told_at_half_of_its_time_that_we_live(database: Database) {
    let desk = Desk::over(database);
    let supervisor = Supervisor::beside(&desk);
    let env = supervisor.env(&[("WATCHDOG_USEC", "1000000")]);
    let program = Program::start_with(&desk, &env).await;
    let began = std::time::Instant::now();
    let mut alive = 0;
    while alive < 3 {
        alive += usize::from(supervisor.told() == "WATCHDOG=1");
    }
    assert!(
        began.elapsed() >= Duration::from_millis(500),
        "not in one go: {:?}",
        began.elapsed()
    );
    drop(program);
}

/// What the kernel says of itself, cut to hundredths of a second.
fn uptime_usec() -> u64 {
    let uptime = std::fs::read_to_string("/proc/uptime").expect("Linux says it");
    let seconds: f64 = uptime
        .split(' ')
        .next()
        .and_then(|first| first.parse().ok())
        .expect("a number");
    (seconds * 1e6) as u64
}
