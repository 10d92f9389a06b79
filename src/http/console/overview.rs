//! The first page: what needs a person, then how it goes.

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;

use super::page::{Failure, page};
use super::session::Visitor;
use super::{Console, SharedConsole, chart, shown};
use crate::domain::alarm::{Alarm, Alert, Kind};
use crate::store::alarms::KeptAlarm;
use crate::store::desk::CommandFilter;
use crate::store::outbox::KeptDestination;

const HOUR: usize = 60;
/// Open commands that are counted.
const COMMANDS_MAX: u32 = 200;

/// `GET /console`.
pub(super) async fn show(State(console): State<SharedConsole>, visitor: Visitor) -> Result<Html<String>, Failure> {
    let needs = console.state.house.needs().await?;
    let quarantined = console.state.store.quarantine_open().await?;
    let destinations = console.state.outbox.destinations().await?;
    let open = CommandFilter {
        open: true,
        ..CommandFilter::default()
    };
    let commands = console.state.desk.commands(&open, None, COMMANDS_MAX).await?;
    let content = html! {
        div data-live {
            h1 { "Overview" }
            (needed(&needs.alarms, console.now()))
            (figures(&console, quarantined, &destinations, commands.len()))
            (charts(&console))
        }
    };
    Ok(page(&visitor, "/console", "Overview", &content))
}

fn needed(needs: &[KeptAlarm], now: OffsetDateTime) -> Markup {
    html! {
        @if needs.is_empty() {
            p.calm { "Nothing needs you." }
        } @else {
            ul.needs {
                @for kept in needs {
                    li {
                        a href=(path(&kept.alarm)) { (kept.alarm.says) }
                        span { (kept.alarm.alert.next_step()) " · since " (shown::at(kept.raised_at, now)) }
                    }
                }
            }
        }
    }
}

/// The page on which one sees more of it.
fn path(alarm: &Alarm) -> String {
    let page = match alarm.alert {
        Alert::DeliveriesParked => return parked_for(&alarm.about),
        Alert::CommandOverdue => "commands?stage=overdue",
        alert => match alert.kind() {
            Kind::Quarantine => "quarantine",
            Kind::Gap | Kind::Anomaly | Kind::Silence | Kind::Probe => "reconciles",
            Kind::Certificate | Kind::Key => "keys",
            Kind::Destination => "destinations",
            Kind::Command => "commands?open=true",
        },
    };
    format!("/console/{page}")
}

fn parked_for(destination: &str) -> String {
    let destination = utf8_percent_encode(destination, NON_ALPHANUMERIC);
    format!("/console/deliveries?destination={destination}&state=parked")
}

fn figures(console: &Console, quarantined: u64, destinations: &[KeptDestination], commands: usize) -> Markup {
    let now = console.now();
    let oldest = destinations.iter().filter_map(|one| one.oldest_open).min();
    let open: u64 = destinations.iter().map(|one| one.open + one.behind).sum();
    let last = console.state.metrics.last_notification();
    let last = last.and_then(|unix| time::OffsetDateTime::from_unix_timestamp(unix).ok());
    html! {
        dl.figures {
            div { dt { "Last notification" } dd { (last.map_or_else(|| "none yet".to_owned(), |at| shown::ago(at, now))) } }
            div { dt { "In quarantine" } dd { (quarantined) } }
            div { dt { "To be delivered" } dd { (open) } }
            div { dt { "Oldest undelivered" } dd { (oldest.map_or_else(|| "none".to_owned(), |at| shown::long(now - at))) } }
            div { dt { "Commands under way" } dd { (commands) } }
        }
    }
}

fn charts(console: &Console) -> Markup {
    let now = console.now().unix_timestamp();
    console.state.metrics.sample(now);
    let minutes = console.state.metrics.last_minutes(HOUR, now);
    html! {
        div.charts {
            (chart::bars("Recorded", "good", &minutes, |minute| minute.recorded))
            (chart::bars("Refused", "dead", &minutes, |minute| minute.refused))
            (chart::bars("Delivered", "good", &minutes, |minute| minute.delivered))
            (chart::bars("Failed attempts", "warn", &minutes, |minute| minute.failed))
        }
        p.muted { "As this process has counted since it started; others are in their own consoles, and all of them in Prometheus." }
    }
}
