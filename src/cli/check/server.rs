//! What a listener shows: a chain in order, valid, with a name, and the key that belongs to it.

use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use zeroize::Zeroizing;

use super::certificates::period;
use super::findings::Findings;

/// A listener's chain and key, and the settings that name them.
pub(super) struct Server<'a> {
    pub(super) setting: &'a str,
    pub(super) file: &'a Path,
    pub(super) key_setting: &'a str,
    pub(super) key_file: &'a Path,
    /// The name by which callers reach it, if that is known.
    pub(super) host: Option<&'a str>,
}

impl Server<'_> {
    pub(super) fn examine(&self, now: OffsetDateTime, findings: &mut Findings) {
        let bytes = findings.read(self.setting, self.file);
        let chain = bytes.and_then(|bytes| findings.certificates(self.setting, self.file, &bytes));
        if let Some(chain) = &chain {
            self.chain(chain, now, findings);
        }
        self.key(chain, findings);
    }

    fn chain(&self, chain: &[CertificateDer<'_>], now: OffsetDateTime, findings: &mut Findings) {
        let parsed = chain
            .iter()
            .map(|der| X509Certificate::from_der(der).map(|(_, certificate)| certificate));
        let Ok(parsed) = parsed.collect::<Result<Vec<_>, _>>() else {
            findings.fail(
                self.setting,
                self.says("a certificate cannot be read"),
                "ask your issuer for it again",
            );
            return;
        };
        let ordered = self.order(&parsed, findings);
        let valid = parsed.iter().filter(|certificate| {
            let what = self.says(&certificate.subject().to_string());
            findings.valid(self.setting, &what, period(certificate.validity()), now)
        });
        let valid = valid.count() == parsed.len();
        let named = self.names(&parsed[0], findings);
        if ordered && valid && named {
            let until = period(parsed[0].validity()).1.date();
            findings.ok(
                self.setting,
                self.says(&format!("chain of {}, until {until}", parsed.len())),
            );
        }
    }

    /// Each certificate is issued by the next one.
    fn order(&self, chain: &[X509Certificate<'_>], findings: &mut Findings) -> bool {
        let misplaced = chain.windows(2).find(|pair| pair[0].issuer() != pair[1].subject());
        if let Some(pair) = misplaced {
            let text = self.says(&format!("{} is not followed by its issuer", pair[0].subject()));
            let hint = "order the chain: the server's own certificate first, then its issuer, then that one's";
            findings.fail(self.setting, text, hint);
        }
        if chain.len() == 1 && chain[0].issuer() != chain[0].subject() {
            let text = self.says("holds the server's own certificate only");
            findings.warn(
                self.setting,
                text,
                "append its issuer's, unless callers have that one as a root",
            );
        }
        misplaced.is_none()
    }

    /// The names that callers may reach it by: without one no caller accepts it.
    fn names(&self, leaf: &X509Certificate<'_>, findings: &mut Findings) -> bool {
        let names = leaf.subject_alternative_name().ok().flatten();
        let names = names
            .map(|found| found.value.general_names.as_slice())
            .unwrap_or_default();
        if names.is_empty() {
            let text = self.says("bears no subject alternative name, so that no caller accepts it");
            let hint = "ask your issuer for one with the name that you registered with Mastercard";
            findings.fail(self.setting, text, hint);
            return false;
        }
        let names = names.iter().filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(*name),
            _ => None,
        });
        let names: Vec<&str> = names.collect();
        if let Some(host) = self.host.filter(|host| !names.iter().any(|name| covers(name, host))) {
            let text = self.says(&format!("is for {}, not for {host}", names.join(", ")));
            let hint = "compare `callback.response_host` with the name that you registered with Mastercard";
            findings.warn(self.setting, text, hint);
        }
        true
    }

    fn key(&self, chain: Option<Vec<CertificateDer<'static>>>, findings: &mut Findings) {
        let Some(bytes) = findings.read(self.key_setting, self.key_file).map(Zeroizing::new) else {
            return;
        };
        findings.private(self.key_setting, self.key_file);
        let file = self.key_file.display();
        let key = PrivateKeyDer::from_pem_slice(&bytes).ok();
        let Some(key) = key.and_then(|key| rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).ok()) else {
            let hint = "PEM is wanted: an RSA, EC or Ed25519 key without a password";
            findings.fail(
                self.key_setting,
                format!("{file}: holds no private key that can be used"),
                hint,
            );
            return;
        };
        match chain.map(|chain| CertifiedKey::new(chain, key).keys_match()) {
            None => {}
            Some(Ok(())) => findings.ok(self.key_setting, format!("{file}: belongs to the certificate")),
            Some(Err(_)) => {
                let text = format!("{file}: does not belong to {}", self.file.display());
                findings.fail(
                    self.key_setting,
                    text,
                    "put the key and the certificate of the same request together",
                );
            }
        }
    }

    fn says(&self, what: &str) -> String {
        format!("{}: {what}", self.file.display())
    }
}

/// A wildcard stands for one label.
fn covers(name: &str, host: &str) -> bool {
    let rest = |text: &str| text.split_once('.').map(|(_, rest)| rest.to_ascii_lowercase());
    name.eq_ignore_ascii_case(host) || (name.starts_with("*.") && rest(name) == rest(host))
}
