//! The last hour as bars, one a minute.

use maud::{Markup, html};

use crate::telemetry::Minute;

const HEIGHT: u64 = 48;
const BAR: usize = 5;

/// One series of the minutes: a title, which figure, and how it is coloured.
pub(super) fn bars(title: &str, class: &str, minutes: &[Minute], figure: impl Fn(&Minute) -> u64) -> Markup {
    let figures: Vec<u64> = minutes.iter().map(figure).collect();
    let most = figures.iter().copied().max().unwrap_or_default();
    let sum: u64 = figures.iter().sum();
    let width = figures.len() * BAR;
    let words = format!(
        "{title}: {sum} in the last {} minutes, at most {most} in one",
        figures.len()
    );
    html! {
        figure class=(format!("chart {class}")) {
            figcaption { (title) " " strong { (sum) } span.muted { " in the last hour" } }
            svg viewBox=(format!("0 0 {width} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(words) {
                @for (place, figure) in figures.iter().enumerate() {
                    @let high = height(*figure, most);
                    rect x=(place * BAR) y=(HEIGHT - high) width=(BAR - 1) height=(high) {
                        title { (*figure) " " (minutes_ago(figures.len() - 1 - place)) }
                    }
                }
            }
        }
    }
}

/// What is not nothing is seen.
fn height(figure: u64, most: u64) -> u64 {
    match figure {
        0 => 0,
        _ => (figure * HEIGHT / most.max(1)).max(2),
    }
}

fn minutes_ago(minutes: usize) -> String {
    match minutes {
        0 => "in this minute".to_owned(),
        minutes => format!("{minutes} min ago"),
    }
}
