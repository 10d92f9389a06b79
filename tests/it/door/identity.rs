//! Names, pins, usages and roots: who is taken for whom.

use aws_lc_rs::digest;
use mdes_receiver::net::Error;
use mdes_receiver::net::tls::DoorTls;
use mdes_receiver::simulator::pki::{Authority, Issued, Leaf, Usage};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::street::{ALWAYS, Door, NAME, NOW, Setup, YEAR};

fn leaf(common_name: &str, dns_names: &[&str]) -> Leaf {
    Leaf {
        common_name: common_name.to_owned(),
        dns_names: dns_names.iter().map(|name| (*name).to_owned()).collect(),
        ..Leaf::client(NAME, YEAR)
    }
}

async fn comes_in(door: &Door, leaf: &Leaf) -> bool {
    let answer = door.ask_as(&door.root.issue(leaf)).await;
    if let Ok(answer) = &answer {
        assert!(answer.ends_with("ws.mastercard.com of None at 127.0.0.1"), "{answer}");
    }
    answer.is_ok()
}

#[tokio::test]
async fn a_name_is_a_dns_name_or_the_common_name_where_there_is_none() {
    let door = Setup::new().open().await;
    assert!(comes_in(&door, &leaf("anything", &["other.example", NAME])).await);
    assert!(comes_in(&door, &leaf(NAME, &[])).await);
    assert!(!comes_in(&door, &leaf(NAME, &["other.example"])).await);
    assert!(!comes_in(&door, &leaf("other.example", &[])).await);
}

#[tokio::test]
async fn names_are_compared_whole_and_without_case() {
    let door = Setup::new().open().await;
    assert!(comes_in(&door, &leaf("x", &["WS.MasterCard.com"])).await);
    for name in [
        "*.mastercard.com",
        "ws.mastercard.com.",
        "a.ws.mastercard.com",
        "s.mastercard.com",
    ] {
        assert!(!comes_in(&door, &leaf("x", &[name])).await, "{name}");
    }
}

#[tokio::test]
async fn a_server_certificate_comes_in_only_where_the_setting_lets_it() {
    let with = |usage| Leaf {
        usage,
        ..Leaf::client(NAME, YEAR)
    };
    let strict = Setup::new().open().await;
    let mut setup = Setup::new();
    setup.tls.client_eku_required = false;
    let lenient = setup.open().await;

    for (usage, strictly) in [
        (Usage::Client, true),
        (Usage::Both, true),
        (Usage::None, true),
        (Usage::Server, false),
    ] {
        assert_eq!(comes_in(&strict, &with(usage)).await, strictly, "{usage:?}");
        assert!(comes_in(&lenient, &with(usage)).await, "{usage:?}");
    }
}

#[tokio::test]
async fn a_chain_over_an_intermediate_holds_if_it_is_sent() {
    let door = Setup::new().open().await;
    let intermediate = door.root.intermediate("Client CA");
    let client = intermediate.issue(&Leaf::client(NAME, YEAR));
    let chain = client.certificate_pem.clone() + &intermediate.certificate_pem();
    assert!(
        door.ask(door.config_with(Some((chain, &client)), rustls::ALL_VERSIONS))
            .await
            .is_ok()
    );
    assert!(door.ask_as(&client).await.is_err());
    door.saw("unknown_issuer", 1).await;
}

#[tokio::test]
async fn a_pin_is_in_addition_to_the_name() {
    let mut setup = Setup::new();
    let (pinned, other) = (setup.client(), setup.client());
    let misnamed = setup.root.issue(&Leaf::client("other.example", YEAR));
    setup.tls.peers[0].pins = vec![pin(&pinned), pin(&misnamed)];
    let door = setup.open().await;

    assert!(door.ask_as(&pinned).await.is_ok());
    assert!(door.ask_as(&other).await.is_err());
    door.saw("pin_mismatch", 1).await;
    assert!(door.ask_as(&misnamed).await.is_err());
    door.saw("wrong_name", 1).await;
}

#[tokio::test]
async fn a_name_counts_only_under_its_own_roots() {
    let mut setup = Setup::new();
    let partner = Authority::new("Partner Root", ALWAYS);
    let mut rule = setup.rule("partner.pem", &partner, &["push.partner.example"]);
    rule.organization = Some("Partner".to_owned());
    setup.tls.peers.push(rule);
    let door = setup.open().await;

    let answer = door
        .ask_as(&partner.issue(&Leaf::client("push.partner.example", YEAR)))
        .await
        .expect("let in");
    assert!(
        answer.ends_with("push.partner.example of Some(\"Partner\") at 127.0.0.1"),
        "{answer}"
    );
    assert!(door.ask_as(&door.client()).await.is_ok());

    assert!(door.ask_as(&partner.issue(&Leaf::client(NAME, YEAR))).await.is_err());
    assert!(
        door.ask_as(&door.root.issue(&Leaf::client("push.partner.example", YEAR)))
            .await
            .is_err()
    );
    door.saw("wrong_name", 2).await;
}

#[tokio::test]
async fn a_stale_revocation_list_refuses_only_where_the_setting_says_so() {
    for (enforced, comes_in) in [(false, true), (true, false)] {
        let mut setup = Setup::new();
        let crl = setup.root.crl(&[], YEAR.0, NOW - time::Duration::HOUR);
        setup.tls.crls = vec![setup.write("stale.crl", &crl)];
        setup.tls.crl_expiry_enforced = enforced;
        let door = setup.open().await;
        assert_eq!(door.ask_as(&door.client()).await.is_ok(), comes_in);
        door.saw("crl_expired", u64::from(!comes_in)).await;
    }
}

#[tokio::test]
async fn a_revoked_intermediate_takes_its_leaves_along() {
    let mut setup = Setup::new();
    let intermediate = setup.root.intermediate("Client CA");
    let client = intermediate.issue(&Leaf::client(NAME, YEAR));
    setup.tls.crls = vec![setup.write("root.crl", &setup.root.crl_over(&intermediate, YEAR.0, YEAR.1))];
    let door = setup.open().await;
    let chain = client.certificate_pem.clone() + &intermediate.certificate_pem();
    assert!(
        door.ask(door.config_with(Some((chain, &client)), rustls::ALL_VERSIONS))
            .await
            .is_err()
    );
    door.saw("revoked", 1).await;
}

#[test]
fn a_bad_file_is_named_with_its_setting_and_its_cure() {
    let clock = || std::sync::Arc::new(mdes_receiver::clock::ManualClock::at(NOW));
    let why = |setup: &Setup| match DoorTls::load(&setup.tls, None, clock()) {
        Ok(_) => panic!("loaded"),
        Err(error @ (Error::File { .. } | Error::Setting { .. })) => error.to_string(),
        Err(error) => panic!("{error}"),
    };
    let mut setup = Setup::new();
    setup.write("server.key", &Authority::new("Other", ALWAYS).private_key_pem());
    let told = why(&setup);
    assert!(
        told.starts_with("key `callback.tls.private_key`: ") && told.contains("not the key of"),
        "{told}"
    );

    setup.write("server.key", "-----BEGIN NONSENSE-----");
    assert!(why(&setup).contains("no private key in it"));
    setup.tls.certificate = "absent.pem".into();
    assert_eq!(
        why(&setup),
        "key `callback.tls.certificate`: absent.pem: file not found; check the path"
    );
    setup = Setup::new();
    setup.write("roots.pem", "");
    assert!(why(&setup).starts_with("key `callback.tls.client_roots`: "));
}

fn pin(client: &Issued) -> String {
    let (_, parsed) = X509Certificate::from_der(&client.certificate_der).expect("a certificate");
    hex::encode(digest::digest(&digest::SHA256, parsed.public_key().raw))
}
