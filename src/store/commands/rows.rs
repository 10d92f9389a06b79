//! A command as its row has it.

use serde_json::Value;
use time::OffsetDateTime;

use crate::domain::command::{Command, Proof};
use crate::domain::id::{CommandId, TokenReference};
use crate::store::Error;
use crate::store::desk::KeptCommand;
use crate::store::record::token_reference;
use crate::store::row::row;
use crate::store::values::{Id, JsonText, Stamp};

row! {
    /// One command, as its columns have it.
    pub(super) struct CommandRow {
        id: Id,
        asked_by: String,
        waits: bool,
        approved_by: Option<String>,
        leased: bool,
        claim: i32,
        seen: JsonText,
        body: JsonText,
        answer: Option<JsonText>,
        created_at: Stamp,
        updated_at: Stamp,
        due_at: Stamp,
    }
}

/// One command, read.
pub(super) struct Held {
    pub kept: KeptCommand,
    /// The number of its newest claim.
    pub claim: u32,
    /// It is being worked on, until it is due.
    pub leased: bool,
    /// Up to which of its tokens' changes it has looked.
    pub seen: Vec<(TokenReference, u64)>,
}

impl CommandRow {
    pub(super) fn held(self) -> Result<Held, Error> {
        let id = CommandId(self.id.0);
        let place = |column: &'static str| move || format!("commands.{column} of {id}");
        let command: Command = self.body.read(place("body"))?;
        let answer = self.answer.map(|answer| answer.read(place("answer")));
        let seen: Vec<(String, String, u64)> = self.seen.read(place("seen"))?;
        let seen = seen.into_iter();
        let seen = seen.map(|(namespace, reference, at)| Ok((token_reference(&namespace, reference)?, at)));
        Ok(Held {
            claim: self.claim.unsigned_abs(),
            leased: self.leased,
            seen: seen.collect::<Result<_, Error>>()?,
            kept: KeptCommand {
                command,
                asked_by: self.asked_by,
                waits: self.waits,
                approved_by: self.approved_by,
                answer: answer.transpose()?,
                created_at: self.created_at.0,
                updated_at: self.updated_at.0,
                due_at: self.due_at.0,
            },
        })
    }
}

impl Held {
    /// Somebody works on it, as far as a lease can say.
    pub(super) fn is_worked_on(&self, now: OffsetDateTime) -> bool {
        self.leased && self.kept.due_at > now
    }
}

/// Up to which changes was looked, as the column has it.
pub(super) fn written(seen: &[(TokenReference, u64)]) -> String {
    let one = |(token, at): &(TokenReference, u64)| {
        Value::from(vec![
            Value::from(token.namespace.as_str()),
            Value::from(token.reference.as_str()),
            Value::from(*at),
        ])
    };
    Value::from_iter(seen.iter().map(one)).to_string()
}

/// A proof's word.
pub(super) fn word(proof: Proof) -> &'static str {
    match proof {
        Proof::Ours => "ours",
        Proof::Satisfied => "satisfied",
        Proof::HeldByOthers => "held_by_others",
    }
}

/// JSON as a column takes it.
pub(super) fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    // Nothing of ours fails to serialise but a time outside the calendar.
    serde_json::to_string(value).map_err(|_| Error::Data("a time outside the years 1 to 9999".to_owned()))
}
