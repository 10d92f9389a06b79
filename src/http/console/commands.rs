//! Commands: what was asked for, and what became of it.

use axum::extract::{Path, Query, State};
use axum::response::Html;
use maud::{Markup, html};
use serde::Deserialize;
use time::OffsetDateTime;

use super::page::{Failure, page};
use super::session::Visitor;
use super::shown::Said;
use super::{Console, SharedConsole, shown};
use crate::domain::command::{Order, Stage};
use crate::domain::id::CommandId;
use crate::store::desk::{CommandFilter, KeptCommand, Step};

const PAGE: u32 = 50;

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Asked {
    open: bool,
    stage: String,
    before: String,
}

/// How a stage is coloured.
pub(super) fn class(stage: Stage) -> &'static str {
    match stage {
        Stage::Requested | Stage::Sent | Stage::Accepted => "idle",
        Stage::Unknown | Stage::Overdue => "warn",
        Stage::Confirmed => "good",
        Stage::Refused | Stage::Contradicted => "dead",
        Stage::Superseded => "none",
    }
}

/// `GET /console/commands?open=&stage=&before=`.
pub(super) async fn list(
    State(console): State<SharedConsole>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failure> {
    let which = CommandFilter {
        open: asked.open,
        stage: Stage::parse(&asked.stage),
        ..CommandFilter::default()
    };
    let before = match asked.before.as_str() {
        "" => None,
        id => Some(id.parse::<CommandId>().map_err(|_| Failure::not_found())?),
    };
    let commands = console.state.desk.commands(&which, before, PAGE).await?;
    let content = html! {
        h1 { "Commands" }
        form.search method="get" action="/console/commands" {
            label for="stage" { "Stage" }
            select id="stage" name="stage" {
                option value="" { "any" }
                @for stage in Stage::ALL {
                    option value=(stage.as_str()) selected[which.stage == Some(*stage)] { (stage.as_str()) }
                }
            }
            label.inline { input type="checkbox" name="open" value="true" checked[asked.open]; " under way only" }
            button type="submit" { "Show" }
        }
        div data-live { (table(&console, &commands)) (older(&asked, &commands)) }
    };
    Ok(page(&visitor, "/console/commands", "Commands", &content))
}

fn table(console: &Console, commands: &[KeptCommand]) -> Markup {
    let now = console.now();
    html! {
        table {
            caption.unseen { "Commands, newest first" }
            thead { tr { th { "Asked for" } th { "Action" } th { "Token" } th { "Through" } th { "Stage" } th { "Why" } th { "By" } } }
            tbody {
                @for kept in commands {
                    @let command = &kept.command;
                    tr {
                        td { a href=(format!("/console/commands/{}", command.id)) { (shown::at(kept.created_at, now)) } }
                        td { (command.order.action.as_str()) }
                        td { (shown::token(console, &command.order.token)) }
                        td { (command.order.through.as_str()) }
                        td { (stage(kept)) }
                        td { (command.why) }
                        td { (kept.asked_by) }
                    }
                }
                @if commands.is_empty() { tr { td colspan="7" { "None. A token's page has the buttons." } } }
            }
        }
    }
}

fn stage(kept: &KeptCommand) -> Markup {
    match kept.waits {
        true => shown::badge("waits for approval", "warn"),
        false => shown::badge(kept.command.stage.as_str(), class(kept.command.stage)),
    }
}

fn older(asked: &Asked, commands: &[KeptCommand]) -> Markup {
    let Some(last) = commands.last().filter(|_| commands.len() >= PAGE as usize) else {
        return html! {};
    };
    let stage = Stage::parse(&asked.stage).map_or("", Stage::as_str);
    let path = format!(
        "/console/commands?open={}&stage={stage}&before={}",
        asked.open, last.command.id
    );
    html! { p.pages { a href=(path) rel="next" { "Older" } } }
}

/// `GET /console/commands/{id}`.
pub(super) async fn show(
    State(console): State<SharedConsole>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(said): Query<Said>,
) -> Result<Html<String>, Failure> {
    let id: CommandId = id.parse().map_err(|_| Failure::not_found())?;
    let kept = console.state.desk.command(id).await?.ok_or_else(Failure::not_found)?;
    let steps = console.state.desk.steps(id).await?;
    let now = console.now();
    let content = html! {
        (said.shown())
        div data-live {
            h1 { (kept.command.order.action.as_str()) " " (stage(&kept)) }
            (facts(&console, &kept))
            (went_through(&steps, now))
        }
        @if kept.waits && visitor.acts() {
            form.acts method="post" action=(format!("/console/commands/{id}/approve")) {
                (visitor.seal())
                button type="submit" { "Approve" }
            }
        }
    };
    Ok(page(&visitor, "/console/commands", "Command", &content))
}

fn facts(console: &Console, kept: &KeptCommand) -> Markup {
    let now = console.now();
    let command = &kept.command;
    html! {
        dl.facts {
            dt { "Token" } dd { (shown::token(console, &command.order.token)) }
            dt { "Through" } dd { (command.order.through.as_str()) }
            dt { "Known there as" } dd { (target(console, &command.order)) }
            dt { "Why" } dd { (command.why) }
            dt { "Code" } dd { (shown::or_dash(command.code.as_deref())) }
            dt { "Sent" } dd { (command.sends) " times" }
            dt { "Asked by" } dd { (kept.asked_by) " " (shown::at(kept.created_at, now)) }
            dt { "Approved by" } dd { (shown::or_dash(kept.approved_by.as_deref())) }
            dt { "Reason" } dd { (shown::or_dash(command.order.reason.as_deref())) }
            dt { "Id" } dd { code { (command.id) } }
            @if !command.stage.is_final() { dt { "Looked at again" } dd { (shown::at(kept.due_at, now)) } }
        }
    }
}

/// What the service is told: a link may have found it.
fn target(console: &Console, order: &Order) -> Markup {
    html! {
        (shown::token(console, &order.named()))
        @if let Some(id) = &order.target.reference_id { " " code { (id) } }
    }
}

fn went_through(steps: &[Step], now: OffsetDateTime) -> Markup {
    html! {
        h2 { "What it went through" }
        table {
            caption.unseen { "Its steps, oldest first" }
            thead { tr { th { "When" } th { "Stage" } th { "Why" } } }
            tbody {
                @for step in steps {
                    tr { td { (shown::at(step.at, now)) } td { (shown::badge(step.stage.as_str(), class(step.stage))) } td { (step.why) } }
                }
            }
        }
    }
}
