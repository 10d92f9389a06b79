//! What a store promises. Each promise is a function, and is kept on both databases.

mod history;
mod primary;
mod quarantine;
mod recording;
mod repeats;
mod replicas;
mod scene;
mod schema;
mod trouble;
