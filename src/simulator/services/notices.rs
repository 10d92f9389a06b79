//! The notifications that follow a change: MDES's, sealed and through the receiver's real door, and TokenEx's own.
//!
//! One worker sends them in the order in which things happened, unless a fault says otherwise. They wait in memory, at
//! most so many; what finds no room is counted and dropped, as what a receiver refuses is after the last try.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::faults::NoticeFault;
use super::tokens::{Act, Cause, NetworkToken, State};
use super::{Tell, held};
use crate::simulator::message::envelope;
use crate::simulator::play::is_accepted;
use crate::simulator::seal::Sealer;
use crate::simulator::sender::Sender;

mod post;
mod words;

pub use post::{BadPost, Post};

const QUEUE_MAX: usize = 1_024;
const TRIES_MAX: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);
/// One that is to come after the next waits no longer than this for it.
const REORDER_WAIT: Duration = Duration::from_secs(5);
/// An answer waits no longer than this for the notification that is to overtake it.
const OVERTAKE_WAIT: Duration = Duration::from_secs(10);

/// The receiver's door, and the key that bodies are sealed to.
pub struct Door {
    /// Who sends, with the client certificate.
    pub sender: Sender,
    /// To whom it is sealed.
    pub sealer: Sealer,
}

/// What happened, before it is put into either service's words. No `Debug`: it holds numbers.
pub struct Said {
    tokens: Vec<NetworkToken>,
    what: What,
}

enum What {
    /// From these states, by this act.
    Changed(Vec<State>, Act, Cause),
    /// Tokens that are new.
    Made,
    /// Another look.
    Card,
}

impl Said {
    /// These tokens, as they are now, were in these states.
    pub fn changes(changes: Vec<(NetworkToken, State)>, act: Act, cause: &Cause) -> Self {
        let (tokens, from) = changes.into_iter().unzip();
        Said {
            tokens,
            what: What::Changed(from, act, cause.clone()),
        }
    }

    /// These are new.
    pub fn made(tokens: Vec<NetworkToken>) -> Self {
        Said {
            tokens,
            what: What::Made,
        }
    }

    /// These have another look.
    pub fn card(tokens: Vec<NetworkToken>) -> Self {
        Said {
            tokens,
            what: What::Card,
        }
    }
}

/// What is on its way to the worker.
pub(super) struct Notice {
    said: Said,
    fault: Option<NoticeFault>,
    sent: Option<oneshot::Sender<()>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    accepted: u64,
    refused: u64,
    dropped: u64,
}

/// Where notifications go. There may be nobody to tell.
pub(super) struct Outbox {
    queue: mpsc::Sender<Notice>,
    door: Mutex<Option<Arc<Door>>>,
    post: Mutex<Option<Arc<Post>>>,
    /// MDES's, TokenEx's.
    counts: Mutex<[Counts; 2]>,
    after: Duration,
    whole_seconds: bool,
    tell: Arc<Tell>,
}

impl Outbox {
    pub fn new(after: Duration, whole_seconds: bool, tell: Arc<Tell>) -> (Self, mpsc::Receiver<Notice>) {
        let (queue, told) = mpsc::channel(QUEUE_MAX);
        let outbox = Outbox {
            queue,
            door: Mutex::default(),
            post: Mutex::default(),
            counts: Mutex::default(),
            after,
            whole_seconds,
            tell,
        };
        (outbox, told)
    }

    pub fn set_door(&self, door: Door) {
        *held(&self.door) = Some(Arc::new(door));
    }

    pub fn set_post(&self, post: Post) {
        *held(&self.post) = Some(Arc::new(post));
    }

    /// These bytes in MDES's sealed form, if there is a key to seal them to.
    pub fn sealed(&self, plaintext: &[u8]) -> Option<Value> {
        let door = held(&self.door).clone()?;
        let sealed = door.sealer.seal(plaintext).ok()?;
        serde_json::to_value(sealed).ok()
    }

    /// Lets it be told; one that is to overtake the answer has been told when this returns.
    pub async fn notify(&self, said: Said, fault: Option<NoticeFault>) {
        if let Some(sent) = self.notify_soon(said, fault) {
            let _ = timeout(OVERTAKE_WAIT, sent).await;
        }
    }

    /// Lets it be told by the worker.
    pub fn notify_soon(&self, said: Said, fault: Option<NoticeFault>) -> Option<oneshot::Receiver<()>> {
        if fault == Some(NoticeFault::Silence) {
            return None;
        }
        let (sent, is_sent) = oneshot::channel();
        let overtakes = fault == Some(NoticeFault::Overtake);
        let notice = Notice {
            said,
            fault,
            sent: overtakes.then_some(sent),
        };
        if self.queue.try_send(notice).is_err() {
            held(&self.counts).iter_mut().for_each(|counts| counts.dropped += 1);
        }
        overtakes.then_some(is_sent)
    }

    pub fn shown(&self) -> Value {
        let shown = |counts: &Counts| json!({"accepted": counts.accepted, "refused": counts.refused, "dropped": counts.dropped});
        let counts = held(&self.counts);
        json!({ "mdes": shown(&counts[0]), "tokenex": shown(&counts[1]) })
    }

    async fn send(&self, notice: Notice) {
        let times = if notice.fault == Some(NoticeFault::Duplicate) {
            2
        } else {
            1
        };
        let mdes = held(&self.door).clone();
        if let Some((door, body)) =
            mdes.and_then(|door| Some((Arc::clone(&door), self.sealed_notice(&door, &notice.said)?)))
        {
            for _ in 0..times {
                self.try_door(&door, &body).await;
            }
        }
        let post = held(&self.post).clone();
        if let Some(post) = post {
            for body in words::tokenex(&notice.said) {
                for _ in 0..times {
                    let answer = post.send(Bytes::from(body.to_string())).await;
                    self.count(1, answer.map_err(|error| error.to_string()));
                }
            }
        }
        if let Some(sent) = notice.sent {
            // Who waited may have stopped waiting.
            let _ = sent.send(());
        }
    }

    /// One body for all repeats: they are repeats.
    fn sealed_notice(&self, door: &Door, said: &Said) -> Option<Bytes> {
        let content = words::mdes(said, self.whole_seconds)?;
        let request_id = uuid::Uuid::now_v7().to_string();
        let body = envelope(&request_id, content.to_string().as_bytes(), &door.sealer).ok()?;
        Some(Bytes::from(body.to_string()))
    }

    /// MDES says it again if it was not taken.
    async fn try_door(&self, door: &Door, body: &Bytes) {
        for tried in 1..=TRIES_MAX {
            let answer = door.sender.send(body.clone()).await;
            let is_taken = answer.as_ref().is_ok_and(is_accepted);
            let again = tried < TRIES_MAX && answer.as_ref().map_or(true, |answer| answer.status >= 500);
            if is_taken || !again {
                let answer = answer.map(|answer| answer.status).map_err(|error| error.to_string());
                self.count(
                    0,
                    answer.and_then(|status| {
                        if is_taken {
                            Ok(status)
                        } else {
                            Err(format!("HTTP {status}"))
                        }
                    }),
                );
                return;
            }
            sleep(PAUSE).await;
        }
    }

    fn count(&self, whose: usize, answer: Result<u16, String>) {
        let whom = ["MDES", "TokenEx"][whose];
        let counts = &mut held(&self.counts)[whose];
        match answer {
            Ok(status) if status < 300 => {
                counts.accepted += 1;
                (self.tell)(&format!("{whom} notification: HTTP {status}"));
            }
            Ok(status) => {
                counts.refused += 1;
                (self.tell)(&format!("{whom} notification refused: HTTP {status}"));
            }
            Err(why) => {
                counts.refused += 1;
                (self.tell)(&format!("{whom} notification not taken: {why}"));
            }
        }
    }
}

/// The worker: until nobody is left who could say anything.
pub(super) async fn send_all(outbox: Arc<Outbox>, mut told: mpsc::Receiver<Notice>) {
    let mut held_back: Option<Notice> = None;
    loop {
        let next = match held_back {
            Some(_) => timeout(REORDER_WAIT, told.recv()).await.unwrap_or(None),
            None => match told.recv().await {
                Some(notice) => Some(notice),
                None => return,
            },
        };
        match next {
            Some(notice) if notice.fault == Some(NoticeFault::Reorder) && held_back.is_none() => {
                held_back = Some(notice);
                continue;
            }
            Some(notice) => {
                sleep(outbox.after).await;
                outbox.send(notice).await;
            }
            None => {}
        }
        if let Some(late) = held_back.take() {
            outbox.send(late).await;
        }
    }
}
