//! What the host knows of a request beside its headers, asked for when it is wanted, and once: a call of the host is a good
//! part of what it costs to refuse a request that has no token.

use super::super::host::{Host, seconds};
use crate::base::text::from_hex;
use crate::base::time::UnixSeconds;
use crate::crypto::SHA256_BYTES;
use crate::facts::{PeerName, Surroundings};
use std::cell::{Cell, OnceCell};

/// The surroundings of the request of the effective context.
pub(super) struct HostSurroundings<'h, H> {
    host: &'h H,
    /// Where the time is left that was read, in nanoseconds.
    read_clock: &'h Cell<Option<u64>>,
    now: OnceCell<UnixSeconds>,
    peer_certificate: OnceCell<Option<[u8; SHA256_BYTES]>>,
    peer_uri: OnceCell<Option<Vec<u8>>>,
    peer_dns: OnceCell<Option<Vec<u8>>>,
    source_address: OnceCell<Option<Vec<u8>>>,
    tls_version: OnceCell<Option<Vec<u8>>>,
}

impl<'h, H: Host> HostSurroundings<'h, H> {
    pub(super) const fn new(host: &'h H, read_clock: &'h Cell<Option<u64>>) -> Self {
        Self {
            host,
            read_clock,
            now: OnceCell::new(),
            peer_certificate: OnceCell::new(),
            peer_uri: OnceCell::new(),
            peer_dns: OnceCell::new(),
            source_address: OnceCell::new(),
            tls_version: OnceCell::new(),
        }
    }
}

impl<H: Host> Surroundings for HostSurroundings<'_, H> {
    fn now(&self) -> UnixSeconds {
        *self.now.get_or_init(|| {
            let now = self.host.now_ns();
            self.read_clock.set(Some(now));
            seconds(now)
        })
    }

    /// What the host does not tell counts as no certificate, with which no bound token passes.
    fn peer_certificate(&self) -> Option<[u8; SHA256_BYTES]> {
        *self.peer_certificate.get_or_init(|| {
            let digest = self.host.property(&["connection", "sha256_peer_certificate_digest"]).ok().flatten()?;
            from_hex(&digest)?.try_into().ok()
        })
    }

    /// What the host does not tell counts as no name.
    fn peer_name(&self, kind: PeerName) -> Option<&[u8]> {
        let (known, property) = match kind {
            PeerName::Uri => (&self.peer_uri, "uri_san_peer_certificate"),
            PeerName::Dns => (&self.peer_dns, "dns_san_peer_certificate"),
        };
        let ask = || self.host.property(&["connection", property]).ok().flatten();
        known.get_or_init(ask).as_deref().filter(|name| !name.is_empty())
    }

    fn source_address(&self) -> Option<&[u8]> {
        self.source_address.get_or_init(|| self.host.property(&["source", "address"]).ok().flatten()).as_deref()
    }

    fn tls_version(&self) -> Option<&[u8]> {
        self.tls_version.get_or_init(|| self.host.property(&["connection", "tls_version"]).ok().flatten()).as_deref()
    }
}
