//! Plays scenarios against a receiver and judges the answers.
//!
//! It keeps nothing: what was played is handed back, in words and with the token references, for others to show.

use hyper::body::Bytes;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::{Duration, Instant};

use super::caller::{self, CallerError};
use super::message::envelope;
use super::pki::Authority;
use super::refusal::SendError;
use super::scenario::{About, Caller, Expect, Form, Scenario, Send, Step};
use super::seal::{SealError, Sealer};
use super::sender::{Answer, Sender};
use super::set::Edit;
use super::story::{Message, Say, Story};
use super::summary;

/// How long a caller who should be refused waits for that before speaking all the same.
const LISTEN_FOR_REFUSAL: Duration = Duration::from_secs(1);

/// Mastercard, as far as one receiver can see: who sends, to which key, with which changes.
pub struct Mastercard {
    sender: Sender,
    sealer: Sealer,
    client_ca: Option<Authority>,
    edits: Vec<Edit>,
}

/// One request that was sent, and what came of it.
#[derive(Clone, Debug)]
pub struct Played {
    /// The scenario's name, or `body`.
    pub scenario: &'static str,
    /// What was peculiar about the request; empty if nothing was.
    pub how: String,
    /// What it said, in lines for people; numbers are masked.
    pub sent: Vec<String>,
    /// The tokens that it was about.
    pub token_unique_references: Vec<String>,
    /// Its `requestId`.
    pub request_id: String,
    /// What should come back.
    pub expected: &'static str,
    /// What came back; an error is in words.
    pub answer: Result<Answer, String>,
    /// Whether that is what should come back.
    pub passed: bool,
    /// From the request's first byte to the answer's last, or until there could be none.
    pub took: Duration,
}

/// Why a step was not even sent.
#[derive(Debug, thiserror::Error)]
enum NotSent {
    #[error(transparent)]
    Caller(#[from] CallerError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Sender(#[from] super::sender::SenderError),
}

/// The last request of a scenario, for those who say it again.
struct Said {
    message: Message,
    body: Bytes,
}

impl Mastercard {
    /// Sends by this sender, sealed by this sealer.
    pub fn new(sender: Sender, sealer: Sealer) -> Self {
        Mastercard {
            sender,
            sealer,
            client_ca: None,
            edits: Vec::new(),
        }
    }

    /// With the CA of the receiver's clients, of which some scenarios need certificates.
    pub fn with_client_ca(self, client_ca: Authority) -> Self {
        Mastercard {
            client_ca: Some(client_ca),
            ..self
        }
    }

    /// With these changes to everything that is said.
    pub fn with_edits(self, edits: Vec<Edit>) -> Self {
        Mastercard { edits, ..self }
    }

    /// Plays one scenario to its end, whatever the answers are.
    pub async fn play(&self, scenario: &Scenario, story: &mut Story) -> Vec<Played> {
        match scenario.about_token {
            About::TheStorysToken => {
                story.go_on();
                self.play_steps(scenario, story).await
            }
            About::ATokenOfItsOwn => {
                let told_of = story.digress();
                let played = self.play_steps(scenario, story).await;
                story.go_back_to(told_of);
                played
            }
        }
    }

    /// Seals these bytes as they are and sends them; they should be accepted.
    pub async fn send_sealed(&self, plaintext: &[u8], story: &mut Story) -> Played {
        let request_id = story.request_id();
        let body = envelope(&request_id, plaintext, &self.sealer).map(|mut body| {
            Edit::apply_to_envelope(&self.edits, &mut body);
            Bytes::from(body.to_string())
        });
        let content = serde_json::from_slice(plaintext).unwrap_or_default();
        let played = unplayed("body", "the file, sealed as it is".to_owned(), request_id, &content);
        match body {
            Ok(body) => played.answered(self.sender.send(body).await, Expect::Accepted),
            Err(error) => played.failed(error.to_string()),
        }
    }

    /// Sends these bytes as the body of a request; they should be accepted.
    pub async fn send_raw(&self, body: Vec<u8>) -> Played {
        let content: Value = serde_json::from_slice(&body).unwrap_or_default();
        let request_id = content
            .get("requestId")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let played = unplayed("body", "the file as it is, not sealed".to_owned(), request_id, &content);
        played.answered(self.sender.send(Bytes::from(body)).await, Expect::Accepted)
    }

    /// The body of one more notification, sealed, for a person to send by hand.
    pub fn sealed(&self, say: Say, story: &mut Story) -> Result<Vec<u8>, SealError> {
        story.go_on();
        story.tell(say).body(Form::Sealed, &self.sealer, &self.edits)
    }

    async fn play_steps(&self, scenario: &Scenario, story: &mut Story) -> Vec<Played> {
        let mut played = Vec::with_capacity(scenario.steps.len());
        let mut before = None;
        for step in scenario.steps {
            let message = self.message(step.send, before.as_ref(), story);
            let one = unplayed(scenario.name, step.how(), message.request_id.clone(), &message.content);
            let began = Instant::now();
            let mut one = match self.step(step, message, &mut before, story.now()).await {
                Ok(outcome) => one.answered(outcome, step.expect),
                Err(not_sent) => one.failed(not_sent.to_string()),
            };
            one.expected = step.expect.as_str();
            if one.answer.is_err() {
                one.took = began.elapsed();
            }
            played.push(one);
        }
        played
    }

    fn message(&self, send: Send, before: Option<&Said>, story: &mut Story) -> Message {
        let say = match (send, before) {
            (Send::New(say), _) => say,
            (Send::Again | Send::AgainResealed, Some(said)) => return said.message.clone(),
            // Nothing to repeat: something new instead.
            (Send::Again | Send::AgainResealed, None) => Say::Active,
        };
        let mut message = story.tell(say);
        Edit::apply_to_content(&self.edits, &mut message.content);
        message
    }

    async fn step(
        &self,
        step: &Step,
        message: Message,
        before: &mut Option<Said>,
        now: OffsetDateTime,
    ) -> Result<Result<Answer, SendError>, NotSent> {
        let body = match (step.send, before.take()) {
            (Send::Again, Some(said)) => said.body,
            _ => Bytes::from(message.body(step.form, &self.sealer, &self.edits)?),
        };
        *before = Some(Said {
            message,
            body: body.clone(),
        });
        if step.caller == Caller::Mastercard {
            return Ok(self.sender.send(body).await);
        }
        let identity = caller::identity(step.caller, self.client_ca.as_ref(), now)?;
        let caller = self.sender.as_caller(identity, LISTEN_FOR_REFUSAL)?;
        Ok(caller.send(body).await)
    }
}

/// Whether the receiver took it in: 200 and a JSON object that reports no error.
pub fn is_accepted(answer: &Answer) -> bool {
    let errors = ["errors", "Errors", "errorCode"];
    answer.status == 200
        && serde_json::from_slice::<Value>(&answer.body)
            .is_ok_and(|body| body.is_object() && errors.iter().all(|field| body.get(field).is_none_or(Value::is_null)))
}

fn is_expected(expect: Expect, outcome: &Result<Answer, SendError>) -> bool {
    match (expect, outcome) {
        (Expect::Accepted, Ok(answer)) => is_accepted(answer),
        (Expect::Declined, Ok(answer)) => match answer.status {
            200 => !is_accepted(answer),
            status => (400..500).contains(&status),
        },
        (Expect::TooLarge, Ok(answer)) => answer.status == 413,
        (Expect::HandshakeRefused, Err(SendError::Refused(_))) => true,
        _ => false,
    }
}

fn unplayed(scenario: &'static str, how: String, request_id: String, content: &Value) -> Played {
    Played {
        scenario,
        how,
        sent: summary::lines(content),
        token_unique_references: summary::references(content),
        request_id,
        expected: Expect::Accepted.as_str(),
        answer: Err("not sent".to_owned()),
        passed: false,
        took: Duration::ZERO,
    }
}

impl Played {
    fn answered(self, outcome: Result<Answer, SendError>, expect: Expect) -> Self {
        Played {
            passed: is_expected(expect, &outcome),
            took: outcome.as_ref().map_or(self.took, |answer| answer.took),
            answer: outcome.map_err(|error| error.to_string()),
            ..self
        }
    }

    fn failed(self, why: String) -> Self {
        Played {
            answer: Err(format!("not sent: {why}")),
            ..self
        }
    }
}
