//! The PostgreSQL of `tests/with-postgres`, stopped and started.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use url::Url;

pub struct Postgres {
    server: Url,
    programs: PathBuf,
    data: PathBuf,
}

impl Postgres {
    /// The one whose address stands in the environment.
    pub async fn of_the_tests() -> anyhow::Result<Self> {
        let server = std::env::var("MDES_RECEIVER_TEST_POSTGRES").context("no PostgreSQL: run it by tests/soak")?;
        let programs = std::env::var("MDES_RECEIVER_TEST_PG_BIN").context("no PostgreSQL: run it by tests/soak")?;
        let mut connection = PgConnection::connect(&server).await?;
        let data: String = sqlx::query_scalar("show data_directory")
            .fetch_one(&mut connection)
            .await?;
        Ok(Postgres {
            server: server.parse()?,
            programs: programs.into(),
            data: data.into(),
        })
    }

    pub fn port(&self) -> u16 {
        self.server.port().unwrap_or(5432)
    }

    /// A new database; its name.
    pub async fn new_database(&self) -> anyhow::Result<String> {
        let name = format!("mdes_soak_{}", std::process::id());
        let mut connection = PgConnection::connect(self.server.as_str()).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("create database {name}")))
            .execute(&mut connection)
            .await?;
        Ok(name)
    }

    /// Its URL, by this port of loopback.
    pub fn url(&self, database: &str, port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/{database}")
    }

    /// As if the machine had lost its power, but for the disk's cache.
    pub async fn stop_immediately(&self) -> anyhow::Result<()> {
        self.control(&["stop", "--mode", "immediate"]).await
    }

    pub async fn start(&self) -> anyhow::Result<()> {
        let options = format!("-p {}", self.port());
        let log = self.data.with_file_name("log");
        let log = log.to_str().context("a folder in UTF-8")?;
        self.control(&["start", "--wait", "--log", log, "--options", &options])
            .await
    }

    /// As the owner of its files, since it refuses to run as root.
    async fn control(&self, args: &[&str]) -> anyhow::Result<()> {
        let owner = std::fs::metadata(&self.data)?;
        let mut command = Command::new(self.programs.join("pg_ctl"));
        command.args(args).arg("--pgdata").arg(&self.data);
        command.arg("--silent").current_dir(&self.data);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if std::fs::metadata("/proc/self")?.uid() != owner.uid() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        let status = tokio::task::spawn_blocking(move || command.status()).await??;
        ensure!(status.success(), "pg_ctl {args:?}: {status}");
        Ok(())
    }
}
