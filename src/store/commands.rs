//! Commands: each on disk before it is sent, and each step of it before the next.
//!
//! **The line.** Commands of one network token go one at a time, by whatever of its linked names and through whichever
//! service, in the order in which they may go: whoever gives a place in that line holds its lock until the commit, so
//! that no place is given twice and none behind a later one. Of the open ones in a line the first alone is claimed.
//!
//! **The lease.** A claim is no lock: it is a row that says until when it is worked on, and under which number. Whoever
//! dies with it leaves a row that is due when the lease ends, standing where its last step left it.
//!
//! The order of locks: the line's, the commands, their token, the head of the events.

mod approval;
mod claim;
mod ends;
mod look;
mod moved;
mod order;
mod place;
mod progress;
mod rows;
mod steps;
mod supersede;
mod told;

pub(super) use approval::{approve, withdraw};
pub(super) use claim::{claim, idle};
pub(super) use look::{command, open_of, page, steps};
pub(super) use order::order;
pub(super) use progress::progress;
