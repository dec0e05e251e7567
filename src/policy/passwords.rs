//! Users and their passwords, as hashes.

use super::in_order;
use crate::base::time::UnixSeconds;
pub use crate::crypto::MAX_PASSWORD;
use crate::crypto::{PasswordHash, SHA256_BYTES, sha256};
use std::rc::Rc;

/// The longest user name, in bytes: that of an id.
pub const MAX_USER: usize = 128;

/// The passwords of a set.
#[derive(Debug)]
pub struct Passwords {
    /// The digests of the user names, sorted, each with the position of its identity.
    users: Box<[([u8; SHA256_BYTES], usize)]>,
    /// The hashes of each identity.
    of_identities: Vec<Rc<UserSecrets>>,
    /// What a user name costs that is of no identity: as much as the dearest that is, so that no time tells them apart.
    of_nobody: Rc<UserSecrets>,
}

/// The passwords of a user, several while they change.
#[derive(Debug)]
pub struct UserSecrets {
    /// The hashes.
    pub hashes: Box<[PasswordHash]>,
    /// From when on each is good no longer.
    pub ends: Box<[Option<UnixSeconds>]>,
    /// Where they are among those of all identities of the set; `None` for a user who is none of them.
    pub first: Option<usize>,
    /// The digest of all hashes.
    pub digest: [u8; SHA256_BYTES],
}

/// Hashes that are written for one user, each with its end.
pub type WrittenSecrets = Vec<(PasswordHash, Option<UnixSeconds>)>;

impl UserSecrets {
    fn new(written: WrittenSecrets, first: Option<usize>) -> Self {
        let digests: Vec<[u8; SHA256_BYTES]> = written.iter().map(|(hash, _)| hash.digest()).collect();
        let (hashes, ends): (Vec<PasswordHash>, Vec<Option<UnixSeconds>>) = written.into_iter().unzip();
        Self { hashes: hashes.into(), ends: ends.into(), first, digest: sha256(digests.as_flattened()) }
    }

    /// About how long a wrong password takes, in microseconds.
    #[must_use]
    pub fn micros(&self) -> u64 {
        self.hashes.iter().map(|hash| hash.effort().micros()).fold(0, u64::saturating_add)
    }
}

impl Passwords {
    /// Those of the identities with these ids, in the order of the identities of the set.
    #[must_use]
    pub fn new(all: Vec<(Rc<String>, WrittenSecrets)>) -> Self {
        let users = in_order(all.iter().map(|(id, _)| sha256(id.as_bytes())));
        let mut of_identities: Vec<Rc<UserSecrets>> = Vec::with_capacity(all.len());
        let mut first = 0_usize;
        for (_, written) in all {
            let count = written.len();
            of_identities.push(Rc::new(UserSecrets::new(written, Some(first))));
            first = first.saturating_add(count);
        }
        let dearest = of_identities.iter().max_by_key(|secrets| secrets.micros());
        let hashes = dearest.map_or(&[][..], |secrets| &secrets.hashes);
        let like = hashes.iter().map(|hash| (PasswordHash::of_nobody(hash.effort()), None)).collect();
        Self { users: users.into(), of_identities, of_nobody: Rc::new(UserSecrets::new(like, None)) }
    }

    /// The position of the identity with this user name, if there is one, and what its password is held against.
    #[must_use]
    pub fn find(&self, user: &[u8]) -> (Option<usize>, &Rc<UserSecrets>) {
        let digest = sha256(user);
        let found = self.users.binary_search_by(|(other, _)| other.cmp(&digest)).ok();
        let identity = found.and_then(|at| self.users.get(at)).map(|(_, identity)| *identity);
        match identity.and_then(|identity| self.of_identities.get(identity)) {
            Some(secrets) => (identity, secrets),
            None => (None, &self.of_nobody),
        }
    }

    /// The hashes of each identity, in their order.
    #[must_use]
    pub fn of_identities(&self) -> &[Rc<UserSecrets>] {
        &self.of_identities
    }
}
