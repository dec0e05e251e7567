//! The identities that are fetched, as far as they are there.

use crate::policy::{CredentialSet, FetchedSet, SetId};
use std::rc::Rc;

/// The sets of which the identities are fetched, with those of a document that is not too old.
#[derive(Clone, Debug, Default)]
pub struct FetchedIdentities(Vec<Option<Rc<FetchedSet>>>);

impl FetchedIdentities {
    /// None at all.
    pub const NONE: &'static Self = &Self(Vec::new());

    /// The set with its identities, unless they have never been there or have become too old to use.
    #[must_use]
    pub fn get(&self, id: SetId) -> Option<&CredentialSet> {
        self.0.get(id.0)?.as_deref().map(|fetched| &fetched.set)
    }

    /// Puts the identities of a set in, or takes them away.
    pub fn set(&mut self, id: SetId, fetched: Option<Rc<FetchedSet>>) {
        if self.0.len() <= id.0 {
            self.0.resize_with(id.0.saturating_add(1), || None);
        }
        if let Some(place) = self.0.get_mut(id.0) {
            *place = fetched;
        }
    }
}
