//! Over HTTP: the callback and the admin side. Nothing else of the house knows an HTTP type.

pub mod admin;
mod body;
pub mod callback;
mod console;
pub mod health;
pub mod tokenex;
pub mod tokenex_callbacks;
mod traced;
