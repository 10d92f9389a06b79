//! Who signs: every live secret, and after a reload the new ones.

use std::path::PathBuf;
use std::time::Duration;

use mdes_receiver::clock::SystemClock;
use mdes_receiver::delivery::Destination as _;
use mdes_receiver::delivery::signature::{Error, Key, Secrets, Signed, Unverified, new_secret, verify};
use mdes_receiver::delivery::webhook::Webhook;
use mdes_receiver::domain::masked::Secret;
use time::macros::datetime;

use super::sink::{Heard, Says, Sink, answer};
use super::{NOW, SECRET, egress, taken, webhook};

const FIVE_MINUTES: Duration = Duration::from_mins(5);

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

fn fits(heard: &Heard, key_text: &str) -> Result<usize, Unverified> {
    let header = |name| heard.header(name).expect("it is there");
    let signed = Signed {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body: &heard.body,
    };
    verify(&signed, &[key(key_text)], NOW, FIVE_MINUTES)
}

/// The example of the specification's own libraries.
#[test]
fn the_known_example_has_the_known_signature() {
    let secrets = Secrets::load(&[Secret::new(SECRET)], &[]).expect("a secret");
    let at = datetime!(2021-02-25 18:17:10 UTC);
    assert_eq!(at.unix_timestamp(), 1_614_277_030);
    let at = at - Duration::from_secs(1_614_277_030 - 1_614_265_330);
    let signature = secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#);
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[tokio::test]
async fn during_a_rotation_every_live_secret_signs() {
    let sink = Sink::plain(Says::Raw(answer(200, "", ""))).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file: PathBuf = folder.path().join("orders.secret");
    let (old, new) = (new_secret(false).expect("dice"), new_secret(true).expect("dice"));
    let public = new.public.as_deref().expect("a public half");
    std::fs::write(&file, format!("{}\n", old.secret.expose())).expect("written");
    let mut settings = webhook(&sink.http());
    settings.secret_files = vec![file.clone()];
    let destination = Webhook::load(&settings, &egress(), std::sync::Arc::new(SystemClock)).expect("good settings");
    let last = || sink.heard().last().cloned().expect("a request");

    taken(&destination).await;
    assert_eq!(fits(&last(), SECRET), Ok(0));
    assert_eq!(fits(&last(), old.secret.expose()), Ok(0));

    std::fs::write(&file, new.secret.expose()).expect("written");
    destination.reload().expect("good files");
    taken(&destination).await;
    assert_eq!(fits(&last(), SECRET), Ok(0));
    assert_eq!(fits(&last(), public), Ok(0));
    assert_eq!(fits(&last(), old.secret.expose()), Err(Unverified::NoneFits));

    std::fs::write(&file, "whsec_short").expect("written");
    let error = destination.reload().expect_err("a bad secret").to_string();
    assert!(error.contains("orders.secret") && !error.contains("short"), "{error}");
    taken(&destination).await;
    assert_eq!(fits(&last(), public), Ok(0), "the old ones sign on");
}

#[test]
fn a_secret_that_cannot_sign_is_named_and_not_shown() {
    for (text, why) in [
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "must begin with `whsec_`"),
        ("whsec_MfKQ9r8G!!!", "is not base64"),
        ("whsec_MfKQ9r8G", "holds 6 bytes"),
        ("whsk_MfKQ9r8G", "is no Ed25519 key"),
        (
            "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            "is the public half",
        ),
    ] {
        let secrets = [Secret::new(SECRET), Secret::new(text)];
        let error = Secrets::load(&secrets, &[]).err().expect(text);
        assert!(matches!(error, Error::Text { index: 1, .. }), "{error}");
        let error = error.to_string();
        assert!(
            error.contains(why) && error.contains("destinations.secrets[1]"),
            "{error}"
        );
        assert!(!error.contains("MfKQ"), "{error}");
    }
}

#[test]
fn an_ed25519_secret_may_bear_its_public_half_and_must_not_bear_another() {
    // RFC 8032, 7.1, test 1.
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let text = |halves: &str| format!("whsk_{}", base64(&hex::decode(halves).expect("hexadecimal")));
    assert!(Key::parse(&text(&format!("{seed}{public}"))).is_ok());
    assert!(Key::parse(&text(seed)).is_ok());
    assert!(Key::parse(&text(&format!("{seed}{seed}"))).is_err());
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn what_is_wrong_with_a_signature_is_said() {
    let secrets = Secrets::load(&[Secret::new(SECRET)], &[]).expect("a secret");
    let signature = secrets.sign("id", NOW, b"body");
    let timestamp = NOW.unix_timestamp().to_string();
    let good = Signed {
        id: "id",
        timestamp: &timestamp,
        signature: &signature,
        body: b"body",
    };
    let checked = |signed: Signed<'_>, later: i64| {
        verify(
            &signed,
            &[key(SECRET)],
            NOW + time::Duration::seconds(later),
            FIVE_MINUTES,
        )
    };
    assert_eq!(checked(good, 300), Ok(0));
    assert_eq!(checked(good, 301), Err(Unverified::TooOld(301)));
    assert_eq!(checked(good, -301), Err(Unverified::TooNew(301)));
    assert_eq!(checked(Signed { body: b"Body", ..good }, 0), Err(Unverified::NoneFits));
    assert_eq!(checked(Signed { id: "other", ..good }, 0), Err(Unverified::NoneFits));
    assert_eq!(
        checked(
            Signed {
                timestamp: "now",
                ..good
            },
            0
        ),
        Err(Unverified::Timestamp)
    );
    let many = format!("v1,AAAA v1a,BBBB {signature}");
    assert_eq!(
        checked(
            Signed {
                signature: &many,
                ..good
            },
            0
        ),
        Ok(0)
    );
    for (signature, there) in [("v1a,AAAA", vec!["v1a".to_owned()]), ("", vec![]), ("v1", vec![])] {
        let wanted = "v1".to_owned();
        let said = checked(Signed { signature, ..good }, 0);
        assert_eq!(said, Err(Unverified::NoSuchVersion { wanted, there }));
    }
}
