//! What an operator writes, and what it means.
pub mod settings;
