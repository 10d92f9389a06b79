//! Why a body is refused, in MDES's code words.

use std::borrow::Cow;

/// What the sender is told. It names a field at most, and of a body that would not open not even that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The body is no JSON object.
    NotJson,
    /// It could not be opened, or what it holds is no UTF-8 JSON object: which of the two is nobody's business.
    Unopened,
    /// This field is missing.
    Missing(Field),
    /// This field has another form.
    Format(Field),
    /// This field is too long or too short.
    Length(Field),
    /// This field has a value that is not taken.
    Value(Field),
    /// It was understood, and the store refuses to hold it.
    Unkeepable,
}

/// A field that a refusal can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// `body`.
    Body,
    /// `Content-Type`.
    ContentType,
    /// `requestId`.
    RequestId,
    /// `encryptedPayload`.
    EncryptedPayload,
    /// `publicKeyFingerprint`.
    PublicKeyFingerprint,
    /// `encryptedKey`.
    EncryptedKey,
    /// `oaepHashingAlgorithm`.
    OaepHashingAlgorithm,
    /// `iv`.
    Iv,
    /// `encryptedData`.
    EncryptedData,
    /// `tokens`.
    Tokens,
    /// `dataValidUntilTimestamp`.
    DataValidUntilTimestamp,
    /// `tokenUniqueReference`.
    TokenUniqueReference,
    /// `status`.
    Status,
    /// `suspendedBy`.
    SuspendedBy,
}

impl Field {
    /// MDES's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Field::Body => "body",
            Field::ContentType => "Content-Type",
            Field::RequestId => "requestId",
            Field::EncryptedPayload => "encryptedPayload",
            Field::PublicKeyFingerprint => "publicKeyFingerprint",
            Field::EncryptedKey => "encryptedKey",
            Field::OaepHashingAlgorithm => "oaepHashingAlgorithm",
            Field::Iv => "iv",
            Field::EncryptedData => "encryptedData",
            Field::Tokens => "tokens",
            Field::DataValidUntilTimestamp => "dataValidUntilTimestamp",
            Field::TokenUniqueReference => "tokenUniqueReference",
            Field::Status => "status",
            Field::SuspendedBy => "suspendedBy",
        }
    }
}

impl Reason {
    /// MDES's word for it.
    pub fn code(self) -> &'static str {
        match self {
            Reason::NotJson => "INVALID_JSON",
            Reason::Unopened => "CRYPTOGRAPHY_ERROR",
            Reason::Missing(_) => "MISSING_REQUIRED_FIELD",
            Reason::Format(_) => "INVALID_FIELD_FORMAT",
            Reason::Length(_) => "INVALID_FIELD_LENGTH",
            Reason::Value(_) => "INVALID_FIELD_VALUE",
            Reason::Unkeepable => "INVALID_DATA",
        }
    }

    /// The word as MDES prints it for people; at most 32 characters, as `errorDescription` must be.
    pub fn title(self) -> &'static str {
        match self {
            Reason::NotJson => "Invalid JSON",
            Reason::Unopened => "Cryptography Error",
            Reason::Missing(_) => "Missing Required Field",
            Reason::Format(_) => "Invalid Field Format",
            Reason::Length(_) => "Invalid Field Length",
            Reason::Value(_) => "Invalid Field Value",
            Reason::Unkeepable => "Invalid Data",
        }
    }

    /// The field that it is about, by MDES's name.
    pub fn field(self) -> Option<&'static str> {
        match self {
            Reason::Missing(field) | Reason::Format(field) | Reason::Length(field) | Reason::Value(field) => {
                Some(field.as_str())
            }
            Reason::NotJson | Reason::Unopened | Reason::Unkeepable => None,
        }
    }

    /// `Missing Required Field - tokens`.
    pub fn description(self) -> Cow<'static, str> {
        match self.field() {
            Some(field) => format!("{} - {field}", self.title()).into(),
            None => self.title().into(),
        }
    }
}

/// A step that failed: what the sender is told, and what we are. Holds nothing of the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub reason: Reason,
    pub detail: String,
}

impl Fault {
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Fault {
            reason,
            detail: detail.into(),
        }
    }
}
