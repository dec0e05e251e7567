//! The identities that are fetched, as far as they are there.

use crate::policy::{CredentialSet, FetchedSet, SetId};
use std::rc::Rc;

/// The sets of which the identities are fetched, with those of a document that is not too old.
#[derive(Clone, Debug, Default)]
pub struct FetchedIdentities {
    sets: Vec<Option<Rc<FetchedSet>>>,
    changes: u64,
}

impl FetchedIdentities {
    /// None at all.
    pub const NONE: &'static Self = &Self { sets: Vec::new(), changes: 0 };

    /// The set with its identities, unless they have never been there or have become too old to use.
    #[must_use]
    pub fn get(&self, id: SetId) -> Option<&CredentialSet> {
        self.sets.get(id.0)?.as_deref().map(|fetched| &fetched.set)
    }

    /// How often the identities of a set have become others.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// Puts the identities of a set in, or takes them away.
    pub fn set(&mut self, id: SetId, fetched: Option<Rc<FetchedSet>>) {
        if self.sets.len() <= id.0 {
            self.sets.resize_with(id.0.saturating_add(1), || None);
        }
        let Some(place) = self.sets.get_mut(id.0) else { return };
        let is_same = match (&*place, &fetched) {
            (Some(before), Some(now)) => Rc::ptr_eq(before, now),
            (before, now) => before.is_none() && now.is_none(),
        };
        if !is_same {
            *place = fetched;
            self.changes = self.changes.saturating_add(1);
        }
    }
}
