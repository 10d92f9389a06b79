//! The map of the house.
//!
//! | module | what it is |
//! |---|---|
//! | [`domain`] | the pure middle: tokens, notifications, the state rules |
//! | [`mdes`] | Mastercard's language: bytes in, domain out |
//! | [`keys`] | the decryption key ring |
//! | [`store`] | the memory: one port, two databases |
//! | [`net`] | the door: accept loop, TLS, who is calling |
//! | [`inbox`] | takes in what Mastercard says; answers only when it is on disk |
//! | [`http`] | the callback, the admin side |
//! | [`simulator`] | the other side of the street: plays Mastercard |
//! | [`config`], [`telemetry`], [`clock`] | settings; logs and metrics; time |
//! | [`service`], [`cli`] | assembled and run |

pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod http;
pub mod inbox;
pub mod keys;
pub mod mdes;
pub mod net;
pub mod service;
pub mod simulator;
pub mod store;
pub mod telemetry;
