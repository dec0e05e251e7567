//! What the core is told beside the request: the time, the keys, who checks signatures, what the route asks.

mod identities;
mod introspections;
mod memory;
mod passwords;
mod replay;
mod sightings;
mod statuses;
mod withdrawals;

pub use crate::policy::Pool;
pub use identities::FetchedIdentities;
pub use introspections::{Introspected, Introspections, NothingIntrospected};
pub use memory::{NoMemory, TokenMemory, TokenName, VerifiedToken, Voucher};
pub use passwords::{HashesAtOnce, PasswordAnswer, PasswordJudge, PasswordQuestion};
pub use replay::{Claim, Claimed, NothingUsed, ReplayStore};
pub use sightings::{Client, NothingCounted, Seen, Sighting, Sightings};
pub use statuses::{StatusLists, StatusPlace};
pub use withdrawals::Withdrawals;

use crate::base::time::UnixSeconds;
use crate::crypto::{SHA256_BYTES, Verifier};
use crate::decision::NeedKind;
use crate::jose::KeySet;
use crate::policy::{IssuerId, Requirement};
use crate::revocation::Revocations;
use std::rc::Rc;

/// The facts of one decision. The core asks for nothing: the caller puts everything here.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// What is around the request, asked for where it is needed.
    pub surroundings: &'a dyn Surroundings,
    /// The keys that are there.
    pub keys: &'a KeyRing,
    /// Who checks signatures.
    pub verifier: &'a dyn Verifier,
    /// What has been verified before.
    pub memory: &'a dyn TokenMemory,
    /// What issuers have said of opaque tokens.
    pub introspections: &'a dyn Introspections,
    /// The identities that are fetched.
    pub identities: &'a FetchedIdentities,
    /// Which passwords are right.
    pub passwords: &'a dyn PasswordJudge,
    /// What has been revoked.
    pub revocations: &'a Revocations,
    /// What has been used that is good once.
    pub replay: &'a dyn ReplayStore,
    /// Which clients have shown a credential.
    pub sightings: &'a dyn Sightings,
    /// The status lists that are there; `None` away from a gate, where what they say is not judged.
    pub statuses: Option<&'a StatusLists>,
    /// What route and virtual host metadata ask.
    pub metadata: MetadataRequirement<'a>,
    /// The body of the request, where it is read.
    pub body: Body<'a>,
    /// What has been awaited for this request: it is not awaited again.
    pub awaited: AwaitedNeeds,
    /// Whether a record or a log line can show what a refused token has where something else was wanted. If not, the
    /// decision does not keep it.
    pub shows_mismatch: bool,
    /// Whether records say which scopes are needed, whatever is decided. If not, the decision does not say so.
    pub shows_needs: bool,
}

impl<'a> Facts<'a> {
    /// The facts of a decision away from a gate: nothing is remembered, nothing has been used, no metadata asks anything,
    /// nothing has been awaited, and every refusal is explained.
    #[must_use]
    pub fn offline(
        surroundings: &'a dyn Surroundings,
        keys: &'a KeyRing,
        verifier: &'a dyn Verifier,
        revocations: &'a Revocations,
    ) -> Self {
        Self {
            surroundings,
            keys,
            verifier,
            memory: &NoMemory,
            introspections: &NothingIntrospected,
            identities: FetchedIdentities::NONE,
            passwords: &HashesAtOnce,
            revocations,
            replay: &NothingUsed,
            sightings: &NothingCounted,
            statuses: None,
            metadata: MetadataRequirement::None,
            body: Body::Awaited,
            awaited: AwaitedNeeds::default(),
            shows_mismatch: true,
            shows_needs: false,
        }
    }
}

/// The body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// It has not been read.
    Awaited,
    /// This is all of it.
    Whole(&'a [u8]),
    /// This is all of it, and trailers follow.
    WithTrailers(&'a [u8]),
    /// It is longer than what is read.
    TooLarge,
}

/// What is around a request. Each answer may cost a call of the host, so a decision asks only where it needs one, and
/// gets one answer however often it asks.
pub trait Surroundings {
    /// The time.
    fn now(&self) -> UnixSeconds;

    /// The SHA-256 digest of the certificate that the client showed in the TLS handshake of this connection; `None`
    /// without one.
    fn peer_certificate(&self) -> Option<[u8; SHA256_BYTES]>;

    /// The first name of this kind among the subject alternative names of that certificate.
    fn peer_name(&self, kind: PeerName) -> Option<&[u8]>;

    /// The address of the client, with its port, as Envoy writes it: which one that is behind other proxies, Envoy's
    /// configuration says.
    fn source_address(&self) -> Option<&[u8]>;

    /// The version of TLS of this connection, as Envoy writes it; `None` without TLS.
    fn tls_version(&self) -> Option<&[u8]>;
}

/// A kind of subject alternative name (RFC 5280 section 4.2.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerName {
    /// A URI, such as a SPIFFE ID.
    Uri,
    /// A DNS name.
    Dns,
}

/// Surroundings with a fixed time, and nothing known of the connection.
impl Surroundings for UnixSeconds {
    fn now(&self) -> UnixSeconds {
        *self
    }

    fn peer_certificate(&self) -> Option<[u8; SHA256_BYTES]> {
        None
    }

    fn peer_name(&self, _: PeerName) -> Option<&[u8]> {
        None
    }

    fn source_address(&self) -> Option<&[u8]> {
        None
    }

    fn tls_version(&self) -> Option<&[u8]> {
        None
    }
}

/// Surroundings that are known before anyone asks.
#[derive(Clone, Debug)]
pub struct KnownSurroundings {
    /// The time.
    pub now: UnixSeconds,
    /// The digest of the client's certificate.
    pub peer_certificate: Option<[u8; SHA256_BYTES]>,
    /// The first URI among the subject alternative names of that certificate.
    pub peer_uri: Option<Rc<str>>,
    /// The first DNS name among them.
    pub peer_dns: Option<Rc<str>>,
    /// The address of the client.
    pub source_address: Option<Rc<str>>,
}

impl Surroundings for KnownSurroundings {
    fn now(&self) -> UnixSeconds {
        self.now
    }

    fn peer_certificate(&self) -> Option<[u8; SHA256_BYTES]> {
        self.peer_certificate
    }

    fn peer_name(&self, kind: PeerName) -> Option<&[u8]> {
        let name = match kind {
            PeerName::Uri => &self.peer_uri,
            PeerName::Dns => &self.peer_dns,
        };
        name.as_deref().map(str::as_bytes)
    }

    fn source_address(&self) -> Option<&[u8]> {
        self.source_address.as_deref().map(str::as_bytes)
    }

    fn tls_version(&self) -> Option<&[u8]> {
        None
    }
}

/// Whether something has been awaited for a request, and with what success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Awaited {
    /// Not yet.
    #[default]
    No,
    /// It has, or there is no point in it.
    Yes,
    /// It has, and what was fetched for it did not come.
    InVain,
}

/// What has been awaited for a request, by kind of need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AwaitedNeeds([Awaited; NeedKind::COUNT]);

impl AwaitedNeeds {
    /// Where each kind of need has been awaited with this success.
    #[must_use]
    pub const fn all(awaited: Awaited) -> Self {
        Self([awaited; NeedKind::COUNT])
    }

    /// These, but for one kind.
    #[must_use]
    pub fn with(mut self, kind: NeedKind, awaited: Awaited) -> Self {
        if let Some(place) = self.0.get_mut(kind.index()) {
            *place = awaited;
        }
        self
    }

    /// Whether this kind of need has been awaited.
    #[must_use]
    pub fn of(&self, kind: NeedKind) -> Awaited {
        self.0.get(kind.index()).copied().unwrap_or(Awaited::InVain)
    }
}

/// What route and virtual host metadata ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetadataRequirement<'a> {
    /// Nothing.
    None,
    /// This requirement.
    Given(MetadataSource, &'a Requirement),
    /// Something, but it cannot be read. It never means anything weaker than a refusal.
    Unreadable(MetadataSource),
}

/// Whose metadata it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataSource {
    /// That of the route.
    Route,
    /// That of its virtual host.
    VirtualHost,
}

/// The keys of each issuer, as far as they are there.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    places: Vec<IssuerKeys>,
    changes: u64,
}

#[derive(Clone, Debug, Default)]
struct IssuerKeys {
    keys: Option<Rc<KeySet>>,
    generation: Generation,
}

/// Which of the sets of keys that an issuer has had is meant. What was verified by one of them is not thereby verified
/// by another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generation(u64);

impl KeyRing {
    /// The keys of `issuer`, unless they have never been there or have become too old to use.
    #[must_use]
    pub fn get(&self, issuer: IssuerId) -> Option<&KeySet> {
        self.places.get(issuer.0)?.keys.as_deref()
    }

    /// As [`KeyRing::get`], to be kept.
    #[must_use]
    pub fn shared(&self, issuer: IssuerId) -> Option<Rc<KeySet>> {
        self.places.get(issuer.0)?.keys.clone()
    }

    /// Which set of keys `issuer` has now; `None` when it has none.
    #[must_use]
    pub fn generation(&self, issuer: IssuerId) -> Option<Generation> {
        let place = self.places.get(issuer.0)?;
        place.keys.as_ref().map(|_| place.generation)
    }

    /// How often keys have been put in or taken away.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// Puts the keys of `issuer` in, or takes them away. Either way a new generation begins, so a caller that fetched
    /// the same document again must leave the set in place.
    pub fn set(&mut self, issuer: IssuerId, keys: Option<Rc<KeySet>>) {
        if self.places.len() <= issuer.0 {
            self.places.resize_with(issuer.0.saturating_add(1), IssuerKeys::default);
        }
        self.changes = self.changes.saturating_add(1);
        if let Some(place) = self.places.get_mut(issuer.0) {
            *place = IssuerKeys { keys, generation: Generation(self.changes) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_keys_begins_a_generation_that_has_never_been() {
        let (mut ring, issuer) = (KeyRing::default(), IssuerId(1));
        assert_eq!(ring.generation(issuer), None);
        let mut seen = Vec::new();
        for keys in [Some(KeySet::default()), Some(KeySet::default()), None, Some(KeySet::default())] {
            ring.set(issuer, keys.map(Rc::new));
            ring.set(IssuerId(0), Some(Rc::default()));
            let generation = ring.generation(issuer);
            assert_eq!(generation.is_some(), ring.get(issuer).is_some());
            assert!(generation.is_none() || !seen.contains(&generation));
            seen.push(generation);
        }
    }
}
