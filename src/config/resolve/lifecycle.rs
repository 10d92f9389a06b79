//! `[lifecycle]`: changing tokens, and who may ask for it by TokenEx's contract.

use std::time::Duration;

use super::{Resolver, callback, outward};
use crate::config::error::Error;
use crate::config::file::lifecycle as file;
use crate::config::settings;
use crate::domain::command::{Action, Service};
use crate::domain::masked::Secret;

const NAME_CHARS_MAX: usize = 255;
const WAIT_SECS_MAX: u64 = 60;
/// A call must have ended when the desk's lease does.
const TOTAL_SECS_MAX: u64 = 20;

pub(super) fn lifecycle(lifecycle: file::Lifecycle, at: &Resolver<'_>) -> Result<settings::Lifecycle, Error> {
    let egress = egress(&lifecycle, at)?;
    let plain = &lifecycle.allow_networks;
    let tokenex = lifecycle.tokenex.map(|service| tokenex(service, plain, &egress, at));
    let mdes = lifecycle.mdes.map(|service| mdes(service, plain, &egress, at));
    let lifecycle = settings::Lifecycle {
        through: lifecycle.through.map(|through| match through {
            file::Through::TokenEx => Service::TokenEx,
            file::Through::Mdes => Service::Mdes,
        }),
        clients: clients(lifecycle.clients, at)?,
        tokenex: tokenex.transpose()?,
        mdes: mdes.transpose()?,
        desk: settings::Desk {
            confirm_within: confirm_within(&lifecycle.confirm_within, at)?,
            sends_max: at.bounded(lifecycle.sends_max, 1, 100, "lifecycle.sends_max")?,
            calls_per_second: at.bounded(lifecycle.calls_per_second, 1, 1_000, "lifecycle.calls_per_second")?,
            delete_needs_two: lifecycle.delete_needs_two,
        },
        reconcile: settings::Reconcile {
            after_gaps: lifecycle.reconcile.after_gaps,
        },
        contract: contract(&lifecycle.contract, at)?,
    };
    agree(&lifecycle, at)?;
    Ok(lifecycle)
}

/// Somebody must be there to carry it out, and nobody may have to guess who.
fn agree(lifecycle: &settings::Lifecycle, at: &Resolver<'_>) -> Result<(), Error> {
    let is_there = |service: Service| match service {
        Service::TokenEx => lifecycle.tokenex.is_some(),
        Service::Mdes => lifecycle.mdes.is_some(),
    };
    match lifecycle.through {
        Some(service) if !is_there(service) => {
            let word = service.as_str();
            let why = format!("is `{word}`, which needs the table `[lifecycle.{word}]`");
            Err(at.invalid("lifecycle.through", why))
        }
        None if is_there(Service::TokenEx) && is_there(Service::Mdes) => {
            let why = "must say `tokenex` or `mdes`: both are configured";
            Err(at.invalid("lifecycle.through", why))
        }
        None if !lifecycle.clients.is_empty() && !is_there(Service::TokenEx) && !is_there(Service::Mdes) => {
            let why = "may ask, but nobody would carry it out: add `[lifecycle.tokenex]` or `[lifecycle.mdes]`";
            Err(at.invalid("lifecycle.clients", why))
        }
        _ => Ok(()),
    }?;
    let deletes = |client: &settings::LifecycleClient| client.actions.contains(&Action::Delete);
    match lifecycle.clients.iter().position(deletes) {
        Some(index) if lifecycle.desk.delete_needs_two => {
            let why = "holds DELETE_TOKEN, and `lifecycle.delete_needs_two` wants another operator's approval, \
                       for which TokenEx's contract has no words";
            Err(at.invalid(format!("lifecycle.clients[{index}].actions"), why))
        }
        _ => Ok(()),
    }
}

fn egress(lifecycle: &file::Lifecycle, at: &Resolver<'_>) -> Result<settings::Egress, Error> {
    let written = outward::Written {
        allow_networks: &lifecycle.allow_networks,
        proxy: lifecycle.proxy.as_ref(),
        roots: &lifecycle.roots,
        client_certificate: lifecycle.client_certificate.as_deref(),
        client_key: lifecycle.client_key.as_deref(),
        connect_secs: lifecycle.connect_secs,
        total_secs: lifecycle.total_secs,
        total_secs_max: TOTAL_SECS_MAX,
    };
    outward::egress(&written, "lifecycle", at)
}

fn confirm_within(text: &str, at: &Resolver<'_>) -> Result<Duration, Error> {
    let wait = at.wait(text, "lifecycle.confirm_within")?;
    if wait.is_zero() {
        return Err(at.invalid("lifecycle.confirm_within", "must be longer than nothing, such as `5m`"));
    }
    Ok(wait)
}

fn tokenex(
    tokenex: file::TokenEx,
    allow_networks: &[String],
    egress: &settings::Egress,
    at: &Resolver<'_>,
) -> Result<settings::TokenEx, Error> {
    Ok(settings::TokenEx {
        url: base_url(tokenex.url, allow_networks, "lifecycle.tokenex.url", at)?,
        tokenex_id: header_text(tokenex.tokenex_id, "lifecycle.tokenex.tokenex_id", at)?,
        api_key: {
            let key = "lifecycle.tokenex.api_key";
            let secret = at.required(tokenex.api_key, key)?;
            is_header_text(secret.expose(), key, at)?;
            secret
        },
        egress: egress.clone(),
    })
}

fn mdes(
    mdes: file::Mdes,
    allow_networks: &[String],
    egress: &settings::Egress,
    at: &Resolver<'_>,
) -> Result<settings::Mdes, Error> {
    let response_host = mdes
        .response_host
        .map(|host| callback::checked_host(host, "lifecycle.mdes.response_host", at));
    Ok(settings::Mdes {
        url: base_url(mdes.url, allow_networks, "lifecycle.mdes.url", at)?,
        consumer_key: header_text(mdes.consumer_key, "lifecycle.mdes.consumer_key", at)?,
        signing_key: at.required_path(mdes.signing_key, "lifecycle.mdes.signing_key")?,
        signing_key_password: mdes.signing_key_password,
        response_host: response_host.transpose()?,
        egress: egress.clone(),
    })
}

/// Without a slash at its end: the methods' paths follow.
fn base_url(url: Option<Secret>, allow_networks: &[String], key: &str, at: &Resolver<'_>) -> Result<Secret, Error> {
    let url = at.required(url, key)?;
    outward::url(&url, allow_networks, key, at)?;
    if url.expose().contains(['?', '#']) {
        return Err(at.invalid(key, "must end with its path: no `?` and no `#`"));
    }
    Ok(Secret::new(url.expose().trim_end_matches('/')))
}

fn header_text(text: Option<String>, key: &str, at: &Resolver<'_>) -> Result<String, Error> {
    let text = at.required(text, key)?;
    is_header_text(&text, key, at)?;
    Ok(text)
}

fn is_header_text(text: &str, key: &str, at: &Resolver<'_>) -> Result<(), Error> {
    let why = "must have visible ASCII characters only: no space, no line break";
    let holds = (1..=NAME_CHARS_MAX).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
    if holds { Ok(()) } else { Err(at.invalid(key, why)) }
}

/// One id may have several keys, so that one can be replaced; the same one twice is a slip.
fn clients(clients: Vec<file::Client>, at: &Resolver<'_>) -> Result<Vec<settings::LifecycleClient>, Error> {
    let mut resolved: Vec<settings::LifecycleClient> = Vec::with_capacity(clients.len());
    for (index, entry) in clients.into_iter().enumerate() {
        let key = format!("lifecycle.clients[{index}]");
        let one = client(entry, &key, at)?;
        let is_same = |other: &settings::LifecycleClient| {
            other.tokenex_id == one.tokenex_id && other.api_key_sha256 == one.api_key_sha256
        };
        if resolved.iter().any(is_same) {
            return Err(at.invalid(key, "is another client too: the same id with the same key"));
        }
        resolved.push(one);
    }
    Ok(resolved)
}

/// What a shell makes of a variable that is not set.
const NO_KEY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn client(entry: file::Client, key: &str, at: &Resolver<'_>) -> Result<settings::LifecycleClient, Error> {
    let digits = at.required(entry.api_key_sha256, &format!("{key}.api_key_sha256"))?;
    let mut api_key_sha256 = [0; 32];
    hex::decode_to_slice(&digits, &mut api_key_sha256).map_err(|_| {
        let why = "must be the SHA-256 of the key as 64 hexadecimal digits, as by `printf %s KEY | sha256sum`";
        at.invalid(format!("{key}.api_key_sha256"), why)
    })?;
    if digits.eq_ignore_ascii_case(NO_KEY_SHA256) {
        return Err(at.invalid(
            format!("{key}.api_key_sha256"),
            "is the SHA-256 of nothing: the key was empty",
        ));
    }
    let actions = entry.actions.into_iter().map(|action| match action {
        file::Action::Suspend => Action::Suspend,
        file::Action::Resume => Action::Resume,
        file::Action::Delete => Action::Delete,
    });
    Ok(settings::LifecycleClient {
        tokenex_id: header_text(entry.tokenex_id, &format!("{key}.tokenex_id"), at)?,
        api_key_sha256,
        actions: actions.collect(),
    })
}

fn contract(contract: &file::Contract, at: &Resolver<'_>) -> Result<settings::Contract, Error> {
    let status = |status: u64, name: &str| at.bounded(status, 200, 599, &format!("lifecycle.contract.{name}"));
    let wait = at.bounded(contract.wait_secs, 1, WAIT_SECS_MAX, "lifecycle.contract.wait_secs")?;
    Ok(settings::Contract {
        unauthorized: status(contract.unauthorized, "unauthorized")?,
        malformed: status(contract.malformed, "malformed")?,
        unknown_token: status(contract.unknown_token, "unknown_token")?,
        network_refused: status(contract.network_refused, "network_refused")?,
        network_timeout: status(contract.network_timeout, "network_timeout")?,
        internal: status(contract.internal, "internal")?,
        wait: Duration::from_secs(wait),
    })
}
