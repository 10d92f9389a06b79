//! A token service in memory: tokens with a set of suspenders, instants of its own, and faults on demand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mdes_receiver::domain::command::{Action, Seen, Service, Target};
use mdes_receiver::domain::id::CommandId;
use mdes_receiver::domain::status::Status;
use mdes_receiver::lifecycle::{Looked, Reply, Request, TokenService, Trouble};
use serde_json::json;
use time::OffsetDateTime;
use time::macros::datetime;

use super::crash::Thread;

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing does.
    None,
    /// It is done, and the answer is lost.
    LostAfter,
    /// It is lost, and not done.
    LostBefore,
    /// It is lost, and done when the next one comes.
    Late,
    /// It never leaves.
    Unsent,
    /// It is refused.
    Refused,
}

/// One thing that the service was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A request for a change; it was applied, or not.
    Change {
        command: CommandId,
        token: String,
        applied: bool,
    },
    /// A question, and what was answered; `None`: nothing.
    Look { token: String, seen: Option<Seen> },
}

#[derive(Clone, Debug)]
struct Held {
    status: Status,
    by: BTreeSet<String>,
    at: OffsetDateTime,
}

#[derive(Default)]
struct State {
    tokens: BTreeMap<String, Held>,
    ticks: i64,
    faults: VecDeque<Fault>,
    /// On their way.
    late: Vec<(String, Action, &'static str)>,
    /// So many questions are answered before those that are not, and so many of those there are.
    speaks: u32,
    mute: u32,
    log: Vec<Entry>,
    /// Targets that a request is under way for.
    busy: BTreeSet<String>,
}

/// The service.
pub struct Network {
    service: Service,
    state: Mutex<State>,
    thread: Option<Arc<Thread>>,
    /// How long a request takes.
    pub takes: Duration,
    /// What it shows it also states, whatever service it is.
    pub states: bool,
    /// Two requests about one target were under way at once.
    pub collided: AtomicBool,
}

impl Network {
    /// A service without tokens.
    pub fn new(service: Service) -> Self {
        Network {
            service,
            state: Mutex::default(),
            thread: None,
            takes: Duration::ZERO,
            states: false,
            collided: AtomicBool::new(false),
        }
    }

    /// The same, at whose calls a thread may break.
    pub fn on(mut self, thread: &Arc<Thread>) -> Self {
        self.thread = Some(Arc::clone(thread));
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }

    /// `"ACTIVE"`, `"SUSPENDED ISSUER"`: the token is so from now on, by the network's own doing; what it then shows.
    pub fn set(&self, token: &str, words: &str) -> Seen {
        let mut words = words.split(' ');
        let status = Status::from(words.next().expect("a status").to_owned());
        let mut state = self.state();
        let held = Held {
            status,
            by: words.map(str::to_owned).collect(),
            at: state.tick(),
        };
        state.tokens.insert(token.to_owned(), held.clone());
        named(&held)
    }

    /// How it stands, with names and instants whatever the service shows.
    pub fn truth(&self, token: &str) -> Seen {
        named(&self.state().tokens[token])
    }

    /// The next requests go wrong like this.
    pub fn fail(&self, faults: &[Fault]) {
        self.state().faults.extend(faults);
    }

    /// The next questions are not answered.
    pub fn hush(&self, questions: u32) {
        self.state().mute = questions;
    }

    /// So many are answered, and the one after them is not.
    pub fn hush_after(&self, questions: u32) {
        let mut state = self.state();
        state.speaks = questions;
        state.mute = 1;
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.mute = 0;
    }

    /// What it was asked for about a token.
    pub fn log(&self, token: &str) -> Vec<Entry> {
        let about = |entry: &&Entry| match entry {
            Entry::Change { token: one, .. } | Entry::Look { token: one, .. } => one == token,
        };
        self.state().log.iter().filter(about).cloned().collect()
    }

    /// How many requests for a change of a token came in.
    pub fn sends(&self, token: &str) -> usize {
        let log = self.log(token);
        log.iter().filter(|entry| matches!(entry, Entry::Change { .. })).count()
    }

    fn shown(&self, held: &Held) -> Seen {
        match self.service {
            Service::Mdes => named(held),
            Service::TokenEx => Seen {
                status: held.status.clone(),
                suspended_by: None,
                at: None,
            },
        }
    }

    async fn may_break(&self) {
        if let Some(thread) = &self.thread {
            thread.point().await;
        }
    }

    fn statement(&self, seen: &Seen) -> Option<Bytes> {
        let body = serde_json::to_vec(seen).expect("it is JSON");
        (self.states || self.service == Service::Mdes).then(|| Bytes::from(body))
    }

    fn reply(&self, request: &Request<'_>) -> Reply {
        let token = &one_of(request.target);
        let mut state = self.state();
        let fault = state.faults.pop_front().unwrap_or(Fault::None);
        let does = matches!(fault, Fault::None | Fault::LostAfter);
        if fault == Fault::Late {
            let by = request.caused_by.as_str();
            state.late.push((token.clone(), request.action, by));
        } else {
            state.land(token);
        }
        let applied = does && state.apply(token, request.action, request.caused_by.as_str());
        if fault != Fault::Unsent {
            let token = token.clone();
            let command = request.command;
            state.log.push(Entry::Change {
                command,
                token,
                applied,
            });
        }
        let held = state.tokens[token].clone();
        match fault {
            Fault::LostAfter | Fault::LostBefore | Fault::Late => Reply::Lost(trouble("no answer in time")),
            Fault::Unsent => Reply::Unsent(trouble("connection refused")),
            Fault::Refused => refused("9006", "provided token cannot be found", false),
            Fault::None if !applied => refused("9104", "not in a valid state", true),
            Fault::None => {
                let seen = self.shown(&held);
                Reply::Accepted {
                    statement: self.statement(&seen),
                    seen: (self.service == Service::Mdes).then_some(seen),
                    words: json!({"statusCode": "0000"}),
                }
            }
        }
    }
}

impl State {
    fn tick(&mut self) -> OffsetDateTime {
        self.ticks += 1;
        datetime!(2026-11-22 11:00:00.5 UTC) + time::Duration::seconds(self.ticks)
    }

    /// What was on its way is there before what comes now.
    fn land(&mut self, token: &str) {
        let (landed, late) = self.late.drain(..).partition(|(one, ..)| one == token);
        self.late = late;
        let landed: Vec<(String, Action, &'static str)> = landed;
        for (_, action, by) in landed {
            self.apply(token, action, by);
        }
    }

    /// As MDES does it: who suspended lets go, and only the last one makes it active. False: in no state for it.
    fn apply(&mut self, token: &str, action: Action, by: &str) -> bool {
        let at = self.tick();
        let held = self.tokens.get_mut(token).expect("a token of the scene");
        match (action, &held.status) {
            (_, Status::Deactivated | Status::Inactive) => return false,
            (Action::Delete, _) => held.status = Status::Deactivated,
            (Action::Suspend, _) if held.by.contains(by) => return false,
            (Action::Suspend, _) => {
                held.by.insert(by.to_owned());
                held.status = Status::Suspended;
            }
            (Action::Resume, _) if !held.by.remove(by) => return false,
            (Action::Resume, _) if held.by.is_empty() => held.status = Status::Active,
            (Action::Resume, _) => {}
        }
        held.at = at;
        true
    }
}

#[async_trait]
impl TokenService for Network {
    fn service(&self) -> Service {
        self.service
    }

    async fn look(&self, target: &Target) -> Result<Looked, Trouble> {
        self.may_break().await;
        let token = one_of(target);
        let looked = {
            let mut state = self.state();
            let mute = state.speaks == 0 && state.mute > 0;
            match mute {
                true => state.mute -= 1,
                false => state.speaks = state.speaks.saturating_sub(1),
            }
            let seen = (!mute).then(|| self.shown(&state.tokens[&token]));
            let entry = Entry::Look {
                token,
                seen: seen.clone(),
            };
            state.log.push(entry);
            seen
        };
        self.may_break().await;
        let seen = looked.ok_or_else(|| trouble("no answer in time"))?;
        Ok(Looked {
            statement: self.statement(&seen),
            words: json!({"tokenState": seen.status.as_str()}),
            seen,
        })
    }

    async fn change(&self, request: &Request<'_>) -> Reply {
        self.may_break().await;
        let token = one_of(request.target);
        if !self.state().busy.insert(token.clone()) {
            self.collided.store(true, Ordering::SeqCst);
        }
        tokio::time::sleep(self.takes).await;
        let reply = self.reply(request);
        self.state().busy.remove(&token);
        self.may_break().await;
        reply
    }
}

/// Its network tokens are held by their own names.
fn one_of(target: &Target) -> String {
    target.reference_id.as_ref().unwrap_or(&target.token).clone()
}

fn named(held: &Held) -> Seen {
    Seen {
        status: held.status.clone(),
        suspended_by: Some(held.by.clone()),
        at: Some(held.at),
    }
}

fn trouble(why: &str) -> Trouble {
    Trouble {
        code: None,
        why: why.to_owned(),
        no_such_token: false,
        of_this_token: false,
        unasked: false,
        words: None,
    }
}

fn refused(code: &str, why: &str, wrong_state: bool) -> Reply {
    Reply::Refused {
        code: Some(code.to_owned()),
        why: why.to_owned(),
        wrong_state,
        words: json!({"statusCode": code}),
    }
}
