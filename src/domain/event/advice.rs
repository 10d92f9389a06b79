//! What a merchant does about an event.

use serde::{Deserialize, Serialize};

use crate::domain::status::Status;

/// What a merchant does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// Do not charge it.
    StopCharging,
    /// It may be charged.
    ResumeCharging,
    /// What you hold of the card or the token's number is out of date.
    RefreshCardDetails,
    /// Do not charge it, ever; ask the cardholder or the network for another.
    RequestNewToken,
    /// Do not charge it before someone has found out what it means.
    Confirm,
    /// Nothing.
    None,
}

impl Advice {
    /// The word that bodies and the store use.
    pub fn as_str(self) -> &'static str {
        match self {
            Advice::StopCharging => "stop_charging",
            Advice::ResumeCharging => "resume_charging",
            Advice::RefreshCardDetails => "refresh_card_details",
            Advice::RequestNewToken => "request_new_token",
            Advice::Confirm => "confirm",
            Advice::None => "none",
        }
    }

    /// What to do about a token of that status (none: nothing was said of it).
    pub fn on(status: Option<&Status>) -> Self {
        match status {
            None | Some(Status::Inactive) => Advice::None,
            Some(Status::Active) => Advice::ResumeCharging,
            Some(Status::Suspended) => Advice::StopCharging,
            Some(Status::Deactivated) => Advice::RequestNewToken,
            Some(Status::Unknown(_)) => Advice::Confirm,
        }
    }

    /// It keeps a merchant from charging a dead token, so that it may overtake what is stuck.
    pub fn stops(self) -> bool {
        matches!(self, Advice::StopCharging | Advice::RequestNewToken)
    }

    /// This advice, given while the token's status is that one: to resume only what may be charged now.
    pub fn at(self, status: Option<&str>) -> Self {
        let now = status.map(|word| Status::from(word.to_owned()));
        match (self, &now) {
            (Advice::ResumeCharging, Some(Status::Active)) => self,
            (Advice::ResumeCharging, now) => Advice::on(now.as_ref()),
            _ => self,
        }
    }
}
