//! One receiver: the real program, killed, stopped and started again behind a door that stays where it is.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::proxy::Proxy;

/// Long enough for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(40);

pub struct Replica {
    name: String,
    folder: PathBuf,
    /// Where senders find it.
    pub door: Arc<Proxy>,
    starts: u32,
    running: Option<Running>,
}

struct Running {
    child: Child,
    admin: SocketAddr,
}

impl Replica {
    /// One that runs by `receiver.toml` in this folder, listening.
    pub async fn start(name: &str, folder: PathBuf) -> anyhow::Result<Self> {
        let mut replica = Replica {
            name: name.to_owned(),
            folder,
            door: Proxy::to(None).await?,
            starts: 0,
            running: None,
        };
        replica.start_again().await?;
        Ok(replica)
    }

    /// Afterwards it listens, and its door leads there.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        self.starts += 1;
        let log = self.folder.join(format!("{}-{}.log", self.name, self.starts));
        let mut command = Command::new(env!("CARGO_BIN_EXE_mdes-receiver"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MDES_RECEIVER")) {
            command.env_remove(name);
        }
        command
            .args(["--config", "receiver.toml", "serve"])
            .current_dir(&self.folder);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?);
        let mut child = command.spawn()?;
        let began = Instant::now();
        let (callback, admin) = loop {
            if let Some(addresses) = listening(&std::fs::read_to_string(&log)?) {
                break addresses;
            }
            ensure!(
                child.try_wait()?.is_none(),
                "{} does not start: see {}",
                self.name,
                log.display()
            );
            ensure!(
                began.elapsed() < PATIENCE,
                "{} does not listen: see {}",
                self.name,
                log.display()
            );
            sleep(Duration::from_millis(20)).await;
        };
        self.door.move_to(callback);
        self.running = Some(Running { child, admin });
        Ok(())
    }

    /// Until it answers that it is ready.
    pub async fn ready(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while !self
            .page("/readyz")
            .await
            .is_ok_and(|page| page.starts_with("HTTP/1.1 200"))
        {
            ensure!(began.elapsed() < PATIENCE, "{} does not become ready", self.name);
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut running) = self.running.take() {
            running.child.kill()?;
            running.child.wait()?;
        }
        Ok(())
    }

    /// SIGTERM; afterwards it has ended by itself.
    pub async fn terminate(&mut self) -> anyhow::Result<()> {
        let Some(mut running) = self.running.take() else {
            return Ok(());
        };
        let told = Command::new("kill")
            .args(["-s", "TERM", &running.child.id().to_string()])
            .status()?;
        ensure!(told.success(), "kill: {told}");
        let began = Instant::now();
        loop {
            match running.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("{} stopped by {status}", self.name),
                None => sleep(Duration::from_millis(10)).await,
            }
            if began.elapsed() > PATIENCE {
                running.child.kill()?;
                bail!("{} does not stop", self.name);
            }
        }
    }

    /// What of its memory is resident, in bytes.
    pub fn memory_bytes(&self) -> anyhow::Result<u64> {
        let running = self.running.as_ref().context("it does not run")?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", running.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()).context("VmRSS")?;
        Ok(kilobytes.parse::<u64>()? << 10)
    }

    /// How many connections are open at its door, as it says.
    pub async fn connections(&self) -> anyhow::Result<u64> {
        let metrics = self.page("/metrics").await?;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("mdes_receiver_connections "));
        Ok(line.context("mdes_receiver_connections")?.trim().parse()?)
    }

    async fn page(&self, path: &str) -> anyhow::Result<String> {
        let admin = self.running.as_ref().context("it does not run")?.admin;
        let asked = async {
            let mut socket = TcpStream::connect(admin).await?;
            let request = format!("GET {path} HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
            socket.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await?;
            anyhow::Ok(answer)
        };
        tokio::time::timeout(PATIENCE, asked).await?
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.kill(); // it may have ended
    }
}

fn listening(log: &str) -> Option<(SocketAddr, SocketAddr)> {
    log.lines().find_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        let address = |key: &str| event[key].as_str()?.parse().ok();
        (event["message"] == "listening").then_some(())?;
        Some((address("callback")?, address("admin")?))
    })
}
