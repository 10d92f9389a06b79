//! "May I charge this?": what is held of a token, as one word.
//!
//! It errs on the careful side: `yes` is said only if the network itself said ACTIVE and nothing speaks against it.

use serde::Serialize;

use super::status::Status;
use super::token::{Doubt, Registration, Token};

/// The answer; a later one is more careful than an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Charge {
    /// The network says that it is active, and nothing speaks against it.
    Yes,
    /// Nobody knows for sure: find out before you charge.
    Confirm,
    /// It would be declined.
    No,
}

impl Charge {
    /// The word that answers and people use.
    pub fn as_str(self) -> &'static str {
        match self {
            Charge::Yes => "yes",
            Charge::Confirm => "confirm",
            Charge::No => "no",
        }
    }
}

/// The answer about this token, and why, in words for a person.
pub fn charge(token: &Token, registration: Option<&Registration>) -> (Charge, &'static str) {
    let is_doubted = token.doubts().iter().any(|doubt| *doubt != Doubt::NumberMissing);
    match of_status(token.status(), is_doubted, registration) {
        (Charge::Yes, _) if token.lacks_number() => (
            Charge::Yes,
            "the network says ACTIVE; but its number is another one now, which was not given yet",
        ),
        answer => answer,
    }
}

/// The answer about a token that stands so.
pub fn of_status(
    status: Option<&Status>,
    is_doubted: bool,
    registration: Option<&Registration>,
) -> (Charge, &'static str) {
    match status {
        Some(Status::Active) if is_doubted => {
            let why = "the network says ACTIVE, and something speaks against it: `doubts` says what";
            (Charge::Confirm, why)
        }
        Some(Status::Active) => (Charge::Yes, "the network says ACTIVE"),
        Some(Status::Inactive) => (Charge::No, "the network says INACTIVE: it is not activated yet"),
        Some(Status::Suspended) => (
            Charge::No,
            "the network says SUSPENDED: every suspender must let go first",
        ),
        Some(Status::Deactivated) => (Charge::No, "the network says DEACTIVATED: it is gone for good"),
        Some(Status::Unknown(_)) => (
            Charge::Confirm,
            "the network's word for its status is one that we do not know",
        ),
        None => unheard(registration.and_then(|registration| registration.status.as_ref())),
    }
}

/// Of a token whose status only the merchant spoke of: what forbids is believed, what allows is not enough.
fn unheard(registered: Option<&Status>) -> (Charge, &'static str) {
    match registered {
        Some(Status::Active) => (
            Charge::Confirm,
            "you registered it as ACTIVE, and the network has not said so yet",
        ),
        Some(Status::Inactive | Status::Suspended | Status::Deactivated) => (
            Charge::No,
            "you registered it as one that cannot be charged, and the network has said nothing else",
        ),
        Some(Status::Unknown(_)) | None => (Charge::Confirm, "nobody has said yet how it stands"),
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::domain::id::TokenReference;

    fn registered(status: Option<Status>) -> (Charge, &'static str) {
        let registration = Registration {
            requestor: None,
            merchant_reference: None,
            status,
            registered_at: OffsetDateTime::UNIX_EPOCH,
        };
        charge(&Token::unheard(TokenReference::mdes("DM4MMC1")), Some(&registration))
    }

    #[test]
    fn a_merchant_s_own_word_forbids_and_never_allows() {
        assert_eq!(registered(Some(Status::Active)).0, Charge::Confirm);
        assert_eq!(registered(None).0, Charge::Confirm);
        for status in [Status::Inactive, Status::Suspended, Status::Deactivated] {
            assert_eq!(registered(Some(status)).0, Charge::No);
        }
    }

    #[test]
    fn no_is_the_most_careful_answer() {
        assert!(Charge::Yes < Charge::Confirm && Charge::Confirm < Charge::No);
    }
}
