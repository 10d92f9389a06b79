//! The questions that are open: about tokens in doubt, of one namespace.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::answer::Purpose;
use super::{Enquiry, STORE_RETRY};
use crate::domain::id::{Namespace, TokenReference};
use crate::domain::question::{Finding, NOT_GIVEN_UP, again};
use crate::store;
use crate::store::asking::{ClaimedQuestion, SettledQuestion};

/// Longer than one question may take, its wait for a turn included.
const LEASE: Duration = Duration::from_secs(90);
/// So many are asked at once at most.
const AT_ONCE_MAX: u32 = 8;
/// So many tokens in doubt are looked at before the next questions.
const PAGE: u32 = 500;
/// The bell rings for every change of every token: so often is it followed at most.
const BELL_EVERY: Duration = Duration::from_secs(1);
/// What has no bell (another replica's doubts, a lease that ended) is looked for so often.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Until the stop.
pub(super) async fn run(
    enquiry: Arc<Enquiry>,
    namespace: Namespace,
    mut bell: watch::Receiver<()>,
    stop: CancellationToken,
) {
    let mut queue = Queue {
        enquiry,
        namespaces: [namespace],
        after: None,
    };
    while !stop.is_cancelled() {
        bell.mark_unchanged();
        let begun = Instant::now();
        let wait = match queue.turn().await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(%error, "cannot look at the open questions; trying again");
                STORE_RETRY
            }
        };
        let rest = async {
            let _ = timeout(wait, bell.changed()).await; // a bell that nobody holds any more only makes it slower
            sleep(BELL_EVERY.saturating_sub(begun.elapsed())).await;
        };
        let _ = stop.run_until_cancelled(rest).await;
    }
}

struct Queue {
    enquiry: Arc<Enquiry>,
    namespaces: [Namespace; 1],
    /// How far the tokens in doubt were looked at; after the last one it begins anew.
    after: Option<TokenReference>,
}

impl Queue {
    /// Opens questions for a page of what is in doubt, and asks what is due; says how long there is nothing to do.
    async fn turn(&mut self) -> Result<Duration, store::Error> {
        let asking = &self.enquiry.asking;
        let opened = asking
            .open_questions(&self.namespaces, self.after.as_ref(), PAGE)
            .await?;
        self.after = opened.next;
        let claims = asking.claim_questions(&self.namespaces, LEASE, AT_ONCE_MAX).await?;
        for token in &claims.unreadable {
            let (token, found) = (token.shown(), Finding::Unanswered.as_str());
            tracing::error!(
                token,
                "what is held of a token in doubt cannot be read: nobody is asked; mend tokens.state"
            );
            self.enquiry.metrics.question(found);
        }
        let asked = !claims.claimed.is_empty() || !claims.unreadable.is_empty();
        let mut cases = JoinSet::new();
        for claimed in claims.claimed {
            cases.spawn(case(self.enquiry.clone(), claimed));
        }
        while let Some(ended) = cases.join_next().await {
            if ended.is_err() {
                tracing::error!("a question panicked; it is asked again when its lease ends");
            }
        }
        if claims.more || asked || self.after.is_some() {
            return Ok(Duration::ZERO);
        }
        let now = self.enquiry.clock.now();
        let due = claims
            .next_due
            .map(|due| Duration::try_from(due - now).unwrap_or_default());
        Ok(due.unwrap_or(LOOK_EVERY).min(LOOK_EVERY))
    }
}

/// One question, to its settling. A crash before that leaves it under its lease.
async fn case(enquiry: Arc<Enquiry>, claimed: ClaimedQuestion) {
    let answer = enquiry.ask(&claimed.token, None, Purpose::Doubt).await;
    // What moved meanwhile is asked after as if for the first time.
    let asks = match answer.finding {
        Finding::Moved => claimed.asks,
        // A service that is away says nothing of the token: that is no reason to give it up.
        _ if answer.is_trouble => claimed.asks.saturating_add(1).min(NOT_GIVEN_UP),
        _ => claimed.asks.saturating_add(1),
    };
    let again = again(asks.max(1));
    enquiry.metrics.question(answer.finding.as_str());
    if again.given_up {
        let token = &claimed.token.reference;
        tracing::warn!(
            ?token,
            asks,
            why = answer.why,
            "asked in vain: somebody has to look at this token"
        );
    }
    let settled = SettledQuestion {
        token: claimed.token.reference,
        claim: claimed.claim,
        asks,
        finding: answer.finding,
        why: answer.why,
        given_up: again.given_up,
        due_in: again.due_in,
    };
    if let Err(error) = enquiry.asking.settle_question(&settled).await {
        tracing::warn!(%error, "what came of a question was not written; it is asked again when its lease ends");
    }
}
