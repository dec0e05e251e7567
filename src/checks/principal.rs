//! What a credential says of its holder, and what it proves. The checks after authentication know no kind of credential.

use super::scope::{granted, needed};
use super::status::StatusSource;
use super::{Formed, TokenRequirements};
use crate::base::details::Details;
use crate::base::names::{Fingerprint, Subject};
use crate::base::text::escaped;
use crate::base::time::{Seconds, UnixSeconds};
use crate::crypto::{Algorithm, PasswordHash, SHA256_BYTES};
use crate::decision::{TokenTrace, VerifiedIdentity};
use crate::facts::VerifiedToken;
use crate::jose::{ClaimPath, Claims};
use crate::policy::{Authority, Identity, ImpliedScopes, IssuerId, Scope, SenderConstraint, SetId, SigningKey};
use crate::revocation::{Clearance, EntryKind, Revocable};
use std::borrow::Cow;
use std::rc::Rc;

/// What a credential says of its holder, proven or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claimant<'a> {
    /// Whose word it is.
    pub(super) authority: Authority,
    /// What revocation lists call that authority: the `iss` of a token, or the name of a set.
    pub(super) authority_name: &'a str,
    /// What records call the credential.
    pub(super) name: CredentialName<'a>,
    /// The `kid` of its key.
    pub(super) key_id: Option<&'a str>,
    /// What it says.
    pub(super) claims: &'a Claims,
    /// Which of the claims grant scopes.
    pub(super) scope_claims: &'a [ClaimPath],
    /// Which scopes include others, if any do.
    pub(super) implies: Option<&'a ImpliedScopes>,
    /// The difference between clocks that is tolerated.
    pub(super) leeway: Seconds,
}

/// A holder of a credential that has been verified. Only the last check of a kind of credential makes one.
#[derive(Debug)]
pub struct Principal<'a> {
    /// What its credential says, which is true.
    pub(super) claimant: Claimant<'a>,
    /// Whom it speaks for.
    pub(super) subject: Option<Rc<Subject>>,
    /// From when on it is refused because its time is over.
    pub(super) expires_at: UnixSeconds,
    /// What its authority asks of the sender.
    pub(super) sender_constraint: SenderConstraint,
    /// Whose word its status is, where somebody keeps one.
    pub(super) status: Option<StatusSource<'a>>,
    /// Where it has been looked up in revocation lists before.
    pub(super) clearance: Option<&'a Clearance>,
    /// What records show of it beside its names.
    pub(super) details: Rc<Details>,
    /// What it was proven by.
    pub(super) backing: Backing<'a>,
}

/// What a credential was proven by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Backing<'a> {
    /// A key of an issuer, or its word.
    Token {
        /// The key; `None` of an opaque token.
        key: Option<BackingKey>,
        /// What is remembered of the token.
        known: Option<&'a VerifiedToken>,
    },
    /// A secret of an identity of a set.
    Secret {
        /// The set.
        set: SetId,
        /// The identity.
        identity: &'a Identity,
        /// The secret.
        secret: ShownSecret<'a>,
    },
}

/// The key of an issuer that has verified a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct BackingKey {
    /// The issuer.
    pub(super) issuer: IssuerId,
    /// Its place among the keys that the issuer has now.
    pub(super) place: usize,
    /// The algorithm of the signature.
    pub(super) algorithm: Algorithm,
    /// Whether the issuer's keys are fetched.
    pub(super) is_fetched: bool,
}

/// The secret that was shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum ShownSecret<'a> {
    /// The one with this digest.
    Digest(&'a [u8; SHA256_BYTES]),
    /// The password of this hash.
    Password(&'a PasswordHash),
    /// The key that has signed.
    Key(&'a SigningKey),
}

impl ShownSecret<'_> {
    /// Its digest.
    pub(super) fn digest(self) -> [u8; SHA256_BYTES] {
        match self {
            Self::Digest(digest) => *digest,
            Self::Password(hash) => hash.digest(),
            Self::Key(key) => key.digest,
        }
    }
}

/// What records call a credential.
#[derive(Clone, Copy, Debug)]
pub(super) enum CredentialName<'a> {
    /// A token, by its fingerprint.
    Token(&'a Formed<'a>),
    /// An identity of a set, by its id.
    Identity(&'a Identity),
}

/// The end of what has no end.
pub(super) const NEVER: UnixSeconds = UnixSeconds(i64::MAX);

impl<'a> Principal<'a> {
    /// Whose word it is.
    #[must_use]
    pub const fn authority(&self) -> Authority {
        self.claimant.authority
    }

    /// What is true of it.
    #[must_use]
    pub const fn claims(&self) -> &'a Claims {
        self.claimant.claims
    }

    /// From when on it is refused because its time is over.
    pub(super) const fn expires_at(&self) -> UnixSeconds {
        self.expires_at
    }

    /// From when on it is refused because its time is over; `None`: never.
    #[must_use]
    pub fn ends_at(&self) -> Option<UnixSeconds> {
        Some(self.expires_at).filter(|at| *at != NEVER)
    }

    /// What its authority asks of the sender.
    pub(super) const fn sender_constraint(&self) -> SenderConstraint {
        self.sender_constraint
    }

    /// How records name it.
    #[must_use]
    pub fn trace(&self) -> TokenTrace {
        let (identity, expires_at, remembered) = match self.claimant.name {
            // The time of a token, which counts for the client, ends before it is refused.
            CredentialName::Token(token) => (None, token.claims().expires_at, Some(token.is_remembered())),
            CredentialName::Identity(identity) => (Some(Rc::clone(&identity.id)), self.ends_at(), None),
        };
        let verified = VerifiedIdentity {
            authority: self.authority(),
            subject: self.subject.clone(),
            identity,
            expires_at,
            details: Rc::clone(&self.details),
        };
        TokenTrace { fingerprint: self.claimant.fingerprint(), verified: Some(verified), mismatch: None, remembered }
    }

    /// The scopes that it is asked for: of alternatives those that it has, or those that it lacks the fewest of.
    #[must_use]
    pub fn needed(&self, asks: &TokenRequirements<'_>) -> Vec<Scope> {
        needed(&self.claimant, asks)
    }

    /// What sessions are bound to: of a token its issuer, subject and client, which a refreshed token has too; of another
    /// credential its set and identity.
    pub(super) fn names(&self) -> [Option<Cow<'_, str>>; 4] {
        let claimant = &self.claimant;
        let authority = Some(Cow::Borrowed(claimant.authority_name));
        match claimant.name {
            CredentialName::Token(_) => {
                let (subject, client) = (claimant.name(EntryKind::Subject), claimant.name(EntryKind::Client));
                [Some("token".into()), authority, subject, client]
            }
            CredentialName::Identity(identity) => {
                [Some("identity".into()), authority, Some(Cow::Borrowed(&identity.id)), None]
            }
        }
    }

    /// What its credential says.
    pub(super) const fn claimant(&self) -> &Claimant<'a> {
        &self.claimant
    }

    /// Where it has been looked up in revocation lists before.
    pub(super) const fn clearance(&self) -> Option<&'a Clearance> {
        self.clearance
    }

    /// Whose word its status is.
    pub(super) const fn status(&self) -> Option<StatusSource<'a>> {
        self.status
    }
}

impl Claimant<'_> {
    /// What records show of it, once it is proven. A signature has been checked by the host, or in the VM.
    pub(super) fn details(&self, by_host: Option<bool>) -> Details {
        let safe = |text: Cow<'_, str>| escaped(text.as_bytes()).into_owned().into_boxed_str();
        let algorithm = match self.name {
            CredentialName::Token(token) => token.algorithm().map(Algorithm::name),
            CredentialName::Identity(_) => None,
        };
        Details {
            client_id: self.name(EntryKind::Client).map(safe),
            token_id: self.name(EntryKind::TokenId).map(|id| Subject::new(&id)),
            key_id: self.key_id.map(|kid| safe(kid.into())),
            algorithm,
            by_host,
            issued_at: self.claims.issued_at,
            scopes: granted(self).joined().into(),
        }
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        match self.name {
            CredentialName::Token(token) => Some(token.fingerprint()),
            CredentialName::Identity(_) => None,
        }
    }
}

impl Revocable for Claimant<'_> {
    fn iss(&self) -> &str {
        self.authority_name
    }

    fn name(&self, kind: EntryKind) -> Option<Cow<'_, str>> {
        // An entry of tokens means no identity of a set, even if the set has the name of an issuer.
        if let CredentialName::Identity(identity) = self.name {
            return (kind == EntryKind::Identity).then(|| Cow::Borrowed(identity.id.as_str()));
        }
        match kind {
            EntryKind::Identity => None,
            EntryKind::Fingerprint => Some(self.fingerprint()?.as_str().to_owned().into()),
            EntryKind::SigningKey => self.key_id.map(Cow::Borrowed),
            // What RFC 9068 calls `client_id` is `azp` in the tokens of others.
            EntryKind::Client => self.claims.text(kind.member()).or_else(|| self.claims.text("azp")),
            EntryKind::TokenId | EntryKind::Subject | EntryKind::Session => self.claims.text(kind.member()),
        }
    }

    fn issued_at(&self) -> Option<UnixSeconds> {
        self.claims.issued_at
    }
}
