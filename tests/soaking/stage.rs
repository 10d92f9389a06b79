//! One database with its receivers, everything around them, and the course of a run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use mdes_receiver::simulator::dev_files::{self, DevFiles};
use mdes_receiver::simulator::seal::{Sealer, Style};
use mdes_receiver::simulator::sender::{Deadlines, Http, Identity, Sender};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use crate::Plan;
use crate::evidence::Reader;
use crate::faults::{self, Struck};
use crate::load::{self, Door, Seen};
use crate::model;
use crate::postgres::Postgres;
use crate::proxy::Proxy;
use crate::replica::Replica;
use crate::report::{self, Report};
use crate::saying::Sayings;
use crate::sink::Sink;

/// How long it may take until everything is told: a lease of 45 s, and what waits behind it.
const TOLD_WITHIN: Duration = Duration::from_secs(150);
/// How long connections whose other end is gone may be held.
const CLOSED_WITHIN: Duration = Duration::from_secs(40);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Two receivers on one PostgreSQL.
    Postgres,
    /// One receiver.
    Sqlite,
}

/// What may fail around the receivers.
pub struct Surroundings {
    pub postgres: Option<Postgres>,
    /// Between the receivers and PostgreSQL.
    pub database: Arc<Proxy>,
    /// Between the receivers and the merchant.
    pub merchant: Arc<Proxy>,
}

pub struct Stage {
    folder: TempDir,
    files: DevFiles,
    around: Surroundings,
    reader: Reader,
    sink: Sink,
    replicas: Vec<Replica>,
}

impl Stage {
    /// Sets it up, loads it, lets things fail, and judges.
    pub async fn run(on: On, plan: Plan) -> anyhow::Result<Report> {
        let mut stage = Stage::set(on).await?;
        let judged = stage.play(&plan).await;
        if !judged.as_ref().is_ok_and(Report::holds) {
            stage.folder.disable_cleanup(true);
            eprintln!(
                "soak: {on:?}: logs and files are kept in {}",
                stage.folder.path().display()
            );
        }
        judged
    }

    async fn set(on: On) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let files = dev_files::ensure(folder.path(), OffsetDateTime::now_utc())?;
        let (sink, merchant) = Sink::open().await?;
        let merchant = Proxy::to(Some(merchant)).await?;
        let mut around = Surroundings {
            postgres: None,
            database: Proxy::to(None).await?,
            merchant,
        };
        let (count, url, reader) = match on {
            On::Sqlite => {
                let url = format!("sqlite://{}/receiver.db", folder.path().display());
                (1, url.clone(), Reader { url })
            }
            On::Postgres => {
                let postgres = Postgres::of_the_tests().await?;
                let name = postgres.new_database().await?;
                around.database.move_to(([127, 0, 0, 1], postgres.port()).into());
                let (through, direct) = (around.database.address.port(), postgres.port());
                let (url, reader) = (postgres.url(&name, through), postgres.url(&name, direct));
                around.postgres = Some(postgres);
                (2, url, Reader { url: reader })
            }
        };
        std::fs::write(folder.path().join("receiver.toml"), config(&url, &around.merchant))?;
        let mut replicas = Vec::new();
        for number in 0..count {
            let replica = Replica::start(&format!("replica-{number}"), folder.path().to_owned()).await?;
            replica.ready().await?;
            replicas.push(replica);
        }
        Ok(Stage {
            folder,
            files,
            around,
            reader,
            sink,
            replicas,
        })
    }

    async fn play(&mut self, plan: &Plan) -> anyhow::Result<Report> {
        let sayings = Sayings::seeded(plan.seed, plan.tokens(), OffsetDateTime::now_utc());
        let sealer = Sealer::new(&read(&self.files.decryption.certificate)?, Style::default())?;
        let lost = sealer.to_a_lost_key()?;
        let doors = self.replicas.iter().map(|one| Ok(Door::of(self.sender(&one.door)?)));
        let doors = doors.collect::<anyhow::Result<Vec<Door>>>()?;
        let until = Instant::now() + plan.lasts();
        let (seen, struck) = tokio::join!(
            load::run(plan, sayings, [sealer, lost], doors),
            faults::run(&self.around, &mut self.replicas, plan.seed, until),
        );
        let (seen, struck) = (seen?, struck?);
        for replica in &self.replicas {
            replica.ready().await?;
        }
        self.told().await?;
        self.judged(seen, &struck).await
    }

    fn sender(&self, door: &Proxy) -> anyhow::Result<Sender> {
        let client = &self.files.client;
        let identity = Identity::from_pem(&read(&client.certificate)?, &read(&client.private_key)?)?;
        let deadlines = Deadlines {
            connect: Duration::from_secs(2),
            handshake: Duration::from_secs(4),
            answer: Duration::from_secs(7),
            listen_first: Duration::ZERO,
        };
        let roots = read(&self.files.ca.certificate)?;
        let target = format!("https://{}", door.address).parse()?;
        Ok(Sender::new(target, Some(identity), &roots, Http::One, deadlines)?)
    }

    /// Until the merchant was told of every event, or long enough to say that it was not.
    async fn told(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < TOLD_WITHIN {
            let heard: std::collections::BTreeSet<String> = self.sink.heard().into_iter().map(|one| one.id).collect();
            if heard.len() >= self.reader.events().await? {
                break;
            }
            sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    }

    async fn judged(&self, seen: Seen, struck: &[Struck]) -> anyhow::Result<Report> {
        let (kept, heard) = (self.reader.kept().await?, self.sink.heard());
        let findings = model::judge(&seen.said, &seen.refused, &kept, &heard);
        let mut acknowledged = seen.acknowledged;
        let (mut memory_bytes, mut connections) = (Vec::new(), Vec::new());
        for replica in &self.replicas {
            connections.push(closed(replica).await?);
            memory_bytes.push(replica.memory_bytes()?);
        }
        Ok(Report {
            said: seen.said.len(),
            acknowledged: acknowledged.len(),
            refused: seen.refused.len(),
            unanswered: seen.unanswered,
            unsent: seen.unsent,
            attempts: seen.attempts,
            stored: kept.notifications.len(),
            events: kept.events.len(),
            heard: heard.len(),
            outages: report::outages(struck, &mut acknowledged),
            findings,
            memory_bytes,
            connections,
        })
    }
}

/// The connections that are still open once there was time to close them.
async fn closed(replica: &Replica) -> anyhow::Result<u64> {
    let began = Instant::now();
    loop {
        let open = replica.connections().await?;
        if open == 0 || began.elapsed() > CLOSED_WITHIN {
            return Ok(open);
        }
        sleep(Duration::from_millis(200)).await;
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| PathBuf::from(file).display().to_string())
}

/// What an operator would write, with a schedule of retries that lets a short run see its end.
fn config(store: &str, merchant: &Proxy) -> String {
    let waits = vec!["\"1s\""; 50].join(", ");
    format!(
        r#"
[callback]
listen = "127.0.0.1:0"
response_host = "tokens.merchant.example"
[callback.tls]
certificate = "server.pem"
private_key = "server.key"
client_roots = ["mastercard-client-ca.pem"]
[store]
url = "{store}"
[admin]
listen = "127.0.0.1:0"
[log]
format = "json"
[[keys]]
private_key = "decrypt.key"
certificate = "decrypt.pem"
[[destinations]]
name = "merchant"
url = "http://{}/hook"
secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
allow_networks = ["127.0.0.0/8"]
start = "beginning"
retry_schedule = [{waits}]
"#,
        merchant.address
    )
}
