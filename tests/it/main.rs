//! The promises, kept through public doors.

mod door;
mod envelope;
mod operator;
mod simulator;
mod store;
mod support;
