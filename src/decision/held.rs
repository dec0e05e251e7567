//! What is kept of a request whose stream is closed once its credentials are good no longer.

use crate::base::time::UnixSeconds;
use crate::crypto::{Algorithm, SHA256_BYTES};
use crate::policy::{IssuerId, SetId};
use crate::revocation::FoundBy;
use std::fmt;
use std::rc::Rc;

/// When the stream of a request that passed is closed.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenStream {
    /// From when on, since the time of a credential is over then; `None`: never.
    pub close_at: Option<UnixSeconds>,
    /// Its credentials, to be judged again; none where only their time counts.
    pub held: Vec<Rc<Held>>,
}

/// A credential without its secret and its names: just what it takes to find out whether it has been revoked since.
#[derive(Debug, PartialEq)]
pub struct Held {
    /// By what entries of revocation lists find it.
    pub found_by: FoundBy,
    /// What vouches for it.
    pub voucher: HeldVoucher,
    /// Where its status is, if its issuer keeps one.
    pub status: Option<HeldStatus>,
}

/// What vouches for a credential, as far as that can be withdrawn.
#[derive(PartialEq)]
pub enum HeldVoucher {
    /// Nothing that could be: what the configuration holds does not change, and the word of an issuer is not asked for again.
    Lasting,
    /// A key of an issuer whose keys are fetched.
    Key {
        /// The issuer.
        issuer: IssuerId,
        /// The `kid` of the key.
        kid: Option<Box<str>>,
        /// The algorithm of the signature.
        algorithm: Algorithm,
        /// The digest of the key.
        material: [u8; SHA256_BYTES],
    },
    /// A secret of an identity of a set whose identities are fetched.
    Secret {
        /// The set.
        set: SetId,
        /// The id of the identity.
        id: Rc<String>,
        /// The id of the key that has signed.
        key_id: Option<Box<str>>,
        /// The digest of the secret.
        digest: [u8; SHA256_BYTES],
    },
}

/// The place of a status in the list of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldStatus {
    /// The issuer.
    pub issuer: IssuerId,
    /// The address of the list.
    pub uri: Box<str>,
    /// The place in it.
    pub index: u64,
}

impl Held {
    /// How many bytes of memory it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let text = match &self.voucher {
            HeldVoucher::Lasting => None,
            HeldVoucher::Key { kid, .. } => kid.as_deref(),
            HeldVoucher::Secret { key_id, .. } => key_id.as_deref(),
        };
        let status = self.status.as_ref().map_or(0, |status| status.uri.len());
        size_of::<Self>() + self.found_by.bytes() + text.map_or(0, str::len) + status
    }
}

/// Shows no digest of a secret: guesses could be compared with it.
impl fmt::Debug for HeldVoucher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lasting => formatter.write_str("Lasting"),
            Self::Key { issuer, kid, .. } => write!(formatter, "Key({kid:?} of {issuer:?})"),
            Self::Secret { set, id, .. } => write!(formatter, "Secret(of {id} of {set:?})"),
        }
    }
}
