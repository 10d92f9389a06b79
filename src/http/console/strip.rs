//! A token's status over time, as a strip in its colours.

use maud::{Markup, html};
use time::OffsetDateTime;

use super::shown;
use crate::domain::status::Status;
use crate::store::Transition;

const WIDTH: i64 = 1_000;

/// One stretch of time in one status.
struct Stretch<'a> {
    status: Option<&'a Status>,
    from: OffsetDateTime,
    until: OffsetDateTime,
}

/// From its first change until now. By the network's time where there is one, so that it tells what was, not when we heard of it.
pub(super) fn strip(transitions: &[Transition], now: OffsetDateTime) -> Markup {
    let stretches = stretches(transitions, now);
    let Some((first, last)) = stretches.first().zip(stretches.last()) else {
        return html! {};
    };
    let (begin, whole) = (first.from, (last.until - first.from).whole_seconds().max(1));
    let place = |at: OffsetDateTime| (at - begin).whole_seconds().clamp(0, whole) * WIDTH / whole;
    let words: Vec<String> = stretches.iter().map(Stretch::words).collect();
    html! {
        figure.strip {
            svg viewBox=(format!("0 0 {WIDTH} 20")) preserveAspectRatio="none" role="img" aria-label=(words.join("; ")) {
                @for (stretch, words) in stretches.iter().zip(&words) {
                    @let (from, until) = (place(stretch.from), place(stretch.until));
                    rect class=(shown::status_class(stretch.status)) x=(from) y="0" width=((until - from).max(2)) height="20" {
                        title { (words) }
                    }
                }
            }
            figcaption {
                span { (shown::at(begin, now)) }
                span { "now" }
            }
        }
    }
}

fn stretches(transitions: &[Transition], now: OffsetDateTime) -> Vec<Stretch<'_>> {
    let turns = transitions
        .iter()
        .filter(|change| change.from_status != change.to_status || change.sequence == 1);
    let mut turns: Vec<(OffsetDateTime, Option<&Status>)> = turns
        .map(|change| {
            (
                change.status_at.unwrap_or(change.recorded_at).min(now),
                change.to_status.as_ref(),
            )
        })
        .collect();
    turns.sort_by_key(|(at, _)| *at);
    let ends = turns.iter().skip(1).map(|(at, _)| *at).chain([now]).collect::<Vec<_>>();
    let stretch = |((from, status), until)| Stretch { status, from, until };
    turns.into_iter().zip(ends).map(stretch).collect()
}

impl Stretch<'_> {
    fn words(&self) -> String {
        let status = self.status.map_or("unheard", Status::as_str);
        format!("{status} for {}", shown::long(self.until - self.from))
    }
}
