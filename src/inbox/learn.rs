//! Takes in what a service said when we called it, through the same reading and the same state rules.
//!
//! What cannot be read is not kept: it can be asked for again.

use bytes::Bytes;
use time::OffsetDateTime;

use super::batch::Unrecorded;
use super::{Arrival, Inbox, Receipt};
use crate::domain::command::Service;
use crate::domain::id::{Namespace, TokenReference};
use crate::domain::notification::{Flag, Statement};
use crate::domain::peer::Peer;
use crate::domain::status::Status;
use crate::domain::token::{Asked, Manner};
use crate::mdes;
use crate::store::{Recorded, Recording};

/// TokenEx's word for what MDES calls DEACTIVATED.
const DELETED: &str = "DELETED";

/// What a service said of a token. No `Debug`: a number may stand in it.
#[derive(Clone)]
pub struct Learned {
    /// Which service.
    pub service: Service,
    /// Of which token, as that service names it; what it says of others is not heard.
    pub token: TokenReference,
    /// A JSON object with a `tokens` array in MDES's form, and getToken's `tokenDetail` if that was asked for; at most a
    /// client's limit. It is sealed before it rests.
    pub body: Bytes,
    /// It answers a question of ours, asked when we held that sequence of the token; `None`: it is a statement.
    pub asked_at_sequence: Option<u64>,
    /// A reconcile asked: what it changes was missed before, and its journal says so.
    pub reconciles: bool,
    /// When the last byte of it came in.
    pub received_at: OffsetDateTime,
}

/// It was not taken in. Display holds nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unlearned {
    /// It says nothing of that token that can be used; asking again may bring more.
    #[error("the answer cannot be used: {0}")]
    Unusable(String),
    /// The store is away.
    #[error("the answer cannot be kept now: {0}")]
    Unavailable(String),
}

impl Inbox {
    /// Reads and records it, sealed to our newest key. After `Ok` it is on disk.
    ///
    /// A crash before leaves nothing, and it can be asked for again.
    pub async fn learn(&self, learned: Learned) -> Result<Receipt, Unlearned> {
        let ring = self.keys.current();
        let answered = mdes::with_number(&learned.body, &ring, &self.rules, learned.received_at);
        if let Some(why) = answered.unopened {
            let token = learned.token.shown();
            tracing::warn!(token, why, "the number that a service gave cannot be opened");
        }
        let read = mdes::read(&answered.body, &ring, &self.rules.unsealed(), learned.received_at)
            .map_err(|unreadable| Unlearned::Unusable(unreadable.detail))?;
        let arrival = Arrival {
            received_at: learned.received_at,
            peer: Peer::called(learned.service.as_str()),
            body: learned.body.clone(),
        };
        let recording = heard_of(&learned, self.recording(&arrival, read));
        if recording.statements.is_empty() {
            return Err(Unlearned::Unusable("it does not speak of the token".to_owned()));
        }
        let request_id = recording.request_id.clone();
        match self.batch.record(recording).await {
            Ok(Recorded::New { id, outcomes }) => Ok(Receipt {
                id,
                response_id: request_id,
                outcomes,
                repeat: false,
                unreadable: 0,
            }),
            Ok(Recorded::Repeat { first, request_id }) => Ok(Receipt {
                id: first,
                response_id: request_id,
                outcomes: Vec::new(),
                repeat: true,
                unreadable: 0,
            }),
            Err(Unrecorded::Poison(why)) => Err(Unlearned::Unusable(why)),
            Err(error) => Err(Unlearned::Unavailable(error.to_string())),
        }
    }
}

/// What of it is about that token, with the question that it answers.
fn heard_of(learned: &Learned, mut recording: Recording) -> Recording {
    if learned.service == Service::TokenEx {
        recording.statements.iter_mut().for_each(as_tokenex_says);
    }
    recording
        .statements
        .retain(|statement| statement.token == learned.token);
    recording.unreadable.clear();
    if learned.reconciles {
        for statement in &mut recording.statements {
            statement.flags.insert(Flag::Reconciled);
        }
    }
    // Neither is odd about an answer.
    recording.flags.remove(&Flag::Unsealed);
    recording.flags.remove(&Flag::MissingRequestId);
    if let Some(sequence) = learned.asked_at_sequence {
        // Each answer counts, whatever it was asked under: two that agree say more than one.
        recording.request_id = recording.id.to_string();
        recording.manner = Manner::Answers(Asked {
            sequence,
            vouched: false,
        });
    }
    recording
}

/// Its tokens are its own, its words almost MDES's, and it gives no instants.
fn as_tokenex_says(statement: &mut Statement) {
    statement.token.namespace = Namespace::TokenEx;
    statement.flags.remove(&Flag::Untimed);
    if statement.status == Some(Status::Unknown(DELETED.to_owned())) {
        statement.status = Some(Status::Deactivated);
        statement.flags.remove(&Flag::UnknownStatus);
    }
}
