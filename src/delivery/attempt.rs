//! One attempt: what leaves, and what became of it.
//!
//! A crash in the middle leaves the delivery under its lease; whether it arrived, nobody knows, and it goes again.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::timeout;

use super::{Answer, Destination, Failure, Numbers, Outgoing, Sent};
use crate::clock::Clock;
use crate::config::settings;
use crate::domain::delivery::Outcome;
use crate::domain::event::{Attempt, Number};
use crate::domain::id::TokenReference;
use crate::domain::notification::TOKEN_NUMBER;
use crate::domain::pace::Sign;
use crate::store::outbox::{Claimed, Settlement};
use crate::telemetry::traces::Place;

/// An attempt is over by then, in any case: before its lease is.
const ATTEMPT_MAX: Duration = Duration::from_secs(38);

/// One destination, and what it takes to serve it.
pub struct Line {
    /// What was configured.
    pub settings: settings::Destination,
    /// How it is spoken to.
    pub destination: Arc<dyn Destination>,
    /// For how long a delivery must have failed before one that stops charging may overtake it.
    pub stop_overtakes_after: Duration,
    /// Opens the numbers of tokens, if this destination is to have them.
    pub numbers: Option<Arc<dyn Numbers>>,
}

/// How an attempt ended, and what that says of the destination.
pub(super) struct Ended {
    pub settlement: Settlement,
    pub sign: Sign,
    pub gone: bool,
}

/// One attempt: gives how it ended, and the word for the metrics.
pub(super) async fn attempt(
    line: &Line,
    claimed: &Claimed,
    now: OffsetDateTime,
    clock: &dyn Clock,
    dice: f64,
    trace: Option<Place>,
) -> (Ended, &'static str) {
    // Whatever a library forgets: an attempt ends before its lease does.
    let sent = match timeout(ATTEMPT_MAX, send(line, claimed, now, trace)).await {
        Ok(sent) => sent,
        Err(_) => failed(Failure::Timeout, "it did not end by itself"),
    };
    let now = clock.now();
    let (destination, event, attempt) = (&line.settings.name, claimed.event.event.id, claimed.attempt);
    let kind = claimed.event.event.kind.as_str();
    let (outcome, answer, sign, word) = match sent {
        Sent::Taken(answer) => (Outcome::Delivered, answer, Sign::Well, "delivered"),
        Sent::Gone(answer) => (Outcome::Again(now), answer, Sign::Unwell, "gone"),
        Sent::Failed {
            answer,
            class,
            retry_after,
        } => {
            let sign = match class {
                Failure::Busy => Sign::Busy(retry_after),
                // It was not asked.
                Failure::Ours => Sign::Silent,
                _ => Sign::Unwell,
            };
            let outcome = line
                .settings
                .schedule
                .after_failure(claimed.tries, retry_after, dice, now);
            (outcome, answer, sign, class.as_str())
        }
    };
    match &outcome {
        Outcome::Delivered => tracing::info!(destination, %event, attempt, kind, "delivered"),
        Outcome::Again(at) => {
            tracing::warn!(destination, %event, attempt, why = word, again = %at, answer = answer.text, "not delivered");
        }
        Outcome::Parked => {
            tracing::error!(destination, %event, attempt, why = word, answer = answer.text, "parked: it waits for a person");
        }
    }
    let settlement = Settlement {
        delivery: claimed.delivery,
        position: claimed.event.position,
        attempt: claimed.attempt,
        outcome,
        status: answer.status,
        answer: answer.text,
    };
    let gone = word == "gone";
    (Ended { settlement, sign, gone }, word)
}

async fn send(line: &Line, claimed: &Claimed, now: OffsetDateTime, trace: Option<Place>) -> Sent {
    match outgoing(line, claimed, now, trace).await {
        Ok(outgoing) => line.destination.send(&outgoing).await,
        Err(why) => failed(Failure::Ours, &why),
    }
}

fn failed(class: Failure, text: &str) -> Sent {
    let text = text.to_owned();
    Sent::Failed {
        answer: Answer { status: None, text },
        class,
        retry_after: None,
    }
}

/// What leaves; the error is what kept us from a number that the destination is to have.
async fn outgoing(
    line: &Line,
    claimed: &Claimed,
    now: OffsetDateTime,
    trace: Option<Place>,
) -> Result<Outgoing, String> {
    let event = &claimed.event.event;
    let attempt = Attempt {
        current: claimed.event.current.clone(),
        out_of_order: claimed.out_of_order,
        replayed: claimed.replayed,
        number: number(line, claimed).await?,
    };
    Ok(Outgoing {
        id: event.id,
        kind: event.kind,
        token: event.kind.is_of_token().then(|| TokenReference {
            namespace: event.data.namespace,
            reference: event.data.token_unique_reference.clone(),
        }),
        requestor: event.data.token_requestor_id.clone(),
        now,
        body: event.written(&attempt).into(),
        trace,
    })
}

async fn number(line: &Line, claimed: &Claimed) -> Result<Number, String> {
    let data = &claimed.event.event.data;
    let Some(numbers) = &line.numbers else {
        return Ok(Number::Unasked);
    };
    if data.changes.iter().all(|change| change.field != TOKEN_NUMBER) {
        return Ok(Number::Unasked);
    }
    let (Some(notification), Some(index)) = (data.notification_id, claimed.event.token_index) else {
        return Ok(Number::Unavailable);
    };
    let number = numbers.number(notification, index).await?;
    Ok(number.map_or(Number::Unavailable, Number::Is))
}
