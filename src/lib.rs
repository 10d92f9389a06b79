//! The map of the house.
//!
//! `mdes-receiver` hears from Mastercard what became of a merchant's network tokens, commits it, and answers
//! only when it is on disk; then it tells the merchant's own systems. The README walks through one notification and one
//! event; this is where each step lives.
//!
//! | module | what it is | what it never does |
//! |---|---|---|
//! | [`domain`] | the pure middle: tokens, notifications, the state rules | I/O, async, clocks, dice |
//! | [`mdes`] | Mastercard's language: bytes in, domain out | keep anything |
//! | [`keys`] | the decryption key ring, live | show a key |
//! | [`store`] | the memory: one port, two databases | open a sealed body |
//! | [`net`] | the door: accept loop, TLS, who is calling; the way out | let a stranger's bytes reach HTTP |
//! | [`inbox`] | takes in what came, commits in groups, redrives | know HTTP or SQL |
//! | [`delivery`] | tells the merchant's systems: a worker for each destination | hold a transaction while it sends |
//! | [`lifecycle`] | carries out what the merchant wants of a token, and follows it to its proof; asks what is in doubt, compares what may have been missed | know a service's wire |
//! | [`maintenance`] | lets go of what is old, in small steps | stand in receiving's way |
//! | [`tokenex`] | TokenEx's language: as asked, as answered, and what it says without being asked | decide anything |
//! | [`http`] | the callback; TokenEx's own notifications; the admin side | answer before the inbox did |
//! | [`service`] | assembles, reloads, stops | |
//! | [`simulator`] | the other side of the street: plays Mastercard | use [`mdes`] or [`keys`] |
//! | [`config`] | what an operator writes, resolved and checked | |
//! | [`telemetry`], [`clock`] | logs, metrics, traces; the only reader of time | |
//! | [`cli`] | one file per subcommand | |
//!
//! The arrows (`tests/it/arrows.rs` holds them):
//!
//! ```text
//! main → cli ─┬→ service ─┬→ http → inbox ─┬→ mdes → keys
//!             │           │                ├→ tokenex::notice → domain
//!             │           ├→ delivery ──────┼→ store → domain
//!             │           ├→ lifecycle ─────┤
//!             │           ├→ maintenance ───┘
//!             │           │     ▲ tokenex, mdes::client: they fit its port
//!             │           └→ net ← delivery, tokenex, mdes::client (net::egress alone)
//!             └→ simulator → domain
//! ```

pub mod cli;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod domain;
pub mod http;
pub mod inbox;
pub mod keys;
pub mod lifecycle;
pub mod maintenance;
pub mod mdes;
pub mod net;
pub mod service;
pub mod simulator;
pub mod store;
pub mod telemetry;
pub mod tokenex;
