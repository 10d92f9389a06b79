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

    /// Begins a browser's session of an operator's, who has [`SESSIONS_MAX`] at most: the oldest ends. Those that have
    /// expired are forgotten on the way.
    async fn begin_session(&self, session: &NewSession) -> Result<(), Error>;

    /// Whose session has this SHA-256, if neither it nor its operator's token is revoked or expired.
    async fn session_of(&self, id_hash: &[u8; 32]) -> Result<Option<Operator>, Error>;

    /// Ends a session; says whether there was one.
    async fn end_session(&self, id_hash: &[u8; 32]) -> Result<bool, Error>;
}

/// Sessions of one operator: who logs in once more ends the oldest.
pub const SESSIONS_MAX: i64 = 20;

/// What the callers hold.
pub type SharedRoster = Arc<dyn Roster>;

/// What an operator may do. Not a line: who may act need not be who may see a token's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Asks whether a token may be charged, and nothing else: for a shop's own checkout.
    Charger,
    /// Looks.
    Viewer,
    /// Looks, and acts: registers, commands, retries, skips, replays.
    Operator,
    /// Looks, and has a token's number shown.
    Revealer,
}

/// What a request asks for, as far as a role has to allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// To know whether a token may be charged.
    Charge,
    /// To look at everything but a token's number.
    Look,
    /// To change something.
    Act,
    /// To see a token's number.
    Reveal,
}

impl Role {
    /// Every role there is.
    pub const ALL: &[Role] = &[Role::Charger, Role::Viewer, Role::Operator, Role::Revealer];

    /// The word that the store and the command line use.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Charger => "charger",
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Revealer => "revealer",
        }
    }

    /// The role of that word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        Role::ALL.iter().copied().find(|role| role.as_str() == word)
    }

    /// Whoever has the role may do so.
    pub fn may(self, right: Right) -> bool {
        match right {
            Right::Charge => true,
            Right::Look => self != Role::Charger,
            Right::Act => self == Role::Operator,
            Right::Reveal => self == Role::Revealer,
        }
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
