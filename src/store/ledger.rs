//! Who did what, when, from where and why; the part of the port that only ever grows.
//!
//! A memory in somebody's hand ([`Ledger::in_the_hand_of`]) writes an entry with every act that a person can do: in the
//! act's own transaction where it is one, else before the act (`begun`) and after it. A crash between those two leaves
//! `begun`: the act may have happened in part.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::desk::Link;
use super::roster::Role;
use super::{Error, Memory};
use crate::domain::command::Order;
use crate::domain::id::TokenReference;
use crate::domain::masked::without_numbers;

/// The outcome of an act that is more than one transaction, before its first.
pub const BEGUN: &str = "begun";

/// What is asked of the memory about acts. Deadlines and errors are as those of [`super::Store`].
#[async_trait]
pub trait Ledger: Send + Sync {
    /// The same memory; what a person can do through it is that person's doing, and is written down.
    fn in_the_hand_of(&self, hand: Hand) -> Arc<Memory>;

    /// Writes one entry, for what is no transaction of the store's. After `Ok` it is on disk.
    async fn note(&self, hand: &Hand, deed: &Deed, outcome: &str) -> Result<(), Error>;

    /// Entries, newest first, before that one, at most `limit` (1 to 1,000).
    async fn entries(&self, which: &EntryFilter, before: Option<Uuid>, limit: u32) -> Result<Vec<Entry>, Error>;
}

/// What the callers hold.
pub type SharedLedger = Arc<dyn Ledger>;

/// Whose doing it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Hand {
    /// The operator's name, `command line`, or `tokenex:` and the end of a client's id.
    pub who: String,
    /// What that operator's role is; `None` of who is no operator.
    pub role: Option<Role>,
    /// The address, or the user of the command line.
    pub came_from: String,
    /// The reason that was given; numbers in it are masked before it rests.
    pub why: Option<String>,
}

/// What is done, and to what.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// `token.reveal`, `delivery.skip` …
    pub what: &'static str,
    /// As it rests, an entry for each: numbers are masked already.
    pub about: Vec<String>,
}

impl Deed {
    /// Something that is known by its name.
    pub fn on(what: &'static str, about: impl AsRef<str>) -> Self {
        let about = without_numbers(about.as_ref());
        Deed::once(what, about)
    }

    /// Something that is known by an id of ours, which is no number that must be masked.
    pub fn on_id(what: &'static str, id: impl fmt::Display) -> Self {
        Deed::once(what, id.to_string())
    }

    /// One token.
    pub fn on_token(what: &'static str, token: &TokenReference) -> Self {
        Deed::once(what, named(token))
    }

    /// A command: its token, and, where the service knows it by another name, that one too.
    pub fn on_order(what: &'static str, order: &Order) -> Self {
        let target = order.named();
        let also = (target != order.token).then_some(&target);
        Deed::once(what, together(std::iter::once(&order.token).chain(also)))
    }

    /// Links: an entry for each, with all the names that it joins.
    pub fn on_links<'a>(what: &'static str, links: impl Iterator<Item = &'a Link>) -> Self {
        let about = links.map(|link| together(link.names().iter())).collect();
        Deed { what, about }
    }

    /// Tokens: an entry for each, so that who asks what was done about a token finds it however many came together. As
    /// many as one request may hold.
    pub fn on_tokens<'a>(what: &'static str, tokens: impl Iterator<Item = &'a TokenReference>) -> Self {
        let about = tokens.map(named).collect();
        Deed { what, about }
    }

    fn once(what: &'static str, about: String) -> Self {
        let about = vec![about];
        Deed { what, about }
    }
}

/// Several names of one token, in one entry.
fn together<'a>(names: impl Iterator<Item = &'a TokenReference>) -> String {
    names.map(named).collect::<Vec<_>>().join(" ")
}

/// A token as an entry names it. TokenEx's name for a token may look like a card's number.
pub fn named(token: &TokenReference) -> String {
    let reference = without_numbers(&token.shown());
    format!("{}:{reference}", token.namespace.as_str())
}

/// One entry as kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Ours, in the order of time.
    pub id: Uuid,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who.
    pub who: String,
    /// By which role; `None` on the command line, and of a client of TokenEx's contract.
    pub role: Option<String>,
    /// From where.
    pub came_from: String,
    /// What.
    pub what: String,
    /// About what.
    pub about: String,
    /// Why.
    pub why: Option<String>,
    /// What became of it.
    pub outcome: String,
}

/// Which entries are meant; every part that is given narrows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EntryFilter {
    /// Of that person.
    pub who: Option<String>,
    /// That act.
    pub what: Option<String>,
    /// About that, as it stands there: a token as `namespace:reference`.
    pub about: Option<String>,
}
