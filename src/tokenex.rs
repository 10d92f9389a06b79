//! The token service's language: TokenEx's `NetworkToken` methods, as asked and as answered.
//!
//! [`client`] speaks it to TokenEx; the contract that `http` serves speaks it to who would otherwise call TokenEx. Both
//! read it by [`wire`], without regard to the case of keys, and know its codes by [`errors`]. It decides nothing about
//! a command: what an answer means for one is the desk's to say. What TokenEx says without being asked is read by
//! [`notice`].

pub mod client;
pub mod errors;
pub mod notice;
pub mod wire;
