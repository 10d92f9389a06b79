//! The door, knocked at over loopback: who comes in, who does not, and how long they may stay.
//!
//! Behind it stands a trivial router, so that nothing but the door is on trial.

mod admin;
mod balancer;
mod identity;
mod lifetime;
mod refusals;
mod reload;
mod street;
mod visitor;

pub use street::limits;
