//! What a supervisor is told: ready, reading again, stopping, alive. The protocol is systemd's `sd_notify`(3): a datagram
//! for each word, to the socket that `NOTIFY_SOCKET` names.
//!
//! Without that variable nothing is said. A word that does not get through is lost, with a line in the log: it
//! never holds up what it speaks of.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Who started us and wants to know, if there is anybody. All clones speak for the same program.
#[derive(Clone, Default)]
pub(super) struct Supervisor(Option<Arc<Link>>);

struct Link {
    socket: UnixDatagram,
    address: SocketAddr,
    /// How often it wants to hear that we live.
    alive_every: Option<Duration>,
    is_ready: AtomicBool,
}

impl Supervisor {
    /// The one that the environment names.
    pub(super) fn from_env() -> Self {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET") else {
            return Supervisor::default();
        };
        match Link::to(&name) {
            Ok(link) => Supervisor(Some(Arc::new(link))),
            Err(error) => {
                tracing::warn!(%error, "the supervisor at NOTIFY_SOCKET cannot be told anything");
                Supervisor::default()
            }
        }
    }

    /// Says when the store is prepared (the doors are open by then), that we live, and when a stop begins.
    pub(super) async fn attend(self, store_is_there: CancellationToken, stop: CancellationToken) {
        let Some(link) = self.0 else { return };
        tokio::spawn(link.clone().watch());
        if stop.run_until_cancelled(store_is_there.cancelled()).await.is_some() {
            link.is_ready.store(true, Ordering::Relaxed);
            link.say("READY=1");
        }
        stop.cancelled().await;
        link.say("STOPPING=1");
    }

    /// Does this, and says before and after that files are read again. Until we are ready there is nothing to say.
    pub(super) fn while_reloading(&self, reload: impl FnOnce()) {
        let link = self.0.as_ref().filter(|link| link.is_ready.load(Ordering::Relaxed));
        if let Some(link) = link {
            // The instant tells which request this answers; without it none is.
            let since = monotonic_usec().map_or(String::new(), |usec| format!("\nMONOTONIC_USEC={usec}"));
            link.say(&format!("RELOADING=1{since}"));
        }
        reload();
        if let Some(link) = link {
            link.say("READY=1");
        }
    }
}

impl Link {
    /// A path, or behind `@` a name in Linux's own namespace.
    fn to(name: &OsStr) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Link {
            socket,
            address: match name.as_bytes() {
                [b'@', name @ ..] => nameless(name)?,
                _ => SocketAddr::from_pathname(name)?,
            },
            alive_every: alive_every(|name| std::env::var_os(name)),
            is_ready: AtomicBool::new(false),
        })
    }

    /// Says for ever, twice in the time after which it would end us, that the runtime still takes up new work.
    async fn watch(self: Arc<Self>) {
        let Some(every) = self.alive_every else { return };
        loop {
            if tokio::spawn(async {}).await.is_ok() {
                self.say("WATCHDOG=1");
            }
            tokio::time::sleep(every).await;
        }
    }

    fn say(&self, words: &str) {
        if let Err(error) = self.socket.send_to_addr(words.as_bytes(), &self.address) {
            tracing::warn!(%error, words, "the supervisor was not told");
        }
    }
}

#[cfg(target_os = "linux")]
fn nameless(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn nameless(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Half of `WATCHDOG_USEC`, unless `WATCHDOG_PID` says that another is meant.
fn alive_every(env: impl Fn(&str) -> Option<OsString>) -> Option<Duration> {
    let number = |name| env(name).and_then(|value| value.to_str()?.parse::<u64>().ok());
    let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    let usec = number("WATCHDOG_USEC").filter(|usec| is_ours && *usec > 0)?;
    Some(Duration::from_micros(usec / 2))
}

/// Linux's monotonic clock, never before now: `/proc/uptime` cuts to hundredths of a second, so the next one is taken.
fn monotonic_usec() -> Option<u64> {
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, hundredths) = uptime.split_whitespace().next()?.split_once('.')?;
    let (seconds, hundredths): (u64, u64) = (seconds.parse().ok()?, hundredths.parse().ok()?);
    Some((seconds * 100 + hundredths + 1) * 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive_every_by(env: &[(&str, &str)]) -> Option<Duration> {
        alive_every(|name| env.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn a_sign_of_life_comes_at_half_of_the_time() {
        assert_eq!(
            alive_every_by(&[("WATCHDOG_USEC", "30000000")]),
            Some(Duration::from_secs(15))
        );
    }

    #[test]
    fn a_watchdog_of_another_program_is_not_ours() {
        let other = (std::process::id() + 1).to_string();
        assert_eq!(
            alive_every_by(&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", &other)]),
            None
        );
        assert_eq!(alive_every_by(&[("WATCHDOG_USEC", "0")]), None);
        assert_eq!(alive_every_by(&[]), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_behind_an_at_sign_is_one_of_linux_s_own() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("mdes-receiver-test-{}", std::process::id());
        let socket = SocketAddr::from_abstract_name(&name).and_then(|name| UnixDatagram::bind_addr(&name));
        let socket = socket.expect("nobody else has this name");
        let link = Link::to(OsStr::new(&format!("@{name}"))).expect("a socket to speak by");
        link.say("READY=1");
        socket.set_nonblocking(true).expect("a socket");
        let mut heard = [0; 16];
        let length = socket.recv(&mut heard).expect("it was said before");
        assert_eq!(&heard[..length], b"READY=1");
    }
}
