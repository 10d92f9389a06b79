//! The first page: what needs a person, then how it goes.

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};

use super::page::{Failure, page};
use super::session::Visitor;
use super::{Console, SharedConsole, chart, shown};
use crate::domain::command::Stage;
use crate::store::desk::{CommandFilter, KeptCommand};
use crate::store::outbox::KeptDestination;

const HOUR: usize = 60;
/// Open commands that are looked through for what waits.
const LOOKED_THROUGH: u32 = 200;

/// One thing that somebody should look at.
struct Need {
    path: String,
    what: String,
    todo: &'static str,
}

/// `GET /console`.
pub(super) async fn show(State(console): State<SharedConsole>, visitor: Visitor) -> Result<Html<String>, Failure> {
    let quarantined = console.state.store.quarantine_open().await?;
    let destinations = console.state.outbox.destinations().await?;
    let open = CommandFilter {
        open: true,
        ..CommandFilter::default()
    };
    let commands = console.state.desk.commands(&open, None, LOOKED_THROUGH).await?;
    let questions = console.state.asking.questions(None, LOOKED_THROUGH).await?;
    let given_up = questions.iter().filter(|one| one.given_up).count();
    let mut needs = needs(quarantined, &destinations, &commands);
    if given_up > 0 {
        needs.push(Need {
            path: "/console/reconciles".to_owned(),
            what: format!("{given_up} asked after in vain"),
            todo: "Tokens in doubt of which the network says nothing that settles it.",
        });
    }
    let content = html! {
        div data-live {
            h1 { "Overview" }
            (needed(&needs))
            (figures(&console, quarantined, &destinations, &commands))
            (charts(&console))
        }
    };
    Ok(page(&visitor, "/console", "Overview", &content))
}

fn needs(quarantined: u64, destinations: &[KeptDestination], commands: &[KeptCommand]) -> Vec<Need> {
    let mut needs = Vec::new();
    if quarantined > 0 {
        needs.push(Need {
            path: "/console/quarantine".to_owned(),
            what: format!("{quarantined} in quarantine"),
            todo: "What could not be used: find out why, then redrive or resolve it.",
        });
    }
    for one in destinations {
        if let Some((_, why)) = &one.paused {
            needs.push(Need {
                path: "/console/destinations".to_owned(),
                what: format!("{} is paused", one.name),
                todo: if why.is_empty() {
                    "Nothing is sent to it."
                } else {
                    "Nothing is sent to it until it is resumed."
                },
            });
        }
        if one.parked > 0 {
            needs.push(Need {
                path: format!("/console/deliveries?destination={}&state=parked", one.name),
                what: format!("{} parked for {}", one.parked, one.name),
                todo: "Tried to the end; later ones of the same tokens wait behind them. Retry or skip.",
            });
        }
    }
    let waits = commands.iter().filter(|kept| kept.waits).count();
    if waits > 0 {
        needs.push(Need {
            path: "/console/commands?open=true".to_owned(),
            what: format!("{waits} wait for approval"),
            todo: "Another operator than who asked has to approve.",
        });
    }
    let overdue = commands
        .iter()
        .filter(|kept| kept.command.stage == Stage::Overdue)
        .count();
    if overdue > 0 {
        needs.push(Need {
            path: "/console/commands?stage=overdue".to_owned(),
            what: format!("{overdue} overdue"),
            todo: "The service took them and nothing was seen of it; it is being asked.",
        });
    }
    needs
}

fn needed(needs: &[Need]) -> Markup {
    html! {
        @if needs.is_empty() {
            p.calm { "Nothing needs you." }
        } @else {
            ul.needs {
                @for need in needs {
                    li { a href=(need.path) { (need.what) } span { (need.todo) } }
                }
            }
        }
    }
}

fn figures(console: &Console, quarantined: u64, destinations: &[KeptDestination], commands: &[KeptCommand]) -> Markup {
    let now = console.now();
    let oldest = destinations.iter().filter_map(|one| one.oldest_open).min();
    let open: u64 = destinations.iter().map(|one| one.open + one.behind).sum();
    let last = console.state.metrics.last_notification();
    let last = last.and_then(|unix| time::OffsetDateTime::from_unix_timestamp(unix).ok());
    html! {
        dl.figures {
            div { dt { "Last notification" } dd { (last.map_or_else(|| "none since the start".to_owned(), |at| shown::ago(at, now))) } }
            div { dt { "In quarantine" } dd { (quarantined) } }
            div { dt { "To be delivered" } dd { (open) } }
            div { dt { "Oldest undelivered" } dd { (oldest.map_or_else(|| "none".to_owned(), |at| shown::long(now - at))) } }
            div { dt { "Commands under way" } dd { (commands.len()) } }
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
