//! Over HTTP: the callback and the admin side. Nothing else of the house knows an HTTP type.

pub mod body;
pub mod callback;
