//! Commands in traces: each of its calls stands in the trace that bears the command's id. No service is told of it.

use std::time::Instant;

use time::OffsetDateTime;

use super::{Looked, Reply, Trouble};
use crate::domain::command::{Command, Service};
use crate::domain::id::{CommandId, NotificationId};
use crate::telemetry::traces::{self, Kind, Place, Said, Span, Traces};

/// A call to a service that has ended.
pub(super) struct Called {
    /// `look` or `change`.
    pub(super) name: &'static str,
    pub(super) command: CommandId,
    pub(super) service: Service,
    pub(super) from: Instant,
    /// In one word.
    pub(super) outcome: &'static str,
}

impl Called {
    pub(super) fn trace(self, traces: &Traces, now: OffsetDateTime) {
        if !traces.keep(self.command.0) {
            return;
        }
        let root = Place::of(self.command.0);
        traces.send([Span {
            under: Some(root.span),
            kind: Kind::Client,
            failed: matches!(self.outcome, "lost" | "unsent" | "unanswered"),
            says: vec![
                ("service", Said::Word(self.service.as_str())),
                ("outcome", Said::Word(self.outcome)),
            ],
            ..span(self.name, root.beside(), traces::at(self.from, now), now)
        }]);
    }
}

/// A command has come to its end: the whole of it, since it was asked for.
pub(super) fn ended(command: &Command, asked_at: OffsetDateTime, traces: &Traces, now: OffsetDateTime) {
    if !traces.keep(command.id.0) {
        return;
    }
    traces.send([Span {
        says: vec![
            ("action", Said::Word(command.order.action.as_str())),
            ("service", Said::Word(command.order.through.as_str())),
            ("end", Said::Word(command.stage.as_str())),
            ("sends", Said::Figure(command.sends.into())),
        ],
        ..span("command", Place::of(command.id.0), asked_at, now)
    }]);
}

/// What a service said of a token was taken in as that notification, whose trace begins with this.
pub(super) fn learned(
    notification: NotificationId,
    command: Option<CommandId>,
    from: Instant,
    traces: &Traces,
    now: OffsetDateTime,
) {
    if !traces.keep(notification.0) {
        return;
    }
    let links = command.map(|id| Place::of(id.0)).into_iter().collect();
    let place = Place::of(notification.0);
    traces.send([Span {
        links,
        ..span("answer", place, traces::at(from, now), now)
    }]);
}

/// In the metrics' manner, how a look ended.
pub(super) fn of_look(looked: &Result<Looked, Trouble>) -> &'static str {
    match looked {
        Ok(_) => "looked",
        Err(_) => "unanswered",
    }
}

/// And a change.
pub(super) fn of_change(reply: &Reply) -> &'static str {
    match reply {
        Reply::Accepted { .. } => "accepted",
        Reply::Refused { .. } => "refused",
        Reply::Lost(_) => "lost",
        Reply::Unsent(_) => "unsent",
    }
}

fn span(name: &'static str, place: Place, from: OffsetDateTime, until: OffsetDateTime) -> Span {
    Span {
        place,
        under: None,
        name,
        kind: Kind::Internal,
        from,
        until,
        says: Vec::new(),
        links: Vec::new(),
        failed: false,
    }
}
