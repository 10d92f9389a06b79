//! Where a request of ours may go: public addresses, and what `allow_networks` names.
//!
//! Whoever can make a destination's name point somewhere must not thereby reach this machine, its neighbours or the
//! cloud's metadata. It is asked about the very address that is then connected to, so that a name cannot change its
//! mind in between. An IPv4 address inside an IPv6 one counts as itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::error::{Class, Error};
use super::target::{Host, Target};

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(first: u16, second: u16, third: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0), bits)
}

/// Not public, by IANA's special-purpose registry, but for the last: Azure's own, a public address by looks alone.
const NOT_PUBLIC_V4: &[(Ipv4Net, &str)] = &[
    (v4(0, 0, 0, 0, 8), "unspecified"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "shared by a provider"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local, where clouds keep metadata"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "reserved"),
    (v4(192, 0, 2, 0, 24), "for documentation"),
    (v4(192, 88, 99, 0, 24), "reserved"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "for benchmarks"),
    (v4(198, 51, 100, 0, 24), "for documentation"),
    (v4(203, 0, 113, 0, 24), "for documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved, or broadcast"),
    (v4(168, 63, 129, 16, 32), "a cloud's metadata"),
];

/// Within [`GLOBAL_V6`], and yet not public.
const NOT_PUBLIC_V6: &[(Ipv6Net, &str)] = &[
    (v6(0x2001, 0, 0, 23), "reserved, or a tunnel"),
    (v6(0x2001, 0xdb8, 0, 32), "for documentation"),
    (v6(0x3fff, 0, 0, 20), "for documentation"),
];

const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);
const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 0, 16);
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);

/// Whether that address may be connected to; `plain` is without TLS, which goes into `allow` alone.
pub fn address(address: IpAddr, plain: bool, allow: &[IpNet]) -> Result<(), Error> {
    let address = address.to_canonical();
    let inside = embedded(address).map(IpAddr::V4);
    let is_allowed = |address: &IpAddr| allow.iter().any(|net| net.contains(address));
    if is_allowed(&address) || inside.as_ref().is_some_and(is_allowed) {
        return Ok(());
    }
    if let Some(what) = not_public(address) {
        return Err(refused(format!("{address} is {what}"), address));
    }
    if plain {
        return Err(refused(format!("{address} would be spoken to without TLS"), address));
    }
    Ok(())
}

/// What of a URL can be judged before anything is resolved: an address in it, however it is written, and this
/// machine's own names. Behind a proxy plain HTTP needs an address, since the proxy alone knows where a name leads.
pub fn target(target: &Target, behind_proxy: bool, allow: &[IpNet]) -> Result<(), Error> {
    let plain = !target.is_secure();
    match target.host() {
        Host::Address(ip) => address(*ip, plain, allow),
        Host::Name(name) if is_local(name) => address(Ipv4Addr::LOCALHOST.into(), plain, allow),
        Host::Name(name) if plain && behind_proxy => Err(Error::new(
            Class::Guarded,
            format!(
                "plain HTTP to {name} by a proxy, which alone knows where that is; write `https://`, or an address inside `allow_networks`"
            ),
        )),
        Host::Name(_) => Ok(()),
    }
}

/// [`target`] for a URL as it is written: for whoever checks a configuration.
pub fn literal(url: &str, behind_proxy: bool, allow: &[IpNet]) -> Result<(), Error> {
    target(&Target::parse(url)?, behind_proxy, allow)
}

fn is_local(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

fn refused(what: String, address: IpAddr) -> Error {
    let text = format!("{what}; if it shall be reached, name it in `allow_networks`, such as \"{address}\"");
    Error::new(Class::Guarded, text)
}

/// What kind of address it is, if it is none of the public ones.
fn not_public(address: IpAddr) -> Option<&'static str> {
    if let Some(inside) = embedded(address) {
        return not_public(inside.into());
    }
    match address {
        IpAddr::V4(v4) => NOT_PUBLIC_V4
            .iter()
            .find(|(net, _)| net.contains(&v4))
            .map(|(_, what)| *what),
        IpAddr::V6(v6) if v6.is_loopback() => Some("loopback"),
        IpAddr::V6(v6) if v6.is_unspecified() => Some("unspecified"),
        IpAddr::V6(v6) if v6.is_multicast() => Some("multicast"),
        IpAddr::V6(v6) if v6.is_unique_local() => Some("private"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some("link-local"),
        IpAddr::V6(v6) if !GLOBAL_V6.contains(&v6) => Some("reserved"),
        IpAddr::V6(v6) => NOT_PUBLIC_V6
            .iter()
            .find(|(net, _)| net.contains(&v6))
            .map(|(_, what)| *what),
    }
}

/// The IPv4 address that a 6to4 or NAT64 address leads to.
fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let [_, b, c, _, _, _, y, z] = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    if SIX_TO_FOUR.contains(&address) {
        Some(of(b, c))
    } else if NAT64.contains(&address) {
        Some(of(y, z))
    } else {
        None
    }
}
