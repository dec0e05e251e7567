//! The secret is that of an identity of its set, and good now.

use super::principal::{Backing, Claimant, CredentialName, NEVER, Principal, ShownSecret};
use super::{Result, SignedProof, Signing, TokenRequirements, Unproven, condition, revocation, scope, signature};
use crate::base::details::Details;
use crate::base::time::{Seconds, UnixSeconds};
use crate::credential::{SentSecret, SentSignature};
use crate::crypto::sha256;
use crate::decision::{Denial, Need, NeedKind, TokenTrace, VerifiedIdentity};
use crate::facts::{Awaited, Facts, PasswordAnswer, PasswordQuestion, PeerName, Surroundings};
use crate::policy::{
    Authority, Certificates, CredentialSet, Identity, Secret, SenderConstraint, SetId, SetKind, SigningKey,
    digest_of_dns, digest_of_uri,
};
use crate::request::RequestView;
use std::cell::OnceCell;
use std::rc::Rc;

/// Proof: the request has the secret of an identity. Whether that is good, [`Identified::check`] says.
#[derive(Clone, Copy, Debug)]
struct Known<'p> {
    id: SetId,
    set: &'p CredentialSet,
    identity: &'p Identity,
    /// From when on the secret is good no longer.
    expires: Option<UnixSeconds>,
    /// What was shown of it.
    secret: ShownSecret<'p>,
}

/// Proof: the request has a secret of an identity, which is neither disabled nor past its time.
#[derive(Debug)]
pub struct Identified<'p>(Known<'p>, Option<SignedProof>);

/// Why a secret is refused, and whose it is, if it is somebody's.
#[derive(Debug)]
pub struct NotIdentified {
    /// Why.
    pub why: Unproven,
    /// Whose secret it is.
    pub trace: Option<Box<TokenTrace>>,
}

impl<'p> Identified<'p> {
    /// Finds whose secret it is. `limit` is the longest key, in bytes.
    ///
    /// # Errors
    /// [`Denial::MalformedCredential`], [`Denial::UnknownIdentity`], [`Denial::WrongSecret`]; that the identities of the set
    /// have to be fetched first, or [`Denial::IdentitiesUnavailable`] when they have been awaited; that a password has to be
    /// hashed first; only of a secret that is known
    /// [`Denial::Revoked`] where its identity is disabled, and [`Denial::CredentialExpired`].
    pub fn check(
        secret: SentSecret<'_>,
        (id, set): (SetId, &'p CredentialSet),
        (limit, signing): (usize, Signing<'_>),
        facts: &Facts<'p>,
    ) -> std::result::Result<Self, NotIdentified> {
        let found = Known::find(secret, (id, set), (limit, signing), facts);
        let (known, proof) = found.map_err(|why| NotIdentified { why, trace: None })?;
        match known.failures(facts.surroundings.now()).next() {
            None => Ok(Self(known, proof)),
            Some(denial) => Err(NotIdentified { why: denial.into(), trace: Some(Box::new(known.trace())) }),
        }
    }

    /// What is still asked of a request that is signed.
    #[must_use]
    pub fn into_proof(self) -> Option<SignedProof> {
        self.1
    }

    /// Who holds the secret.
    #[must_use]
    pub fn principal(&self) -> Principal<'p> {
        let known = self.0;
        Principal {
            claimant: known.claimant(),
            subject: Some(Rc::clone(&known.identity.subject)),
            expires_at: known.ends().min().unwrap_or(NEVER),
            sender_constraint: SenderConstraint::NOTHING,
            status: None,
            clearance: None,
            details: known.details(),
            backing: Backing::Secret { set: known.id, identity: known.identity, secret: known.secret },
        }
    }
}

/// Why an identity is refused that is not to be used.
pub(super) const fn disabled() -> Denial {
    Denial::Revoked("`disabled`")
}

/// What a set knows of the certificate of the connection: of itself, before what it knows of all with its first URI, or its
/// first DNS name. The host is asked for no name that the set does not need.
fn certificate_of<'p>(certificates: &'p Certificates, surroundings: &dyn Surroundings) -> Option<&'p Secret> {
    let named = |kind| surroundings.peer_name(kind);
    let by_uri = || named(PeerName::Uri).and_then(|uri| certificates.find(&digest_of_uri(uri)));
    let by_dns = || named(PeerName::Dns).and_then(|name| certificates.find(&digest_of_dns(name)));
    certificates
        .find(&surroundings.peer_certificate()?)
        .or_else(|| if certificates.by_uri { by_uri() } else { None })
        .or_else(|| if certificates.by_dns { by_dns() } else { None })
}

/// The set with the identities that it has now: those of the configuration, or those of its document.
fn with_identities<'p>(
    (id, set): (SetId, &'p CredentialSet),
    facts: &Facts<'p>,
) -> std::result::Result<&'p CredentialSet, Unproven> {
    if set.remote.is_none() {
        return Ok(set);
    }
    facts.identities.get(id).ok_or_else(|| match facts.awaited.of(NeedKind::Identities) {
        Awaited::No => Unproven::Await(Need::Identities(id)),
        Awaited::Yes | Awaited::InVain => Unproven::Deny(Denial::IdentitiesUnavailable),
    })
}

impl<'p> Known<'p> {
    fn find(
        secret: SentSecret<'_>,
        (id, set): (SetId, &'p CredentialSet),
        (limit, signing): (usize, Signing<'_>),
        facts: &Facts<'p>,
    ) -> std::result::Result<(Self, Option<SignedProof>), Unproven> {
        // The kind of a set finds secrets of its own kind.
        let unknown = Denial::UnknownIdentity;
        let (set, identity, expires, secret) = match secret {
            SentSecret::ApiKey(key) => {
                let key = key.checked(limit)?;
                let set = with_identities((id, set), facts)?;
                let SetKind::ApiKeys(keys) = &set.kind else { return Err(unknown.into()) };
                let found = keys.find(&sha256(key)).ok_or(unknown)?;
                (set, set.identities.get(found.identity), found.expires, ShownSecret::Digest(&found.digest))
            }
            SentSecret::Password(text) => {
                let read = text.checked()?;
                let set = with_identities((id, set), facts)?;
                let SetKind::Passwords(passwords) = &set.kind else { return Err(unknown.into()) };
                let (found, secrets) = passwords.find(read.user());
                let identity = found.and_then(|at| set.identities.get(at));
                let (user, password) = (read.user(), read.password());
                let at =
                    password_of(&PasswordQuestion { set: id, set_name: &set.name, user, password, secrets }, facts)?;
                match (identity, at) {
                    (Some(identity), None) => {
                        return Err(Denial::WrongSecret { identity: Rc::clone(&identity.id) }.into());
                    }
                    (identity, at) => {
                        let end = at.and_then(|at| secrets.ends.get(at)).copied().flatten();
                        let hash = at.and_then(|at| secrets.hashes.get(at)).ok_or(unknown)?;
                        (set, identity, end, ShownSecret::Password(hash))
                    }
                }
            }
            SentSecret::Signature(signature) => return Self::find_signer(signature, (id, set), signing, facts),
            SentSecret::Certificate => {
                let set = with_identities((id, set), facts)?;
                let SetKind::Certificates(certificates) = &set.kind else { return Err(unknown.into()) };
                let found = certificate_of(certificates, facts.surroundings).ok_or(unknown)?;
                (set, set.identities.get(found.identity), found.expires, ShownSecret::Digest(&found.digest))
            }
        };
        let identity = identity.ok_or(Denial::UnknownIdentity)?;
        Ok((Self { id, set, identity, expires, secret }, None))
    }

    /// Finds whose signature it is. An identity that is refused anyway is refused before the signature is looked at.
    fn find_signer(
        presented: SentSignature<'_>,
        (id, set): (SetId, &'p CredentialSet),
        signing: Signing<'_>,
        facts: &Facts<'p>,
    ) -> std::result::Result<(Self, Option<SignedProof>), Unproven> {
        let terms = &set.signatures().ok_or(Denial::UnknownIdentity)?.terms;
        let signed = signature::read(presented, terms, signing.request)?;
        let set = with_identities((id, set), facts)?;
        let signatures = set.signatures().ok_or(Denial::UnknownIdentity)?;
        let keys = signatures.find(signed.key_id);
        let now = facts.surroundings.now();
        signature::check_terms(&signed, terms, signing.request, now)?;
        let known = |key: &'p SigningKey| {
            let identity = set.identities.get(key.identity)?;
            Some(Self { id, set, identity, expires: key.expires, secret: ShownSecret::Key(key) })
        };
        let refused = keys.first().and_then(|(_, key)| known(key)).and_then(|signer| {
            let by_itself = Self { expires: None, ..signer }.failures(now).next();
            by_itself.or_else(|| revocation::judge(&signer.claimant(), None, facts.revocations).err())
        });
        let keys = (keys, signatures.of_no_one());
        let (key, proof) = signature::verify(&signed, terms, keys, refused, (&set.name, signing), facts)?;
        Ok((known(key).ok_or(Denial::UnknownIdentity)?, Some(proof)))
    }

    /// From when on it is good no longer.
    fn ends(self) -> impl Iterator<Item = UnixSeconds> {
        [self.identity.expires, self.expires].into_iter().flatten()
    }

    fn failures(self, now: UnixSeconds) -> impl Iterator<Item = Denial> {
        let disabled = self.identity.disabled.then(disabled);
        let over = self.ends().min().filter(|end| now >= *end);
        disabled.into_iter().chain(over.map(|expired_at| Denial::CredentialExpired { expired_at, now }))
    }

    fn claimant(self) -> Claimant<'p> {
        Claimant {
            authority: Authority::Set(self.id),
            authority_name: &self.set.name,
            name: CredentialName::Identity(self.identity),
            key_id: self.key_id(),
            claims: &self.identity.claims,
            scope_claims: &self.set.scope_claims,
            implies: None,
            leeway: Seconds(0),
        }
    }

    /// The id of the key that has signed.
    fn key_id(self) -> Option<&'p str> {
        match self.secret {
            ShownSecret::Key(key) => Some(&key.key_id),
            ShownSecret::Digest(_) | ShownSecret::Password(_) => None,
        }
    }

    fn trace(self) -> TokenTrace {
        let verified = VerifiedIdentity {
            authority: Authority::Set(self.id),
            subject: Some(Rc::clone(&self.identity.subject)),
            identity: Some(Rc::clone(&self.identity.id)),
            expires_at: self.ends().min(),
            details: self.details(),
        };
        TokenTrace { fingerprint: None, verified: Some(verified), mismatch: None, remembered: None }
    }

    fn details(self) -> Rc<Details> {
        let details = || Rc::new(self.claimant().details(None));
        // Those of a signer name its key, which changes.
        if self.key_id().is_some() {
            return details();
        }
        Rc::clone(self.identity.details.get_or_init(details))
    }
}

/// At which place of its hashes a password is. An unknown user takes as long as one with a wrong password.
fn password_of(question: &PasswordQuestion<'_>, facts: &Facts<'_>) -> std::result::Result<Option<usize>, Unproven> {
    match facts.passwords.judge(question, facts.surroundings.now()) {
        PasswordAnswer::Matches(at) => Ok(Some(at)),
        PasswordAnswer::MatchesNone => Ok(None),
        PasswordAnswer::NotYet(job) => Err(match facts.awaited.of(NeedKind::Password) {
            Awaited::No => Unproven::Await(Need::Password(job)),
            Awaited::Yes | Awaited::InVain => Unproven::Deny(Denial::TooBusy),
        }),
    }
}

/// What a secret fails: what is wrong with it, and what its identity does not grant of what `granting` asks. Of a password
/// that has not been hashed nothing is known.
#[must_use]
pub fn secret_failures(
    secret: SentSecret<'_>,
    (id, set): (SetId, &CredentialSet),
    (limit, signing): (usize, Signing<'_>),
    granting: &TokenRequirements<'_>,
    facts: &Facts<'_>,
) -> (Vec<Denial>, Vec<Denial>) {
    let known = match Known::find(secret, (id, set), (limit, signing), facts) {
        Ok((known, _)) => known,
        Err(Unproven::Deny(denial)) => return (vec![denial], Vec::new()),
        Err(Unproven::Await(_)) => return (Vec::new(), Vec::new()),
    };
    let claimant = known.claimant();
    let mut failed: Vec<Denial> = known.failures(facts.surroundings.now()).collect();
    failed.extend(revocation::judge(&claimant, None, facts.revocations).err());
    (failed, judged(&claimant, granting, signing.request).collect())
}

fn judged(
    claimant: &Claimant<'_>,
    asks: &TokenRequirements<'_>,
    request: &RequestView<'_>,
) -> impl Iterator<Item = Denial> {
    let by_scope: Result<()> = scope::judge(claimant, &OnceCell::new(), asks);
    by_scope.err().into_iter().chain(condition::judge(claimant.claims, asks, request).err())
}
