//! What is sealed, opened again by the specification alone.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use mdes_receiver::simulator::seal::{Aes, Fingerprint, Oaep, Sealer, Style};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::receiver::{open, opening_key};
use super::{Desk, read};

const TEXT: &[u8] = "{\"tokens\": [], \"größe\": \"\u{1F600}\"}".as_bytes();

fn sealed(sealer: &Sealer) -> Value {
    json!(sealer.seal(TEXT).expect("the key is good"))
}

#[test]
fn what_is_sealed_opens_to_what_was_written_by_both_hashes_and_both_key_lengths() {
    let desk = Desk::set_up();
    let key = opening_key(&desk.files);
    for (oaep, named) in [(Oaep::Sha256, "SHA256"), (Oaep::Sha512, "SHA512")] {
        for aes in [Aes::Bits128, Aes::Bits256] {
            let sealed = sealed(&desk.sealer(Style {
                oaep,
                aes,
                fingerprint: Fingerprint::Sha256,
            }));
            assert_eq!(sealed["oaepHashingAlgorithm"], named);
            assert_eq!(sealed["encryptedKey"].as_str().map(str::len), Some(512));
            assert_eq!(open(&key, &sealed).as_deref(), Some(TEXT), "{oaep:?} {aes:?}");
        }
    }
}

#[test]
fn the_same_text_is_sealed_in_other_bytes_each_time() {
    let desk = Desk::set_up();
    let sealer = desk.sealer(Style::default());
    let (one, two) = (sealed(&sealer), sealed(&sealer));
    for field in ["iv", "encryptedKey", "encryptedData"] {
        assert_ne!(one[field], two[field]);
    }
}

#[test]
fn the_fingerprint_is_the_certificates_or_what_one_says() {
    let desk = Desk::set_up();
    let der = CertificateDer::from_pem_file(&desk.files.decryption.certificate).expect("a certificate");
    let of = |fingerprint| {
        sealed(&desk.sealer(Style {
            fingerprint,
            ..Style::default()
        }))["publicKeyFingerprint"]
            .clone()
    };
    assert_eq!(of(Fingerprint::Sha256), hex::encode(digest(&SHA256, &der)));
    assert_eq!(
        of(Fingerprint::Sha1),
        hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &der))
    );
    assert_eq!(of(Fingerprint::Forced("ABC".to_owned())), "ABC");
}

#[test]
fn a_certificate_in_der_and_a_bare_public_key_seal_as_well() {
    let desk = Desk::set_up();
    let key = opening_key(&desk.files);
    let der = CertificateDer::from_pem_file(&desk.files.decryption.certificate).expect("a certificate");
    let (_, certificate) = X509Certificate::from_der(&der).expect("a certificate");
    for file in [der.as_ref(), certificate.public_key().raw] {
        let sealer = Sealer::new(file, Style::default()).expect("a public key is in it");
        assert_eq!(open(&key, &sealed(&sealer)).as_deref(), Some(TEXT));
    }
}

#[test]
fn a_file_without_an_rsa_public_key_is_refused() {
    let desk = Desk::set_up();
    for file in [&desk.files.decryption.private_key, &desk.files.ca.certificate] {
        assert!(
            Sealer::new(&read(file), Style::default()).is_err(),
            "{}",
            file.display()
        );
    }
}

#[test]
fn what_is_sealed_to_a_lost_key_does_not_open() {
    let desk = Desk::set_up();
    let lost = desk
        .sealer(Style::default())
        .to_a_lost_key()
        .expect("a key can be made");
    assert_eq!(open(&opening_key(&desk.files), &sealed(&lost)), None);
}
