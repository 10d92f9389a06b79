//! Commands: on disk before they are sent, one at a time for each target, each step under its claim.

mod approving;
mod claims;
mod lines;
mod ordering;
pub mod scene;
mod telling;
mod watching;
