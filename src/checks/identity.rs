//! The secret is that of an identity of its set, and good now.

use super::principal::{Claimant, CredentialName, Principal};
use super::{Result, TokenRequirements, condition, revocation, scope};
use crate::base::time::{Seconds, UnixSeconds};
use crate::credential::SentSecret;
use crate::crypto::sha256;
use crate::decision::{Denial, TokenTrace, VerifiedIdentity};
use crate::facts::Facts;
use crate::policy::{Authority, CredentialSet, Identity, SenderConstraint, SetId, SetKind};
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
}

/// Proof: the request has a secret of an identity, which is neither disabled nor past its time.
#[derive(Clone, Copy, Debug)]
pub struct Identified<'p>(Known<'p>);

/// Why a secret is refused, and whose it is, if it is somebody's.
#[derive(Debug)]
pub struct NotIdentified {
    /// Why.
    pub denial: Denial,
    /// Whose secret it is.
    pub trace: Option<TokenTrace>,
}

impl<'p> Identified<'p> {
    /// Finds whose secret it is. `limit` is the longest key, in bytes.
    ///
    /// # Errors
    /// [`Denial::MalformedCredential`], [`Denial::UnknownIdentity`]; only of a secret that is known
    /// [`Denial::Revoked`] where its identity is disabled, and [`Denial::CredentialExpired`].
    pub fn check(
        secret: SentSecret<'_>,
        (id, set): (SetId, &'p CredentialSet),
        limit: usize,
        now: UnixSeconds,
    ) -> std::result::Result<Self, NotIdentified> {
        let known = Known::find(secret, (id, set), limit).map_err(|denial| NotIdentified { denial, trace: None })?;
        match known.failures(now).next() {
            None => Ok(Self(known)),
            Some(denial) => Err(NotIdentified { denial, trace: Some(known.trace()) }),
        }
    }

    /// Who holds the secret.
    #[must_use]
    pub fn principal(&self) -> Principal<'p> {
        let known = self.0;
        Principal {
            claimant: known.claimant(),
            subject: Some(Rc::clone(&known.identity.subject)),
            expires_at: known.ends().min().unwrap_or(UnixSeconds(i64::MAX)),
            sender_constraint: SenderConstraint::NOTHING,
            status: None,
            clearance: None,
        }
    }
}

impl<'p> Known<'p> {
    fn find(secret: SentSecret<'_>, (id, set): (SetId, &'p CredentialSet), limit: usize) -> Result<Self> {
        let (SentSecret::ApiKey(key), SetKind::ApiKeys(keys)) = (secret, &set.kind) else {
            return Err(Denial::UnknownIdentity);
        };
        let found = keys.find(&sha256(key.checked(limit)?)).ok_or(Denial::UnknownIdentity)?;
        let identity = set.identities.get(found.identity).ok_or(Denial::UnknownIdentity)?;
        Ok(Self { id, set, identity, expires: found.expires })
    }

    /// From when on it is good no longer.
    fn ends(self) -> impl Iterator<Item = UnixSeconds> {
        [self.identity.expires, self.expires].into_iter().flatten()
    }

    fn failures(self, now: UnixSeconds) -> impl Iterator<Item = Denial> {
        let disabled = self.identity.disabled.then_some(Denial::Revoked("`disabled`"));
        let over = self.ends().min().filter(|end| now >= *end);
        disabled.into_iter().chain(over.map(|expired_at| Denial::CredentialExpired { expired_at, now }))
    }

    fn claimant(self) -> Claimant<'p> {
        Claimant {
            authority: Authority::Set(self.id),
            authority_name: &self.set.name,
            name: CredentialName::Identity(self.identity),
            key_id: None,
            claims: &self.identity.claims,
            scope_claims: &self.set.scope_claims,
            leeway: Seconds(0),
        }
    }

    fn trace(self) -> TokenTrace {
        let verified = VerifiedIdentity {
            authority: Authority::Set(self.id),
            subject: Some(Rc::clone(&self.identity.subject)),
            identity: Some(Rc::clone(&self.identity.id)),
        };
        TokenTrace { fingerprint: None, verified: Some(verified), mismatch: None }
    }
}

/// What a secret fails: what is wrong with it, and what its identity does not grant of what `granting` asks.
#[must_use]
pub fn secret_failures(
    secret: SentSecret<'_>,
    (id, set): (SetId, &CredentialSet),
    limit: usize,
    granting: &TokenRequirements<'_>,
    request: &RequestView<'_>,
    facts: &Facts<'_>,
) -> (Vec<Denial>, Vec<Denial>) {
    let known = match Known::find(secret, (id, set), limit) {
        Ok(known) => known,
        Err(denial) => return (vec![denial], Vec::new()),
    };
    let claimant = known.claimant();
    let mut failed: Vec<Denial> = known.failures(facts.surroundings.now()).collect();
    failed.extend(revocation::judge(&claimant, None, facts.revocations).err());
    (failed, judged(&claimant, granting, request).collect())
}

fn judged(
    claimant: &Claimant<'_>,
    asks: &TokenRequirements<'_>,
    request: &RequestView<'_>,
) -> impl Iterator<Item = Denial> {
    let by_scope: Result<()> = scope::judge(claimant, &OnceCell::new(), asks);
    by_scope.err().into_iter().chain(condition::judge(claimant.claims, asks, request).err())
}
