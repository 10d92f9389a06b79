//! Traces: what took how long, from the handshake to the delivery. Off unless `[traces]` says where they go.
//!
//! A trace bears the id of what it is about (a notification, a quarantined body, a command), so that whoever has the one
//! has the other: a delivery joins the trace of its notification days later and from another replica, and nothing of a
//! trace is at rest. A span is made when it has ended, and only where its trace is kept; off, none is ever made.
//!
//! What a span says are words of this program, names from the configuration, our own ids and figures: nothing that
//! anybody else said, and no token.

mod otlp;
mod stages;

use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::rand;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use uuid::Uuid;

pub use self::otlp::{Resource, written};
pub use self::stages::{Stage, Witnessed, about, during, within};
use super::Outcome;

/// Spans that wait for the collector; past it they are dropped, and counted.
const WAITING_MAX: usize = 4_096;

/// Where spans go. Cheap to clone; off, it takes none.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Inner>>);

struct Inner {
    spans: mpsc::Sender<Span>,
    one_in: u64,
    counted: Family<Outcome, Counter>,
}

/// Where a span stands: in which trace, and which one it is there (W3C Trace Context).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The trace.
    pub trace: [u8; 16],
    /// The span.
    pub span: [u8; 8],
}

/// What a span is to the one that it stands under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A part of it.
    Internal,
    /// Somebody asked us.
    Server,
    /// We asked somebody.
    Client,
}

/// What an attribute says. A text is a name from the configuration, or an id of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A word of this program.
    Word(&'static str),
    /// An id of ours, or a name from the configuration.
    Text(String),
    /// A figure.
    Figure(i64),
}

/// Something that took its time, and has ended.
#[derive(Clone, Debug)]
pub struct Span {
    /// Where it stands.
    pub place: Place,
    /// Under which span of its trace.
    pub under: Option<[u8; 8]>,
    /// What it is.
    pub name: &'static str,
    /// To the one above it.
    pub kind: Kind,
    /// From when …
    pub from: OffsetDateTime,
    /// … to when.
    pub until: OffsetDateTime,
    /// What it says.
    pub says: Vec<(&'static str, Said)>,
    /// What it has to do with besides.
    pub links: Vec<Place>,
    /// It did not do what it was there for.
    pub failed: bool,
}

impl Traces {
    /// One trace in so many goes there; the other end gives the spans to the collector.
    pub(super) fn one_in(one_in: u64, counted: Family<Outcome, Counter>) -> (Self, mpsc::Receiver<Span>) {
        let (spans, waiting) = mpsc::channel(WAITING_MAX);
        let one_in = one_in.max(1);
        let inner = Inner { spans, one_in, counted };
        (Traces(Some(Arc::new(inner))), waiting)
    }

    /// Whether any span goes anywhere.
    pub fn are_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the trace of that is kept. Every replica says the same of the same id.
    pub fn keep(&self, about: Uuid) -> bool {
        let Some(inner) = &self.0 else { return false };
        // The random end of a v7.
        let [.., a, b, c, d, e, f] = about.into_bytes();
        let chance = [a, b, c, d, e, f]
            .iter()
            .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        chance.is_multiple_of(inner.one_in)
    }

    /// Hands spans over without waiting: where the collector is behind, they are dropped.
    pub fn send(&self, spans: impl IntoIterator<Item = Span>) {
        let Some(inner) = &self.0 else { return };
        for span in spans {
            if inner.spans.try_send(span).is_err() {
                self.counted("dropped", 1);
            }
        }
    }

    /// So many spans were `exported`, `dropped` for want of room, or `refused` by a collector that is away or unwilling.
    pub fn counted(&self, outcome: &'static str, spans: u64) {
        if let Some(inner) = &self.0 {
            inner.counted.get_or_create(&Outcome { outcome }).inc_by(spans);
        }
    }

    /// Does the work, and gives the stages that it went through; off, nobody looks.
    pub async fn witness<F: Future>(&self, work: F) -> (F::Output, Witnessed) {
        match self.are_on() {
            true => stages::witness(work).await,
            false => (work.await, Witnessed::default()),
        }
    }
}

impl Place {
    /// The first span of the trace of that: whoever knows the id knows where it stands.
    pub fn of(about: Uuid) -> Self {
        let trace = about.into_bytes();
        let [.., a, b, c, d, e, f, g, h] = trace;
        Place {
            trace,
            span: [a, b, c, d, e, f, g, h],
        }
    }

    /// A new span in the same trace.
    pub fn beside(self) -> Self {
        Place {
            trace: self.trace,
            span: Place::new().span,
        }
    }

    /// The first span of a trace of its own.
    pub fn new() -> Self {
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        // Without chance two traces look like one, and nothing else is wrong.
        let _ = rand::fill(&mut trace).and_then(|()| rand::fill(&mut span));
        Place { trace, span }
    }

    /// As the header `traceparent` says it to who is asked; a span that is told of is kept.
    pub fn traceparent(self) -> String {
        format!("00-{}-{}-01", hex::encode(self.trace), hex::encode(self.span))
    }

    /// What such a header says, if it can be read and says that it is kept.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.split('-');
        let [version, trace, span, flags] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        let mut place = Place {
            trace: [0; 16],
            span: [0; 8],
        };
        let is_lower = !traceparent.bytes().any(|byte| byte.is_ascii_uppercase());
        let is_00 = version == "00" && parts.next().is_none() && flags.len() == 2;
        hex::decode_to_slice(trace, &mut place.trace).ok()?;
        hex::decode_to_slice(span, &mut place.span).ok()?;
        let is_kept = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        let is_somewhere = place.trace != [0; 16] && place.span != [0; 8];
        (is_00 && is_lower && is_kept && is_somewhere).then_some(place)
    }
}

impl Default for Place {
    fn default() -> Self {
        Place::new()
    }
}

/// When by the clock that was, if it is now by the clock: spans are measured by a watch that nobody sets.
pub fn at(then: Instant, now: OffsetDateTime) -> OffsetDateTime {
    let ago = time::Duration::try_from(then.elapsed()).unwrap_or_default();
    now.saturating_sub(ago)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(one_in: u64) -> (Traces, mpsc::Receiver<Span>, Family<Outcome, Counter>) {
        let counted = Family::default();
        let (traces, waiting) = Traces::one_in(one_in, counted.clone());
        (traces, waiting, counted)
    }

    fn span() -> Span {
        Span {
            place: Place::new(),
            under: None,
            name: "turn",
            kind: Kind::Internal,
            from: OffsetDateTime::UNIX_EPOCH,
            until: OffsetDateTime::UNIX_EPOCH,
            says: Vec::new(),
            links: Vec::new(),
            failed: false,
        }
    }

    #[test]
    fn a_trace_bears_the_id_of_what_it_is_about() {
        let id: Uuid = "019aab7c-5b1e-7e01-b1f6-0123456789ab".parse().expect("an id");
        let parent = "00-019aab7c5b1e7e01b1f60123456789ab-b1f60123456789ab-01";
        assert_eq!(Place::of(id).traceparent(), parent);
        assert_eq!(Place::parse(parent), Some(Place::of(id)));
    }

    #[test]
    fn a_header_that_says_something_else_says_nothing() {
        let good = "00-019aab7c5b1e7e01b1f60123456789ab-b1f60123456789ab-01";
        let none = [
            good.replace("-01", "-00"),
            good.replace("00-", "01-"),
            good.replace("ab", "AB"),
            format!("{good}-x"),
            good[..54].to_owned(),
            format!("00-{}-b1f60123456789ab-01", "0".repeat(32)),
            String::new(),
        ];
        for header in none {
            assert_eq!(Place::parse(&header), None, "{header}");
        }
    }

    #[test]
    fn one_in_so_many_is_kept_and_off_none() {
        let (all, ..) = traces(1);
        let (tenth, ..) = traces(10);
        let ids: Vec<Uuid> = (0..10_000).map(|_| Uuid::now_v7()).collect();
        let kept = |traces: &Traces| ids.iter().filter(|id| traces.keep(**id)).count();
        assert_eq!((kept(&all), kept(&Traces::default())), (10_000, 0));
        assert!((800..1_200).contains(&kept(&tenth)), "{}", kept(&tenth));
    }

    #[test]
    fn where_nobody_takes_them_spans_are_dropped_and_counted() {
        let (traces, waiting, counted) = traces(1);
        traces.send((0..WAITING_MAX + 3).map(|_| span()));
        let outcome = Outcome { outcome: "dropped" };
        assert_eq!(counted.get_or_create(&outcome).get(), 3);
        assert_eq!(waiting.len(), WAITING_MAX);
    }

    #[tokio::test]
    async fn off_nobody_looks_and_on_stages_are_seen_in_their_order() {
        let work = || async {
            about(Uuid::from_u128(7));
            let one = within("open", || 1);
            during("wait", async { one + 1 }).await
        };
        let (done, seen) = Traces::default().witness(work()).await;
        assert_eq!((done, seen.about, seen.stages.len()), (2, None, 0));

        let (done, seen) = traces(1).0.witness(work()).await;
        let names: Vec<&str> = seen.stages.iter().map(|stage| stage.name).collect();
        assert_eq!((done, seen.about), (2, Some(Uuid::from_u128(7))));
        assert_eq!(names, ["open", "wait"]);
    }
}
