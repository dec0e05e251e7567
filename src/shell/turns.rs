//! A waiting line that serves client networks in turn: a network that sends much waits for itself, not in front of others.

use crate::base::network::read_client;
use std::collections::VecDeque;
use std::net::IpAddr;

/// The network of a client: the /24 of an IPv4 address, the /56 of an IPv6 address. All clients whose address is not known
/// are one network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Network(u64);

impl Network {
    /// The network of an address with a port, as the property `source.address` has it.
    pub fn of(address: &[u8]) -> Self {
        match read_client(address).map(|(ip, _)| ip) {
            Some(IpAddr::V4(ip)) => Self(4 << 56 | u64::from(ip.to_bits() >> 8)),
            // 56 of 128 bits fit.
            Some(IpAddr::V6(ip)) => Self(6 << 56 | u64::try_from(ip.to_bits() >> 72).unwrap_or_default()),
            None => Self::default(),
        }
    }
}

/// A bounded waiting line.
#[derive(Debug)]
pub struct Turns<T> {
    /// The networks that wait, the next one first. None is empty.
    networks: VecDeque<(Network, VecDeque<T>)>,
    len: usize,
    limit: usize,
}

impl<T> Turns<T> {
    /// A line with at most `limit` places.
    pub const fn new(limit: usize) -> Self {
        Self { networks: VecDeque::new(), len: 0, limit }
    }

    /// Lets `item` wait. Returns the one that has to leave, if there is no room: the last one of the network that has most,
    /// or `item` itself, if no network has more than its own.
    pub fn enter(&mut self, network: Network, item: T) -> Option<T> {
        let mut leaving = None;
        if self.len >= self.limit {
            let own = self.networks.iter().find(|(other, _)| *other == network).map_or(0, |(_, items)| items.len());
            let longest = self.networks.iter_mut().max_by_key(|(_, items)| items.len());
            let Some((_, items)) = longest.filter(|(_, items)| items.len() > own.saturating_add(1)) else {
                return Some(item);
            };
            // It has two at least, so its network stays.
            leaving = items.pop_back();
            self.len = self.len.saturating_sub(1);
        }
        self.len = self.len.saturating_add(1);
        match self.networks.iter_mut().find(|(other, _)| *other == network) {
            Some((_, items)) => items.push_back(item),
            None => self.networks.push_back((network, VecDeque::from([item]))),
        }
        leaving
    }

    /// Lets `item` wait in the place of another, however many wait. Returns the one that has to leave, as
    /// [`enter`](Self::enter) does of a full line.
    pub fn replace(&mut self, network: Network, item: T) -> Option<T> {
        let limit = std::mem::replace(&mut self.limit, self.len);
        let leaving = self.enter(network, item);
        self.limit = limit;
        leaving
    }

    /// Takes out the one whose turn it is: the first of the network that has waited longest for a turn.
    pub fn serve(&mut self) -> Option<T> {
        let (network, mut items) = self.networks.pop_front()?;
        let item = items.pop_front();
        self.len = self.len.saturating_sub(usize::from(item.is_some()));
        if !items.is_empty() {
            self.networks.push_back((network, items));
        }
        item
    }

    /// Takes out those that `is_over`, wherever they are in the line.
    pub fn take(&mut self, is_over: impl Fn(&T) -> bool) -> Vec<T> {
        let mut over = Vec::new();
        for (_, items) in &mut self.networks {
            for item in std::mem::take(items) {
                if is_over(&item) {
                    over.push(item);
                } else {
                    items.push_back(item);
                }
            }
        }
        self.networks.retain(|(_, items)| !items.is_empty());
        self.len = self.len.saturating_sub(over.len());
        over
    }

    /// Those that wait, to be looked at and changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.networks.iter_mut().flat_map(|(_, items)| items)
    }

    /// Whether a network waits.
    pub fn has(&self, network: Network) -> bool {
        self.networks.iter().any(|(other, _)| *other == network)
    }

    /// How many wait.
    pub const fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> Network {
        Network::of(address.as_bytes())
    }

    #[test]
    fn a_network_is_24_bits_of_ipv4_and_56_of_ipv6() {
        for (one, other) in [
            ("192.0.2.1:80", "192.0.2.255:9"),
            ("[::ffff:192.0.2.1]:80", "192.0.2.7:9"),
            ("[2001:db8:0:ab00::1]:80", "[2001:db8::abff:0:0:0:2]:9"),
            ("", "@/run/a.sock"),
            ("192.0.2.1:80", "192.0.2.1"),
        ] {
            assert_eq!(of(one), of(other), "{one} {other}");
        }
        for (one, other) in [
            ("192.0.2.1:80", "192.0.3.1:80"),
            ("[2001:db8:0:ab00::1]:80", "[2001:db8:0:ac00::1]:80"),
            ("192.0.2.1:80", "[::192.0.2.1]:80"),
            ("0.0.0.0:80", "[::]:80"),
            ("0.0.0.0:80", "unknown"),
        ] {
            assert_ne!(of(one), of(other), "{one} {other}");
        }
    }

    #[test]
    fn networks_are_served_in_turn_and_each_in_its_order() {
        let mut turns = Turns::new(10);
        for (network, item) in [("10.0.0.1:1", 1), ("10.0.0.2:1", 2), ("10.0.0.3:1", 3), ("10.9.0.1:1", 4)] {
            assert_eq!(turns.enter(of(network), item), None);
        }
        assert_eq!(turns.len(), 4);
        assert_eq!([turns.serve(), turns.serve(), turns.serve()], [Some(1), Some(4), Some(2)]);
        assert_eq!(turns.enter(of("10.8.0.1:1"), 5), None);
        assert_eq!([turns.serve(), turns.serve(), turns.serve()], [Some(3), Some(5), None]);
        assert_eq!(turns.len(), 0);
    }

    #[test]
    fn where_there_is_no_room_the_network_with_most_gives_way() {
        let mut turns = Turns::new(3);
        for item in 1..=3 {
            assert_eq!(turns.enter(of("10.0.0.1:1"), item), None);
        }
        assert_eq!(turns.enter(of("10.0.0.9:1"), 4), Some(4), "its own network has most");
        assert_eq!(turns.enter(of("10.9.0.1:1"), 5), Some(3));
        assert_eq!(turns.enter(of("10.9.0.1:1"), 6), Some(6), "it would have more than the other");
        assert_eq!(turns.enter(of("10.8.0.1:1"), 7), Some(2));
        assert_eq!(turns.enter(of("10.7.0.1:1"), 8), Some(8), "each has one");
        assert_eq!([turns.serve(), turns.serve(), turns.serve(), turns.serve()], [Some(1), Some(5), Some(7), None]);
        assert_eq!(Turns::new(0).enter(of("10.0.0.1:1"), 1), Some(1));
    }

    #[test]
    fn some_are_taken_out_and_the_others_keep_their_turns() {
        let mut turns = Turns::new(10);
        for (network, item) in [("10.0.0.1:1", 1), ("10.0.0.1:1", 2), ("10.9.0.1:1", 3), ("10.8.0.1:1", 4)] {
            turns.enter(of(network), item);
        }
        turns.iter_mut().filter(|item| **item == 4).for_each(|item| *item = 5);
        assert_eq!(turns.take(|item| matches!(item, 1 | 3)), [1, 3]);
        assert_eq!(turns.len(), 2);
        assert_eq!([turns.serve(), turns.serve(), turns.serve()], [Some(2), Some(5), None]);
    }
}
