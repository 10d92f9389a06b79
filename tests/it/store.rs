//! What a store promises. Each promise is a function, and is kept on both databases.

mod events;
mod history;
pub mod primary;
mod quarantine;
mod recording;
mod repeats;
mod replicas;
pub mod scene;
mod schema;
mod trouble;
