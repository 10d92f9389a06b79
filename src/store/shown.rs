//! What is kept, as programs are shown it: on `/v1` and by `--json` alike. Times in RFC 3339, what is not known is null.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::KeptStatement;
use super::outbox::Standing;
use super::search::{CALLED_MAX, Head};
use crate::domain::charge::{Charge, charge};
use crate::domain::event::Advice;
use crate::domain::peer::Peer;
use crate::domain::token::Registration;

impl Standing {
    /// A token as it stands, and what it was registered with.
    pub fn shown(&self) -> Value {
        let token = &self.token;
        let registration = self.registration.as_ref();
        let requestor = token.requestor().map(str::to_owned);
        json!({
            "namespace": token.reference.namespace,
            "token_unique_reference": token.reference.reference,
            "token_requestor_id": requestor.or_else(|| registration?.requestor.clone()),
            "merchant_reference": registration.and_then(|registration| registration.merchant_reference.as_ref()),
            "sequence": token.sequence,
            "status": token.status(),
            "suspended_by": token.suspended_by().collect::<Vec<_>>(),
            "status_at": token.status_at().map(rfc3339),
            "reason_code": token.reason_code(),
            "advice": self.advice(),
            "provisional": token.is_provisional(),
            "doubts": token.doubts(),
            "token_info": token.object("tokenInfo"),
            "product_config": token.object("productConfig"),
            "registration": registration.map(registered),
            "updated_at": rfc3339(self.updated_at),
            "unreadable": self.unreadable,
        })
    }

    /// What cannot be read forbids nothing and allows nothing.
    fn advice(&self) -> Advice {
        match self.unreadable {
            Some(_) => Advice::Confirm,
            None => Advice::on(self.token.status()),
        }
    }

    /// May it be charged, and why.
    pub fn charge(&self) -> (Charge, &'static str) {
        match self.unreadable {
            Some(_) => (
                Charge::Confirm,
                "what is held of it cannot be read: ask the network, and see the log",
            ),
            None => charge(&self.token, self.registration.as_ref()),
        }
    }

    fn charge_shown(&self) -> Value {
        let (word, why) = self.charge();
        let token = &self.token;
        let registration = self.registration.as_ref();
        json!({
            "charge": word,
            "why": why,
            "namespace": token.reference.namespace,
            "token_unique_reference": token.reference.reference,
            "merchant_reference": registration.and_then(|registration| registration.merchant_reference.as_ref()),
            "status": token.status(),
            "suspended_by": token.suspended_by().collect::<Vec<_>>(),
            "provisional": token.is_provisional(),
            "doubts": token.doubts(),
            "as_of": {
                "status_at": token.status_at().map(rfc3339),
                "updated_at": rfc3339(self.updated_at),
            },
            "sequence": token.sequence,
        })
    }
}

/// May what a reference names be charged: of several tokens the most careful answer, with all of them; `None` if there is none.
pub fn charged(found: &[Standing]) -> Option<(Charge, Value)> {
    let looked_at = found.iter().take(CALLED_MAX);
    let standing = looked_at.clone().max_by_key(|one| one.charge().0)?;
    let (mut word, mut answer) = (standing.charge().0, standing.charge_shown());
    if found.len() > CALLED_MAX && word == Charge::Yes {
        word = Charge::Confirm;
        answer["charge"] = json!(word);
        answer["why"] = json!("more tokens bear this reference than are looked at: ask by a token's own");
    }
    answer["tokens"] = looked_at.map(Standing::charge_shown).collect();
    Some((word, answer))
}

fn registered(registration: &Registration) -> Value {
    json!({
        "token_requestor_id": registration.requestor,
        "merchant_reference": registration.merchant_reference,
        "status": registration.status,
        "registered_at": rfc3339(registration.registered_at),
    })
}

impl KeptStatement {
    /// Something that was said of a token, with what became of it.
    pub fn shown(&self) -> Value {
        json!({
            "namespace": self.token.namespace,
            "token_unique_reference": self.token.reference,
            "notification_id": self.notification,
            "token_index": self.index,
            "verdict": self.verdict,
            "sequence": self.sequence,
            "status": self.status,
            "status_at": self.status_at.map(rfc3339),
            "reason_code": self.reason_code,
            "flags": self.flags,
            "unrecognized": self.unrecognized,
            "repeats": self.repeats,
            "received_at": rfc3339(self.received_at),
        })
    }
}

impl Head {
    /// A notification, never its body.
    pub fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "request_id": self.request_id,
            "received_at": rfc3339(self.received_at),
            "peer": peer(&self.peer),
            "sealed_by": self.sealed_by,
            "sealed_bytes": self.sealed_bytes,
            "key": self.key,
            "repeats": self.repeats,
            "flags": self.flags,
        })
    }
}

/// Who sent something.
pub fn peer(peer: &Peer) -> Value {
    json!({
        "name": peer.name,
        "organization": peer.organization,
        "address": peer.address.to_string(),
        "certificate_sha256": peer.certificate_sha256,
    })
}

/// In full.
pub(super) fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}
