//! Destinations and their deliveries.
//!
//! **The lock.** Whatever changes a destination's deliveries holds the lock of its row from its first statement to its
//! commit: the turns of all replicas, and what operators do, come one after the other. A turn takes milliseconds and
//! sends nothing, so that this costs little; in return each sees what the one before it left, and nothing between.
//!
//! **The lane.** Of the open deliveries of a lane the earliest may be claimed; the others wait, and say so in their
//! row, so that a claim looks at what may go and at nothing else, however much is stuck behind a dead token.
//! Who waits is decided anew for a lane ([`lanes`]) in the very transaction that settles, skips or retries one of its
//! deliveries, and what is added to a lane waits if it holds anything open: under the lock, so that it is never missed.

mod acts;
mod claim;
mod destinations;
mod fan_out;
mod filter;
mod lanes;
mod meant;
mod replay;
mod settle;
mod snapshot;
mod turn;

pub(super) use acts::Act;
pub(super) use destinations::{destinations, enrol, forget, pause};
pub(super) use filter::page;
pub(super) use meant::scope;
pub(super) use replay::{pages, replay, replayable};
pub(super) use turn::turn;

/// An id or a position as the databases hold it.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
