//! Erasing a token, or all that one of your references names: first what would go and what stands in its way, then, with
//! a word of confirmation, for good.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::Acting;
use super::page::{Failure, page};
use super::session::Visitor;
use super::token::{named, standing};
use super::{Console, SharedConsole, shown};
use crate::domain::id::TokenReference;
use crate::lifecycle::ordering;
use crate::store::erasing::{Erased, Erasing as _, Erasure};
use crate::store::outbox::Standing;
use crate::store::search::CALLED_MAX;
use crate::store::written::{REASON_CHARS_MAX, reason};

/// What its form says. A box that is not ticked is not sent.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Meant {
    reason: String,
    confirm: String,
    all: Option<String>,
    force: Option<String>,
    /// `look`, or `erase`.
    how: String,
}

/// Whom it is about: the token of the page, and those that share its merchant's reference.
struct Whom {
    standing: Standing,
    siblings: BTreeSet<TokenReference>,
    /// They are more than are looked at, so that they cannot all be meant here.
    too_many: bool,
}

impl Whom {
    async fn of(console: &Console, path: (String, String)) -> Result<Whom, Failure> {
        let token = named(console, &path.0, path.1)?;
        let standing = standing(console, &token).await?;
        let siblings = match yours(&standing) {
            Some(yours) => console.state.search.called(token.namespace, yours).await?,
            None => Vec::new(),
        };
        Ok(Whom {
            too_many: siblings.len() > CALLED_MAX,
            siblings: siblings
                .into_iter()
                .filter(|one| yours(one) == yours(&standing))
                .map(|one| one.token.reference)
                .collect(),
            standing,
        })
    }

    fn token(&self) -> &TokenReference {
        &self.standing.token.reference
    }

    /// What confirms it: of several tokens the whole reference that names them, of one the end of its own.
    fn confirmation(&self, all: bool) -> &str {
        match yours(&self.standing).filter(|_| all) {
            Some(yours) => yours,
            None => ordering::confirmation(self.token()),
        }
    }

    fn tokens(&self, all: bool) -> BTreeSet<TokenReference> {
        match all {
            true => self.siblings.clone(),
            false => BTreeSet::from([self.token().clone()]),
        }
    }
}

fn yours(standing: &Standing) -> Option<&str> {
    standing.registration.as_ref()?.merchant_reference.as_deref()
}

/// `GET /console/tokens/{namespace}/{reference}/erase`: it asks, and changes nothing.
pub(super) async fn ask(
    State(console): State<SharedConsole>,
    visitor: Visitor,
    Path(path): Path<(String, String)>,
) -> Result<Html<String>, Failure> {
    if !visitor.acts() {
        return Err(Failure::only_operators());
    }
    let whom = Whom::of(&console, path).await?;
    Ok(asked(&console, &visitor, &whom, &Meant::default(), &html! {}))
}

/// `POST /console/tokens/{namespace}/{reference}/erase`: the entry of the audit is in the erasure's own transaction, so
/// that a crash leaves both or neither.
pub(super) async fn erase(
    State(console): State<SharedConsole>,
    Path(path): Path<(String, String)>,
    acting: Acting<Meant>,
) -> Result<Response, Failure> {
    let (visitor, meant) = (&acting.visitor, &acting.form);
    let why = reason(&meant.reason)?;
    let whom = Whom::of(&console, path).await?;
    let all = meant.all.is_some() && whom.siblings.len() > 1;
    if all && whom.too_many {
        return Err(Failure::unfit(too_many()));
    }
    let dry_run = meant.how != "erase";
    if !dry_run && meant.confirm != whom.confirmation(all) {
        return Err(Failure::unfit(
            "The confirmation is another. What is erased does not come back, so that it has to be written.",
        ));
    }
    let erasure = Erasure {
        tokens: whom.tokens(all),
        force: meant.force.is_some(),
        dry_run,
    };
    let memory = console.state.ledger.in_the_hand_of(visitor.hand(Some(why)));
    match memory.erase(&erasure).await? {
        Erased::Unknown => Err(Failure::not_found()),
        Erased::Gone { .. } if !dry_run => {
            tracing::info!(operator = visitor.operator.name, "a token was erased");
            Ok(Redirect::to("/console/audit").into_response())
        }
        looked => Ok(asked(&console, visitor, &whom, meant, &found(&looked)).into_response()),
    }
}

fn too_many() -> String {
    format!("Your reference names more than {CALLED_MAX} tokens: erase them one by one.")
}

/// What it would take with it, or what stands in its way.
fn found(looked: &Erased) -> Markup {
    match looked {
        Erased::Unknown => html! {},
        Erased::Held(held) => html! {
            section.trouble role="status" {
                p { "Nothing was erased: somebody still needs it." }
                ul { @for (what, many) in held { li { (many) " " (what) } } }
                p { "Let these come to their end, or tick the box that erases them too. A command that is open has to end or to be withdrawn." }
            }
        },
        Erased::Gone { rows, shared } => html! {
            table {
                caption { "What would go" }
                thead { tr { th { "Table" } th { "Rows" } } }
                tbody { @for (table, many) in rows { tr { td { (table) } td { (many) } } } }
            }
            @if *shared > 0 { p { (shared) " notifications stay: they speak of other tokens too." } }
        },
    }
}

fn asked(console: &Console, visitor: &Visitor, whom: &Whom, meant: &Meant, found: &Markup) -> Html<String> {
    let title = format!("Erase token {}", whom.token().shown());
    let path = shown::token_path(console, whom.token());
    let content = html! {
        h1.token { "Erase " a href=(path) { (whom.token().shown()) } }
        p { "Everything that is held of it goes, and does not come back: its state and history, what was told of it, its commands. "
            "The audit stays, with an entry of this." }
        div { (found) }
        (form(visitor, whom, meant, &format!("{path}/erase")))
    };
    page(visitor, "/console/tokens", &title, &content)
}

fn form(visitor: &Visitor, whom: &Whom, meant: &Meant, action: &str) -> Markup {
    html! {
        section.acts aria-label="Erase" {
            form method="post" action=(action) {
                (visitor.seal())
                label for="reason" { "Reason, for the audit" }
                input id="reason" name="reason" required maxlength=(REASON_CHARS_MAX) value=(meant.reason) autocomplete="off";
                @if whom.too_many {
                    p { (too_many()) }
                } @else if let Some(yours) = yours(&whom.standing).filter(|_| whom.siblings.len() > 1) {
                    label.inline {
                        input type="checkbox" name="all" value="yes" checked[meant.all.is_some()];
                        " All " (whom.siblings.len()) " tokens of your reference " (yours) "; it is then the confirmation"
                    }
                }
                label.inline {
                    input type="checkbox" name="force" value="yes" checked[meant.force.is_some()];
                    " What somebody was not told of yet, is asked after, or is open in quarantine, too"
                }
                button type="submit" name="how" value="look" { "Look what would go" }
                label for="confirm" { "The last four characters of its reference" }
                input id="confirm" name="confirm" autocomplete="off";
                button.danger type="submit" name="how" value="erase" { "Erase for good" }
            }
        }
    }
}
