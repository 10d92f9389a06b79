//! One claimed command, worked on until it has to wait or has come to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;
use tokio::time::timeout;

use super::Office;
use super::held::{Held, is_one_of_several};
use super::told::told;
use crate::domain::command::{Because, Command, Heard, Next, Order, Seen, Service, Stage, Then};
use crate::domain::id::TokenReference;
use crate::lifecycle::throttle::COMMAND_WAITS_MAX;
use crate::lifecycle::traced::{self, Called};
use crate::lifecycle::{Learned, Looked, Reply, Request, Trouble};
use crate::store;
use crate::store::desk::{ClaimedCommand, Progress};

/// A service's client has a deadline of its own, and the wait for its turn another; this one is for the lease's sake.
const CALL_MAX: Duration = Duration::from_secs(20).saturating_add(COMMAND_WAITS_MAX);
/// Nothing is sent later than this after the claim: what is sent must have ended when the lease does.
const SEND_WITHIN: Duration = Duration::from_secs(20);
/// The inbox answers within its own deadline, which may be longer than we wait.
const LEARN_MAX: Duration = Duration::from_secs(5);

/// One claimed command.
pub(super) struct Case {
    office: Arc<Office>,
    claimed: ClaimedCommand,
    begun: Instant,
    /// It as it stands on disk.
    written: Command,
    /// How far it has looked at its tokens' changes; told to the disk once.
    seen: Vec<(TokenReference, u64)>,
    /// What the service said and the disk does not know yet.
    answer: Option<Value>,
    /// A question now is one of those that its confirm time is counted in.
    in_turn: bool,
}

impl Case {
    pub(super) fn new(office: Arc<Office>, claimed: ClaimedCommand, begun: Instant) -> Self {
        let mut seen: Vec<(TokenReference, u64)> = Vec::new();
        for change in &claimed.moved {
            match seen.iter_mut().find(|(token, _)| *token == change.token) {
                Some((_, sequence)) => *sequence = change.sequence.max(*sequence),
                None => seen.push((change.token.clone(), change.sequence)),
            }
        }
        Case {
            office,
            begun,
            written: claimed.kept.command.clone(),
            seen,
            answer: None,
            in_turn: claimed.is_due,
            claimed,
        }
    }

    /// Until it waits, has ended, or is another's. What is not written is not done: after any trouble with the store
    /// the lease ends, and it begins from the step that is on disk.
    pub(super) async fn work(mut self) {
        let mut next = self.first();
        loop {
            match self.write(&next).await {
                Ok(true) => {}
                Ok(false) => {
                    return tracing::debug!(command = %self.written.id, "a newer command or another worker has it");
                }
                Err(error) => return self.leave(&error),
            }
            let heard = match next.then {
                Then::Wait(_) | Then::Rest => return,
                Then::Look => self.look(&next.command).await,
                Then::Send => self.send(&next.command).await,
            };
            match heard {
                Ok(heard) => next = next.command.after(&heard, &self.office.rules),
                Err(error) => return self.leave(&error),
            }
        }
    }

    fn leave(&self, error: &store::Error) {
        let command = self.written.id;
        tracing::warn!(%command, %error, "cannot go on with a command; it is taken up again when its lease ends");
    }

    /// What it was claimed for: a crash, what was told of its tokens, or that it is time to ask.
    fn first(&self) -> Next {
        let rules = &self.office.rules;
        let mut next = Next {
            command: self.written.clone(),
            then: Then::Wait(self.left()),
            event: None,
        };
        let crashed = next.command.stage == Stage::Sent;
        if crashed {
            next = next.command.after(&Heard::Crashed, rules);
        }
        for seen in self.claimed.moved.iter().filter_map(told) {
            let after = next.command.after(&Heard::Told(seen), rules);
            if after.then == Then::Rest {
                return after;
            }
            next.command = after.command;
            if after.then == Then::Look && !crashed {
                next.then = Then::Look;
            }
        }
        if self.claimed.is_due && !crashed {
            next.then = Then::Look;
        }
        next
    }

    /// What was left of its wait when a change of its token woke it.
    fn left(&self) -> Duration {
        let left = self.claimed.was_due_at - self.office.clock.now();
        Duration::try_from(left).unwrap_or_default()
    }

    /// The durable step. A crash before it leaves the step before, under the lease; after it, this one.
    async fn write(&mut self, next: &Next) -> Result<bool, store::Error> {
        let goes_on = matches!(next.then, Then::Look | Then::Send);
        if goes_on && next.command == self.written {
            return Ok(true);
        }
        let progress = Progress {
            command: next.command.clone(),
            claim: self.claimed.claim,
            seen: std::mem::take(&mut self.seen),
            answer: self.answer.take(),
            due_in: self.due_in(next),
            event: next.event,
        };
        let is_ours = self.office.desk.progress(&progress).await?;
        if is_ours {
            self.count(next);
            self.written = next.command.clone();
        }
        Ok(is_ours)
    }

    fn due_in(&self, next: &Next) -> Option<Duration> {
        match next.then {
            // Out of its turn it was asked for nothing, and waits as before.
            Then::Wait(_) if !self.in_turn && next.command.stage == self.claimed.kept.command.stage => {
                Some(self.left())
            }
            Then::Wait(wait) => Some(wait),
            Then::Look | Then::Send | Then::Rest => None,
        }
    }

    fn count(&self, next: &Next) {
        let command = &next.command;
        if !command.stage.is_final() && next.event.is_none() {
            return;
        }
        let (action, service, end) = words(command);
        self.office.metrics.command(action, service, end);
        if command.stage.is_final() {
            let (asked_at, now) = (self.claimed.kept.created_at, self.office.clock.now());
            traced::ended(command, asked_at, self.office.metrics.traces(), now);
        }
        match command.stage {
            Stage::Confirmed => tracing::info!(command = %command.id, action, service, "confirmed"),
            _ => tracing::warn!(command = %command.id, action, service, why = command.why, "{end}"),
        }
    }

    fn trace(&self, name: &'static str, from: Instant, outcome: &'static str) {
        let called = Called {
            name,
            command: self.written.id,
            service: self.written.order.through,
            from,
            outcome,
        };
        called.trace(self.office.metrics.traces(), self.office.clock.now());
    }

    /// Asks the service.
    async fn look(&mut self, command: &Command) -> Result<Heard, store::Error> {
        let held = Held::of(&self.office, &command.order).await?;
        let in_turn = self.in_turn;
        Ok(match self.ask(&command.order, &held).await {
            Ok(seen) => Heard::Looked {
                seen,
                newest: held.newest,
                in_turn,
            },
            Err(trouble) => Heard::Unlooked {
                no_such_token: trouble.no_such_token,
                because: because(trouble),
                in_turn,
            },
        })
    }

    async fn ask(&mut self, order: &Order, held: &Held) -> Result<Seen, Trouble> {
        let office = self.office.clone();
        let service = office.service(order.through).ok_or_else(|| not_here(order.through))?;
        let from = Instant::now();
        let asked = timeout(CALL_MAX, service.look(&order.target)).await;
        let looked = asked.unwrap_or_else(|_| Err(too_late()));
        self.trace("look", from, traced::of_look(&looked));
        // What was said to a request is what support asks for: no later question takes its place.
        if self.written.sends == 0 {
            self.answer = match &looked {
                Ok(looked) => Some(looked.words.clone()),
                Err(trouble) => trouble.words.clone(),
            };
        }
        let Looked { seen, statement, .. } = looked?;
        self.learn(order, statement, Some(held.sequence)).await;
        Ok(seen)
    }

    /// Sends it, once. It stands on disk as `sent`: a crash from here on leaves that, and who finds it asks first.
    async fn send(&mut self, command: &Command) -> Result<Heard, store::Error> {
        let office = self.office.clone();
        let order = &command.order;
        self.in_turn = true;
        let Some(service) = office.service(order.through) else {
            return Ok(Heard::Unsent(because(not_here(order.through))));
        };
        if self.begun.elapsed() > SEND_WITHIN {
            let why = "there was no time left for it: too many calls a second".to_owned();
            return Ok(Heard::Unsent(Because { code: None, why }));
        }
        let from = Instant::now();
        let reply = timeout(CALL_MAX, service.change(&request(command))).await;
        let reply = reply.unwrap_or_else(|_| Reply::Lost(too_late()));
        self.trace("change", from, traced::of_change(&reply));
        self.replied(order, reply).await
    }

    async fn replied(&mut self, order: &Order, reply: Reply) -> Result<Heard, store::Error> {
        Ok(match reply {
            Reply::Accepted { seen, statement, words } => {
                self.answer = Some(words);
                self.learn(order, statement, None).await;
                Heard::Accepted(seen)
            }
            Reply::Refused {
                code,
                why,
                wrong_state,
                words,
            } => {
                let because = Because { code, why };
                let heard = match wrong_state {
                    true => {
                        let held = Held::of(&self.office, order).await?;
                        Heard::WrongState(because, self.ask(order, &held).await.ok())
                    }
                    false => Heard::Refused(because),
                };
                self.answer = Some(words);
                heard
            }
            Reply::Lost(trouble) => {
                self.answer = trouble.words.clone();
                Heard::Lost(because(trouble))
            }
            Reply::Unsent(trouble) => Heard::Unsent(because(trouble)),
        })
    }

    /// Hands what a service said of a token to who applies it. A crash before loses it, and it can be asked for again.
    /// What it said of one of several network tokens is the command's alone: we keep one state by that name.
    async fn learn(&self, order: &Order, statement: Option<Bytes>, asked_at_sequence: Option<u64>) {
        let Some(body) = statement.filter(|_| !is_one_of_several(order)) else {
            return;
        };
        let answer = Learned {
            service: order.through,
            token: order.named(),
            body,
            asked_at_sequence,
            reconciles: false,
            received_at: self.office.clock.now(),
        };
        let from = Instant::now();
        let learned = timeout(LEARN_MAX, self.office.listener.learn(answer)).await;
        match learned.unwrap_or_else(|_| Err("not in time".to_owned())) {
            Ok(taken) => {
                let (traces, now) = (self.office.metrics.traces(), self.office.clock.now());
                let new = taken.verdict.map(|_| taken.notification);
                new.inspect(|id| traced::learned(*id, Some(self.written.id), from, traces, now));
            }
            Err(error) => {
                tracing::warn!(command = %self.written.id, error, "what the service said of a token was not taken in");
            }
        }
    }
}

fn request(command: &Command) -> Request<'_> {
    let order = &command.order;
    Request {
        command: command.id,
        send: command.sends,
        action: order.action,
        target: &order.target,
        caused_by: order.caused_by,
        reason_code: &order.reason_code,
        reason: order.reason.as_deref(),
    }
}

fn words(command: &Command) -> (&'static str, &'static str, &'static str) {
    let order = &command.order;
    (order.action.as_str(), order.through.as_str(), command.stage.as_str())
}

fn because(trouble: Trouble) -> Because {
    Because {
        code: trouble.code,
        why: trouble.why,
    }
}

fn not_here(service: Service) -> Trouble {
    trouble(format!("`lifecycle.{}` is not configured here", service.as_str()))
}

fn too_late() -> Trouble {
    trouble(format!("no answer within {CALL_MAX:?}"))
}

fn trouble(why: String) -> Trouble {
    Trouble {
        code: None,
        why,
        no_such_token: false,
        of_this_token: false,
        unasked: false,
        words: None,
    }
}
