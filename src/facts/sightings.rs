//! Which clients have shown a credential of late.

use crate::base::time::{Seconds, UnixSeconds};
use crate::crypto::SHA256_BYTES;
use crate::policy::Space;
use std::net::IpAddr;

/// A client shows a credential.
pub struct Sighting<'s> {
    /// What is counted together.
    pub space: Space,
    /// The credential, in parts: the same parts are the same credential.
    pub credential: &'s [&'s [u8]],
    /// What the request came with, in parts. The same parts are the same client, so that it need not be asked who that is.
    pub came_with: &'s [&'s [u8]],
    /// Who the client is.
    pub client: &'s dyn Fn() -> Client<'s>,
    /// How long a client counts.
    pub window: Seconds,
    /// How many clients are expected. One more is told of.
    pub limit: u8,
    /// Whether other workers have to know at once that the number of clients is above this.
    pub told_above: Option<u8>,
}

/// What tells a client from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client<'s> {
    /// Its network; `None` where the host tells no address.
    pub network: Option<IpAddr>,
    /// `User-Agent`, as far as it counts.
    pub agent: &'s [u8],
    /// The version of TLS, as far as it counts.
    pub tls_version: &'s [u8],
    /// The digest of its certificate, as far as that counts.
    pub certificate: Option<[u8; SHA256_BYTES]>,
}

/// How many clients have shown a credential within the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// All of them, this one included; not more than are told apart.
    pub clients: u8,
    /// The place of this one, in the order in which they came, from 1.
    pub place: u8,
    /// Whether it shows the credential for the first time, or has yet to be told of.
    pub is_new: bool,
}

/// Counts clients, over all workers.
pub trait Sightings {
    /// Counts a client; `None` where there is no room for it.
    fn see(&self, sighting: &Sighting<'_>, now: UnixSeconds) -> Option<Seen>;
}

/// Counts nothing: for decisions away from a gate, each of which stands for itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct NothingCounted;

impl Sightings for NothingCounted {
    fn see(&self, _sighting: &Sighting<'_>, _now: UnixSeconds) -> Option<Seen> {
        None
    }
}
