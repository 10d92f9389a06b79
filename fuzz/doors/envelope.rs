//! A body of `notifyTokenUpdated`, from the byte that chooses its form.

use mdes_receiver::mdes::{self, Reason};
use serde_json::{Value, json};

use super::masking::assert_masked;
use super::ring::{NOW, RING, RULES, SEALED};

/// - It is read or refused, and either way what came can be had again from what rests.
/// - What no key opened says which keys were tried, so that it is read again when another one comes.
/// - What opens and what is kept of it bears no card number outside the seal.
pub fn enter(data: &[u8]) {
    let Some((form, rest)) = data.split_first() else {
        return;
    };
    let body = match form % 4 {
        0 => rest.to_vec(),
        1 => mdes::seal(rest, RING.newest()),
        2 => with_a_field_changed(rest),
        _ => with_bytes_turned(rest),
    };
    let resting = match mdes::read(&body, &RING, &RULES, NOW) {
        Ok(read) => {
            read.notification.statements.iter().for_each(assert_masked);
            read.resting
        }
        Err(unreadable) => {
            if unreadable.reason == Reason::Unopened {
                assert!(
                    unreadable.keys_tried.is_some(),
                    "what did not open says which keys were tried"
                );
            }
            unreadable.resting
        }
    };
    let came = mdes::open_resting(&resting.body, resting.by_us, &RING).expect("what rests can be had again");
    assert!(came.as_slice() == body, "what rests is what came");
}

fn sealed(choice: u8) -> Value {
    SEALED[usize::from(choice) % SEALED.len()].clone()
}

fn body(payload: Value) -> Vec<u8> {
    json!({"requestId": "1", "encryptedPayload": payload})
        .to_string()
        .into_bytes()
}

/// Which vector, which field, and what stands there instead: JSON if it is, a text if it is not.
fn with_a_field_changed(data: &[u8]) -> Vec<u8> {
    const FIELDS: [&str; 5] = [
        "encryptedKey",
        "encryptedData",
        "iv",
        "oaepHashingAlgorithm",
        "publicKeyFingerprint",
    ];
    let [vector, field, value @ ..] = data else {
        return data.to_vec();
    };
    let mut payload = sealed(*vector);
    let text = || Value::String(String::from_utf8_lossy(value).into_owned());
    payload[FIELDS[usize::from(*field) % FIELDS.len()]] = serde_json::from_slice(value).unwrap_or_else(|_| text());
    body(payload)
}

/// Which vector, and then threes: which field, which byte of it, and what it is combined with.
fn with_bytes_turned(data: &[u8]) -> Vec<u8> {
    const FIELDS: [&str; 3] = ["encryptedKey", "encryptedData", "iv"];
    let Some((vector, turns)) = data.split_first() else {
        return Vec::new();
    };
    let mut payload = sealed(*vector);
    for turn in turns.chunks_exact(3) {
        let field = &mut payload[FIELDS[usize::from(turn[0]) % FIELDS.len()]];
        let Some(mut bytes) = field
            .as_str()
            .and_then(|text| hex::decode(text).ok())
            .filter(|b| !b.is_empty())
        else {
            continue;
        };
        let place = usize::from(turn[1]) % bytes.len();
        bytes[place] ^= turn[2];
        *field = hex::encode(bytes).into();
    }
    body(payload)
}
