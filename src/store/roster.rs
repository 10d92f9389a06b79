//! Who may ask the admin API; the third part of the port.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Error;

/// What is asked of the memory about operators. Deadlines and errors are as those of [`super::Store`].
#[async_trait]
pub trait Roster: Send + Sync {
    /// Adds an operator; `false` if the name is taken, by a revoked or expired one too.
    async fn add_operator(&self, operator: &NewOperator) -> Result<bool, Error>;

    /// All of them, by name, revoked and expired ones too.
    async fn operators(&self) -> Result<Vec<Operator>, Error>;

    /// Takes an operator's token away from now on; says whether there was one to take.
    async fn revoke_operator(&self, name: &str) -> Result<bool, Error>;

    /// Whose token has this SHA-256, if it is neither revoked nor expired.
    async fn operator_of(&self, token_hash: &[u8; 32]) -> Result<Option<Operator>, Error>;

    /// Begins a browser's session of an operator's; those that have expired are forgotten on the way.
    async fn begin_session(&self, session: &NewSession) -> Result<(), Error>;

    /// Whose session has this SHA-256, if neither it nor its operator's token is revoked or expired.
    async fn session_of(&self, id_hash: &[u8; 32]) -> Result<Option<Operator>, Error>;

    /// Ends a session; says whether there was one.
    async fn end_session(&self, id_hash: &[u8; 32]) -> Result<bool, Error>;
}

/// What the callers hold.
pub type SharedRoster = Arc<dyn Roster>;

/// What an operator may do; a later one may all that an earlier one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Acts: registers, retries, skips, replays.
    Operator,
}

impl Role {
    /// The word that the store and the command line use.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
        }
    }

    /// The role of that word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        [Role::Viewer, Role::Operator]
            .into_iter()
            .find(|role| role.as_str() == word)
    }
}

/// An operator to be added.
#[derive(Clone)]
pub struct NewOperator {
    /// By which the log calls them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// SHA-256 of their bearer token.
    pub token_hash: [u8; 32],
    /// Until when.
    pub expires_at: OffsetDateTime,
}

/// A browser's session to be begun.
#[derive(Clone)]
pub struct NewSession {
    /// SHA-256 of what its cookie holds.
    pub id_hash: [u8; 32],
    /// Whose.
    pub operator: String,
    /// Until when.
    pub expires_at: OffsetDateTime,
}

/// An operator as kept; the token itself is nowhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Operator {
    /// By which the log calls them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Since when.
    pub created_at: OffsetDateTime,
    /// Until when.
    pub expires_at: OffsetDateTime,
    /// When their token was taken away.
    pub revoked_at: Option<OffsetDateTime>,
}
