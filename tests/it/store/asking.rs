//! Asking: a question for each token in doubt, reconciles that go on where they were, gaps that begin them.

mod findings;
mod gaps;
mod plans;
mod presence;
mod questions;
mod reconciles;
pub mod scene;
mod walking;
