//! Everything that is revoked, as the engine asks for it.

use super::entry::fingerprint_key;
use super::kind::{Kind, KindSet};
use super::list::List;
use crate::base::time::UnixSeconds;
use std::borrow::Cow;
use std::rc::Rc;

/// A verified token, as far as an entry can mean it.
pub trait Revocable {
    /// Its `iss`.
    fn iss(&self) -> &str;
    /// What an entry of that kind would name; `None` when it has nothing of the kind. Asked only for kinds of which
    /// there are entries.
    fn name(&self, kind: Kind) -> Option<Cow<'_, str>>;
    /// Its `iat`.
    fn issued_at(&self) -> Option<UnixSeconds>;
}

/// The lists that are there, and whether all that should be there are.
#[derive(Clone, Debug)]
pub struct Revocations {
    lists: Vec<Rc<List>>,
    kinds: KindSet,
    complete: bool,
}

impl Revocations {
    /// These lists. They are `complete` when none is missing or too old that a request may not pass without.
    #[must_use]
    pub fn new(lists: Vec<Rc<List>>, complete: bool) -> Self {
        let mut kinds = KindSet::default();
        for list in &lists {
            Kind::ALL.into_iter().filter(|kind| list.kinds().has(*kind)).for_each(|kind| kinds.insert(kind));
        }
        Self { lists, kinds, complete }
    }

    /// Nothing is revoked, and nothing is missing.
    #[must_use]
    pub fn none() -> Self {
        Self::new(Vec::new(), true)
    }

    /// Whether no list is missing or too old that a request may not pass without.
    #[must_use]
    pub const fn are_complete(&self) -> bool {
        self.complete
    }

    /// The kind of an entry that means this token.
    ///
    /// A digest is computed for each kind of which there are entries and of which the token has a name, and no other.
    pub fn find(&self, token: &impl Revocable) -> Option<Kind> {
        Kind::ALL.into_iter().filter(|kind| self.kinds.has(*kind)).find(|&kind| {
            let Some(name) = token.name(kind) else { return false };
            let key = match kind {
                Kind::Fingerprint => fingerprint_key(&name),
                _ => Some(kind.key(token.iss(), &name)),
            };
            key.is_some_and(|key| self.lists.iter().any(|list| list.means(kind, key, token.issued_at())))
        })
    }
}
