//! The PROXY protocol, v1 and v2: where a connection came from before a TCP balancer passed it on.
//!
//! It is demanded from the addresses that the settings list, and understood from no other. The header is
//! untrusted, bounded, and read to its last byte and not beyond, for TLS begins there.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::peer::Refused;

/// The longest v1 header, its line end included.
const V1_BYTES_MAX: usize = 107;
/// What comes before the v2 length: signature, command, family.
const V2_FIXED_BYTES: usize = 16;
/// A v2 header may bear extensions; no balancer sends this many.
const V2_BYTES_MAX: usize = 4096;

/// Whether one of these networks holds the address; an IPv4 address in IPv6 clothes is the same address.
pub fn lists(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// Reads one header. `None` says that the balancer speaks for itself (LOCAL, UNKNOWN) or names no TCP address.
///
/// An end before the first byte is [`Refused::Probe`], whatever else is no header [`Refused::ProxyHeader`].
pub async fn read_header(socket: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>, Refused> {
    let mut header = Vec::with_capacity(V1_BYTES_MAX);
    read_more(socket, &mut header, 1).await.map_err(|_| Refused::Probe)?;
    read_more(socket, &mut header, v2::PROTOCOL_PREFIX.len() - 1).await?;
    if header == v2::PROTOCOL_PREFIX {
        read_v2(socket, header).await
    } else {
        read_v1(socket, header).await
    }
}

async fn read_v2(socket: &mut (impl AsyncRead + Unpin), mut header: Vec<u8>) -> Result<Option<SocketAddr>, Refused> {
    read_more(socket, &mut header, V2_FIXED_BYTES - v2::PROTOCOL_PREFIX.len()).await?;
    let length = usize::from(u16::from_be_bytes([header[14], header[15]]));
    if V2_FIXED_BYTES + length > V2_BYTES_MAX {
        return Err(Refused::ProxyHeader);
    }
    read_more(socket, &mut header, length).await?;
    let header = v2::Header::try_from(header.as_slice()).map_err(|_| Refused::ProxyHeader)?;
    Ok(match (header.command, header.protocol, header.addresses) {
        (v2::Command::Local, _, _) => None,
        (_, v2::Protocol::Stream, v2::Addresses::IPv4(a)) => Some((a.source_address, a.source_port).into()),
        (_, v2::Protocol::Stream, v2::Addresses::IPv6(a)) => Some((a.source_address, a.source_port).into()),
        _ => None,
    })
}

async fn read_v1(socket: &mut (impl AsyncRead + Unpin), mut header: Vec<u8>) -> Result<Option<SocketAddr>, Refused> {
    if !header.starts_with(v1::PROTOCOL_PREFIX.as_bytes()) {
        return Err(Refused::ProxyHeader);
    }
    while !header.ends_with(v1::PROTOCOL_SUFFIX.as_bytes()) {
        if header.len() == V1_BYTES_MAX {
            return Err(Refused::ProxyHeader);
        }
        read_more(socket, &mut header, 1).await?;
    }
    let header = v1::Header::try_from(header.as_slice()).map_err(|_| Refused::ProxyHeader)?;
    Ok(match header.addresses {
        v1::Addresses::Tcp4(a) => Some((a.source_address, a.source_port).into()),
        v1::Addresses::Tcp6(a) => Some((a.source_address, a.source_port).into()),
        v1::Addresses::Unknown => None,
    })
}

async fn read_more(socket: &mut (impl AsyncRead + Unpin), header: &mut Vec<u8>, bytes: usize) -> Result<(), Refused> {
    let from = header.len();
    header.resize(from + bytes, 0);
    let read = socket.read_exact(&mut header[from..]).await;
    read.map(|_| ()).map_err(|_| Refused::ProxyHeader)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8]) -> (Result<Option<SocketAddr>, Refused>, Vec<u8>) {
        let header = read_header(&mut bytes).await;
        (header, bytes.to_vec())
    }

    fn v2_header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut header = v2::PROTOCOL_PREFIX.to_vec();
        header.extend([command, family]);
        header.extend((rest.len() as u16).to_be_bytes());
        header.extend(rest);
        header
    }

    #[tokio::test]
    async fn both_versions_give_the_source_and_leave_what_follows() {
        let expected = Some("203.0.113.7:4321".parse().expect("an address"));
        let v1 = read(b"PROXY TCP4 203.0.113.7 192.0.2.1 4321 443\r\nTLS").await;
        assert_eq!(v1, (Ok(expected), b"TLS".to_vec()));

        let mut bytes = v2_header(0x21, 0x11, &[203, 0, 113, 7, 192, 0, 2, 1, 0x10, 0xe1, 1, 0xbb]);
        bytes.extend(b"TLS");
        assert_eq!(read(&bytes).await, (Ok(expected), b"TLS".to_vec()));
    }

    #[tokio::test]
    async fn a_balancer_that_speaks_for_itself_names_nobody() {
        assert_eq!(read(b"PROXY UNKNOWN\r\n").await.0, Ok(None));
        assert_eq!(read(&v2_header(0x20, 0x00, &[])).await.0, Ok(None));
    }

    #[tokio::test]
    async fn what_is_no_header_or_too_long_is_refused() {
        let endless = [b"PROXY TCP4 ".as_slice(), &[b'1'; 500]].concat();
        let refused = Err(Refused::ProxyHeader);
        assert_eq!(read(&endless).await.0, refused);
        assert_eq!(read(b"GET / HTTP/1.1\r\n").await.0, refused);
        assert_eq!(
            read(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00").await.0,
            refused
        );
        assert_eq!(read(&v2_header(0x21, 0x11, &[0; 4])).await.0, refused);
        assert_eq!(read(&v2_header(0x21, 0x11, &[0; 5000])).await.0, refused);
        assert_eq!(read(b"").await.0, Err(Refused::Probe));
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothes_is_the_same_address() {
        let networks = ["10.0.0.0/8".parse().expect("a network")];
        assert!(lists(&networks, "::ffff:10.1.2.3".parse().expect("an address")));
        assert!(!lists(&networks, "::ffff:11.1.2.3".parse().expect("an address")));
    }
}
