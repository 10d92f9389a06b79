//! The envelope: what may stand in it, and what of a body may rest.
//!
//! It reads the outer JSON leniently, but lets a body rest as it came only if it is an envelope and
//! nothing beside it: whatever else stands in it might be plaintext.

mod open;
mod wire;

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

pub use open::{Opened, seal};
pub(super) use open::{open_any, open_message};
pub(super) use wire::Sealed;

use super::message::{self, Plaintext};
use super::reason::{Fault, Field, Reason};
use super::{Reading, Resting};
use crate::config::settings::Payload;
use crate::domain::notification::Flag;
use crate::keys::KeyRing;

/// The specification says 64.
const REQUEST_ID_CHARS: usize = 64;
const REQUEST_ID_CHARS_MAX: usize = 256;

/// A body, its outer form read.
pub(super) struct Arrived {
    pub head: Head,
    pub content: Result<Content, Fault>,
}

/// What stands outside the seal.
#[derive(Default)]
pub(super) struct Head {
    pub request_id: Option<String>,
    pub flags: BTreeSet<Flag>,
    /// The body is an envelope and nothing beside it.
    exact: bool,
}

/// What is to be opened or read.
pub(super) enum Content {
    Sealed(Sealed),
    Plain(Plaintext),
}

impl Arrived {
    /// Never fails as a whole: what could be read of the head is needed for the refusal too.
    pub fn read(body: &[u8], rules: &Reading) -> Self {
        let Some(mut object) = message::Plaintext::parse(body) else {
            let fault = Fault::new(Reason::NotJson, "the body is no JSON object");
            return Arrived {
                head: Head::default(),
                content: Err(fault),
            };
        };
        let mut head = Head {
            exact: wire::is_only_an_envelope(body),
            ..Head::default()
        };
        let content = head
            .read_request_id(object.fields())
            .and_then(|()| content(&mut head, &mut object, rules));
        Arrived { head, content }
    }
}

fn content(head: &mut Head, object: &mut Plaintext, rules: &Reading) -> Result<Content, Fault> {
    let given = |name| object.fields().get(name).is_some_and(|value| !value.is_null());
    let sealed = match rules.payload {
        Payload::Encrypted => true,
        Payload::Plain => false,
        Payload::Either => given("encryptedPayload") || !given("tokens"),
    };
    if sealed {
        head.flag_unknown(object.fields(), &["encryptedPayload"]);
        return wire::sealed_in(object.fields(), rules.envelope.legacy_pkcs1_v15).map(Content::Sealed);
    }
    head.flags.insert(Flag::Unsealed);
    // The requestId tells repeats beside the content's hash, not within it.
    object.fields_mut().remove("requestId");
    Ok(Content::Plain(object.take()))
}

impl Head {
    /// Only what decides whether it may rest as it came.
    pub fn read(body: &[u8]) -> Self {
        Head {
            exact: wire::is_only_an_envelope(body),
            ..Head::default()
        }
    }

    /// What may rest: the body as it came, or sealed by us to our newest key.
    pub fn resting(&self, body: &[u8], ring: &KeyRing) -> Resting {
        match self.exact {
            true => Resting {
                body: body.to_vec(),
                by_us: false,
            },
            false => Resting {
                body: seal(body, ring.newest()),
                by_us: true,
            },
        }
    }

    fn read_request_id(&mut self, fields: &Map<String, Value>) -> Result<(), Fault> {
        let given = match fields.get("requestId") {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => {
                self.flags.insert(Flag::OddField);
                Some(number.to_string())
            }
            Some(Value::Null) | None => None,
            Some(_) => {
                self.flags.insert(Flag::OddField);
                None
            }
        };
        match given {
            Some(text) if text.contains('\0') => {
                self.flags.extend([Flag::MissingRequestId, Flag::OddField]);
            }
            Some(text) if text.chars().count() > REQUEST_ID_CHARS_MAX => {
                let detail = format!("requestId is longer than {REQUEST_ID_CHARS_MAX} characters");
                return Err(Fault::new(Reason::Length(Field::RequestId), detail));
            }
            Some(text) if !text.is_empty() => {
                if text.chars().count() > REQUEST_ID_CHARS {
                    self.flags.insert(Flag::OddField);
                }
                self.request_id = Some(text);
            }
            _ => {
                self.flags.insert(Flag::MissingRequestId);
            }
        }
        Ok(())
    }

    fn flag_unknown(&mut self, fields: &Map<String, Value>, known: &[&str]) {
        let known =
            |name: &String| ["responseHost", "requestId"].contains(&name.as_str()) || known.contains(&name.as_str());
        if !fields.keys().all(known) {
            self.flags.insert(Flag::UnknownField);
        }
    }
}

/// The sealed part of a body: an envelope, or a bare `encryptedPayload`.
pub(super) fn sealed(body: &[u8], rules: &Reading) -> Result<Sealed, Fault> {
    let object = Plaintext::parse(body).ok_or_else(|| Fault::new(Reason::NotJson, "the body is no JSON object"))?;
    let fields = object.fields();
    match fields.contains_key("encryptedPayload") {
        false if fields.contains_key("encryptedData") => wire::sealed(fields, rules.envelope.legacy_pkcs1_v15),
        _ => wire::sealed_in(fields, rules.envelope.legacy_pkcs1_v15),
    }
}

/// Bytes that wipe themselves.
pub(super) type Bytes = Zeroizing<Vec<u8>>;
