//! What a store promises. Each promise is a function, and is kept on both databases.

mod answers;
pub mod asking;
pub mod commands;
mod deliveries;
mod erased;
mod events;
mod history;
mod links;
mod modes;
mod operators;
mod plans;
pub mod primary;
mod quarantine;
mod recording;
mod registered;
mod repeats;
mod replicas;
mod resealed;
mod retention;
mod roles;
pub mod scene;
mod schema;
mod shape;
mod trouble;
mod trust;
