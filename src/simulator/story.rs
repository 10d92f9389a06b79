//! What Mastercard says: one token's life, and the odd things that happen on the way.
//!
//! It writes the decrypted content as plain JSON, by the specification and by what was seen on real wires.
//! The same seed at the same time tells the same story, word for word; it never reads a clock.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::card::{Token, card_number, expiry, product_config};
use super::dice::Dice;
use super::wording::{Wording, written};

/// How long before `now` a story begins. Every status change is 5 to 15 seconds after the one before,
/// and none is ever later than `now`: a receiver may distrust timestamps from the future.
const BEGINS_BEFORE: Duration = Duration::minutes(30);

/// One thing that can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// The token is active.
    Active,
    /// The token is suspended, by these suspenders.
    Suspended(&'static [&'static str]),
    /// The last suspender let go.
    Resumed,
    /// The issuer changed the card's look (`productConfig`); the status and its timestamp are as before.
    CardArt,
    /// The card behind the token was reissued (`tokenInfo`); the status and its timestamp are as before.
    CardChanged,
    /// The token has a new number and a new expiry.
    ReDigitized,
    /// The token is gone for good; on the wire `DEACTIVATED`.
    Deleted,
    /// A suspender, a reason and a field that nobody has heard of.
    UnknownCodes,
    /// A status that nobody has heard of.
    UnknownStatus,
    /// One notification about two tokens.
    TwoTokens,
    /// Numbers for strings, strings for booleans, nulls, unknown things, a token without a timestamp.
    Hostile,
    /// A suspension from before the last status change.
    LateSuspension,
}

/// A message before it is sealed.
///
/// No `Debug`: the content may hold a token number.
#[derive(Clone, PartialEq)]
pub struct Message {
    /// `requestId` of the envelope.
    pub request_id: String,
    /// What the envelope seals: `{"tokens": […]}`.
    pub content: Value,
}

/// A story in the telling: the token it is about, and how far its time has come.
pub struct Story {
    dice: Dice,
    now: OffsetDateTime,
    at: OffsetDateTime,
    token: Token,
}

impl Story {
    /// The story of that seed, told at `now`.
    pub fn new(seed: u64, now: OffsetDateTime) -> Self {
        let mut dice = Dice::seeded(seed);
        let token = Token::fresh(&mut dice, now);
        Story {
            dice,
            now,
            at: now - BEGINS_BEFORE,
            token,
        }
    }

    /// The token that the story is about now.
    pub fn token_unique_reference(&self) -> &str {
        &self.token.reference
    }

    /// The time at which the story is told.
    pub fn now(&self) -> OffsetDateTime {
        self.now
    }

    /// A fresh `requestId`.
    pub fn request_id(&mut self) -> String {
        self.dice.uuid()
    }

    /// Turns to another token if this one is gone for good: nothing more can be said of it.
    pub fn go_on(&mut self) {
        if self.token.status == "DEACTIVATED" {
            self.token = Token::fresh(&mut self.dice, self.now);
        }
    }

    /// Turns to a fresh token for the length of an episode, and gives the one to [`Story::go_back_to`].
    pub(super) fn digress(&mut self) -> Token {
        let episode = Token::fresh(&mut self.dice, self.now);
        std::mem::replace(&mut self.token, episode)
    }

    /// Ends an episode.
    pub(super) fn go_back_to(&mut self, token: Token) {
        self.token = token;
    }

    /// Says it, and remembers that it was said.
    pub fn tell(&mut self, say: Say) -> Message {
        let request_id = self.request_id();
        let mut content = json!({ "tokens": self.tokens(say) });
        if say == Say::Active {
            content["dataValidUntilTimestamp"] = Value::Null;
        }
        Message { request_id, content }
    }

    fn tokens(&mut self, say: Say) -> Vec<Value> {
        match say {
            Say::Active => vec![self.active()],
            Say::Suspended(by) => vec![self.suspended(by)],
            Say::Resumed => vec![self.resumed()],
            Say::CardArt => vec![self.card_art()],
            Say::CardChanged => vec![self.card_changed()],
            Say::ReDigitized => vec![self.re_digitized()],
            Say::Deleted => vec![self.deleted()],
            Say::UnknownCodes => vec![self.unknown_codes()],
            Say::UnknownStatus => vec![self.changed("PENDING_ACTIVATION")],
            Say::TwoTokens => self.two_tokens(),
            Say::Hostile => self.hostile(),
            Say::LateSuspension => vec![self.late_suspension()],
        }
    }

    fn active(&mut self) -> Value {
        let mut said = self.changed("ACTIVE");
        said["tokenInfo"] = self.token.info();
        said
    }

    fn suspended(&mut self, by: &[&str]) -> Value {
        let mut said = self.changed("SUSPENDED");
        said["suspendedBy"] = json!(by);
        if by == ["ISSUER"] {
            said["eventReasonCode"] = json!("SUSPECTED_FRAUD");
        }
        said
    }

    fn resumed(&mut self) -> Value {
        let mut said = self.changed("ACTIVE");
        said["suspendedBy"] = Value::Null;
        said["eventReasonCode"] = json!("NOT_FRAUD");
        said
    }

    fn card_art(&mut self) -> Value {
        let mut said = self.unchanged();
        said["productConfig"] = product_config(&mut self.dice);
        said
    }

    fn card_changed(&mut self) -> Value {
        self.token.account_suffix = self.dice.digits(4);
        self.token.account_expiry = expiry(&mut self.dice, self.now, 4);
        let mut said = self.unchanged();
        said["tokenInfo"] = self.token.info();
        said
    }

    fn re_digitized(&mut self) -> Value {
        self.token.number = card_number(&mut self.dice);
        self.token.number_expiry = expiry(&mut self.dice, self.now, 6);
        let mut said = self.changed("ACTIVE");
        said["eventReasonCode"] = json!("REDIGITIZATION_COMPLETE");
        said["tokenInfo"] = self.token.info();
        said["tokenInfo"]["tokenNumber"] = json!(self.token.number);
        said
    }

    fn deleted(&mut self) -> Value {
        let mut said = self.changed("DEACTIVATED");
        said["eventReasonCode"] = json!("ACCOUNT_CLOSED");
        said
    }

    fn unknown_codes(&mut self) -> Value {
        let mut said = self.suspended(&["ISSUER", "SOMETHING_NEW"]);
        said["eventReasonCode"] = json!("A_CODE_NOT_KNOWN_YET");
        said["triggeredBy"] = json!("SOMEBODY_NEW");
        said
    }

    fn two_tokens(&mut self) -> Vec<Value> {
        let first = self.active();
        let told_of = self.digress();
        let second = self.suspended(&["ISSUER"]);
        self.go_back_to(told_of);
        vec![first, second]
    }

    fn hostile(&mut self) -> Vec<Value> {
        let mut first = self.unknown_codes();
        first["correlationId"] = json!("c-1");
        first["error"] = Value::Null;
        first["tokenInfo"] = json!({
            "tokenPanSuffix": "0001", "accountPanPrefix": 520473, "accountPanSuffix": "0011",
            "tokenExpiry": 921, "dsrpCapable": "true",
        });
        let other = Token::fresh(&mut self.dice, self.now);
        let second = json!({
            "tokenUniqueReference": other.reference,
            "status": "PENDING_ACTIVATION",
            "someFutureObject": {"a": 1},
        });
        vec![first, second]
    }

    /// The token's status stays what it was: this comes too late to change it.
    fn late_suspension(&mut self) -> Value {
        let changed_at = self.token.status_at.as_ref().map_or(self.at, |(at, _)| *at);
        let mut said = self.token.says("SUSPENDED");
        said["suspendedBy"] = json!(["ISSUER"]);
        said["statusTimestamp"] = json!(written(changed_at - Duration::seconds(3), Wording::Millis));
        said
    }

    /// The token with this status as of the story's next moment.
    fn changed(&mut self, status: &'static str) -> Value {
        self.at = self.next_moment();
        let wording = Wording::of(self.dice.below(4));
        self.token.status = status;
        self.token.status_at = Some((self.at, written(self.at, wording)));
        self.unchanged()
    }

    /// The token with the status it has, and the timestamp of when it came to have it.
    fn unchanged(&mut self) -> Value {
        let Some((_, status_at)) = self.token.status_at.clone() else {
            return self.changed("ACTIVE");
        };
        let mut said = self.token.says(self.token.status);
        said["statusTimestamp"] = json!(status_at);
        said
    }

    fn next_moment(&mut self) -> OffsetDateTime {
        let step = Duration::milliseconds(5_000 + i64::try_from(self.dice.below(10_000)).unwrap_or(0));
        let next = self.at + step;
        // A story longer than half an hour creeps on by milliseconds rather than pass `now`.
        if next < self.now {
            next
        } else {
            self.at + Duration::milliseconds(1)
        }
    }
}
