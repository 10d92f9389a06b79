//! `[tokenex_callbacks]`: the listener for TokenEx's own notifications.

use super::super::{file, settings};
use super::callback::nets;
use super::{Error, Resolver};
use crate::domain::masked::Secret;

const SECRET_CHARS_MIN: usize = 32;
const SECRET_CHARS_MAX: usize = 256;
const BODY_CHARS_MAX: usize = 1_024;

/// The listener that the table means; `None` without a `listen`.
pub(super) fn callbacks(
    table: file::TokenExCallbacks,
    at: &Resolver<'_>,
) -> Result<Option<settings::TokenExCallbacks>, Error> {
    let Some(listen) = &table.listen else {
        return match table.path_secret.is_some() || table.certificate.is_some() {
            true => Err(at.origins.missing("tokenex_callbacks.listen")),
            false => Ok(None),
        };
    };
    if table.allow_from.is_empty() {
        let why = "names no network: write the addresses that TokenEx calls from, such as \
                   [\"20.37.143.181\", \"20.37.143.182\"] (its test environment); production's are in its client portal";
        return Err(at.invalid("tokenex_callbacks.allow_from", why));
    }
    let status = |status: u64, least, key: &str| at.bounded(status, least, 599, &format!("tokenex_callbacks.{key}"));
    Ok(Some(settings::TokenExCallbacks {
        listen: at.address(listen, "tokenex_callbacks.listen")?,
        certificate: at.required_path(table.certificate, "tokenex_callbacks.certificate")?,
        private_key: at.required_path(table.private_key, "tokenex_callbacks.private_key")?,
        path_secret: path_secret(table.path_secret, at)?,
        allow_from: nets(&table.allow_from, "tokenex_callbacks.allow_from", at)?,
        proxy_protocol_from: nets(&table.proxy_protocol_from, "tokenex_callbacks.proxy_protocol_from", at)?,
        at_once: matches!(table.apply, file::Apply::AtOnce),
        answer_status: status(table.answer_status, 200, "answer_status")?,
        answer_body: answer_body(table.answer_body, at)?,
        refusal_status: status(table.refusal_status, 200, "refusal_status")?,
    }))
}

/// A segment of a path, as it stands there.
fn path_secret(secret: Option<Secret>, at: &Resolver<'_>) -> Result<Secret, Error> {
    let key = "tokenex_callbacks.path_secret";
    let secret = at.required(secret, key)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let text = secret.expose();
    if (SECRET_CHARS_MIN..=SECRET_CHARS_MAX).contains(&text.len()) && text.chars().all(is_plain) {
        return Ok(secret);
    }
    let why = format!(
        "must have {SECRET_CHARS_MIN} to {SECRET_CHARS_MAX} letters, digits, `-` and `_`, as by `openssl rand -hex 32`"
    );
    Err(at.invalid(key, why))
}

fn answer_body(body: String, at: &Resolver<'_>) -> Result<String, Error> {
    match body.len() <= BODY_CHARS_MAX {
        true => Ok(body),
        false => {
            let why = format!("must not be longer than {BODY_CHARS_MAX} bytes");
            Err(at.invalid("tokenex_callbacks.answer_body", why))
        }
    }
}

/// Who only hints needs somebody who can be asked.
pub(super) fn agree(settings: &settings::Settings, at: &Resolver<'_>) -> Result<(), Error> {
    let Some(callbacks) = &settings.tokenex_callbacks else {
        return Ok(());
    };
    let others = [
        ("callback.listen", settings.callback.listen),
        ("admin.listen", settings.admin.listen),
    ];
    let is_same = |(_, other): &&(&str, std::net::SocketAddr)| other.port() != 0 && *other == callbacks.listen;
    if let Some((other, _)) = others.iter().find(is_same) {
        let why = format!("is also `{other}`: they need different ports");
        return Err(at.invalid("tokenex_callbacks.listen", why));
    }
    if !callbacks.at_once && settings.lifecycle.tokenex.is_none() {
        let why = "is `confirmed`, and nobody could be asked: add `[lifecycle.tokenex]`, or write `at_once`";
        return Err(at.invalid("tokenex_callbacks.apply", why));
    }
    Ok(())
}
