//! The promises, kept through public doors.

#[macro_use]
mod support;

mod act;
mod api;
mod arrows;
mod balancers;
mod batch;
mod console;
mod deliver;
mod deploy;
mod door;
mod egress;
mod envelope;
mod fuzz;
mod gaps;
mod hostile;
#[cfg(feature = "kafka")]
mod kafka;
mod learn;
mod mdes_client;
#[cfg(feature = "nats")]
mod nats;
mod operator;
mod probe;
mod program;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
mod reconcile;
mod simulator;
mod soak;
mod store;
mod tokenex;
mod tokenex_callbacks;
mod traces;
mod transcripts;
mod walk;
mod watch;
mod world;
