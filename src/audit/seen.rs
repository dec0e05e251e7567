//! What the host knows of a recorded request, and the decision does not.

use crate::base::network::read_client;
use crate::base::text::{hex_digit, shown};
use std::net::IpAddr;

/// What is known of a request beside the decision on it. Its texts are safe to print.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    now_ms: Option<u64>,
    status: Option<u16>,
    method: Option<String>,
    route: Option<String>,
    virtual_host: Option<String>,
    id: Option<String>,
    client_network: Option<String>,
}

impl Seen {
    /// With the time at which it was decided, in milliseconds since 1970.
    #[must_use]
    pub fn at(self, now_ms: Option<u64>) -> Self {
        Self { now_ms, ..self }
    }

    /// With the HTTP status of the answer; in report-only the one that it would have had.
    #[must_use]
    pub fn answered(self, status: Option<u16>) -> Self {
        Self { status, ..self }
    }

    /// With its method.
    #[must_use]
    pub fn with_method(self, method: &[u8]) -> Self {
        Self { method: Some(shown(method)), ..self }
    }

    /// With the names of its route and virtual host, as far as they have some.
    #[must_use]
    pub fn with_places(self, route: Option<&[u8]>, virtual_host: Option<&[u8]>) -> Self {
        let name = |name: Option<&[u8]>| name.filter(|name| !name.is_empty()).map(shown);
        Self { route: name(route), virtual_host: name(virtual_host), ..self }
    }

    /// With its `x-request-id`.
    #[must_use]
    pub fn with_id(self, id: Option<&[u8]>) -> Self {
        Self { id: id.map(shown), ..self }
    }

    /// With the network of its client, whose address this is, with a port. The address itself is not kept.
    #[must_use]
    pub fn with_client(self, address: &[u8]) -> Self {
        Self { client_network: network(address), ..self }
    }

    pub(super) const fn now_ms(&self) -> Option<u64> {
        self.now_ms
    }

    pub(super) const fn status(&self) -> Option<u16> {
        self.status
    }

    pub(super) fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    pub(super) fn route(&self) -> Option<&str> {
        self.route.as_deref()
    }

    pub(super) fn virtual_host(&self) -> Option<&str> {
        self.virtual_host.as_deref()
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(super) fn client_network(&self) -> Option<&str> {
        self.client_network.as_deref()
    }
}

/// The network of an address with a port: 24 bits of an IPv4 address, also of one that an IPv6 socket has, and 56 bits of
/// an IPv6 address.
fn network(address: &[u8]) -> Option<String> {
    let (address, _) = read_client(address)?;
    Some(match address {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            let [a, b, c] = [a, b, c].map(|octet| octet.to_string());
            [&a, ".", &b, ".", &c, ".0/24"].concat()
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            let mut groups = vec![a, b, c, d & 0xff00];
            while groups.last() == Some(&0) {
                groups.pop();
            }
            let groups: Vec<String> = groups.into_iter().map(hexadecimal).collect();
            groups.join(":") + "::/56"
        }
    })
}

/// A group of an IPv6 address, without leading zeros (RFC 5952 section 4.1).
fn hexadecimal(group: u16) -> String {
    let digits = group.to_be_bytes().into_iter().flat_map(|byte| [hex_digit(byte >> 4), hex_digit(byte)]);
    let digits: String = digits.collect::<String>().to_ascii_lowercase();
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() { "0".to_owned() } else { significant.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_shown_as_its_network_alone() {
        for (address, wanted) in [
            ("203.0.113.77:4711", Some("203.0.113.0/24")),
            ("[::ffff:203.0.113.77]:4711", Some("203.0.113.0/24")),
            ("[2001:db8:1:2ff:3:4:5:6]:443", Some("2001:db8:1:200::/56")),
            ("[2001:0:1:ff::1]:443", Some("2001:0:1::/56")),
            ("[fe80::1]:443", Some("fe80::/56")),
            ("[::1]:443", Some("::/56")),
            ("/run/gate.sock", None),
            ("203.0.113.77", Some("203.0.113.0/24")),
        ] {
            let seen = Seen::default().with_client(address.as_bytes());
            assert_eq!(seen.client_network(), wanted, "{address}");
        }
        assert_eq!(Seen::default().with_client(b"\xff").client_network(), None);
    }
}
