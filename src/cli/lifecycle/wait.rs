//! Watching a command: each step as it is taken, until the last.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::cli::{NOT_WELL, output};
use crate::domain::command::Stage;
use crate::domain::id::CommandId;
use crate::store::desk::{Desk as _, KeptCommand};
use crate::store::{self, Memory};

const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A receiver that runs takes up a command at once.
const HINT_AFTER: Duration = Duration::from_secs(5);

/// Shows each step; exit code 0 if it is confirmed.
pub(super) async fn shown(id: CommandId, until: Instant, memory: &Memory) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let (mut told, mut hinted) = (0, false);
    loop {
        let kept = memory.command(id).await?;
        let steps = memory.steps(id).await?;
        for step in steps.iter().skip(told) {
            let at = output::time(Some(step.at));
            output::print(&format!(
                "{at}  {:12}  {}\n",
                step.stage.as_str(),
                output::escaped(&step.why)
            ));
        }
        told = steps.len();
        let Some(kept) = kept else {
            anyhow::bail!("the command is gone from the store");
        };
        if kept.command.stage.is_final() {
            return Ok(code(kept.command.stage));
        }
        if Instant::now() >= until {
            output::tell(format_args!(
                "not at its end yet: `mdes-receiver lifecycle show {id}` says how it goes on"
            ));
            return Ok(ExitCode::from(NOT_WELL));
        }
        if !hinted && told <= 1 && begun.elapsed() > HINT_AFTER {
            hinted = true;
            output::tell(hint(&kept));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn hint(kept: &KeptCommand) -> &'static str {
    match kept.waits {
        true => "it waits until another operator approves of it: POST /v1/commands/{id}/approve",
        false => "nobody has taken it up yet: does the receiver run (`mdes-receiver serve`) on this store?",
    }
}

/// Where it stands when it has ended, or the time is over.
pub(super) async fn ended(id: CommandId, until: Instant, memory: &Memory) -> Result<Option<Stage>, store::Error> {
    loop {
        match memory.command(id).await?.map(|kept| kept.command.stage) {
            Some(stage) if !stage.is_final() && Instant::now() < until => tokio::time::sleep(LOOK_EVERY).await,
            stage => return Ok(stage),
        }
    }
}

fn code(stage: Stage) -> ExitCode {
    match stage {
        Stage::Confirmed => ExitCode::SUCCESS,
        _ => ExitCode::from(NOT_WELL),
    }
}
