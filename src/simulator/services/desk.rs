//! What both services and the scripts share: the tokens, the faults, and how a call goes through them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::mpsc::Receiver;
use tokio::time::sleep;

use super::faults::{Call, CallKind, Faults, How};
use super::mdes::oauth::Verifier;
use super::notices::{Notice, Outbox, Said};
use super::script::NotDone;
use super::tokens::{Act, Cause, Changed, NewToken, REQUESTOR, Rules, Tokens, TokensError};
use super::{Alternative, Answer, Outcome, Settings, StartError, Tell, held};

/// The seeds of what is made up, and of what goes wrong, are not to be the same row.
const FAULTS_SEED: u64 = 0x0fa1_7500;

const REQUESTS_MAX: usize = 100_000;

/// Both services' common ground.
pub struct Desk {
    pub(super) tokenex_id: String,
    pub(super) api_key: String,
    pub(super) verifier: Verifier,
    pub(super) alternatives: BTreeSet<Alternative>,
    pub(super) idempotent_suspend: bool,
    pub(super) tokens: Mutex<Tokens>,
    pub(super) faults: Mutex<Faults>,
    pub(super) outbox: Arc<Outbox>,
    /// Each `requestId` of a change that reached MDES.
    pub(super) requests: Mutex<Seen>,
    echo: bool,
    tell: Arc<Tell>,
}

/// The last so many ids.
#[derive(Default)]
pub(super) struct Seen {
    ids: BTreeSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    /// Whether it is new.
    pub fn insert(&mut self, id: String) -> bool {
        if !self.ids.insert(id.clone()) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > REQUESTS_MAX {
            self.order.pop_front().map(|oldest| self.ids.remove(&oldest));
        }
        true
    }
}

/// A call about tokens that is understood, before it is carried out.
pub(super) struct Asked<'a> {
    pub call: Call<'a>,
    /// The tokens that it is about.
    pub places: &'a [usize],
}

/// What a call did.
pub(super) struct Done {
    pub answer: Answer,
    /// What changed, if anything did.
    pub said: Option<Said>,
    /// Whether it was carried out.
    pub applied: bool,
}

impl Desk {
    pub(super) fn new(settings: Settings) -> Result<(Self, Receiver<Notice>), StartError> {
        let mut faults = Faults::new(settings.seed ^ FAULTS_SEED);
        for fault in settings.faults {
            faults.add(fault)?;
        }
        let tell = Arc::new(settings.tell);
        let whole_seconds = settings.alternatives.contains(&Alternative::WholeSeconds);
        let (outbox, told) = Outbox::new(settings.notify_after, whole_seconds, Arc::clone(&tell));
        settings.door.into_iter().for_each(|door| outbox.set_door(door));
        settings.post.into_iter().for_each(|post| outbox.set_post(post));
        let same_timestamp = settings.alternatives.contains(&Alternative::SameTimestamp);
        let desk = Desk {
            tokenex_id: settings.tokenex_id,
            api_key: settings.api_key,
            verifier: Verifier::new(settings.consumer_key, settings.signing_certificate.as_deref())?,
            idempotent_suspend: settings.idempotent_suspend,
            tokens: Mutex::new(Tokens::new(settings.seed, same_timestamp)),
            alternatives: settings.alternatives,
            faults: Mutex::new(faults),
            outbox: Arc::new(outbox),
            requests: Mutex::default(),
            echo: settings.echo,
            tell,
        };
        Ok((desk, told))
    }

    pub(super) fn has(&self, alternative: Alternative) -> bool {
        self.alternatives.contains(&alternative)
    }

    /// A UUID nobody had before.
    pub(super) fn uuid(&self) -> String {
        held(&self.tokens).dice.uuid()
    }

    /// Counts the call, lets go wrong what is to go wrong, carries it out, and notifies.
    pub(super) async fn carry_out(
        &self,
        asked: &Asked<'_>,
        do_it: impl FnOnce() -> Done,
        spoil: impl Fn(&How) -> Option<Answer>,
    ) -> Outcome {
        self.count(asked, |calls| calls.came += 1);
        let drawn = held(&self.faults).draw(&asked.call);
        if let Some(delay) = drawn.delay {
            sleep(delay).await;
        }
        let spoiled = drawn.answer.as_ref();
        if let Some(spoiled) = spoiled.filter(|spoiled| !spoiled.applied) {
            self.tell_of(asked, &format!("not carried out: {:?}", spoiled.how));
            return spoiled_outcome(&spoiled.how, &spoil);
        }
        let done = do_it();
        if done.applied {
            self.count(asked, |calls| calls.applied += 1);
        }
        self.tell_of(asked, &format!("HTTP {} {}", done.answer.status, told(&done.answer)));
        if let Some(said) = done.said {
            self.outbox.notify(said, drawn.notice).await;
        }
        match spoiled {
            Some(spoiled) => spoiled_outcome(&spoiled.how, &spoil),
            None => done.answer.into(),
        }
    }

    fn count(&self, asked: &Asked<'_>, add: impl Fn(&mut super::tokens::Calls)) {
        let mut tokens = held(&self.tokens);
        for &place in asked.places {
            let calls = &mut tokens.at_mut(place).calls;
            // Names are ours: there are no more than there are methods.
            add(calls.entry(asked.call.name.to_owned()).or_default());
        }
    }

    fn tell_of(&self, asked: &Asked<'_>, what: &str) {
        let service = if asked.call.is_tokenex { "TokenEx" } else { "MDES" };
        let shown: Vec<String> = {
            let tokens = held(&self.tokens);
            let name = |place: &usize| {
                let token = tokens.at(*place);
                let name = if asked.call.is_tokenex {
                    &token.token
                } else {
                    &token.card.reference
                };
                ends_in(name)
            };
            asked.places.iter().map(name).collect()
        };
        (self.tell)(&format!("{service} {} {}: {what}", asked.call.name, shown.join(" ")));
    }

    /// Does it to each of these tokens, or to none.
    pub(super) fn act(
        &self,
        places: &[usize],
        act: Act,
        cause: &Cause,
        rules: Rules,
        now: OffsetDateTime,
    ) -> Result<Option<Said>, usize> {
        let mut tokens = held(&self.tokens);
        let before: Vec<_> = places.iter().map(|&place| tokens.at(place).clone()).collect();
        let mut changed: Vec<(usize, Changed)> = Vec::new();
        for (nth, &place) in places.iter().enumerate() {
            match tokens.act(place, act, &cause.by, rules, now) {
                Ok(one) => changed.push((place, one)),
                Err(_) => {
                    for (&place, token) in places.iter().zip(before) {
                        *tokens.at_mut(place) = token;
                    }
                    return Err(nth);
                }
            }
        }
        let is_ours = rules != Rules::Hand;
        let moved: Vec<_> = changed.iter().filter(|(_, one)| one.moved).collect();
        if moved.is_empty() || (is_ours && !self.echo) {
            return Ok(None);
        }
        let changes = moved.iter().map(|(place, one)| (tokens.at(*place).clone(), one.from));
        Ok(Some(Said::changes(changes.collect(), act, cause)))
    }

    /// As [`super::Services::make`].
    pub(super) fn make(&self, new: &NewToken, now: OffsetDateTime) -> Result<Vec<Value>, TokensError> {
        let (shown, announced) = {
            let mut tokens = held(&self.tokens);
            let places = tokens.make(new, now)?;
            let shown = places.iter().map(|&place| tokens.at(place).shown()).collect();
            let announced: Vec<_> = places.iter().map(|&place| tokens.at(place).clone()).collect();
            (shown, announced)
        };
        if new.announce && !announced.is_empty() {
            self.outbox.notify_soon(Said::made(announced), None);
        }
        Ok(shown)
    }

    /// As [`super::Services::act`].
    pub(super) fn act_by_hand(
        &self,
        name: &str,
        act: Act,
        cause: &Cause,
        now: OffsetDateTime,
    ) -> Result<Vec<Value>, NotDone> {
        let places = held(&self.tokens).named(name)?;
        let said = self
            .act(&places, act, cause, Rules::Hand, now)
            .map_err(|_| NotDone::WrongState)?;
        if let Some(said) = said {
            let call = Call {
                name: "script",
                kind: CallKind::Change,
                is_tokenex: false,
            };
            let notice = held(&self.faults).draw_notice(&call);
            self.outbox.notify_soon(said, notice);
        }
        let tokens = held(&self.tokens);
        Ok(places.iter().map(|&place| tokens.at(place).shown()).collect())
    }

    /// As [`super::Services::shown`].
    pub(super) fn shown(&self) -> Value {
        let tokens: Vec<Value> = held(&self.tokens).all().iter().map(|token| token.shown()).collect();
        json!({ "tokens": tokens, "notifications": self.outbox.shown() })
    }
}

/// Who acts when nobody says.
pub(super) fn requestor() -> String {
    REQUESTOR.to_owned()
}

/// So much of a name that it can be told from others, and no more: TokenEx's may look like a card number.
fn ends_in(name: &str) -> String {
    let from = name.len().saturating_sub(4);
    format!("····{}", name.get(from..).unwrap_or_default())
}

fn spoiled_outcome(how: &How, spoil: impl Fn(&How) -> Option<Answer>) -> Outcome {
    match how {
        How::Drop => Outcome::HangUp,
        How::Hang => Outcome::Never,
        how => spoil(how).map_or(Outcome::HangUp, Outcome::Answer),
    }
}

/// The one word of an answer that people look for.
fn told(answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let words = [
        &body["networkResponse"]["tokenState"],
        &body["networkResponse"]["statusCode"],
        &body["error"],
        &body["errorCode"],
        &body["Errors"]["Error"][0]["ReasonCode"],
        &body["Errors"]["Error"]["reasonCode"],
        &body["tokens"][0]["status"],
        &body["token"]["status"],
    ];
    let said: Vec<&str> = words
        .iter()
        .filter_map(|word| word.as_str())
        .filter(|word| !word.is_empty())
        .collect();
    said.join(" ")
}
