//! The promises, kept through public doors.

mod arrows;
mod door;
mod envelope;
mod operator;
mod simulator;
mod store;
mod support;
mod walk;
mod world;
