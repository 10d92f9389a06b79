//! Everything that is known of a token's life, newest first: what was heard and what it did, whom we told, what we asked for.

use maud::{Markup, html};
use time::OffsetDateTime;

use super::page::Failure;
use super::token::plain;
use super::{SharedConsole, shown};
use crate::domain::delivery::State;
use crate::domain::id::TokenReference;
use crate::domain::token::Change;
use crate::store::desk::{CommandFilter, KeptCommand};
use crate::store::outbox::{DeliveryFilter, KeptDelivery};
use crate::store::{KeptStatement, Transition};

/// Of each kind.
const EACH_MAX: u32 = 100;
/// Changes of one statement.
const SHOWN_AT_ONCE: usize = 3;

/// One thing that happened.
pub(super) struct Happened {
    at: OffsetDateTime,
    kind: &'static str,
    what: Markup,
}

/// The newest of each kind, together.
pub(super) async fn of(
    console: &SharedConsole,
    token: &TokenReference,
    transitions: &[Transition],
) -> Result<Vec<Happened>, Failure> {
    let state = &console.state;
    let statements = state.store.statements(token, EACH_MAX).await?;
    let deliveries = DeliveryFilter {
        token: Some(token.clone()),
        ..DeliveryFilter::default()
    };
    let deliveries = state.outbox.deliveries(&deliveries, None, EACH_MAX).await?;
    let commands = CommandFilter {
        token: Some(token.clone()),
        ..CommandFilter::default()
    };
    let commands = state.desk.commands(&commands, None, EACH_MAX).await?;
    let heard = statements.iter().map(|one| heard(one, transitions));
    let told = deliveries.iter().map(told);
    let asked = commands.iter().map(asked);
    let mut all: Vec<Happened> = heard.chain(told).chain(asked).collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.at));
    Ok(all)
}

fn heard(statement: &KeptStatement, transitions: &[Transition]) -> Happened {
    let made = statement
        .sequence
        .and_then(|sequence| transitions.iter().find(|one| one.sequence == sequence));
    let flags: Vec<&str> = statement.flags.iter().map(|flag| flag.as_str()).collect();
    let what = html! {
        (shown::status(statement.status.as_ref()))
        @if let Some(reason) = &statement.reason_code { " " code { (reason) } }
        " " (statement.verdict.sentence())
        @if let Some(sequence) = statement.sequence { span.muted { " (change " (sequence) ")" } }
        @if statement.repeats > 0 { span.muted { ", told " (statement.repeats) " times more" } }
        @if let Some(made) = made { (changes(&made.changes)) }
        @if !flags.is_empty() { p.muted { (flags.join(", ").replace('_', " ")) } }
        p.muted { "notification " code { (statement.notification) } }
    };
    Happened {
        at: statement.received_at,
        kind: "heard",
        what,
    }
}

/// A few at once; many, as a first notice has, for who opens them.
fn changes(changes: &[Change]) -> Markup {
    let list = html! {
        ul.changes { @for change in changes { li { (changed(change)) } } }
    };
    match changes.len() {
        0..=SHOWN_AT_ONCE => list,
        many => html! { details { summary { (many) " changes" } (list) } },
    }
}

fn changed(change: &Change) -> Markup {
    let to = change.to.as_ref().map_or_else(|| "cleared".to_owned(), plain);
    html! {
        (change.field) ": "
        @if let Some(from) = &change.from { (plain(from)) " → " }
        (to)
    }
}

fn told(delivery: &KeptDelivery) -> Happened {
    let what = html! {
        (delivery.kind) " to " a href=(format!("/console/deliveries?destination={}", delivery.destination)) { (delivery.destination) } " "
        (shown::badge(delivery.state.as_str(), state_class(delivery.state)))
        @if delivery.attempts > 1 { span.muted { " after " (delivery.attempts) " attempts" } }
        @if let Some(answer) = delivery.answer.as_deref().filter(|_| delivery.failing_since.is_some()) { p.muted { (answer) } }
    };
    Happened {
        at: delivery.settled_at.or(delivery.attempted_at).unwrap_or(delivery.due_at),
        kind: "told",
        what,
    }
}

/// How a delivery's state is coloured.
pub(super) fn state_class(state: State) -> &'static str {
    match state {
        State::Due | State::Leased => "idle",
        State::Parked => "warn",
        State::Delivered => "good",
        State::Skipped => "none",
    }
}

fn asked(kept: &KeptCommand) -> Happened {
    let command = &kept.command;
    let what = html! {
        a href=(format!("/console/commands/{}", command.id)) { (command.order.action.as_str()) }
        " through " (command.order.through.as_str()) ", asked by " (kept.asked_by) " "
        (shown::badge(command.stage.as_str(), super::commands::class(command.stage)))
        p.muted { (command.why) }
    };
    Happened {
        at: kept.updated_at,
        kind: "asked",
        what,
    }
}

/// As a table.
pub(super) fn table(happened: &[Happened], now: OffsetDateTime) -> Markup {
    html! {
        h2 { "What happened" }
        table.timeline {
            caption.unseen { "What happened, newest first" }
            thead { tr { th { "When" } th { "What" } th { "In detail" } } }
            tbody {
                @for one in happened {
                    tr { td { (shown::at(one.at, now)) } td { (shown::badge(one.kind, one.kind)) } td { (one.what) } }
                }
                @if happened.is_empty() { tr { td colspan="3" { "Nothing was heard of it yet." } } }
            }
        }
    }
}
