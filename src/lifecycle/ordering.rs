//! How a command comes to be: what somebody writes, read and made an order of, whoever it comes through.
//!
//! It finds out which service is meant and how that service names the token, masks what people wrote, and wants a
//! deletion confirmed. It asks no service: whether it can work is for the desk, on a fresh look.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

use crate::config::settings;
use crate::domain::command::{Action, CausedBy, Order, Service, Target};
use crate::domain::id::{CommandId, Namespace, TokenReference};
use crate::domain::masked::without_written_numbers;
use crate::domain::question::answers_for;
use crate::store;
use crate::store::desk::{Desk, Link, NewCommand};
pub use crate::store::written::Unfit;

/// MDES takes so many characters of a reason,
const REASON_CHARS_MAX: usize = 256;
/// so many of a reason's code,
const CODE_CHARS_MAX: usize = 64;
/// and of a key we so many.
const KEY_CHARS_MAX: usize = 255;
/// What who confirms a deletion shows to have read.
const CONFIRM_CHARS: usize = 4;
const REASON_CODE: &str = "OTHER";

/// What is there to carry commands out.
#[derive(Clone, Debug, Default)]
pub struct Offered {
    through: Option<Service>,
    services: BTreeSet<Service>,
    /// A deletion waits for a second operator so long.
    approve_within: Option<Duration>,
}

impl Offered {
    /// What the configuration has.
    pub fn by(lifecycle: &settings::Lifecycle) -> Self {
        let tokenex = lifecycle.tokenex.as_ref().map(|_| Service::TokenEx);
        let mdes = lifecycle.mdes.as_ref().map(|_| Service::Mdes);
        let two = lifecycle.desk.delete_needs_two;
        Offered {
            through: lifecycle.through,
            services: tokenex.into_iter().chain(mdes).collect(),
            approve_within: two.then_some(lifecycle.desk.approve_within),
        }
    }

    /// Whose tokens somebody can be asked about.
    pub fn namespaces(&self) -> BTreeSet<Namespace> {
        let all = [Namespace::Mdes, Namespace::TokenEx];
        let has = |namespace: &Namespace| self.services.contains(&answers_for(*namespace));
        all.into_iter().filter(has).collect()
    }

    /// The service that is meant: the one that is named, else the default, else the only one.
    pub fn service(&self, named: Option<&str>) -> Result<Service, Unfit> {
        let service = match named.filter(|word| !word.is_empty()) {
            Some(word) => Service::parse(word).ok_or_else(|| unfit("through", "must be tokenex or mdes"))?,
            None => {
                let default = self.through.or_else(|| self.services.first().copied());
                default.ok_or_else(|| {
                    let why = "cannot be chosen: no token service is configured, add `[lifecycle.tokenex]` or `[lifecycle.mdes]`";
                    unfit("through", why)
                })?
            }
        };
        match self.services.contains(&service) {
            true => Ok(service),
            false => {
                let word = service.as_str();
                let why = format!("is `{word}`, which is not configured: add `[lifecycle.{word}]`");
                Err(unfit("through", why))
            }
        }
    }
}

/// A command as somebody writes it, in JSON, in a line of CSV or on the command line. An empty text says as little as none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Written {
    /// `suspend`, `resume` or `delete`.
    pub action: String,
    /// `tokenex` or `mdes`.
    pub through: Option<String>,
    /// Whose reference the token's is: `mdes` (if nothing is written) or `tokenex`.
    pub namespace: Option<String>,
    /// Which network token of a TokenEx token.
    pub token_reference_id: Option<String>,
    /// `TOKEN_REQUESTOR` (if nothing is written) or `CARDHOLDER`.
    pub caused_by: Option<String>,
    /// `OTHER` (if nothing is written), `SUSPECTED_FRAUD`, or what comes after them.
    pub reason_code: Option<String>,
    /// For people.
    pub reason: Option<String>,
    /// Send it even if it cannot work.
    pub force: bool,
    /// The last four characters of the reference of a token that is to be deleted.
    pub confirm: Option<String>,
}

fn unfit(field: &'static str, why: impl Into<String>) -> Unfit {
    let why = why.into();
    Unfit { field, why }
}

/// Why there is no order.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Something in it does not fit.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The links could not be looked at.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// The token that a reference of somebody's names.
pub fn token(namespace: Option<&str>, reference: &str) -> Result<TokenReference, Unfit> {
    const CHARS_MAX: usize = 256;
    let namespace = match namespace.unwrap_or_default() {
        "" => Namespace::Mdes,
        word => Namespace::parse(word).ok_or_else(|| unfit("namespace", "must be mdes or tokenex"))?,
    };
    if reference.is_empty() {
        return Err(unfit("reference", "is missing"));
    }
    if reference.chars().count() > CHARS_MAX || reference.chars().any(char::is_control) || reference.trim() != reference
    {
        let why = format!("must be one word of at most {CHARS_MAX} characters");
        return Err(unfit("reference", why));
    }
    Ok(TokenReference {
        namespace,
        reference: reference.to_owned(),
    })
}

impl Written {
    /// The order that this is about a token of that reference.
    pub async fn order(&self, reference: &str, offered: &Offered, desk: &dyn Desk) -> Result<Order, Refused> {
        let action = Action::parse(&self.action).ok_or_else(|| unfit("action", "must be suspend, resume or delete"))?;
        let token = token(self.namespace.as_deref(), reference)?;
        let caused_by = caused_by(self.caused_by.as_deref())?;
        let reason_code = reason_code(self.reason_code.as_deref())?;
        let reason = reason(self.reason.as_deref())?;
        self.confirmed(action, &token)?;
        let through = offered.service(self.through.as_deref())?;
        let target = target(&token, through, given(self.token_reference_id.as_deref()), desk).await?;
        Ok(Order {
            token,
            action,
            through,
            target,
            caused_by,
            reason_code,
            reason,
            forced: self.force,
        })
    }

    /// A deletion is for good: who wants it says which token it is.
    fn confirmed(&self, action: Action, token: &TokenReference) -> Result<(), Unfit> {
        match action == Action::Delete && self.confirm.as_deref() != Some(confirmation(token)) {
            true => {
                let why = "must be the last four characters of the reference: a deleted token does not come back";
                Err(unfit("confirm", why))
            }
            false => Ok(()),
        }
    }
}

/// What confirms that this token is to be deleted.
pub fn confirmation(token: &TokenReference) -> &str {
    let last = token.reference.char_indices().rev().nth(CONFIRM_CHARS - 1);
    &token.reference[last.map_or(0, |(at, _)| at)..]
}

/// A command on its way to disk.
pub fn command(
    id: CommandId,
    order: Order,
    offered: &Offered,
    asked_by: &str,
    idempotency_key: Option<&str>,
) -> Result<NewCommand, Unfit> {
    let fits = |key: &str| (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if idempotency_key.is_some_and(|key| !fits(key)) {
        let why = format!("must be of 1 to {KEY_CHARS_MAX} visible ASCII characters");
        return Err(unfit("Idempotency-Key", why));
    }
    Ok(NewCommand {
        id,
        approve_within: offered.approve_within.filter(|_| order.action == Action::Delete),
        order,
        asked_by: asked_by.to_owned(),
        idempotency_key: idempotency_key.map(str::to_owned),
    })
}

/// The token as a service names it: by the name itself where it is that service's, else by a link. Two names of
/// different services are never compared.
pub async fn target(
    token: &TokenReference,
    through: Service,
    reference_id: Option<&str>,
    desk: &dyn Desk,
) -> Result<Target, Refused> {
    let is_own = matches!(
        (token.namespace, through),
        (Namespace::Mdes, Service::Mdes) | (Namespace::TokenEx, Service::TokenEx)
    );
    if is_own && (through == Service::Mdes || reference_id.is_some()) {
        return Ok(own(token, through, reference_id));
    }
    let links = desk.links_of(token).await?;
    let fits = |link: &&Link| reference_id.is_none_or(|id| link.token_reference_id.as_deref() == Some(id));
    let linked = links.iter().filter(fits).map(|link| named(link, through));
    let names: BTreeSet<Target> = linked.collect();
    let mut names = names.into_iter();
    match (names.next(), names.next()) {
        (None, _) if is_own => Ok(own(token, through, None)),
        (Some(only), None) => Ok(only),
        (None, _) => {
            let why = format!(
                "is `{}`, which knows the token by another name: `links import` tells us which",
                through.as_str()
            );
            Err(unfit("through", why).into())
        }
        (Some(_), Some(_)) => {
            let why = "must say which: links give the token several names there";
            Err(unfit("token_reference_id", why).into())
        }
    }
}

fn own(token: &TokenReference, through: Service, reference_id: Option<&str>) -> Target {
    Target {
        token: token.reference.clone(),
        reference_id: reference_id.filter(|_| through == Service::TokenEx).map(str::to_owned),
    }
}

fn named(link: &Link, through: Service) -> Target {
    match through {
        Service::TokenEx => Target {
            token: link.tokenex_token.clone(),
            reference_id: link.token_reference_id.clone(),
        },
        Service::Mdes => Target {
            token: link.token_unique_reference.clone(),
            reference_id: None,
        },
    }
}

fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn caused_by(word: Option<&str>) -> Result<CausedBy, Unfit> {
    let known = [CausedBy::TokenRequestor, CausedBy::Cardholder];
    let Some(word) = given(word) else {
        return Ok(CausedBy::TokenRequestor);
    };
    let found = known.into_iter().find(|one| one.as_str().eq_ignore_ascii_case(word));
    found.ok_or_else(|| unfit("caused_by", "must be TOKEN_REQUESTOR or CARDHOLDER"))
}

/// A word of MDES's; new ones come without notice.
fn reason_code(word: Option<&str>) -> Result<String, Unfit> {
    let word = given(word).unwrap_or(REASON_CODE);
    let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    match word.len() <= CODE_CHARS_MAX && word.chars().all(fits) && without_written_numbers(word, false) == word {
        true => Ok(word.to_owned()),
        false => {
            let why = format!("must be a word such as SUSPECTED_FRAUD, of at most {CODE_CHARS_MAX} capitals");
            Err(unfit("reason_code", why))
        }
    }
}

/// In a person's words, numbers masked: the network is told it, and it is kept.
fn reason(words: Option<&str>) -> Result<Option<String>, Unfit> {
    let words = without_written_numbers(words.unwrap_or_default().trim(), false);
    match words.chars().count() {
        0 => Ok(None),
        1..=REASON_CHARS_MAX if !words.chars().any(char::is_control) => Ok(Some(words)),
        _ => {
            let why = format!("must be one line of at most {REASON_CHARS_MAX} characters");
            Err(unfit("reason", why))
        }
    }
}
