//! Deliveries in traces: an attempt stands in the trace of the notification that its event is of.

use std::time::Instant;

use time::OffsetDateTime;
use uuid::Uuid;

use super::attempt::Line;
use crate::store::outbox::Claimed;
use crate::telemetry::traces::{self, Kind, Place, Said, Span, Traces};

/// So many of what a turn claimed are linked to it at most.
const LINKS_MAX: usize = 32;

/// Where an attempt at it stands, if its trace is kept.
pub(super) fn place(claimed: &Claimed, traces: &Traces) -> Option<Place> {
    let about = about(claimed);
    traces.keep(about).then(|| Place::of(about).beside())
}

/// An attempt that ended in this word.
pub(super) struct Attempted<'a> {
    pub(super) line: &'a Line,
    pub(super) claimed: &'a Claimed,
    pub(super) place: Place,
    pub(super) turn: Option<Place>,
    pub(super) from: Instant,
    pub(super) word: &'static str,
}

impl Attempted<'_> {
    pub(super) fn trace(self, traces: &Traces, now: OffsetDateTime) {
        let event = &self.claimed.event.event;
        // An event of no notification begins a trace.
        let under = event.data.notification_id.map(|id| Place::of(id.0).span);
        traces.send([Span {
            place: self.place,
            under,
            name: "deliver",
            kind: Kind::Client,
            from: traces::at(self.from, now),
            until: now,
            says: vec![
                ("destination", Said::Text(self.line.settings.name.clone())),
                ("event", Said::Text(event.id.to_string())),
                ("kind", Said::Word(event.kind.as_str())),
                ("attempt", Said::Figure(self.claimed.attempt.into())),
                ("outcome", Said::Word(self.word)),
            ],
            links: self.turn.into_iter().collect(),
            failed: self.word != "delivered",
        }]);
    }
}

/// A turn that claimed something whose trace is kept; gives where it stands.
pub(super) fn turn(
    line: &Line,
    claimed: &[Claimed],
    settled: usize,
    from: Instant,
    traces: &Traces,
    now: OffsetDateTime,
) -> Option<Place> {
    let kept = claimed.iter().map(about).filter(|id| traces.keep(*id));
    let links: Vec<Place> = kept.take(LINKS_MAX).map(Place::of).collect();
    if links.is_empty() {
        return None;
    }
    let figure = |figure: usize| Said::Figure(i64::try_from(figure).unwrap_or(i64::MAX));
    let place = Place::new();
    traces.send([Span {
        place,
        under: None,
        name: "turn",
        kind: Kind::Client,
        from: traces::at(from, now),
        until: now,
        says: vec![
            ("destination", Said::Text(line.settings.name.clone())),
            ("settled", figure(settled)),
            ("claimed", figure(claimed.len())),
        ],
        links,
        failed: false,
    }]);
    Some(place)
}

fn about(claimed: &Claimed) -> Uuid {
    let event = &claimed.event.event;
    event.data.notification_id.map_or(event.id.0, |id| id.0)
}
