//! `encryptedPayload` as it stands in the JSON. Faults that are told apart here are those of the envelope,
//! which whoever sent it can see for himself; nothing has been opened yet.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::reason::{Fault, Field, Reason};
use crate::domain::masked;
use crate::keys::Wrapping;

/// The modulus of the largest key that we use, in hex digits.
const ENCRYPTED_KEY_CHARS_MAX: usize = 4096 / 4;
const IV_CHARS: usize = 32;
/// `publicKeyFingerprint` is 64 at most; an operator's alias may be longer.
const NAME_CHARS_MAX: usize = 256;
const RESPONSE_HOST_CHARS_MAX: usize = 512;

/// A sealed content, its hex decoded.
pub(in crate::mdes) struct Sealed {
    /// Which key the sender says he used.
    pub fingerprint: Option<String>,
    /// How the content key is wrapped.
    pub wrapping: Wrapping,
    /// The wrapped content key.
    pub wrapped: Vec<u8>,
    /// Sixteen zero bytes if none was given.
    pub iv: [u8; 16],
    /// AES-CBC.
    pub data: Vec<u8>,
}

/// The content of the envelope's `encryptedPayload`.
pub(super) fn sealed_in(envelope: &Map<String, Value>, legacy: bool) -> Result<Sealed, Fault> {
    const FIELD: Field = Field::EncryptedPayload;
    match envelope.get(FIELD.as_str()) {
        Some(Value::Object(payload)) => sealed(payload, legacy),
        Some(Value::Null) | None => Err(missing(FIELD)),
        Some(_) => Err(Fault::new(Reason::Format(FIELD), "encryptedPayload is no object")),
    }
}

/// Reads an `encryptedPayload`.
pub(super) fn sealed(payload: &Map<String, Value>, legacy: bool) -> Result<Sealed, Fault> {
    Ok(Sealed {
        fingerprint: fingerprint(payload)?,
        wrapping: wrapping(payload, legacy)?,
        wrapped: wrapped(payload)?,
        iv: iv(payload)?,
        data: bytes(payload, Field::EncryptedData)?,
    })
}

/// A missing fingerprint names no key; whether that matters is for the opening to decide.
fn fingerprint(payload: &Map<String, Value>) -> Result<Option<String>, Fault> {
    const FIELD: Field = Field::PublicKeyFingerprint;
    match payload.get(FIELD.as_str()) {
        Some(Value::String(text)) if text.len() > NAME_CHARS_MAX => {
            Err(Fault::new(Reason::Length(FIELD), "publicKeyFingerprint is too long"))
        }
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(Value::Null) | None => Ok(None),
        Some(_) => Err(Fault::new(Reason::Format(FIELD), "publicKeyFingerprint is no string")),
    }
}

/// Absent means PKCS#1 v1.5, which is taken only where the operator says so.
fn wrapping(payload: &Map<String, Value>, legacy: bool) -> Result<Wrapping, Fault> {
    const FIELD: Field = Field::OaepHashingAlgorithm;
    let Some(name) = text(payload, FIELD)? else {
        let detail = "oaepHashingAlgorithm is missing, which means RSA PKCS#1 v1.5: see `envelope.legacy_pkcs1_v15`";
        return match legacy {
            true => Ok(Wrapping::Pkcs1V15),
            false => Err(Fault::new(Reason::Missing(FIELD), detail)),
        };
    };
    match name.to_ascii_uppercase().as_str() {
        "SHA256" | "SHA-256" => Ok(Wrapping::OaepSha256),
        "SHA512" | "SHA-512" => Ok(Wrapping::OaepSha512),
        _ => Err(Fault::new(
            Reason::Value(FIELD),
            "oaepHashingAlgorithm is neither SHA256 nor SHA512",
        )),
    }
}

fn wrapped(payload: &Map<String, Value>) -> Result<Vec<u8>, Fault> {
    const FIELD: Field = Field::EncryptedKey;
    match text(payload, FIELD)? {
        Some(hex) if hex.len() > ENCRYPTED_KEY_CHARS_MAX => Err(Fault::new(
            Reason::Length(FIELD),
            "encryptedKey is longer than any key of ours",
        )),
        _ => bytes(payload, FIELD),
    }
}

/// MDES: "if not present, an IV of zero is assumed". Its example value `NA` says not present.
fn iv(payload: &Map<String, Value>) -> Result<[u8; 16], Fault> {
    const FIELD: Field = Field::Iv;
    match text(payload, FIELD)? {
        None | Some("NA") => Ok([0; 16]),
        Some(hex) if hex.len() != IV_CHARS => Err(Fault::new(
            Reason::Length(FIELD),
            format!("iv is not {IV_CHARS} hex digits"),
        )),
        Some(_) => {
            let bytes = bytes(payload, FIELD)?;
            Ok(bytes.try_into().expect("32 hex digits are 16 bytes"))
        }
    }
}

fn bytes(payload: &Map<String, Value>, field: Field) -> Result<Vec<u8>, Fault> {
    let text = text(payload, field)?.ok_or_else(|| missing(field))?;
    hex::decode(text).map_err(|_| Fault::new(Reason::Format(field), format!("{} is not hexadecimal", field.as_str())))
}

/// Null and the empty string are absent.
fn text<'p>(payload: &'p Map<String, Value>, field: Field) -> Result<Option<&'p str>, Fault> {
    match payload.get(field.as_str()) {
        Some(Value::String(text)) => Ok((!text.is_empty()).then_some(text)),
        Some(Value::Null) | None => Ok(None),
        Some(_) => Err(Fault::new(
            Reason::Format(field),
            format!("{} is no string", field.as_str()),
        )),
    }
}

fn missing(field: Field) -> Fault {
    Fault::new(Reason::Missing(field), format!("{} is missing", field.as_str()))
}

/// An envelope to the letter: no field but the known ones, none of them twice.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Exact<'b> {
    #[serde(borrow, default)]
    response_host: Option<Cow<'b, str>>,
    #[serde(default)]
    request_id: Option<Value>,
    #[serde(borrow)]
    encrypted_payload: ExactPayload<'b>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ExactPayload<'b> {
    #[serde(borrow, default)]
    public_key_fingerprint: Option<Cow<'b, str>>,
    #[serde(borrow)]
    encrypted_key: Cow<'b, str>,
    #[serde(borrow, default)]
    oaep_hashing_algorithm: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    iv: Option<Cow<'b, str>>,
    #[serde(borrow)]
    encrypted_data: Cow<'b, str>,
}

/// The body may rest as it came: there is no room in it for plaintext.
pub(super) fn is_only_an_envelope(body: &[u8]) -> bool {
    serde_json::from_slice::<Exact>(body).is_ok_and(|exact| {
        let payload = &exact.encrypted_payload;
        exact.response_host.as_deref().is_none_or(is_host)
            && exact.request_id.as_ref().is_none_or(is_name)
            && payload.public_key_fingerprint.as_deref().is_none_or(is_hex)
            && payload
                .oaep_hashing_algorithm
                .as_deref()
                .is_none_or(|name| name.len() <= 16)
            && payload.iv.as_deref().is_none_or(is_hex)
            && is_hex(&payload.encrypted_key)
            && is_hex(&payload.encrypted_data)
    })
}

fn is_host(text: &str) -> bool {
    text.len() <= RESPONSE_HOST_CHARS_MAX && masked::without_numbers(text) == text
}

fn is_name(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() <= NAME_CHARS_MAX,
        Value::Number(_) | Value::Null => true,
        _ => false,
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
