//! The token was signed by its issuer: the only check that costs. Of an opaque token its issuer has said what it means.

use super::super::principal::{Backing, BackingKey, Claimant, CredentialName, NEVER, Principal};
use super::super::status::StatusSource;
use super::form::Signature;
use super::{Complete, Formed, Recognised, Unproven};
use crate::base::details::Details;
use crate::base::names::Subject;
use crate::crypto::{Algorithm, Verification};
use crate::decision::{Denial, Need, NeedKind};
use crate::facts::{Awaited, Facts, Generation, VerifiedToken, Voucher};
use crate::jose::{JoseHeader, KeySet};
use crate::policy::{Authority, Issuer, IssuerId, KeySource};
use crate::revocation::Clearance;
use std::cell::OnceCell;
use std::rc::Rc;

/// Proof: a key of the token's issuer verifies its signature, or the claims are the issuer's own word. From here on they are
/// true.
#[derive(Debug)]
pub struct Verified<'a> {
    proof: Complete<'a>,
    /// The `kid` of the key, where the token names none.
    found_kid: Option<String>,
    /// Its `sub`.
    subject: Option<Rc<Subject>>,
    /// What records show of it.
    details: Rc<Details>,
    /// The place of the key among those of its issuer, and the algorithm; `None` of an opaque token.
    key: Option<(usize, Algorithm)>,
}

impl<'a> Verified<'a> {
    /// Tries the issuer's keys of the token's `kid` and algorithm (RFC 7517 section 4.5, RFC 8725 section 3.8).
    ///
    /// # Errors
    /// [`Denial::UnknownKey`] without a candidate, [`Denial::BadSignature`] when none fits, [`Denial::TooBusy`] when
    /// there was no time to check it; [`Need::Keys`] when the keys are not there, [`Need::Kid`] when they can be
    /// fetched again and none has the token's `kid`, unless they have been awaited; [`Denial::KeysUnavailable`] when
    /// they have been, in vain.
    pub fn check(proof: Complete<'a>, facts: &Facts<'_>) -> Result<Self, Unproven> {
        let Recognised { token, id, issuer, algorithm } = *proof.recognised();
        let compact = match token.signature() {
            // What is remembered names its key.
            Signature::Remembered(known) if known.issuer == id => {
                let subject = known.subject.clone();
                // Only what its issuer has said of an opaque token has no details yet.
                let made = || Rc::new(claimant(token, id, issuer).details(None));
                let details = Rc::clone(known.details.get_or_init(made));
                let key = match known.voucher {
                    Voucher::Signature(algorithm, _, place) => Some((place, algorithm)),
                    Voucher::Introspection { .. } => None,
                };
                return Ok(Self { proof, found_kid: None, subject, details, key });
            }
            // What the keys of one issuer verified is no token of another.
            Signature::Remembered(_) => return Err(Unproven::Deny(Denial::BadSignature)),
            Signature::ToVerify(compact) => compact,
        };
        let Some(algorithm) = algorithm else { return Err(Unproven::Deny(Denial::AlgorithmNotAllowed)) };
        let (keys, generation) = keys_of(id, issuer, compact.header.kid.as_deref(), facts)?;
        let mut denial = Denial::UnknownKey;
        for (place, key) in keys.candidates_in_place(compact.header.kid.as_deref(), algorithm) {
            match facts.verifier.verify(&key.key, algorithm, compact.signing_input, &compact.signature) {
                Verification::Valid => {
                    let found_kid = key.kid.clone().filter(|_| compact.header.kid.is_none());
                    let subject = token.claims().subject().map(|subject| Rc::new(Subject::new(&subject)));
                    let claimant = claimant(token, id, issuer);
                    let key_id = claimant.key_id.or(found_kid.as_deref());
                    let by_host = Some(facts.verifier.asked_host());
                    let details = Rc::new(Claimant { key_id, ..claimant }.details(by_host));
                    let verified = Self { proof, found_kid, subject, details, key: Some((place, algorithm)) };
                    verified.remember(Voucher::Signature(algorithm, generation, place), facts);
                    return Ok(verified);
                }
                Verification::Invalid => denial = Denial::BadSignature,
                Verification::TooBusy => return Err(Unproven::Deny(Denial::TooBusy)),
            }
        }
        Err(Unproven::Deny(denial))
    }

    fn remember(&self, voucher: Voucher, facts: &Facts<'_>) {
        let Recognised { token, id, .. } = *self.proof.recognised();
        if let Some(name) = token.name() {
            // An entry may revoke the key: what is remembered names it, also where the token does not.
            let header = JoseHeader { kid: self.key_id().map(str::to_owned), ..token.header().clone() };
            let known = VerifiedToken {
                header,
                claims: token.claims().clone(),
                voucher,
                fingerprint: token.fingerprint_cell(),
                subject: self.subject.clone(),
                issuer: id,
                clearance: Clearance::default(),
                details: Rc::clone(&self.details).into(),
                held: OnceCell::new(),
            };
            facts.memory.remember(name, known);
        }
    }

    /// Who holds the token.
    #[must_use]
    pub fn principal(&self) -> Principal<'_> {
        let Recognised { token, issuer, id, .. } = *self.proof.recognised();
        let known = match token.signature() {
            Signature::Remembered(known) => Some(known),
            Signature::ToVerify(_) => None,
        };
        let is_fetched = matches!(issuer.keys, KeySource::Remote(_));
        let key = self.key.map(|(place, algorithm)| BackingKey { issuer: id, place, algorithm, is_fetched });
        Principal {
            claimant: Claimant { key_id: self.key_id(), ..claimant(token, id, issuer) },
            subject: self.subject.clone(),
            // Without `exp` a token is refused long before.
            expires_at: token.claims().expires_at.map_or(NEVER, |at| at.plus(issuer.leeway)),
            sender_constraint: issuer.sender_constraint,
            status: issuer.status_list.as_ref().map(|policy| StatusSource { issuer: id, policy }),
            clearance: known.map(|known| &known.clearance),
            details: Rc::clone(&self.details),
            backing: Backing::Token { key, known },
        }
    }

    /// The `kid` of the key that verifies it, whether or not the token names it.
    fn key_id(&self) -> Option<&str> {
        self.proof.recognised().token.header().kid.as_deref().or(self.found_kid.as_deref())
    }
}

/// The keys of an issuer, of which one has this `kid` where they can be fetched again.
///
/// # Errors
/// As [`Verified::check`], without a candidate that is tried.
pub(in crate::checks) fn keys_of<'f>(
    id: IssuerId,
    issuer: &Issuer,
    kid: Option<&str>,
    facts: &Facts<'f>,
) -> Result<(&'f KeySet, Generation), Unproven> {
    let (Some(keys), Some(generation)) = (facts.keys.get(id), facts.keys.generation(id)) else {
        return Err(match facts.awaited.of(NeedKind::Keys) {
            Awaited::No => Unproven::Await(Need::Keys(id)),
            Awaited::Yes | Awaited::InVain => Unproven::Deny(Denial::KeysUnavailable),
        });
    };
    if let Some(kid) = kid
        && matches!(issuer.keys, KeySource::Remote(_))
        && !keys.names(kid)
    {
        return Err(match facts.awaited.of(NeedKind::Keys) {
            Awaited::No => Unproven::Await(Need::Kid(id, kid.to_owned())),
            Awaited::Yes => Unproven::Deny(Denial::UnknownKey),
            Awaited::InVain => Unproven::Deny(Denial::KeysUnavailable),
        });
    }
    Ok((keys, generation))
}

/// What a token of this issuer says of its holder, whether or not its signature is good.
pub(in crate::checks) fn claimant<'a>(token: &'a Formed<'a>, id: IssuerId, issuer: &'a Issuer) -> Claimant<'a> {
    Claimant {
        authority: Authority::Issuer(id),
        // It equals the token's `iss`: that is how the issuer was found.
        authority_name: &issuer.issuer,
        name: CredentialName::Token(token),
        key_id: token.header().kid.as_deref(),
        claims: token.claims(),
        scope_claims: &issuer.scope_claims,
        implies: Some(&issuer.implies),
        leeway: issuer.leeway,
    }
}
