//! Over HTTP: the callback and the admin side.

pub mod admin;
pub mod health;
