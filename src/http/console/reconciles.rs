//! Reconciles: what we hold, compared with what the network says; what may have been missed; what is in doubt.

use std::collections::BTreeSet;

use axum::extract::{Path, Query, State};
use axum::response::{Html, Redirect};
use maud::{Markup, html};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::form::Acting;
use super::page::{Failure, page};
use super::session::Visitor;
use super::shown::Said;
use super::{Console, SharedConsole, shown};
use crate::clock::new_id;
use crate::domain::id::ReconcileId;
use crate::domain::question::Finding;
use crate::domain::status::Status;
use crate::lifecycle::reconcile::Wanted;
use crate::store::Asking as _;
use crate::store::asking::{Found, KeptGap, KeptQuestion, KeptReconcile};

const PLACE: &str = "/console/reconciles";
/// Of each kind.
const SHOWN: u32 = 50;
const FOUND: u32 = 200;

/// `GET /console/reconciles`.
pub(super) async fn list(
    State(console): State<SharedConsole>,
    visitor: Visitor,
    Query(said): Query<Said>,
) -> Result<Html<String>, Failure> {
    let asking = &console.state.asking;
    let reconciles = asking.reconciles(None, SHOWN).await?;
    let gaps = asking.gaps(None, SHOWN).await?;
    let questions = asking.questions(None, SHOWN).await?;
    let now = console.now();
    let content = html! {
        h1 { "Reconcile" }
        (said.shown())
        @if visitor.acts() { (wish(&visitor)) }
        div data-live {
            (all(&reconciles, now))
            h2 { "When something may have been missed" }
            (missed(&gaps, now))
            h2 { "What is in doubt" }
            (doubted(&console, &questions))
        }
    };
    Ok(page(&visitor, PLACE, "Reconcile", &content))
}

fn wish(visitor: &Visitor) -> Markup {
    html! {
        section.acts aria-label="Begin one" {
            form method="post" action=(PLACE) {
                (visitor.seal())
                label for="since" { "Nothing heard since (UTC)" }
                input id="since" name="since" placeholder="all tokens" autocomplete="off" aria-describedby="how";
                label.inline { input type="checkbox" name="dry_run" value="true" checked; " look only" }
                button type="submit" { "Compare with the network" }
                p.muted id="how" { "A time such as 2026-11-22T10:00:00Z, or nothing. It asks one question a token." }
            }
        }
    }
}

fn all(reconciles: &[KeptReconcile], now: OffsetDateTime) -> Markup {
    html! {
        table {
            caption.unseen { "Reconciles, newest first" }
            thead { tr { th { "Asked for" } th { "By" } th { "State" } th { "Compared" } th { "Agree" } th { "Repaired" } th { "Differ" } th { "Unanswered" } } }
            tbody {
                @for one in reconciles {
                    tr {
                        td { a href=(format!("{PLACE}/{}", one.id)) { (shown::at(one.created_at, now)) } }
                        td { (one.asked_by) }
                        td { (state(one)) }
                        td { (one.counts.all()) @if let Some(total) = one.total { " of " (total) } }
                        td { (one.counts.agrees) }
                        td { (one.counts.repaired) }
                        td { (one.counts.differs) }
                        td { (one.counts.unanswered) }
                    }
                }
                @if reconciles.is_empty() { tr { td colspan="8" { "None yet." } } }
            }
        }
    }
}

fn state(one: &KeptReconcile) -> Markup {
    let (word, class) = match (one.stopped, one.ended_at, one.total) {
        (true, ..) => ("stopped", "none"),
        (false, Some(_), _) if one.dry_run => ("looked", "good"),
        (false, Some(_), _) => ("through", "good"),
        (false, None, Some(_)) => ("under way", "idle"),
        (false, None, None) => ("waits", "idle"),
    };
    shown::badge(word, class)
}

fn missed(gaps: &[KeptGap], now: OffsetDateTime) -> Markup {
    html! {
        table {
            caption.unseen { "Gaps, newest first" }
            thead { tr { th { "From" } th { "Until" } th { "How" } th { "Whose" } th { "How many" } th { "Then" } } }
            tbody {
                @for gap in gaps {
                    tr {
                        td { (shown::at(gap.from, now)) }
                        td { (shown::at(gap.until, now)) }
                        td { (shown::badge(gap.missed.as_str(), "warn")) " " span.muted { (gap.reason) } }
                        td { (shown::or_dash(Some(&gap.peer))) }
                        td { (gap.count) }
                        td {
                            @if let Some(id) = gap.reconcile { a href=(format!("{PLACE}/{id}")) { "reconciled" } }
                            @else if gap.closed { "nobody was asked" }
                            @else { "still open" }
                        }
                    }
                }
                @if gaps.is_empty() { tr { td colspan="6" { "Never, as far as we know." } } }
            }
        }
    }
}

fn doubted(console: &Console, questions: &[KeptQuestion]) -> Markup {
    let now = console.now();
    html! {
        table {
            caption.unseen { "Tokens in doubt, those that need a person first" }
            thead { tr { th { "Token" } th { "Doubt" } th { "Asked" } th { "Came of it" } th { "Next" } } }
            tbody {
                @for question in questions {
                    tr {
                        td { (shown::token(console, &question.token)) }
                        td { @for doubt in &question.doubts { p { (doubt.sentence()) } } }
                        td { (question.asks) " times" }
                        td { (shown::or_dash(question.why.as_deref())) }
                        td { @if question.given_up { (shown::badge("needs a person", "warn")) } @else { (shown::at(question.due_at, now)) } }
                    }
                }
                @if questions.is_empty() { tr { td colspan="5" { "Nothing." } } }
            }
        }
    }
}

/// `GET /console/reconciles/{id}`.
pub(super) async fn show(
    State(console): State<SharedConsole>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(said): Query<Said>,
) -> Result<Html<String>, Failure> {
    let id: ReconcileId = id.parse().map_err(|_| Failure::not_found())?;
    let kept = console
        .state
        .asking
        .reconcile(id)
        .await?
        .ok_or_else(Failure::not_found)?;
    let found = console.state.asking.findings(id, None, FOUND).await?;
    let now = console.now();
    let content = html! {
        (said.shown())
        div data-live {
            h1 { "Reconcile " (state(&kept)) }
            (progress(&kept))
            dl.facts {
                dt { "Asked for" } dd { (shown::at(kept.created_at, now)) " by " (kept.asked_by) }
                dt { "About" } dd { @if let Some(since) = kept.scope.since { "tokens of which nothing was heard since " (shown::at(since, now)) } @else { "all tokens" } }
                dt { "Changes" } dd { @if kept.dry_run { "nothing: it looks only" } @else { "what the state rules take" } }
                dt { "Ended" } dd { (shown::maybe_at(kept.ended_at, now)) }
            }
            (findings(&console, &found))
        }
        @if kept.ended_at.is_none() && visitor.acts() {
            form.acts method="post" action=(format!("{PLACE}/{id}/stop")) {
                (visitor.seal())
                button type="submit" { "Stop" }
            }
        }
    };
    Ok(page(&visitor, PLACE, "Reconcile", &content))
}

fn progress(kept: &KeptReconcile) -> Markup {
    let (done, total) = (kept.counts.all(), kept.total.unwrap_or_default());
    html! {
        @if kept.total.is_some() {
            progress value=(done) max=(total.max(1)) aria-label="Compared" {}
            p { (done) " of " (total) " compared: " (kept.counts.agrees) " agree, " (kept.counts.repaired) " repaired, "
                (kept.counts.differs) " differ, " (kept.counts.not_there) " not there, " (kept.counts.unanswered) " unanswered." }
        } @else {
            p { "It waits for its turn." }
        }
    }
}

fn findings(console: &Console, found: &[Found]) -> Markup {
    let now = console.now();
    html! {
        table {
            caption.unseen { "What was not as we held it" }
            thead { tr { th { "Token" } th { "Finding" } th { "We held" } th { "The network says" } th { "Since" } th { "Why" } } }
            tbody {
                @for one in found {
                    tr {
                        td { (shown::token(console, &one.token)) }
                        td { (shown::badge(one.finding.as_str(), class(one.finding))) }
                        td { (status(one.held.as_ref())) }
                        td { (status(one.seen.as_ref())) }
                        td { (shown::maybe_at(one.seen_at, now)) }
                        td { (one.why) }
                    }
                }
                @if found.is_empty() { tr { td colspan="6" { "Nothing but what agrees." } } }
            }
        }
    }
}

fn status(status: Option<&Status>) -> Markup {
    status.map_or_else(shown::dash, |status| shown::status(Some(status)))
}

fn class(finding: Finding) -> &'static str {
    match finding {
        Finding::Agrees | Finding::Repaired => "good",
        Finding::Differs | Finding::Unanswered => "warn",
        Finding::Moved => "idle",
        Finding::NotThere => "dead",
    }
}

#[derive(Deserialize)]
pub(super) struct Wish {
    #[serde(default)]
    since: String,
    #[serde(default)]
    dry_run: bool,
}

/// `POST /console/reconciles`: it is on disk when the page comes back.
pub(super) async fn begin(State(console): State<SharedConsole>, acting: Acting<Wish>) -> Result<Redirect, Failure> {
    let now = console.now();
    let since = match acting.form.since.trim() {
        "" => None,
        text => {
            let since = OffsetDateTime::parse(text, &Rfc3339);
            Some(since.map_err(|_| Failure::unfit("Write a time such as 2026-11-22T10:00:00Z."))?)
        }
    };
    let wanted = Wanted {
        namespaces: BTreeSet::new(),
        since,
        dry_run: acting.form.dry_run,
    };
    let (id, operator) = (ReconcileId(new_id(now)), &acting.visitor.operator.name);
    let reconcile = wanted.by(id, operator, &console.state.offered, now)?;
    let asking = console.state.ledger.in_the_hand_of(acting.visitor.hand(None));
    asking.begin_reconcile(&reconcile, None).await?;
    tracing::info!(operator, reconcile = %id, dry_run = reconcile.dry_run, "reconcile");
    Ok(Redirect::to(&format!("{PLACE}/{id}?said=begun")))
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

/// `POST /console/reconciles/{id}/stop`.
pub(super) async fn stop(
    State(console): State<SharedConsole>,
    Path(id): Path<String>,
    acting: Acting<Nothing>,
) -> Result<Redirect, Failure> {
    let Nothing {} = acting.form;
    let id: ReconcileId = id.parse().map_err(|_| Failure::not_found())?;
    let asking = console.state.ledger.in_the_hand_of(acting.visitor.hand(None));
    if !asking.stop_reconcile(id).await? {
        return Err(Failure::conflict("It has ended."));
    }
    tracing::info!(operator = acting.visitor.operator.name, reconcile = %id, "stopped");
    Ok(Redirect::to(&format!("{PLACE}/{id}?said=stopped")))
}
