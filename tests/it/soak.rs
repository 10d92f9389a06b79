//! The soak's model finds what it is there to find. The soak itself is a program (`tests/soak`), without tests.

#[path = "../soaking/model/mod.rs"]
mod model;

mod planted;
