//! `lifecycle suspend|resume|delete REFERENCE`: one command.

use std::process::ExitCode;
use std::time::Instant;

use super::{ASKER, Change, many, wait};
use crate::cli::{NOT_WELL, because, misuse, output};
use crate::clock::{Clock, SystemClock, new_id};
use crate::config::settings::Settings;
use crate::domain::command::Action;
use crate::domain::id::CommandId;
use crate::lifecycle::ordering::{self, Offered, Refused, Written};
use crate::store::Memory;
use crate::store::desk::{Desk as _, Ordered};

pub(super) async fn run(
    action: Action,
    change: &Change,
    settings: &Settings,
    memory: &Memory,
) -> anyhow::Result<ExitCode> {
    if action == Action::Delete && settings.lifecycle.desk.delete_needs_two {
        // Here nobody is asked for a token, so that one person could be both.
        return Err(misuse(
            "deletions need another operator's approval here: ask for it with your own token (docs/api.md)",
        ));
    }
    let offered = Offered::by(&settings.lifecycle);
    let Some(reference) = change.reference.as_deref() else {
        return many::run(action, change, settings, &offered, memory).await;
    };
    if action == Action::Delete && !change.yes {
        return Err(misuse(
            "a deleted token does not come back: if that is what you want, say --yes",
        ));
    }
    let written = change.how.written(action);
    let kept = match asked(written, reference, &offered, change.idempotency_key.as_deref(), memory).await {
        Ok(Ordered::New(kept)) => {
            output::print(&format!("asked for, as {}\n", kept.command.id));
            kept
        }
        Ok(Ordered::Same(kept)) => {
            output::print(&format!("asked for before, as {}\n", kept.command.id));
            kept
        }
        Ok(Ordered::Conflict(id)) => {
            output::tell(format_args!(
                "that key was used for another command, {id}: give each command a key of its own"
            ));
            return Ok(ExitCode::from(NOT_WELL));
        }
        Err(Refused::Unfit(unfit)) => return Err(misuse(unfit)),
        Err(Refused::Store(error)) => return Err(error.into()),
    };
    if change.wait {
        let until = Instant::now() + change.patience(settings);
        return wait::shown(kept.command.id, until, memory).await;
    }
    Ok(ExitCode::SUCCESS)
}

/// Keeps the command that is written. The person at the keyboard has confirmed a deletion by `--yes`.
pub(super) async fn asked(
    mut written: Written,
    reference: &str,
    offered: &Offered,
    key: Option<&str>,
    memory: &Memory,
) -> Result<Ordered, Refused> {
    let token = ordering::token(written.namespace.as_deref(), reference)?;
    written.confirm = Some(ordering::confirmation(&token).to_owned());
    let order = written.order(reference, offered, memory).await?;
    let id = CommandId(new_id(SystemClock.now()));
    let command = ordering::command(id, order, offered, ASKER, key)?;
    let memory = because(memory, command.order.reason.as_deref());
    Ok(memory.order(&command).await?)
}
