//! Addresses of the Internet, and blocks of them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The address of a client, and the port of its connection; 0 where a proxy has told the address alone.
///
/// Both `192.0.2.1:5000` and `[2001:db8::1]:5000` are read, and an address without a port. An IPv4 address that is mapped
/// into IPv6 (`::ffff:192.0.2.1`) is the IPv4 address. `None` for anything else, such as the path of a socket.
#[must_use]
pub fn read_client(text: &[u8]) -> Option<(IpAddr, u16)> {
    let text = std::str::from_utf8(text).ok()?;
    let with_port = text.parse::<SocketAddr>().ok().map(|address| (address.ip(), address.port()));
    let (address, port) = with_port.or_else(|| Some((text.parse().ok()?, 0)))?;
    Some((address.to_canonical(), port))
}

/// The first `prefix` bits of an address; the others are zero.
#[must_use]
pub fn network_of(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix.into())).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

/// A block of addresses in CIDR notation ([RFC 4632](https://www.rfc-editor.org/rfc/rfc4632)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    first: IpAddr,
    prefix: u8,
}

impl Block {
    /// Reads `192.0.2.0/24` or `2001:db8::/32`, or one address.
    ///
    /// # Errors
    /// A sentence's end that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let first: IpAddr = address.parse().map_err(|_| "is not a block of addresses")?;
        // Clients with such an address are known by their IPv4 address.
        if first.to_canonical() != first {
            return Err("is a block of IPv4 addresses in the form of IPv6");
        }
        let bits = bits_of(first);
        let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with("00");
        let prefix = match prefix {
            None => bits,
            Some(text) => Some(text).filter(digits).and_then(|text| text.parse().ok()).unwrap_or(u8::MAX),
        };
        if prefix > bits {
            return Err("has a length of prefix that no such address has");
        }
        if network_of(first, prefix) != first {
            return Err("has an address with bits after its prefix");
        }
        Ok(Self { first, prefix })
    }

    /// Whether an address is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && network_of(address, self.prefix) == self.first
    }
}

const fn bits_of(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn clients_are_read_as_envoy_writes_them() {
        for (text, wanted) in [
            ("192.0.2.1:5000", Some(("192.0.2.1", 5000))),
            ("192.0.2.1:0", Some(("192.0.2.1", 0))),
            ("192.0.2.1", Some(("192.0.2.1", 0))),
            ("[2001:db8::1]:5000", Some(("2001:db8::1", 5000))),
            ("2001:db8::1", Some(("2001:db8::1", 0))),
            ("[::ffff:192.0.2.1]:5000", Some(("192.0.2.1", 5000))),
            ("", None),
            ("/run/envoy.sock", None),
            ("192.0.2.1:70000", None),
            ("192.0.2:1", None),
        ] {
            assert_eq!(read_client(text.as_bytes()), wanted.map(|(address, port)| (ip(address), port)), "{text}");
        }
        assert_eq!(read_client(&[0xff]), None);
    }

    #[test]
    fn a_network_is_the_beginning_of_an_address() {
        for (address, prefix, wanted) in [
            ("192.0.2.77", 24, "192.0.2.0"),
            ("192.0.2.77", 32, "192.0.2.77"),
            ("192.0.2.77", 0, "0.0.0.0"),
            ("192.0.2.77", 25, "192.0.2.0"),
            ("192.0.2.200", 25, "192.0.2.128"),
            ("2001:db8:1:2ff:3::4", 56, "2001:db8:1:200::"),
            ("2001:db8::4", 128, "2001:db8::4"),
            ("2001:db8::4", 0, "::"),
        ] {
            assert_eq!(network_of(ip(address), prefix), ip(wanted), "{address}/{prefix}");
        }
    }

    #[test]
    fn a_block_has_the_addresses_with_its_prefix() {
        for (block, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("0.0.0.0/0", "255.255.255.255", "::"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::/0", "::1", "0.0.0.0"),
        ] {
            let read = Block::parse(block).unwrap();
            assert!(read.contains(ip(inside)) && !read.contains(ip(outside)), "{block}");
        }
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/008",
            "::/129",
            "10/8",
            "a/8",
            "::ffff:10.0.0.0/104",
        ] {
            assert!(Block::parse(wrong).is_err(), "{wrong}");
        }
    }
}
