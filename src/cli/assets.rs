//! `assets`: card art that some token names, as a file; from the store, or fetched from MDES and kept.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{NOT_WELL, open_memory, output};
use crate::clock::{Clock, SystemClock};
use crate::config::settings::Settings;
use crate::lifecycle::art::{Art, Gallery, NoArt};
use crate::mdes;
use crate::store::{Memory, Store as _};

#[derive(Debug, Args)]
pub(super) struct AssetsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One medium of an asset.
    Get {
        /// Its id, as a token's productConfig names it.
        id: String,
        /// Which of its media.
        #[arg(long, default_value_t = 0)]
        place: u32,
        /// Where to.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

pub(super) async fn run(args: &AssetsArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let memory = open_memory(settings).await?;
    let Command::Get { id, place, out } = &args.command;
    let medium = art(settings, &memory)?.medium(id, *place).await;
    memory.close().await;
    let medium = match medium {
        Ok(medium) => medium,
        Err(NoArt::Store(error)) => return Err(error.into()),
        Err(why) => {
            output::tell(output::escaped(&why.to_string()));
            return Ok(ExitCode::from(NOT_WELL));
        }
    };
    std::fs::write(out, &medium.body).with_context(|| format!("cannot write {}", out.display()))?;
    let kind = output::escaped(&medium.content_type);
    output::print(&format!("{}: {kind}, {} bytes\n", out.display(), medium.body.len()));
    Ok(ExitCode::SUCCESS)
}

fn art(settings: &Settings, memory: &Arc<Memory>) -> anyhow::Result<Arc<Art>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let gallery: Option<Arc<dyn Gallery>> = match &settings.lifecycle.mdes {
        Some(mdes) => Some(Arc::new(mdes::client::Client::load(mdes, clock.clone())?)),
        None => None,
    };
    Ok(Arc::new(Art::new(memory.clone(), gallery, clock)))
}
