//! The doors for the fuzzer's targets.

mod doors;

pub use doors::{DOORS, Door, door};
