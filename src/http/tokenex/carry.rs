//! A wish becomes a command, and somebody waits for what is said of it.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::Shared;
use super::admit::Client;
use super::answer::{Answer, No};
use super::ask::Wish;
use super::seek::{failed, reference};
use crate::domain::command::{CausedBy, Order, Stage, Target};
use crate::domain::id::CommandId;
use crate::store::desk::{KeptCommand, NewCommand, Ordered};
use crate::tokenex::errors;

/// How soon a command is looked at while somebody waits: at first, and then less and less.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// MDES's word for a reason that is none of the others: TokenEx's contract has none to say it by.
const REASON_CODE: &str = "OTHER";

impl Shared {
    /// A crash after the order is kept leaves a command that is carried out and proven all the same: who asked hears
    /// nothing, and does what TokenEx tells it to do then, namely GetStatus.
    pub(super) async fn carry(&self, client: &Client, wish: &Wish, id: Uuid) -> Answer {
        let target = match self.seek(&wish.asked).await {
            Ok(target) => target,
            Err(no) => return Answer::no(id, no).about_a_change(wish.action),
        };
        let command = self.command(client, wish, target, id);
        // Those that come at the very same time are not counted: they are no more than may wait here.
        let open_max = self.served.contract.open_max;
        match self.served.desk.open_of(&command.asked_by, open_max).await {
            Ok(open) if open < open_max => {}
            Ok(_) => return self.too_much(id, "tokenex_too_many_open"),
            Err(error) => return Answer::no(id, failed(&error)),
        }
        let in_hand = (self.served.in_hand)(client.hand(wish.reason.as_deref()));
        let kept = match in_hand.order(&command).await {
            Ok(Ordered::New(kept) | Ordered::Same(kept)) => kept,
            Ok(Ordered::Conflict(_)) => return Answer::no(id, No::of("9999")),
            Err(error) => return Answer::no(id, failed(&error)),
        };
        let answer = match self.outcome(kept).await {
            Ok(kept) => Answer::done(id, &kept),
            Err(no) => Answer::no(id, no),
        };
        answer.about_a_change(wish.action).of_reference(&wish.asked)
    }

    /// Nobody forces anything here: what a fresh look says cannot work is refused, as TokenEx would.
    fn command(&self, client: &Client, wish: &Wish, target: Target, id: Uuid) -> NewCommand {
        NewCommand {
            id: CommandId(id),
            order: Order {
                token: reference(&wish.asked.token),
                action: wish.action,
                through: self.served.through,
                target,
                caused_by: CausedBy::TokenRequestor,
                reason_code: REASON_CODE.to_owned(),
                reason: wish.reason.clone(),
                forced: false,
            },
            asked_by: format!("tokenex:{}", client.id),
            idempotency_key: None,
            // The client's `actions` are the confirmation.
            approve_within: None,
        }
    }

    /// Waits until the service said yes or no, or the state is seen; or for as long as anybody waits.
    async fn outcome(&self, mut kept: KeptCommand) -> Result<KeptCommand, No> {
        let deadline = Instant::now() + self.served.contract.wait;
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(outcome) = self.judge(&kept).await {
                return outcome.map(|()| kept);
            }
            if Instant::now() >= deadline || self.served.stopping.is_cancelled() {
                return Err(No::LATE);
            }
            sleep(pause.min(deadline.saturating_duration_since(Instant::now()))).await;
            pause = PAUSE_MAX.min(pause * 3 / 2);
            // A store that is away for a moment is no answer: it is asked again, until the deadline.
            if let Ok(Some(now)) = self.served.desk.command(kept.command.id).await {
                kept = now;
            }
        }
    }

    /// `None`: nobody knows yet.
    async fn judge(&self, kept: &KeptCommand) -> Option<Result<(), No>> {
        let command = &kept.command;
        match command.stage {
            Stage::Requested | Stage::Sent | Stage::Unknown => None,
            Stage::Accepted | Stage::Confirmed => Some(Ok(())),
            Stage::Refused => Some(Err(refused(kept))),
            Stage::Overdue | Stage::Contradicted | Stage::Superseded if self.was_accepted(command.id).await => {
                Some(Ok(()))
            }
            Stage::Overdue => None,
            Stage::Superseded if command.sends > 0 => Some(Err(No::LATE)),
            Stage::Superseded | Stage::Contradicted => Some(Err(No::WRONG_STATE)),
        }
    }

    /// What became of it later is not what was answered.
    async fn was_accepted(&self, id: CommandId) -> bool {
        let steps = self.served.desk.steps(id).await.unwrap_or_default();
        steps.iter().any(|step| step.stage == Stage::Accepted)
    }
}

/// A refusal in TokenEx's codes. Without a code and unsent it was our own, on a fresh look: the token is in no state
/// for it.
fn refused(kept: &KeptCommand) -> No {
    let command = &kept.command;
    match command.code.as_deref() {
        Some(code) => No::said(code),
        None if command.sends == 0 => No::WRONG_STATE,
        None => No::of(errors::INTERNAL),
    }
}
