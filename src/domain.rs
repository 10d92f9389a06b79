//! The pure middle: what a token is, what was said about it, and what follows.
//!
//! Nothing here is async, does I/O, reads a clock or throws dice. Time and identities come in
//! as arguments; every rule is a function that a test can call.

pub mod alarm;
pub mod bearer;
pub mod charge;
pub mod command;
pub mod delivery;
pub mod event;
pub mod id;
pub mod masked;
pub mod missed;
pub mod notification;
pub mod pace;
pub mod peer;
pub mod question;
pub mod silence;
pub mod status;
pub mod subject;
pub mod token;
pub mod topic;
