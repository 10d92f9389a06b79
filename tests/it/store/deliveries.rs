//! What the store promises of deliveries: order within a token, nothing lost, nothing held by two.

mod acts;
mod claims;
mod cursors;
mod model;
mod overtaking;
pub mod scene;
mod snapshots;
