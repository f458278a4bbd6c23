//! The header of the PROXY protocol, version 2: who a connection really comes from.

use std::net::{IpAddr, SocketAddr};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, on behalf of somebody.
const PROXY: u8 = 0x21;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

/// The header for a TCP connection from `source` to `destination`.
pub(crate) fn header(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    header.push(PROXY);
    match (source.ip().to_canonical(), destination.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            header.push(TCP_OVER_IPV4);
            header.extend_from_slice(&12u16.to_be_bytes());
            header.extend_from_slice(&from.octets());
            header.extend_from_slice(&to.octets());
        }
        (from, to) => {
            header.push(TCP_OVER_IPV6);
            header.extend_from_slice(&36u16.to_be_bytes());
            header.extend_from_slice(&as_ipv6(from));
            header.extend_from_slice(&as_ipv6(to));
        }
    }
    header.extend_from_slice(&source.port().to_be_bytes());
    header.extend_from_slice(&destination.port().to_be_bytes());
    header
}

fn as_ipv6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_its_form() {
        let header = header(
            "192.0.2.1:1025".parse().expect("is one"),
            "[::ffff:198.51.100.2]:443".parse().expect("is one"),
        );
        assert_eq!(header.len(), 28);
        assert_eq!(&header[12..], [0x21, 0x11, 0, 12, 192, 0, 2, 1, 198, 51, 100, 2, 4, 1, 1, 0xbb]);
        let six =
            super::header("[2001:db8::1]:1".parse().expect("is one"), "[::1]:2".parse().expect("is one"));
        assert_eq!((six.len(), six[13]), (52, 0x21));
    }
}
