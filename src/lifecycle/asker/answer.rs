//! One question, asked once: what the network says, what we made of it, and what that means.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::Enquiry;
use crate::domain::command::{Seen, Target};
use crate::domain::id::{Namespace, NotificationId};
use crate::domain::notification::TOKEN_REFERENCE_ID;
use crate::domain::question::{Finding, agrees, answers_for};
use crate::domain::status::Status;
use crate::domain::token::{Token, Verdict};
use crate::lifecycle::traced;
use crate::lifecycle::{Learned, Looked, Taken, TokenService, Trouble};
use crate::store::asking::UNREADABLE;

/// A service's client has a deadline of its own; this one is for the lease's sake.
const CALL_MAX: Duration = Duration::from_secs(25);
/// For so long a turn is waited for, and so often it is looked for.
const TURN_MAX: Duration = Duration::from_secs(30);
const TURN_AGAIN: Duration = Duration::from_secs(1);
/// The inbox answers within its own deadline, which may be longer than we wait.
const LEARN_MAX: Duration = Duration::from_secs(10);
const NO_NUMBER: &str = "; but its new number was not given, or could not be opened: the log says which";

/// What one is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The token is in doubt.
    Doubt,
    /// A reconcile compares.
    Reconcile,
    /// A reconcile compares, and changes nothing.
    DryRun,
}

impl Purpose {
    /// A number leaves the network only if it is missing here.
    fn wants_number(self, held: &Token) -> bool {
        self == Purpose::Doubt && held.lacks_number()
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) finding: Finding,
    /// In words, masked.
    pub(super) why: String,
    pub(super) seen: Option<Seen>,
    pub(super) taken: Option<Taken>,
    /// The service, or our store, may be in trouble with every token, not with this one.
    pub(super) is_trouble: bool,
}

impl Answer {
    pub(super) fn notification(&self) -> Option<NotificationId> {
        self.taken.map(|taken| taken.notification)
    }

    /// A defect of ours.
    pub(super) fn broken() -> Self {
        Answer {
            is_trouble: false,
            ..Answer::none(Finding::Unanswered, "a defect of ours: see the log")
        }
    }

    /// What we hold of it cannot be read.
    pub(super) fn unreadable() -> Self {
        Answer {
            is_trouble: false,
            ..Answer::none(Finding::Unanswered, UNREADABLE)
        }
    }

    fn none(finding: Finding, why: impl Into<String>) -> Self {
        Answer {
            finding,
            why: why.into(),
            seen: None,
            taken: None,
            is_trouble: finding == Finding::Unanswered,
        }
    }
}

impl Enquiry {
    /// Asks the token's own service how it stands, and has the answer taken in.
    ///
    /// A crash on the way leaves the question as it was, or the answer on disk: then asking again says what we hold.
    /// What is only registered agrees with what was registered.
    pub(super) async fn ask(&self, held: &Token, registered_as: Option<&Status>, purpose: Purpose) -> Answer {
        let Some(service) = self.service_of(held.reference.namespace) else {
            return Answer::none(Finding::Unanswered, "no token service of its namespace is configured");
        };
        match look(service.as_ref(), &target(held), purpose.wants_number(held)).await {
            Ok(looked) => {
                let is_same = agrees(held, &looked.seen) || is_as_registered(held, registered_as, &looked.seen);
                self.heard(held, looked, is_same, purpose).await
            }
            Err(trouble) if trouble.no_such_token => Answer::none(Finding::NotThere, trouble.why),
            Err(trouble) => Answer {
                is_trouble: !trouble.of_this_token,
                ..Answer::none(Finding::Unanswered, trouble.why)
            },
        }
    }

    async fn heard(&self, held: &Token, looked: Looked, is_same: bool, purpose: Purpose) -> Answer {
        let Looked { seen, statement, .. } = looked;
        let said = |finding, why: String| Answer {
            seen: Some(seen.clone()),
            is_trouble: false,
            ..Answer::none(finding, why)
        };
        if purpose == Purpose::DryRun {
            return match is_same {
                true => said(Finding::Agrees, "as we hold it".to_owned()),
                false => said(Finding::Differs, differs(held, &seen)),
            };
        }
        let Some(body) = statement else {
            return said(
                Finding::Unanswered,
                "the answer says nothing that can be taken in".to_owned(),
            );
        };
        let learned = Learned {
            service: answers_for(held.reference.namespace),
            token: held.reference.clone(),
            body,
            asked_at_sequence: Some(held.sequence),
            reconciles: purpose == Purpose::Reconcile,
            received_at: self.clock.now(),
        };
        let from = std::time::Instant::now();
        let learned = timeout(LEARN_MAX, self.listener.learn(learned)).await;
        match learned.unwrap_or_else(|_| Err("not in time".to_owned())) {
            Ok(taken) => {
                let (traces, now) = (self.metrics.traces(), self.clock.now());
                let new = taken.verdict.map(|_| taken.notification);
                new.inspect(|id| traced::learned(*id, None, from, traces, now));
                let (finding, mut why) = made_of(&taken, held, &seen, is_same);
                if purpose.wants_number(held) && finding == Finding::Agrees {
                    why += NO_NUMBER;
                }
                Answer {
                    taken: Some(taken),
                    ..said(finding, why)
                }
            }
            Err(error) => Answer {
                is_trouble: true,
                ..said(Finding::Unanswered, format!("the answer was not taken in: {error}"))
            },
        }
    }
}

/// Commands go before questions: who finds no turn among them comes again for a while.
async fn look(service: &dyn TokenService, target: &Target, with_number: bool) -> Result<Looked, Trouble> {
    let until = Instant::now() + TURN_MAX;
    loop {
        let call = match with_number {
            true => service.look_with_number(target),
            false => service.look(target),
        };
        let looked = timeout(CALL_MAX, call).await;
        let late = |_| Err(unanswered(format!("no answer within {CALL_MAX:?}")));
        match looked.unwrap_or_else(late) {
            Err(trouble) if trouble.unasked && Instant::now() < until => sleep(TURN_AGAIN).await,
            looked => return looked,
        }
    }
}

/// Nothing was heard of it, and what was registered of its status, if anything, is what the network says.
fn is_as_registered(held: &Token, registered_as: Option<&Status>, seen: &Seen) -> bool {
    held.is_unheard() && registered_as.is_none_or(|status| *status == seen.status)
}

fn made_of(taken: &Taken, held: &Token, seen: &Seen, is_same: bool) -> (Finding, String) {
    match taken.verdict {
        Some(Verdict::Advanced) if is_same && taken.adds_only => {
            (Finding::Agrees, "as we hold it, and more than we knew of it".to_owned())
        }
        Some(Verdict::Advanced) if is_same => (Finding::Repaired, "its data were not as the network says".to_owned()),
        Some(Verdict::Advanced) => (Finding::Repaired, differs(held, seen)),
        Some(Verdict::Late) => (Finding::Moved, "it moved while we asked".to_owned()),
        _ if is_same => (Finding::Agrees, "as we hold it".to_owned()),
        _ => (
            Finding::Differs,
            format!("{}; the state rules do not take it yet", differs(held, seen)),
        ),
    }
}

fn differs(held: &Token, seen: &Seen) -> String {
    let held = held.status().map_or("nothing", |status| status.as_str());
    format!("we held {held}, the network says {}", seen.status)
}

fn unanswered(why: String) -> Trouble {
    Trouble {
        code: None,
        why,
        no_such_token: false,
        of_this_token: false,
        unasked: false,
        words: None,
    }
}

/// The token as its own service names it; of a TokenEx token the network token that we know it by.
fn target(token: &Token) -> Target {
    let reference_id = match token.reference.namespace {
        Namespace::Mdes => None,
        Namespace::TokenEx => token.field(TOKEN_REFERENCE_ID).and_then(|id| id.as_str()),
    };
    Target {
        token: token.reference.reference.clone(),
        reference_id: reference_id.map(str::to_owned),
    }
}
