//! Which addresses may be reached: a table, and what holds of every address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use mdes_receiver::net::egress::{Class, guard};
use proptest::prelude::*;

fn admits(address: IpAddr, allow: &[IpNet]) -> bool {
    guard::address(address, false, allow).is_ok()
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().expect("a network")).collect()
}

#[test]
fn what_is_not_public_is_refused_to_its_edges() {
    for address in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        let refused = guard::address(address.parse().expect("an address"), false, &[]);
        let refused = refused.expect_err(address);
        assert_eq!(refused.class, Class::Guarded, "{address}");
        assert!(refused.to_string().contains("allow_networks"), "{refused}");
    }
}

#[test]
fn what_is_public_is_admitted_to_its_edges() {
    for address in [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00::1",
        "64:ff9b::101:101",
        "2002:101:101::1",
        "::ffff:1.1.1.1",
    ] {
        assert!(admits(address.parse().expect("an address"), &[]), "{address}");
    }
}

#[test]
fn a_literal_is_judged_however_it_is_written() {
    for url in [
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://0/",
        "https://[::1]/",
        "https://[::ffff:7f00:1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://a.localhost/",
        "https://１２７.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
    ] {
        let refused = guard::literal(url, false, &[]).expect_err(url);
        assert_eq!(refused.class, Class::Guarded, "{url}: {refused}");
        assert_eq!(
            guard::literal(url, true, &[]).expect_err(url).class,
            Class::Guarded,
            "{url}"
        );
    }
    let loopback = nets(&["127.0.0.0/8", "::1/128"]);
    assert_eq!(guard::literal("https://2130706433/", false, &loopback), Ok(()));
    assert_eq!(guard::literal("https://example.com/", false, &[]), Ok(()));
}

#[test]
fn plain_http_goes_only_where_a_network_is_allowed() {
    let allow = nets(&["10.0.0.0/8"]);
    assert!(guard::literal("http://1.1.1.1/", false, &allow).is_err());
    assert_eq!(guard::literal("http://10.1.2.3/", false, &allow), Ok(()));
    assert_eq!(
        guard::literal("http://hooks.internal/", false, &allow),
        Ok(()),
        "judged when it is resolved"
    );
    assert!(
        guard::literal("http://hooks.internal/", true, &allow).is_err(),
        "a proxy would resolve it"
    );
    assert!(guard::address("1.1.1.1".parse().expect("an address"), true, &allow).is_err());
}

#[test]
fn what_is_no_url_of_ours_is_unusable() {
    for url in [
        "",
        "hooks.example",
        "ftp://hooks.example/",
        "https://",
        "https://me:secret@hooks.example/",
        "https://a b/",
    ] {
        let error = guard::literal(url, false, &[]).expect_err(url);
        assert_eq!(error.class, Class::Unusable, "{url}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

proptest! {
    #[test]
    fn an_address_hides_in_no_other_form(bits: u32) {
        let plain = Ipv4Addr::from(bits);
        let [a, b, c, d] = plain.octets().map(u16::from);
        let (high, low) = (a << 8 | b, c << 8 | d);
        let verdict = admits(plain.into(), &[]);
        prop_assert_eq!(verdict, admits(plain.to_ipv6_mapped().into(), &[]));
        prop_assert_eq!(verdict, admits(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low).into(), &[]));
        prop_assert_eq!(verdict, admits(Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1).into(), &[]));
        for url in [format!("https://{bits}/"), format!("https://0x{bits:x}/"), format!("https://{plain}/")] {
            prop_assert_eq!(verdict, guard::literal(&url, false, &[]).is_ok(), "{}", url);
        }
    }

    #[test]
    fn an_allowed_network_admits_its_own_and_no_other(bits: u32, other: u32, prefix in 8_u8..=32) {
        let net = IpNet::new(Ipv4Addr::from(bits).into(), prefix).expect("a prefix");
        prop_assert!(guard::address(Ipv4Addr::from(bits).into(), true, &[net]).is_ok());
        let other = IpAddr::from(Ipv4Addr::from(other));
        prop_assert_eq!(guard::address(other, true, &[net]).is_ok(), net.contains(&other));
        prop_assert_eq!(admits(other, &[net]), net.contains(&other) || admits(other, &[]));
    }

    #[test]
    fn beyond_the_global_unicast_of_ipv6_nothing_is_admitted(bits: u128) {
        let address = Ipv6Addr::from(bits);
        let is_elsewhere = address.segments()[0] >> 13 != 1 && address.segments()[..2] != [0x64, 0xff9b];
        prop_assert!(!is_elsewhere || address.to_ipv4_mapped().is_some() || !admits(address.into(), &[]));
    }
}
