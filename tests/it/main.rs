//! The promises, kept through public doors.

#[macro_use]
mod support;

mod act;
mod api;
mod arrows;
mod batch;
mod deliver;
mod door;
mod egress;
mod envelope;
mod gaps;
mod hostile;
#[cfg(feature = "kafka")]
mod kafka;
mod learn;
mod mdes_client;
#[cfg(feature = "nats")]
mod nats;
mod operator;
mod program;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
mod simulator;
mod store;
mod tokenex;
mod walk;
mod world;
