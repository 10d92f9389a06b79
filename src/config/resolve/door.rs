//! `[callback.tls]` and `[callback.forwarded]`: who is let in, and who may vouch for them.

use super::super::{file, settings};
use super::callback::nets;
use super::{Error, Resolver};

const MASTERCARD: &str = "ws.mastercard.com";
const SHARED_SECRET_MIN: usize = 32;

/// The TLS settings that `[callback.tls]` means.
pub(super) fn tls(tls: file::Tls, probe: Option<&file::Peer>, at: &Resolver<'_>) -> Result<settings::Tls, Error> {
    if tls.crl_expiry_enforced && tls.crls.is_empty() {
        let why = "is true, but `callback.tls.crls` names no list";
        return Err(at.invalid("callback.tls.crl_expiry_enforced", why));
    }
    let peers = peers(&tls, at)?;
    Ok(settings::Tls {
        probe: probe.map(|written| probe_rule(written, &peers, at)).transpose()?,
        peers,
        certificate: at.required_path(tls.certificate, "callback.tls.certificate")?,
        private_key: at.required_path(tls.private_key, "callback.tls.private_key")?,
        crls: at.paths(&tls.crls, "callback.tls.crls")?,
        crl_expiry_enforced: tls.crl_expiry_enforced,
        client_eku_required: tls.client_eku_required,
    })
}

/// `client_roots`, `client_names` and `client_pins` make the first rule, each `[[callback.tls.peers]]` a further one.
fn peers(tls: &file::Tls, at: &Resolver<'_>) -> Result<Vec<settings::PeerRule>, Error> {
    let mut rules = Vec::new();
    if tls.client_roots.is_empty() {
        let lonely = match (&tls.client_names, tls.client_pins.is_empty()) {
            (Some(_), _) => Some("client_names"),
            (None, false) => Some("client_pins"),
            (None, true) => None,
        };
        if let Some(key) = lonely {
            let why = "stands without `callback.tls.client_roots`, which it belongs to";
            return Err(at.invalid(format!("callback.tls.{key}"), why));
        }
        if tls.peers.is_empty() {
            return Err(at.origins.missing("callback.tls.client_roots"));
        }
    } else {
        let names = tls.client_names.clone().unwrap_or_else(|| vec![MASTERCARD.to_owned()]);
        rules.push(settings::PeerRule {
            roots: at.paths(&tls.client_roots, "callback.tls.client_roots")?,
            names: names_of(&names, "callback.tls.client_names", at)?,
            pins: pins_of(&tls.client_pins, "callback.tls.client_pins", at)?,
            organization: None,
        });
    }
    for (index, peer) in tls.peers.iter().enumerate() {
        rules.push(rule(peer, &format!("callback.tls.peers[{index}]"), at)?);
    }
    Ok(rules)
}

fn rule(peer: &file::Peer, key: &str, at: &Resolver<'_>) -> Result<settings::PeerRule, Error> {
    if peer.roots.is_empty() {
        return Err(at.origins.missing(format!("{key}.roots")));
    }
    Ok(settings::PeerRule {
        roots: at.paths(&peer.roots, &format!("{key}.roots"))?,
        names: names_of(&peer.names, &format!("{key}.names"), at)?,
        pins: pins_of(&peer.pins, &format!("{key}.pins"), at)?,
        organization: peer.organization.clone(),
    })
}

/// A name is a caller's or a probe's: of one that is both, nobody could say which it is.
fn probe_rule(
    probe: &file::Peer,
    callers: &[settings::PeerRule],
    at: &Resolver<'_>,
) -> Result<settings::PeerRule, Error> {
    let probe = rule(probe, "callback.probe", at)?;
    let is_callers = |name: &String| callers.iter().any(|caller| caller.names.contains(name));
    if let Some(name) = probe.names.iter().find(|name| is_callers(name)) {
        let why = format!("`{name}` is also the name of a caller: a probe needs one of its own");
        return Err(at.invalid("callback.probe.names", why));
    }
    Ok(probe)
}

fn names_of(names: &[String], key: &str, at: &Resolver<'_>) -> Result<Vec<String>, Error> {
    if names.is_empty() {
        return Err(at.invalid(key, "names no one: a chain to the roots alone is not enough"));
    }
    let names = names.iter().enumerate();
    names
        .map(|(index, name)| at.dns_name(name, &format!("{key}[{index}]")))
        .collect()
}

fn pins_of(pins: &[String], key: &str, at: &Resolver<'_>) -> Result<Vec<String>, Error> {
    let pin = |(index, pin): (usize, &String)| {
        let plain = pin.replace(':', "").to_ascii_lowercase();
        let holds = plain.len() == 64 && plain.chars().all(|c| c.is_ascii_hexdigit());
        let why = "must be the SHA-256 of a public key (SPKI) as 64 hexadecimal digits";
        if holds {
            Ok(plain)
        } else {
            Err(at.invalid(format!("{key}[{index}]"), why))
        }
    };
    pins.iter().enumerate().map(pin).collect()
}

/// The balancer that `[callback.forwarded]` means, where `client_auth` says that there is one.
pub(super) fn forwarded(
    forwarded: Option<file::Forwarded>,
    client_auth: file::ClientAuth,
    at: &Resolver<'_>,
) -> Result<Option<settings::Forwarded>, Error> {
    let forwarded = match (client_auth, forwarded) {
        (file::ClientAuth::Required, None) => return Ok(None),
        (file::ClientAuth::Forwarded, Some(forwarded)) => forwarded,
        (file::ClientAuth::Required, Some(_)) => {
            let why =
                "is set, but `callback.tls.client_auth` is `required`: set it to `forwarded`, or remove the table";
            return Err(at.invalid("callback.forwarded", why));
        }
        (file::ClientAuth::Forwarded, None) => {
            let why = "is `forwarded`, which needs the table `[callback.forwarded]`";
            return Err(at.invalid("callback.tls.client_auth", why));
        }
    };
    if forwarded.from.is_empty() {
        let why = "must name the addresses of the balancer: from anywhere else the header is a stranger's";
        return Err(at.invalid("callback.forwarded.from", why));
    }
    let form = at.required(forwarded.form, "callback.forwarded.form")?;
    let (form, usual_header) = match form {
        file::Form::Envoy => (settings::ForwardedForm::Envoy, "x-forwarded-client-cert"),
        file::Form::Aws => (settings::ForwardedForm::Aws, "x-amzn-mtls-clientcert"),
        file::Form::Nginx => (settings::ForwardedForm::Nginx, "ssl-client-cert"),
    };
    let header = forwarded.header.as_deref().unwrap_or(usual_header);
    if forwarded
        .shared_secret_header
        .as_deref()
        .is_some_and(|other| other.eq_ignore_ascii_case(header))
    {
        let why = "is the header of the certificate: the secret needs one of its own";
        return Err(at.invalid("callback.forwarded.shared_secret_header", why));
    }
    Ok(Some(settings::Forwarded {
        from: nets(&forwarded.from, "callback.forwarded.from", at)?,
        form,
        header: header_name(header, "callback.forwarded.header", at)?,
        proof: proof(forwarded, at)?,
    }))
}

fn proof(forwarded: file::Forwarded, at: &Resolver<'_>) -> Result<settings::ForwardedProof, Error> {
    match (forwarded.mutual_tls, forwarded.shared_secret) {
        (Some(peer), None) if forwarded.shared_secret_header.is_none() => {
            let rule = rule(&peer, "callback.forwarded.mutual_tls", at)?;
            Ok(settings::ForwardedProof::MutualTls(rule))
        }
        (None, Some(secret)) => {
            let key = "callback.forwarded.shared_secret";
            if secret.expose().len() < SHARED_SECRET_MIN {
                let why =
                    format!("is too short: {SHARED_SECRET_MIN} characters at least, as by `openssl rand -hex 32`");
                return Err(at.invalid(key, why));
            }
            let header = forwarded.shared_secret_header;
            let header = at.required(header, "callback.forwarded.shared_secret_header")?;
            let header = header_name(&header, "callback.forwarded.shared_secret_header", at)?;
            Ok(settings::ForwardedProof::SharedSecret { header, secret })
        }
        _ => {
            let why = "needs exactly one proof of the balancer: `[callback.forwarded.mutual_tls]`, \
                       or `shared_secret` with `shared_secret_header`";
            Err(at.invalid("callback.forwarded", why))
        }
    }
}

fn header_name(name: &str, key: &str, at: &Resolver<'_>) -> Result<String, Error> {
    let parsed = axum::http::HeaderName::try_from(name);
    let parsed = parsed.map_err(|_| at.invalid(key, "must be the name of an HTTP header"))?;
    Ok(parsed.as_str().to_owned())
}
