//! The list of scenarios.

use super::{About, Caller, Expect, Form, Scenario, Send, Step};
use crate::simulator::story::Say;

const fn life_of(name: &'static str, about: &'static str, steps: &'static [Step]) -> Scenario {
    Scenario {
        name,
        about,
        about_token: About::TheStorysToken,
        steps,
    }
}

const fn apart(name: &'static str, about: &'static str, steps: &'static [Step]) -> Scenario {
    Scenario {
        name,
        about,
        about_token: About::ATokenOfItsOwn,
        steps,
    }
}

const fn tell(say: Say) -> Step {
    send(Send::New(say))
}

const fn send(send: Send) -> Step {
    Step {
        send,
        form: Form::Sealed,
        caller: Caller::Mastercard,
        expect: Expect::Accepted,
    }
}

const fn malformed(form: Form, expect: Expect) -> Step {
    Step {
        form,
        expect,
        ..tell(Say::Active)
    }
}

const fn called_by(caller: Caller) -> Step {
    Step {
        caller,
        expect: Expect::HandshakeRefused,
        ..tell(Say::Active)
    }
}

const ISSUER: &[&str] = &["ISSUER"];
const BOTH: &[&str] = &["ISSUER", "TOKEN_REQUESTOR"];
const REQUESTOR: &[&str] = &["TOKEN_REQUESTOR"];

pub(super) const SCENARIOS: &[Scenario] = &[
    life_of("active", "the token becomes active", &[tell(Say::Active)]),
    life_of(
        "suspended",
        "the issuer suspends the token",
        &[tell(Say::Suspended(ISSUER))],
    ),
    life_of("resumed", "the issuer lifts the suspension", &[tell(Say::Resumed)]),
    life_of(
        "card-art",
        "the card looks different (product configuration)",
        &[tell(Say::CardArt)],
    ),
    life_of(
        "card-changed",
        "the card behind the token was reissued: other last digits, other expiry",
        &[tell(Say::CardChanged)],
    ),
    life_of(
        "deleted",
        "the issuer deletes the token for good (DEACTIVATED on the wire)",
        &[tell(Say::Deleted)],
    ),
    life_of(
        "re-digitized",
        "the token has a new number and a new expiry",
        &[tell(Say::ReDigitized)],
    ),
    apart(
        "two-suspenders",
        "two suspend it, one lets go, then the other: active again only at the end",
        &[
            tell(Say::Suspended(ISSUER)),
            tell(Say::Suspended(BOTH)),
            tell(Say::Suspended(REQUESTOR)),
            tell(Say::Resumed),
        ],
    ),
    apart(
        "two-tokens",
        "one notification about two tokens",
        &[tell(Say::TwoTokens)],
    ),
    apart(
        "unknown-codes",
        "a suspender, a reason, a field, then a status that nobody has heard of",
        &[tell(Say::UnknownCodes), tell(Say::UnknownStatus)],
    ),
    apart(
        "hostile",
        "wrong types, nulls, unknown things and a token without a timestamp, all at once",
        &[tell(Say::Hostile)],
    ),
    apart(
        "duplicate",
        "the same request three times: twice byte for byte, once sealed anew",
        &[
            tell(Say::Suspended(ISSUER)),
            send(Send::Again),
            send(Send::AgainResealed),
        ],
    ),
    apart(
        "reordered",
        "active, then a suspension from before that: the token stays active",
        &[tell(Say::Active), tell(Say::LateSuspension)],
    ),
    apart(
        "wrong-key",
        "sealed to a key that the receiver does not have",
        &[malformed(Form::SealedToALostKey, Expect::Declined)],
    ),
    apart(
        "not-json",
        "a body that is not JSON",
        &[malformed(Form::NotJson, Expect::Declined)],
    ),
    apart(
        "truncated",
        "a body that breaks off, then a whole one whose sealed data breaks off",
        &[
            malformed(Form::CutShort, Expect::Declined),
            malformed(Form::DataCutShort, Expect::Declined),
        ],
    ),
    apart(
        "unsealed",
        "the content in clear, to a receiver that takes only sealed bodies",
        &[malformed(Form::Unsealed, Expect::Declined)],
    ),
    apart(
        "oversize",
        "a body of more than 1 MiB",
        &[malformed(Form::Oversize, Expect::TooLarge)],
    ),
    apart(
        "no-certificate",
        "a caller without a client certificate",
        &[called_by(Caller::Nobody)],
    ),
    apart(
        "stranger",
        "a client certificate with the right name from an unknown CA",
        &[called_by(Caller::Stranger)],
    ),
    apart(
        "expired-certificate",
        "a client certificate that expired yesterday",
        &[called_by(Caller::Expired)],
    ),
    apart(
        "wrong-name",
        "a client certificate of the right CA for somebody else",
        &[called_by(Caller::OtherName)],
    ),
];
