//! What a merchant is told: a change of a token, in the merchant's own words.
//!
//! One statement makes no event, one, or several; `docs/events/` has the whole table, and the tests hold it row by
//! row. An event is written in the transaction that records the change, and its body never changes after.

mod advice;
mod command;
mod subscription;
mod telling;

#[cfg(test)]
mod schemas;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

pub use self::advice::Advice;
pub use self::command::OfCommand;
pub use self::subscription::{Pattern, Subscription};
pub use self::telling::{Telling, told};
use super::alarm::OfAlarm;
use super::id::{EventId, Namespace, NotificationId};
use super::masked::Secret;
use super::notification::Flag;
use super::token::Change;

/// The version of the bodies below. A field may be added within it; none goes, and none changes its meaning.
pub const VERSION: u32 = 1;

/// How the types begin that are about the receiver itself.
const OPS: &str = "ops.";

macro_rules! event_types {
    ($($(#[$meta:meta])* $name:ident = $word:literal,)*) => {
        /// What happened, in the merchant's words.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub enum EventType {
            $($(#[$meta])* #[serde(rename = $word)] $name,)*
        }

        impl EventType {
            /// Every type there is.
            pub const ALL: &[EventType] = &[$(EventType::$name,)*];

            /// The word that bodies, filters and the store use.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(EventType::$name => $word,)*
                }
            }
        }
    };
}

event_types! {
    /// A token that nobody registered was heard of for the first time; or one is not active yet; or it is known now whose
    /// it is.
    TokenObserved = "token.observed",
    /// It became ready to transact for the first time.
    TokenActivated = "token.activated",
    /// It must not be charged until every suspender lets go.
    TokenSuspended = "token.suspended",
    /// It is suspended as before, by others than before.
    TokenSuspensionChanged = "token.suspension_changed",
    /// It is ready to transact again.
    TokenReactivated = "token.reactivated",
    /// It is gone for good.
    TokenDeactivated = "token.deactivated",
    /// It was digitised anew: its number changed, and perhaps its expiry.
    TokenReplaced = "token.replaced",
    /// Its expiry changed, its number did not.
    TokenExpiryChanged = "token.expiry_changed",
    /// The card behind it changed: last digits, first digits, expiry.
    CardChanged = "card.changed",
    /// What a cardholder sees of the card changed.
    CardArtChanged = "card.art_changed",
    /// Its status is one that we do not know, or one that should not come after the one before.
    TokenUnrecognized = "token.unrecognized",
    /// Something was said of a deactivated token as if it lived; nothing was applied.
    TokenAnomaly = "token.anomaly",
    /// What a command of yours wanted is seen to be so; the change itself is told by the token's own events.
    CommandConfirmed = "command.confirmed",
    /// The network says otherwise than a command of yours wanted.
    CommandContradicted = "command.contradicted",
    /// What a command of yours wanted was not seen in time; it is being asked after.
    CommandOverdue = "command.overdue",
    /// Nothing happened: the state of a token as it stands, for a destination that begins.
    TokenSnapshot = "token.snapshot",
    /// Nothing happened: someone tries out a destination. It speaks of no token.
    Test = "test",
    /// Entries in quarantine need a person, or do not any more. This type and the others of `ops` speak of no token, and
    /// go only to who asks for them by name: `ops.*`, `ops.gap`.
    OpsQuarantine = "ops.quarantine",
    /// A notification may have been missed; or what was to be done about that is.
    OpsGap = "ops.gap",
    /// Tokens are in a doubt that nothing settles, or are not any more.
    OpsAnomaly = "ops.anomaly",
    /// A certificate or a revocation list of the receiver's runs out, or was renewed.
    OpsCertificate = "ops.certificate",
    /// The certificate of a decryption key runs out, or was renewed.
    OpsKey = "ops.key",
    /// A destination is not told, or is again.
    OpsDestination = "ops.destination",
    /// Nothing comes for longer than usual, or something came.
    OpsSilence = "ops.silence",
    /// The receiver's own call through its public name does not come in, or does again.
    OpsProbe = "ops.probe",
    /// Commands wait for an operator or for their proof, or do not any more.
    OpsCommand = "ops.command",
}

impl EventType {
    /// It speaks of a token.
    pub fn is_of_token(self) -> bool {
        self != EventType::Test && !self.is_of_alarm()
    }

    /// It is about what needs a person.
    pub fn is_of_alarm(self) -> bool {
        self.as_str().starts_with(OPS)
    }

    /// The type of that word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        EventType::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }
}

/// One event, as it is kept and as it leaves but for what an attempt adds ([`Current`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Event {
    /// Ours; the same on every attempt, so that a repeat is known by it.
    pub id: EventId,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// The version of this form: within it fields may be added; none goes, and none changes its meaning.
    pub version: u32,
    /// When it was recorded.
    #[serde(with = "time::serde::rfc3339")]
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    pub timestamp: OffsetDateTime,
    /// About which token, and what.
    pub data: EventData,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventData {
    /// Whose reference it is.
    pub namespace: Namespace,
    /// MDES's tokenUniqueReference (or the token service's name for the token), verbatim.
    pub token_unique_reference: String,
    /// The token requestor (TRID) whose token it is, if that was ever said.
    pub token_requestor_id: Option<String>,
    /// The merchant's own reference for the card or customer, if the token is registered.
    pub merchant_reference: Option<String>,
    /// The token's version after it: from 1, without gaps; consumers keep the highest. 0: nothing was applied yet.
    pub sequence: u64,
    /// Its place among the events of one change, from 1.
    pub index: u32,
    /// How many events that change made.
    pub of: u32,
    /// False: what was said changed nothing, and `sequence` is the version that stands.
    pub state_changed: bool,
    /// MDES's word, verbatim; null as long as nothing was said of it.
    pub status: Option<String>,
    /// The status before, or else the one that it was registered with; null if there was neither.
    pub previous_status: Option<String>,
    /// Who suspended it, in MDES's words, verbatim.
    pub suspended_by: Vec<String>,
    /// MDES's eventReasonCode, verbatim.
    pub reason_code: Option<String>,
    /// When the status became what it is, as the network says.
    #[serde(with = "time::serde::rfc3339::option")]
    #[cfg_attr(test, schemars(with = "Option<String>", extend("format" = "date-time")))]
    pub status_at: Option<OffsetDateTime>,
    /// When we were told.
    #[serde(with = "time::serde::rfc3339")]
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    pub received_at: OffsetDateTime,
    /// What this event is about, field by field; numbers masked.
    pub changes: Vec<Change>,
    /// Which notification said so; null if none did.
    pub notification_id: Option<NotificationId>,
    /// What was odd about it.
    pub flags: Vec<Flag>,
    /// What a merchant does now.
    pub advice: Advice,
    /// The command that it is about; only there if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<OfCommand>,
    /// What needs a person; only there if it is about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<OfAlarm>,
}

/// The token as it stands when an attempt is made; it may have moved on since the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Current {
    /// Its version now.
    pub sequence: u64,
    /// Its status now.
    pub status: Option<String>,
    /// What stands may not be the truth.
    pub provisional: bool,
}

/// What an attempt adds to an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attempt {
    /// The token as it stands now; `None` for an event that speaks of no token.
    pub current: Option<Current>,
    /// It overtook earlier events of its token.
    pub out_of_order: bool,
    /// It was sent before, and is sent again because someone asked for it.
    pub replayed: bool,
    /// The token's number, for who is to have it.
    pub number: Number,
}

/// A token's own number (a PAN) in a body.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Number {
    /// Not meant for who is told.
    #[default]
    Unasked,
    /// It.
    Is(Secret),
    /// It cannot be opened any more.
    Unavailable,
}

impl EventData {
    /// Of no token: its reference is empty.
    pub fn of_no_token(now: OffsetDateTime) -> Self {
        EventData {
            namespace: Namespace::Mdes,
            token_unique_reference: String::new(),
            token_requestor_id: None,
            merchant_reference: None,
            sequence: 0,
            index: 1,
            of: 1,
            state_changed: false,
            status: None,
            previous_status: None,
            suspended_by: Vec::new(),
            reason_code: None,
            status_at: None,
            received_at: now,
            changes: Vec::new(),
            notification_id: None,
            flags: Vec::new(),
            advice: Advice::None,
            command: None,
            alarm: None,
        }
    }
}

impl Event {
    /// The body of one attempt.
    pub fn body(&self, attempt: &Attempt) -> Value {
        serde_json::to_value(self.told(attempt)).expect("an event has only text keys")
    }

    /// The same, written.
    pub fn written(&self, attempt: &Attempt) -> Vec<u8> {
        serde_json::to_vec(&self.told(attempt)).expect("an event has only text keys")
    }

    /// It never advises to resume what has since been stopped.
    fn told<'a>(&'a self, attempt: &'a Attempt) -> Told<'a> {
        let status = attempt.current.as_ref().map(|current| current.status.as_deref());
        let advice = status.map_or(self.data.advice, |status| self.data.advice.at(status));
        let data = match advice == self.data.advice {
            true => Cow::Borrowed(&self.data),
            false => Cow::Owned(EventData {
                advice,
                ..self.data.clone()
            }),
        };
        Told {
            id: self.id,
            kind: self.kind,
            version: self.version,
            timestamp: self.timestamp,
            data: ToldData {
                data,
                current: attempt.current.as_ref(),
                out_of_order: attempt.out_of_order,
                replayed: attempt.replayed,
                token_number: match &attempt.number {
                    Number::Is(number) => Some(number.expose()),
                    Number::Unasked | Number::Unavailable => None,
                },
                token_number_unavailable: attempt.number == Number::Unavailable,
            },
        }
    }
}

/// [`Event`] with what an attempt adds.
#[derive(Serialize)]
struct Told<'a> {
    id: EventId,
    #[serde(rename = "type")]
    kind: EventType,
    version: u32,
    #[serde(with = "time::serde::rfc3339")]
    timestamp: OffsetDateTime,
    data: ToldData<'a>,
}

#[derive(Serialize)]
struct ToldData<'a> {
    #[serde(flatten)]
    data: Cow<'a, EventData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<&'a Current>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    out_of_order: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_number: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    token_number_unavailable: bool,
}
