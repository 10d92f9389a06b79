//! `destinations test`: one event that means nothing, sent as any other would be.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use time::OffsetDateTime;

use crate::cli::{NOT_WELL, output};
use crate::clock::{Clock, SystemClock, new_id};
use crate::config::settings::Settings;
use crate::delivery::{self, Outgoing, Sent};
use crate::domain::event::{Attempt, Event, EventData, EventType, VERSION};
use crate::domain::id::EventId;

pub(super) async fn run(name: &str, settings: &Settings) -> anyhow::Result<ExitCode> {
    let names: Vec<&str> = settings.destinations.iter().map(|one| one.name.as_str()).collect();
    let one = settings.destinations.iter().find(|one| one.name == name);
    let one = one.with_context(|| {
        format!(
            "no destination `{name}` in the configuration; there is: {}",
            names.join(", ")
        )
    })?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let now = clock.now();
    let destination = delivery::open(one, &clock)?;
    match destination.send(&outgoing(now)).await {
        Sent::Taken(answer) => {
            output::print(&format!("{name} took it{}\n", said(answer.status, &answer.text)));
            Ok(ExitCode::SUCCESS)
        }
        Sent::Gone(answer) => {
            output::print(&format!("{name} is gone{}\n", said(answer.status, &answer.text)));
            Ok(ExitCode::from(NOT_WELL))
        }
        Sent::Failed { answer, class, .. } => {
            output::print(&format!(
                "{name} did not take it ({}){}\n",
                class.as_str(),
                said(answer.status, &answer.text)
            ));
            Ok(ExitCode::from(NOT_WELL))
        }
    }
}

fn said(status: Option<u16>, text: &str) -> String {
    let status = status.map(|status| format!(", status {status}")).unwrap_or_default();
    let text = if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    };
    format!("{status}{text}")
}

fn outgoing(now: OffsetDateTime) -> Outgoing {
    let event = event(now);
    Outgoing {
        id: event.id,
        kind: event.kind,
        token: None,
        requestor: None,
        now,
        body: event.written(&Attempt::default()).into(),
        trace: None,
    }
}

fn event(now: OffsetDateTime) -> Event {
    Event {
        id: EventId(new_id(now)),
        kind: EventType::Test,
        version: VERSION,
        timestamp: now,
        data: EventData::of_no_token(now),
    }
}
