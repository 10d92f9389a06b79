//! What is said: statements about some tokens, each at an instant of its own, some of them late.

use std::collections::BTreeSet;

use mdes_receiver::simulator::seal::Sealer;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::model::{Said, Status};
use mdes_receiver::simulator::dice::Dice;

/// One of so many is a body that nobody can read.
const UNREADABLE: u64 = 50;
/// One of so many deactivates its token, once.
const DEACTIVATES: u64 = 80;
/// One of so many is late.
const LATE: u64 = 10;

/// What is sent next.
pub enum Saying {
    Good(Said),
    /// Sealed to a key that the receiver has not.
    Unreadable(String),
}

/// All that is said, one after the other.
pub struct Sayings {
    dice: Dice,
    began: i64,
    tokens: u64,
    number: u64,
    gone: BTreeSet<u64>,
}

impl Sayings {
    /// An hour back, so that the last of a million is not from the future.
    pub fn seeded(seed: u64, tokens: u64, now: OffsetDateTime) -> Self {
        Sayings {
            dice: Dice::seeded(seed),
            began: (now - time::Duration::hours(1)).unix_timestamp() * 1_000_000,
            tokens,
            number: 0,
            gone: BTreeSet::new(),
        }
    }

    pub fn next(&mut self) -> Saying {
        let number = self.number;
        self.number += 1;
        let request_id = format!("soak-{number}");
        if self.dice.below(UNREADABLE) == 0 {
            return Saying::Unreadable(request_id);
        }
        let token = self.dice.below(self.tokens);
        let status = match self.dice.below(DEACTIVATES) {
            0 if self.gone.insert(token) => Status::Deactivated,
            n if n % 2 == 0 => Status::Suspended,
            _ => Status::Active,
        };
        Saying::Good(Said {
            request_id,
            token: format!("DM4MMC-SOAK-{token}"),
            status,
            at: self.instant(number),
            suspended_by: self.suspenders(status),
            expiry: (status != Status::Deactivated).then(|| format!("11{}", 30 + self.dice.below(3))),
            acknowledged: false,
        })
    }

    /// One for each number, a millisecond apart; a late one is up to 399 of them older, between two others.
    fn instant(&mut self, number: u64) -> i64 {
        let late = match self.dice.below(LATE) {
            0 => 1 + self.dice.below(399) as i64,
            _ => 0,
        };
        // The microseconds of the late are their own number's, so that no two are the same, and none is a whole second.
        let own = if late == 0 { 500 } else { 1 + (number % 400) as i64 };
        self.began + (number as i64 - late) * 1_000 + own
    }

    fn suspenders(&mut self, status: Status) -> BTreeSet<String> {
        let all = ["ISSUER", "CARDHOLDER", "MOBILE_PIN_LOCKED"];
        let wanted = 1 + self.dice.below(7);
        let chosen = all.iter().enumerate().filter(|(bit, _)| wanted >> bit & 1 == 1);
        match status {
            Status::Suspended => chosen.map(|(_, word)| (*word).to_owned()).collect(),
            _ => BTreeSet::new(),
        }
    }
}

/// Its content, as MDES writes it.
pub fn content(said: &Said) -> Value {
    let microseconds = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(said.at) * 1_000);
    let at = at.ok().and_then(|at| at.format(&microseconds).ok());
    let mut token = json!({
        "tokenUniqueReference": said.token,
        "tokenRequestorId": "50100000001",
        "status": said.status.word(),
        "statusTimestamp": at,
    });
    if !said.suspended_by.is_empty() {
        token["suspendedBy"] = json!(said.suspended_by);
    }
    if let Some(expiry) = &said.expiry {
        token["tokenInfo"] = json!({"tokenExpiry": expiry});
    }
    json!({"tokens": [token]})
}

/// The body that seals this content.
pub fn sealed(sealer: &Sealer, request_id: &str, content: &Value) -> anyhow::Result<Vec<u8>> {
    let body = json!({
        "responseHost": "site1.mastercard.com",
        "requestId": request_id,
        "encryptedPayload": sealer.seal(content.to_string().as_bytes())?,
    });
    Ok(body.to_string().into_bytes())
}
