//! Identities, read one after the other, and what proves each: those of the configuration in one go, those of a document
//! that is fetched in steps.

use super::passwords::{self, Line};
use super::secrets::{self, Digests};
use super::signing_keys::{self, Signer};
use super::{Proof, Terms, certificates, identity, identity_of};
use crate::base::json::Map;
use crate::config::cursor::{Cursor, Object};
use crate::config::tree::Tree;
use crate::crypto::{SHA256_BYTES, sha256};
use crate::policy::{
    ApiKeys, Certificates, HolderKind, Identity, Passwords, Secret, SetKind, Signatures, SigningKey, WrittenSecrets,
    in_order,
};
use std::rc::Rc;

/// Identities of one kind.
#[derive(Debug)]
pub(crate) struct Holders {
    kind: HolderKind,
    /// The digests of their ids. One that cannot be read is told from all others by its place.
    ids: Vec<[u8; SHA256_BYTES]>,
    identities: Vec<Identity>,
    /// Their keys, or their certificates.
    secrets: Vec<Secret>,
    by_uri: bool,
    by_dns: bool,
    /// Whether signers may have public keys.
    takes_public: bool,
    signing: Vec<SigningKey>,
    passwords: Vec<(Rc<String>, WrittenSecrets)>,
}

impl Holders {
    /// None yet.
    pub(crate) const fn new(kind: HolderKind, takes_public: bool) -> Self {
        Self {
            kind,
            ids: Vec::new(),
            identities: Vec::new(),
            secrets: Vec::new(),
            by_uri: false,
            by_dns: false,
            takes_public,
            signing: Vec::new(),
            passwords: Vec::new(),
        }
    }

    /// What proves them.
    pub(super) const fn kind(&self) -> HolderKind {
        self.kind
    }

    /// Reads the next one. `lines` are those of htpasswd.
    pub(crate) fn add<'n>(
        &mut self,
        item: &Cursor<'n>,
        terms: Terms<'_>,
        lines: &[Line],
        digests: &mut Digests<'n>,
    ) -> Option<()> {
        let identity = identity(item, terms);
        self.ids.push(match &identity {
            Some(identity) => sha256(identity.id.as_bytes()),
            None => sha256(&self.ids.len().to_be_bytes()),
        });
        let identity = identity?;
        let place = self.identities.len();
        let read = match self.kind {
            HolderKind::Keys => secrets::read(item, place, terms.environment, digests).map(|keys| {
                self.secrets.extend(keys);
            }),
            HolderKind::Users => passwords::of_identity(&identity, item, lines, terms, digests).map(|hashes| {
                self.passwords.push((Rc::clone(&identity.id), hashes));
            }),
            HolderKind::Certificates => certificates::read(item, place, digests).map(|found| {
                self.secrets.extend(found.secrets);
                self.by_uri |= found.by_uri;
                self.by_dns |= found.by_dns;
            }),
            HolderKind::Signers => self.add_signer(&identity, item, terms, digests),
        };
        self.identities.push(identity);
        read
    }

    /// Reads the keys of a signer. A key id names one identity.
    fn add_signer<'n>(
        &mut self,
        identity: &Identity,
        item: &Cursor<'n>,
        terms: Terms<'_>,
        digests: &mut Digests<'n>,
    ) -> Option<()> {
        let place = self.identities.len();
        let signer = Signer { id: &identity.id, place, takes_public: self.takes_public };
        let keys = signing_keys::read(item, signer, terms.environment, digests)?;
        let is_taken = |key: &SigningKey| self.signing.iter().any(|other| other.key_id == key.key_id);
        if let Some(key) = keys.iter().find(|key| is_taken(key)) {
            return item.wrong(
                format!("has the key id {}, which is that of another identity", key.key_id),
                "give each identity key ids of its own",
            );
        }
        self.signing.extend(keys);
        Some(())
    }

    /// Adds the user of a line, whose scopes are those of the set.
    pub(super) fn add_line(&mut self, at: &Cursor<'_>, line: Line, terms: Terms<'_>) -> Option<()> {
        let claims = super::claims(at, &line.user, terms.scopes.unwrap_or_default(), Map::new())?;
        let subject = line.user.clone();
        let identity = identity_of(line.user, &subject, claims);
        self.passwords.push((Rc::clone(&identity.id), vec![(line.hash, None)]));
        self.identities.push(identity);
        Some(())
    }

    /// Whether there is one of this name.
    pub(super) fn has(&self, id: &str) -> bool {
        self.identities.iter().any(|identity| identity.id.as_str() == id)
    }

    /// The places of those that have the id of one before them.
    pub(crate) fn repeated(&self) -> Vec<usize> {
        let mut places = Vec::new();
        for pair in in_order(self.ids.iter().copied()).windows(2) {
            if let [(id, _), (again, place)] = pair
                && id == again
            {
                places.push(*place);
            }
        }
        places
    }

    /// The identities, and what proves them.
    pub(crate) fn finish(self, proof: Proof) -> (Vec<Identity>, SetKind) {
        let kind = match (self.kind, proof) {
            (_, Proof::Signatures(terms)) => SetKind::Signatures(Signatures::new(terms, self.signing)),
            (HolderKind::Users, Proof::Keys(_)) => SetKind::Passwords(Passwords::new(self.passwords)),
            (HolderKind::Certificates, Proof::Keys(_)) => {
                SetKind::Certificates(Certificates::new(&self.secrets, self.by_uri, self.by_dns))
            }
            (HolderKind::Keys | HolderKind::Signers, Proof::Keys(places)) => {
                SetKind::ApiKeys(ApiKeys::new(places, &self.secrets))
            }
        };
        (self.identities, kind)
    }
}

/// The identities that a set lists. `remedy` says what to list.
pub(super) fn listed<'n>(
    object: &Object<'n>,
    holders: &mut Holders,
    (terms, lines, remedy): (Terms<'_>, &[Line], &str),
    digests: &mut Digests<'n>,
) -> Option<()> {
    let list = object.need("identities", remedy)?;
    if !matches!(list.value(), Tree::List(_)) {
        let what = format!("is {}", list.value().kind());
        return list.wrong(what, "write a list, or an object with the `uri` and the `cluster` of a document");
    }
    let items = list.list()?;
    if items.is_empty() {
        return list.wrong("is an empty list", "name at least one identity");
    }
    let mut is_whole = true;
    for item in &items {
        is_whole &= holders.add(item, terms, lines, digests).is_some();
    }
    for place in holders.repeated() {
        if let Some(item) = items.get(place) {
            item.wrong::<()>("has the same `id` as an identity before it", "give it an id of its own");
        }
    }
    is_whole.then_some(())
}
