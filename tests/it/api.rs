//! The admin API, asked over HTTP of a whole receiver: who may ask what, and what is answered.

pub mod caller;

mod admit;
mod answers;
mod assets;
mod audit;
mod charge;
pub mod commands;
mod deliveries;
pub mod docs;
mod erase;
mod events;
mod export;
mod fair;
mod links;
mod listen;
mod openapi;
mod reveal;
mod search;
mod story;
mod stream;
mod tokens;
