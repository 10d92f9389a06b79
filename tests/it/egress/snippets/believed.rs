use axum::body::Bytes;
use axum::http::HeaderMap;
use standardwebhooks::{Webhook, WebhookError};

/// The body, if it may be believed: now it may be parsed.
pub fn believed(secret: &str, headers: &HeaderMap, body: Bytes) -> Result<Bytes, WebhookError> {
    Webhook::new(secret)?.verify(&body, headers)?;
    Ok(body)
}
