//! The scenarios by name: what is said, by whom, in what form, and what a good receiver answers.
//!
//! The first six, in their order, are one token's life. Nothing here sends anything.

use super::story::Say;

mod table;

/// A scenario: a name, a sentence, and what happens in it.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What the command line calls it.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// About which token it is.
    pub about_token: About,
    /// What is sent, in order.
    pub steps: &'static [Step],
}

/// About which token a scenario is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The token that the story is about: scenarios played after each other tell of the same one.
    TheStorysToken,
    /// A token of its own.
    ATokenOfItsOwn,
}

/// One request and the answer that it should get.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What is sent.
    pub send: Send,
    /// How it is wrapped.
    pub form: Form,
    /// Who sends it.
    pub caller: Caller,
    /// What should come back.
    pub expect: Expect,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Send {
    /// Something new.
    New(Say),
    /// The request before, byte for byte.
    Again,
    /// The request before, sealed anew: the same `requestId` and content in other bytes.
    AgainResealed,
}

/// How it is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it should be.
    Sealed,
    /// Not sealed at all: `tokens` at the top level.
    Unsealed,
    /// Sealed to a key that the receiver does not have.
    SealedToALostKey,
    /// Something that is not JSON.
    NotJson,
    /// The JSON breaks off in the middle.
    CutShort,
    /// The JSON is whole, the sealed data in it lacks its last bytes.
    DataCutShort,
    /// Followed by more than 1 MiB of filling.
    Oversize,
}

/// Who sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Mastercard, with the client certificate that was given.
    Mastercard,
    /// Somebody without a certificate.
    Nobody,
    /// Somebody whose certificate has the right name, from a CA of their own.
    Stranger,
    /// Mastercard with a certificate that expired yesterday; needs the client CA.
    Expired,
    /// Another customer of the same CA; needs the client CA.
    OtherName,
}

/// What should come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// 200 and a JSON object that reports no error.
    Accepted,
    /// A 4xx, or by MDES's own convention 200 with an error in the body.
    Declined,
    /// 413.
    TooLarge,
    /// No HTTP at all: the handshake fails.
    HandshakeRefused,
}

impl Step {
    /// What is peculiar about it, in words for people; empty if nothing is.
    pub fn how(&self) -> String {
        let again = match self.send {
            Send::New(_) => "",
            Send::Again => "the same bytes again",
            Send::AgainResealed => "the same, sealed anew",
        };
        let peculiar = [again, self.form.as_str(), self.caller.as_str()];
        let peculiar: Vec<&str> = peculiar.into_iter().filter(|words| !words.is_empty()).collect();
        peculiar.join(", ")
    }
}

impl Form {
    fn as_str(self) -> &'static str {
        match self {
            Form::Sealed => "",
            Form::Unsealed => "not sealed",
            Form::SealedToALostKey => "sealed to a key that the receiver does not have",
            Form::NotJson => "not JSON",
            Form::CutShort => "broken off in the middle",
            Form::DataCutShort => "the sealed data is one byte short",
            Form::Oversize => "with more than 1 MiB of filling",
        }
    }
}

impl Caller {
    fn as_str(self) -> &'static str {
        match self {
            Caller::Mastercard => "",
            Caller::Nobody => "without a client certificate",
            Caller::Stranger => "with a client certificate of an unknown CA",
            Caller::Expired => "with a client certificate that expired yesterday",
            Caller::OtherName => "with a client certificate for another name",
        }
    }
}

impl Expect {
    /// In words for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Expect::Accepted => "200",
            Expect::Declined => "400, or 200 with an error in the body",
            Expect::TooLarge => "413",
            Expect::HandshakeRefused => "refused in the handshake",
        }
    }
}

impl Scenario {
    /// The scenario of that name.
    pub fn named(name: &str) -> Option<&'static Scenario> {
        all().iter().find(|scenario| scenario.name == name)
    }

    /// Whether certificates must be minted for it from the client CA.
    pub fn needs_client_ca(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step.caller, Caller::Expired | Caller::OtherName))
    }
}

/// Every scenario; the six of a token's life come first.
pub fn all() -> &'static [Scenario] {
    table::SCENARIOS
}

/// One token's life in six scenarios: active, suspended, resumed, card-art, card-changed, deleted.
pub fn life() -> &'static [Scenario] {
    &table::SCENARIOS[..6]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_life_of_a_token_is_the_six_in_their_order() {
        let names: Vec<&str> = life().iter().map(|scenario| scenario.name).collect();
        assert_eq!(
            names,
            ["active", "suspended", "resumed", "card-art", "card-changed", "deleted"]
        );
    }

    #[test]
    fn every_scenario_has_a_name_of_its_own_a_sentence_and_an_expectation() {
        let names: BTreeSet<&str> = all().iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), all().len());
        for scenario in all() {
            assert!(
                !scenario.about.is_empty() && !scenario.steps.is_empty(),
                "{}",
                scenario.name
            );
        }
    }
}
