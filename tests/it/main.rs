//! The promises, kept through public doors.

#[macro_use]
mod support;

mod api;
mod arrows;
mod batch;
mod deliver;
mod door;
mod egress;
mod envelope;
mod hostile;
#[cfg(feature = "kafka")]
mod kafka;
mod learn;
#[cfg(feature = "nats")]
mod nats;
mod operator;
mod program;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
mod simulator;
mod store;
mod walk;
mod world;
