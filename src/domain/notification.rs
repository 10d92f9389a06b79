//! What was said about which tokens, and the identity that tells repeats.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::id::{ContentHash, TokenReference};
use super::status::{Instant, Status};

/// A notification, read: one statement per token that could be read, and a note per one that could not.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// Mastercard's `requestId`, verbatim (a number as its digits); `None` if it was missing.
    pub request_id: Option<String>,
    /// Keyed hash of the decrypted content without `responseHost`. With `request_id` it tells repeats.
    pub content: ContentHash,
    /// What was said, in the order of `tokens[]`.
    pub statements: Vec<Statement>,
    /// The entries of `tokens[]` that could not be read.
    pub unreadable: Vec<UnreadableToken>,
    /// What was odd about the whole.
    pub flags: BTreeSet<Flag>,
}

/// One entry of `tokens[]` that could not be read; it is kept by pointing at the sealed body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableToken {
    /// Its place in `tokens[]`, from 0.
    pub index: u32,
    /// Why, in words that hold nothing of the content.
    pub reason: String,
}

/// The name of a metadata field as MDES writes it, with its object: `tokenInfo.tokenExpiry`.
pub type FieldName = String;

/// The register that holds (masked) the token's own number.
pub const TOKEN_NUMBER: &str = "tokenInfo.tokenNumber";

/// The last digits of the token's own number; they come with whatever `tokenInfo` says.
pub const TOKEN_SUFFIX: &str = "tokenInfo.tokenPanSuffix";

/// Until when the number is good, `MMYY`.
pub const TOKEN_EXPIRY: &str = "tokenInfo.tokenExpiry";

/// The reason of a token that was digitised anew: its expiry is another, and maybe its number.
pub const REDIGITISED: &str = "REDIGITIZATION_COMPLETE";

/// TokenEx's `tokenReferenceId`: which of a TokenEx token's network tokens is meant. It names, and states nothing.
pub const TOKEN_REFERENCE_ID: &str = "tokenReferenceId";

/// TokenEx says that the card's data is other than it was, and not what it is: fetch it. Its value is the notice's own name.
pub const CARD_METADATA: &str = "cardMetadata";

/// What one notification says about one token.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// About which token.
    pub token: TokenReference,
    /// Its place in `tokens[]`, from 0.
    pub index: u32,
    /// Keyed hash of this statement's own content.
    pub hash: ContentHash,
    /// `status`; `None` (missing or null) states nothing.
    pub status: Option<Status>,
    /// `suspendedBy`, verbatim.
    pub suspended_by: BTreeSet<String>,
    /// `eventReasonCode`, verbatim.
    pub reason_code: Option<String>,
    /// `statusTimestamp`; `None` if it is missing or cannot be read.
    pub instant: Option<Instant>,
    /// Metadata: `tokenRequestorId`, `tokenInfo.*`, `productConfig.*`. `None` clears; an absent field states nothing.
    /// The token number stands here masked.
    pub metadata: BTreeMap<FieldName, Option<Value>>,
    /// Fields that we do not know, verbatim but for masked numbers.
    pub unrecognized: Map<String, Value>,
    /// What was odd about it.
    pub flags: BTreeSet<Flag>,
}

/// Something odd that is worth a person's eye; it never stops a statement from being taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// `requestId` was missing; the answer carries an id of ours.
    MissingRequestId,
    /// A field outside its documented type or length was read all the same.
    OddField,
    /// A field that we do not know.
    UnknownField,
    /// A `status` that we do not know.
    UnknownStatus,
    /// An `eventReasonCode` that we do not know.
    UnknownReason,
    /// A suspender that we do not know.
    UnknownSuspender,
    /// No readable `statusTimestamp`.
    Untimed,
    /// `statusTimestamp` more than five minutes ahead of our clock; counts as unreadable.
    FromTheFuture,
    /// `dataValidUntilTimestamp` had passed at the time of receipt.
    Expired,
    /// A card number stood where none belongs, and was masked.
    MaskedNumber,
    /// The status was older than what we hold and was not applied.
    StaleStatus,
    /// DEACTIVATED came with an older timestamp than what we held; applied all the same.
    DeactivatedOutOfOrder,
    /// Something other than DEACTIVATED was said of a deactivated token.
    WokeAfterDeactivation,
    /// It arrived unsealed.
    Unsealed,
    /// The first notice of a token that nobody registered.
    Unregistered,
    /// A reconcile asked for it: what it changes was missed before.
    Reconciled,
    /// It is about another network token of the same TokenEx token than what we hold, and was not applied.
    SeveralNetworkTokens,
}

impl Flag {
    /// The word that the store and the logs use.
    pub fn as_str(self) -> &'static str {
        match self {
            Flag::MissingRequestId => "missing_request_id",
            Flag::OddField => "odd_field",
            Flag::UnknownField => "unknown_field",
            Flag::UnknownStatus => "unknown_status",
            Flag::UnknownReason => "unknown_reason",
            Flag::UnknownSuspender => "unknown_suspender",
            Flag::Untimed => "untimed",
            Flag::FromTheFuture => "from_the_future",
            Flag::Expired => "expired",
            Flag::MaskedNumber => "masked_number",
            Flag::StaleStatus => "stale_status",
            Flag::DeactivatedOutOfOrder => "deactivated_out_of_order",
            Flag::WokeAfterDeactivation => "woke_after_deactivation",
            Flag::Unsealed => "unsealed",
            Flag::Unregistered => "unregistered",
            Flag::Reconciled => "reconciled",
            Flag::SeveralNetworkTokens => "several_network_tokens",
        }
    }
}

/// How long after the first a statement counts as the sender's retry, and how far ahead a timestamp may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// A statement heard again within this is a repeat.
    pub retry: time::Duration,
    /// A timestamp further ahead of our clock than this counts as unreadable.
    pub ahead: time::Duration,
}

impl Default for Windows {
    fn default() -> Self {
        Windows {
            retry: time::Duration::minutes(15),
            ahead: time::Duration::minutes(5),
        }
    }
}

/// When and in which notification a statement was heard, and whether it had been heard before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// When it was first received (a redrive keeps that time).
    pub received_at: OffsetDateTime,
    /// In which notification.
    pub notification: super::id::NotificationId,
    /// When the same statement was last counted as new, if it ever was.
    pub heard_before: Option<OffsetDateTime>,
}
