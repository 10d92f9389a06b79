//! A notification's part of its trace: from the handshake that brought it to its answer.
//!
//! A `traceparent` that a sender sends is not looked at: whoever calls at the door does not choose our traces.

use std::time::Instant;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::clock::new_id;
use crate::net::peer::Handshake;
use crate::telemetry::traces::{self, Kind, Place, Said, Span, Traces, Witnessed};

/// A notification that was answered.
pub(super) struct Answered<'a> {
    /// The handshake, if this is the first request after it.
    pub(super) handshake: Option<Handshake>,
    /// When its head was there …
    pub(super) came: Instant,
    /// … and when its body was.
    pub(super) whole: Instant,
    /// What was seen of it since.
    pub(super) seen: Witnessed,
    /// Who sent it, by the configuration's name.
    pub(super) peer: &'a str,
    /// Where to, by the configuration; `-` if it was another path.
    pub(super) path: &'a str,
    /// In the metrics' word.
    pub(super) outcome: &'static str,
    /// Of the answer.
    pub(super) status: u16,
    /// It was told before, as that one.
    pub(super) first: Option<Uuid>,
}

impl Answered<'_> {
    /// Sends it, if its trace is kept.
    pub(super) fn trace(self, traces: &Traces, now: OffsetDateTime) {
        if !traces.are_on() {
            return;
        }
        // What could not be kept has no id of its own.
        let about = self.seen.about.unwrap_or_else(|| new_id(now));
        if traces.keep(about) {
            traces.send(self.spans(Place::of(about), now));
        }
    }

    fn spans(self, root: Place, now: OffsetDateTime) -> Vec<Span> {
        let part = |name, from: Instant, until: Instant| Span {
            place: root.beside(),
            under: Some(root.span),
            name,
            kind: Kind::Internal,
            from: traces::at(from, now),
            until: traces::at(until, now),
            says: Vec::new(),
            links: Vec::new(),
            failed: false,
        };
        let handshake = self.handshake.map(|one| part("handshake", one.began, one.ended));
        let body = part("body", self.came, self.whole);
        let stages = self.seen.stages.iter();
        let stages = stages.map(|stage| part(stage.name, stage.from, stage.until));
        let whole = Span {
            place: root,
            under: None,
            name: "notification",
            kind: Kind::Server,
            from: traces::at(self.came, now),
            until: now,
            says: vec![
                ("peer", Said::Text(self.peer.to_owned())),
                ("path", Said::Text(self.path.to_owned())),
                ("outcome", Said::Word(self.outcome)),
                ("http.response.status_code", Said::Figure(self.status.into())),
            ],
            links: self.first.map(Place::of).into_iter().collect(),
            failed: self.status >= 500,
        };
        handshake
            .into_iter()
            .chain([body])
            .chain(stages)
            .chain([whole])
            .collect()
    }
}
