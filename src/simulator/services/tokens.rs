//! The tokens that both services know: one set, one state machine.
//!
//! One TokenEx token may stand for several network tokens. What a token is called by TokenEx (`token`,
//! `tokenReferenceId`) and by MDES (`tokenUniqueReference`) are different things; here alone they stand side by side.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::simulator::card::{self, product_config};
use crate::simulator::dice::Dice;
use crate::simulator::wording::{Wording, written};

/// More than a desk or a test needs.
const TOKENS_MAX: usize = 10_000;
const REFERENCES_MAX: usize = 10;
const NAME_CHARS_MAX: usize = 64;
const SUSPENDERS_MAX: usize = 10;

/// Us, as the networks call who asked for a token.
pub const REQUESTOR: &str = "TOKEN_REQUESTOR";

/// Whose network it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Brand {
    /// Mastercard: MDES knows its tokens too.
    #[default]
    Mastercard,
    /// Visa: its table of codes has no 9104.
    Visa,
    /// American Express.
    Amex,
}

/// A network token's state, in MDES's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Not yet activated.
    Inactive,
    /// Ready to be charged.
    #[default]
    Active,
    /// By at least one suspender.
    Suspended,
    /// Gone for good; TokenEx says `DELETED`.
    Deactivated,
}

impl State {
    /// MDES's word.
    pub fn mdes(self) -> &'static str {
        match self {
            State::Inactive => "INACTIVE",
            State::Active => "ACTIVE",
            State::Suspended => "SUSPENDED",
            State::Deactivated => "DEACTIVATED",
        }
    }

    /// TokenEx's word.
    pub fn tokenex(self) -> &'static str {
        match self {
            State::Deactivated => "DELETED",
            other => other.mdes(),
        }
    }
}

/// What can be done to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// One more suspender.
    Suspend,
    /// One suspender lets go.
    Resume,
    /// The end.
    Delete,
    /// From `INACTIVE`.
    Activate,
}

/// By whose rules: nobody published a table of what is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// TokenEx's: a suspended token is not suspended again, unless that is taken for granted.
    TokenEx {
        /// Suspending a suspended token succeeds.
        idempotent_suspend: bool,
    },
    /// MDES's: suspenders come and go, each for itself.
    Mdes,
    /// By hand: what a script says happens.
    Hand,
}

/// Who does it, and why.
#[derive(Clone, Debug)]
pub struct Cause {
    /// The suspender: `TOKEN_REQUESTOR`, `ISSUER`, `CARDHOLDER`, or whatever a script says.
    pub by: String,
    /// For suspicion of fraud.
    pub fraud: bool,
    /// For people.
    pub reason: String,
}

impl Cause {
    /// By that one, for no particular reason.
    pub fn by(by: &str) -> Self {
        Cause {
            by: by.to_owned(),
            fraud: false,
            reason: String::new(),
        }
    }
}

/// How often a call came about a token, and how often it changed or told something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// Came.
    pub came: u64,
    /// Was carried out, whatever the answer then was.
    pub applied: u64,
}

/// One network token. No `Debug`: it holds a number.
#[derive(Clone)]
pub struct NetworkToken {
    /// TokenEx's token for the card; several network tokens may share it.
    pub token: String,
    /// TokenEx's `tokenReferenceId`.
    pub reference_id: String,
    /// Whose network it is.
    pub brand: Brand,
    /// Its state.
    pub state: State,
    /// Who suspended it.
    pub suspended_by: BTreeSet<String>,
    /// `statusTimestamp`.
    pub state_at: OffsetDateTime,
    /// The card behind it; its `reference` is MDES's `tokenUniqueReference`.
    pub card: card::Token,
    /// Its look.
    pub product_config: Value,
    /// The calls about it, by name.
    pub calls: BTreeMap<String, Calls>,
}

impl NetworkToken {
    /// `statusTimestamp` as MDES writes it.
    pub fn state_at_written(&self, whole_seconds: bool) -> String {
        let wording = if whole_seconds {
            Wording::Pacific
        } else {
            Wording::Millis
        };
        written(self.state_at, wording)
    }

    /// For scripts: its names, state and calls; no number.
    pub fn shown(&self) -> Value {
        json!({
            "token": self.token,
            "token_reference_id": self.reference_id,
            "token_unique_reference": self.card.reference,
            "brand": self.brand,
            "state": self.state,
            "suspended_by": self.suspended_by,
            "state_at": self.state_at_written(false),
            "calls": self.calls,
        })
    }
}

/// A token to be made. What is left out is made up.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewToken {
    /// TokenEx's token; one that is there gets one more network token.
    pub token: Option<String>,
    /// How many network tokens; 0 makes a TokenEx token without one.
    pub references: Option<usize>,
    /// TokenEx's `tokenReferenceId` of the first.
    pub token_reference_id: Option<String>,
    /// MDES's `tokenUniqueReference` of the first.
    pub token_unique_reference: Option<String>,
    /// Whose network.
    pub brand: Brand,
    /// Its state.
    pub state: State,
    /// Who suspended it, if it is suspended; nobody named: the token requestor.
    pub suspended_by: BTreeSet<String>,
    /// Since when; left out: now.
    #[serde(with = "time::serde::rfc3339::option")]
    pub state_at: Option<OffsetDateTime>,
    /// Notifies of it.
    pub announce: bool,
}

/// Why it cannot be made or done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokensError {
    /// There are enough.
    #[error("there are {TOKENS_MAX} tokens already; start again")]
    TooMany,
    /// One token has no more than that.
    #[error("one token has {REFERENCES_MAX} network tokens at most")]
    TooManyReferences,
    /// A name is empty, too long, or has other characters.
    #[error("`{0}` must have 1 to {NAME_CHARS_MAX} letters, digits, `-` or `_`")]
    BadName(&'static str),
    /// Somebody else has that name.
    #[error("`{0}` is another token's name already")]
    Taken(&'static str),
    /// Nobody has that name.
    #[error("no token of that name; `GET /tokens` shows all")]
    Unknown,
}

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The state before.
    pub from: State,
    /// Whether the state or its suspenders are other ones now.
    pub moved: bool,
}

/// A token is not in a state for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongState;

/// All tokens.
pub struct Tokens {
    pub(super) dice: Dice,
    network: Vec<NetworkToken>,
    names: BTreeMap<String, Vec<usize>>,
    references: BTreeMap<String, usize>,
    same_timestamp: bool,
}

impl Tokens {
    /// None yet. With `same_timestamp`, `statusTimestamp` moves with the status alone, not with its suspenders.
    pub fn new(seed: u64, same_timestamp: bool) -> Self {
        Tokens {
            dice: Dice::seeded(seed),
            network: Vec::new(),
            names: BTreeMap::new(),
            references: BTreeMap::new(),
            same_timestamp,
        }
    }

    /// Makes it; says the places of its new network tokens.
    pub fn make(&mut self, new: &NewToken, now: OffsetDateTime) -> Result<Vec<usize>, TokensError> {
        let count = new.references.unwrap_or(1);
        self.can_make(new, count)?;
        let token = new.token.clone().unwrap_or_else(|| self.tokenex_token());
        self.names.entry(token.clone()).or_default();
        let made = (0..count).map(|nth| self.make_one(&token, new, nth, now)).collect();
        Ok(made)
    }

    fn can_make(&self, new: &NewToken, count: usize) -> Result<(), TokensError> {
        let there = new.token.as_ref().and_then(|token| self.names.get(token));
        if there.map_or(0, Vec::len) + count > REFERENCES_MAX {
            return Err(TokensError::TooManyReferences);
        }
        if self.names.len() >= TOKENS_MAX || self.network.len() + count > TOKENS_MAX {
            return Err(TokensError::TooMany);
        }
        let names = [
            ("token", &new.token),
            ("token_reference_id", &new.token_reference_id),
            ("token_unique_reference", &new.token_unique_reference),
        ];
        for (key, name) in names {
            match name {
                Some(name) if !is_name(name) => return Err(TokensError::BadName(key)),
                Some(name) if key != "token" && self.references.contains_key(name) => {
                    return Err(TokensError::Taken(key));
                }
                _ => {}
            }
        }
        match new.suspended_by.len() > SUSPENDERS_MAX || !new.suspended_by.iter().all(|by| is_name(by)) {
            true => Err(TokensError::BadName("suspended_by")),
            false => Ok(()),
        }
    }

    fn make_one(&mut self, token: &str, new: &NewToken, nth: usize, now: OffsetDateTime) -> usize {
        let given = |name: &Option<String>| name.clone().filter(|_| nth == 0);
        let mut card = card::Token::fresh(&mut self.dice, now);
        if let Some(reference) = given(&new.token_unique_reference) {
            card.reference = reference;
        }
        let reference_id = given(&new.token_reference_id).unwrap_or_else(|| self.dice.uuid());
        let place = self.network.len();
        for name in [&card.reference, &reference_id] {
            self.references.insert(name.clone(), place);
        }
        self.names.entry(token.to_owned()).or_default().push(place);
        self.network.push(NetworkToken {
            token: token.to_owned(),
            reference_id,
            brand: new.brand,
            state: new.state,
            suspended_by: suspenders(new),
            state_at: in_millis(new.state_at.unwrap_or(now)),
            product_config: product_config(&mut self.dice),
            card,
            calls: BTreeMap::new(),
        });
        place
    }

    /// Like one of TokenEx's: the ends of a number, and letters between them.
    fn tokenex_token(&mut self) -> String {
        loop {
            let number = card::card_number(&mut self.dice);
            let between = self.dice.hex32()[..4].to_uppercase();
            let token = format!("{}T{between}X{}", &number[..6], &number[number.len() - 4..]);
            if !self.names.contains_key(&token) {
                return token;
            }
        }
    }

    /// The network tokens of TokenEx's token, the oldest first; `None`: TokenEx knows no such token.
    pub fn of_tokenex(&self, token: &str) -> Option<&[usize]> {
        self.names.get(token).map(Vec::as_slice)
    }

    /// The token of MDES's reference.
    pub fn of_mdes(&self, unique_reference: &str) -> Option<usize> {
        let place = *self.references.get(unique_reference)?;
        let token = &self.network[place];
        (token.card.reference == unique_reference && token.brand == Brand::Mastercard).then_some(place)
    }

    /// For scripts: the network tokens that have this name, of whichever kind it is.
    pub fn named(&self, name: &str) -> Result<Vec<usize>, TokensError> {
        let places = match self.references.get(name) {
            Some(place) => vec![*place],
            None => self.names.get(name).cloned().unwrap_or_default(),
        };
        if places.is_empty() {
            Err(TokensError::Unknown)
        } else {
            Ok(places)
        }
    }

    /// The token in that place.
    pub fn at(&self, place: usize) -> &NetworkToken {
        &self.network[place]
    }

    /// The same, to change what does not concern its state.
    pub fn at_mut(&mut self, place: usize) -> &mut NetworkToken {
        &mut self.network[place]
    }

    /// All of them.
    pub fn all(&self) -> &[NetworkToken] {
        &self.network
    }

    /// Does it, unless the token is not in a state for it.
    pub fn act(
        &mut self,
        place: usize,
        act: Act,
        by: &str,
        rules: Rules,
        now: OffsetDateTime,
    ) -> Result<Changed, WrongState> {
        let same_timestamp = self.same_timestamp;
        let token = &mut self.network[place];
        let (state, suspended_by) = after(token, act, by, rules)?;
        let from = token.state;
        let moved = state != from || suspended_by != token.suspended_by;
        if state != from || (moved && !same_timestamp) {
            // Never the same instant twice: whoever reads can tell which is later.
            token.state_at = in_millis(now).max(token.state_at + Duration::MILLISECOND);
        }
        (token.state, token.suspended_by) = (state, suspended_by);
        Ok(Changed { from, moved })
    }
}

/// The whole state machine.
fn after(token: &NetworkToken, act: Act, by: &str, rules: Rules) -> Result<(State, BTreeSet<String>), WrongState> {
    let mut held_by = token.suspended_by.clone();
    let state = match (act, token.state) {
        (_, State::Deactivated) => return Err(WrongState),
        (Act::Delete, _) => {
            held_by.clear();
            State::Deactivated
        }
        (Act::Activate, State::Inactive) => State::Active,
        (Act::Suspend, State::Active) => suspended(&mut held_by, by)?,
        (Act::Suspend, State::Suspended) => match rules {
            Rules::TokenEx {
                idempotent_suspend: false,
            } => return Err(WrongState),
            _ => suspended(&mut held_by, by)?,
        },
        (Act::Resume, State::Suspended) => {
            let was_there = held_by.remove(by);
            if !was_there && rules == Rules::Mdes {
                return Err(WrongState);
            }
            if held_by.is_empty() {
                State::Active
            } else {
                State::Suspended
            }
        }
        _ => return Err(WrongState),
    };
    Ok((state, held_by))
}

fn suspended(held_by: &mut BTreeSet<String>, by: &str) -> Result<State, WrongState> {
    held_by.insert(by.to_owned());
    if held_by.len() > SUSPENDERS_MAX {
        Err(WrongState)
    } else {
        Ok(State::Suspended)
    }
}

fn suspenders(new: &NewToken) -> BTreeSet<String> {
    match new.state {
        State::Suspended if new.suspended_by.is_empty() => BTreeSet::from([REQUESTOR.to_owned()]),
        State::Suspended => new.suspended_by.clone(),
        _ => BTreeSet::new(),
    }
}

/// What may stand in a token's name.
pub fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

fn in_millis(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_millisecond(at.millisecond())
        .expect("a moment's own millisecond")
}
