//! A test PKI: authorities, leaves, revocation lists and decryption keys made on the spot.
//!
//! `dev`, the simulator and the tests use it. Nothing here opens a real door, and no private key
//! has a `Debug` form.

use std::net::IpAddr;

use aws_lc_rs::digest;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RevokedCertParams,
    RsaKeySize, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::OffsetDateTime;
use time::macros::datetime;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Not before, not after.
pub type Validity = (OffsetDateTime, OffsetDateTime);

/// A certificate authority that exists for a test.
pub struct Authority {
    params: CertificateParams,
    key: KeyPair,
    certificate_pem: String,
}

/// What a leaf certificate is to say.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The subject's common name.
    pub common_name: String,
    /// DNS names among the subject alternative names.
    pub dns_names: Vec<String>,
    /// Addresses among the subject alternative names.
    pub ip_addresses: Vec<IpAddr>,
    /// The extended key usage.
    pub usage: Usage,
    /// From when to when it holds.
    pub valid: Validity,
}

/// A leaf's extended key usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// `serverAuth` alone.
    Server,
    /// `clientAuth` alone.
    Client,
    /// Both, as public authorities used to write it.
    Both,
    /// No such extension at all.
    None,
}

/// A certificate with its private key.
pub struct Issued {
    /// The certificate, PEM.
    pub certificate_pem: String,
    /// The same, DER.
    pub certificate_der: Vec<u8>,
    /// The private key, PKCS#8, PEM.
    pub private_key_pem: String,
    serial: SerialNumber,
}

/// What was given is no authority of this module's making.
#[derive(Debug, thiserror::Error)]
#[error("test authority: {0}; delete its files and let them be made again")]
pub struct NotAnAuthority(String);

impl Authority {
    /// A new self-signed root with a fresh key (ECDSA P-256).
    pub fn new(common_name: &str, valid: Validity) -> Self {
        let key = new_key();
        let params = authority_params(common_name, valid, &key);
        let certificate = params.self_signed(&key).expect("the parameters are ours");
        let certificate_pem = certificate.pem();
        Authority {
            params,
            key,
            certificate_pem,
        }
    }

    /// The same authority again, from what [`Authority::certificate_pem`] and [`Authority::private_key_pem`] gave.
    pub fn from_pem(certificate: &str, private_key: &str) -> Result<Self, NotAnAuthority> {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|e| NotAnAuthority(e.to_string()))?;
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|e| NotAnAuthority(e.to_string()))?;
        let key = KeyPair::from_pem(private_key).map_err(|e| NotAnAuthority(e.to_string()))?;
        if parsed.public_key().subject_public_key.data != key.public_key_raw() {
            return Err(NotAnAuthority("its key belongs to another certificate".to_owned()));
        }
        let name = parsed
            .subject()
            .iter_common_name()
            .next()
            .and_then(|cn| cn.as_str().ok());
        let name = name.ok_or_else(|| NotAnAuthority("it has no common name".to_owned()))?;
        let validity = parsed.validity();
        let valid = (validity.not_before.to_datetime(), validity.not_after.to_datetime());
        Ok(Authority {
            params: authority_params(name, valid, &key),
            key,
            certificate_pem: certificate.to_owned(),
        })
    }

    /// An authority below this one, valid as long.
    pub fn intermediate(&self, common_name: &str) -> Authority {
        let key = new_key();
        let params = authority_params(common_name, (self.params.not_before, self.params.not_after), &key);
        let certificate = params.signed_by(&key, &self.issuer()).expect("the parameters are ours");
        let certificate_pem = certificate.pem();
        Authority {
            params,
            key,
            certificate_pem,
        }
    }

    /// A leaf with a fresh key (ECDSA P-256).
    pub fn issue(&self, leaf: &Leaf) -> Issued {
        let key = new_key();
        let params = leaf_params(leaf, &key);
        let certificate = params.signed_by(&key, &self.issuer()).expect("the parameters are ours");
        Issued::new(&certificate, &key)
    }

    /// A revocation list over these leaves, PEM.
    pub fn crl(&self, revoked: &[&Issued], this_update: OffsetDateTime, next_update: OffsetDateTime) -> String {
        let revoked_certs = revoked.iter().map(|leaf| RevokedCertParams {
            serial_number: leaf.serial.clone(),
            revocation_time: this_update,
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: SerialNumber::from(this_update.unix_timestamp().unsigned_abs()),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let crl = params.signed_by(&self.issuer()).expect("the authority may sign lists");
        crl.pem().expect("a signed list has a PEM form")
    }

    /// Its certificate, PEM.
    pub fn certificate_pem(&self) -> String {
        self.certificate_pem.clone()
    }

    /// Its private key, PKCS#8, PEM.
    pub fn private_key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }
}

impl Leaf {
    /// A client's certificate with this DNS name, for clientAuth.
    pub fn client(name: &str, valid: Validity) -> Self {
        Leaf {
            common_name: name.to_owned(),
            dns_names: vec![name.to_owned()],
            ip_addresses: Vec::new(),
            usage: Usage::Client,
            valid,
        }
    }

    /// A server's certificate for `localhost` and both loopback addresses.
    pub fn localhost(valid: Validity) -> Self {
        Leaf {
            common_name: "localhost".to_owned(),
            dns_names: vec!["localhost".to_owned()],
            ip_addresses: vec![[127, 0, 0, 1].into(), std::net::Ipv6Addr::LOCALHOST.into()],
            usage: Usage::Server,
            valid,
        }
    }
}

impl Issued {
    fn new(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        Issued {
            certificate_pem: certificate.pem(),
            certificate_der: certificate.der().to_vec(),
            private_key_pem: key.serialize_pem(),
            serial: serial_of(key),
        }
    }
}

/// An RSA key of 2048, 3072 or 4096 bits with a self-signed certificate, such as opens sealed bodies.
///
/// # Panics
/// If `bits` is another number.
pub fn decryption_key(bits: usize, common_name: &str) -> Issued {
    let size = match bits {
        2048 => RsaKeySize::_2048,
        3072 => RsaKeySize::_3072,
        4096 => RsaKeySize::_4096,
        other => panic!("no RSA key of {other} bits: write 2048, 3072 or 4096"),
    };
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, size).expect("the library makes keys of these sizes");
    let leaf = Leaf {
        common_name: common_name.to_owned(),
        dns_names: Vec::new(),
        ip_addresses: Vec::new(),
        usage: Usage::None,
        valid: (datetime!(2020-01-01 0:00 UTC), datetime!(2049-01-01 0:00 UTC)),
    };
    let certificate = leaf_params(&leaf, &key).self_signed(&key);
    Issued::new(&certificate.expect("the parameters are ours"), &key)
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("the library makes P-256 keys")
}

fn authority_params(common_name: &str, valid: Validity, key: &KeyPair) -> CertificateParams {
    let mut params = params(common_name, valid, key);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(leaf: &Leaf, key: &KeyPair) -> CertificateParams {
    let mut params = params(&leaf.common_name, leaf.valid, key);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = match leaf.usage {
        Usage::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        Usage::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
        Usage::Both => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
        Usage::None => Vec::new(),
    };
    let dns = leaf.dns_names.iter().map(|name| {
        let name = name.as_str().try_into().expect("a DNS name is ASCII");
        SanType::DnsName(name)
    });
    let ip = leaf.ip_addresses.iter().map(|ip| SanType::IpAddress(*ip));
    params.subject_alt_names = dns.chain(ip).collect();
    params
}

fn params(common_name: &str, valid: Validity, key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    (params.not_before, params.not_after) = valid;
    params.serial_number = Some(serial_of(key));
    params.use_authority_key_identifier_extension = true;
    params
}

/// Positive and at most 20 bytes (RFC 5280, 4.1.2.2), the same for the same key.
fn serial_of(key: &KeyPair) -> SerialNumber {
    let hash = digest::digest(&digest::SHA256, key.public_key_raw());
    let mut serial = hash.as_ref()[..16].to_vec();
    serial[0] = serial[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&serial)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: Validity = (datetime!(2026-01-01 0:00 UTC), datetime!(2027-01-01 0:00 UTC));

    #[test]
    fn an_authority_read_back_issues_under_the_same_certificate() {
        let made = Authority::new("Test Root", VALID);
        let again = Authority::from_pem(&made.certificate_pem(), &made.private_key_pem()).expect("it is ours");
        let leaf = again.issue(&Leaf::client("ws.mastercard.com", VALID));

        let (_, leaf) = X509Certificate::from_der(&leaf.certificate_der).expect("a certificate");
        let root = CertificateDer::from_pem_slice(made.certificate_pem().as_bytes()).expect("a certificate");
        let (_, root) = X509Certificate::from_der(&root).expect("a certificate");
        assert_eq!(leaf.issuer(), root.subject());
    }

    #[test]
    fn a_key_of_another_authority_is_not_taken() {
        let one = Authority::new("One", VALID);
        let two = Authority::new("Two", VALID);
        assert!(Authority::from_pem(&one.certificate_pem(), &two.private_key_pem()).is_err());
    }

    #[test]
    fn a_decryption_key_is_rsa_in_pkcs8() {
        let key = decryption_key(2048, "decrypt");
        assert!(key.private_key_pem.starts_with("-----BEGIN PRIVATE KEY-----"));
    }
}
