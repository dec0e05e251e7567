//! Everything that is revoked, as the engine asks for it.

use super::found_by::{FoundBy, key_of};
use super::kind::{EntryKind, Key, KindSet};
use super::list::List;
use super::spread::SpreadList;
use crate::base::time::UnixSeconds;
use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

/// A verified token, as far as an entry can mean it.
pub trait Revocable {
    /// Its `iss`.
    fn iss(&self) -> &str;
    /// What an entry of that kind would name; `None` when it has nothing of the kind. Asked only for kinds of which
    /// there are entries.
    fn name(&self, kind: EntryKind) -> Option<Cow<'_, str>>;
    /// Its `iat`.
    fn issued_at(&self) -> Option<UnixSeconds>;
}

/// The lists that are there, and whether all that should be there are.
#[derive(Clone, Debug)]
pub struct Revocations {
    lists: Vec<Rc<List>>,
    /// What events have revoked.
    told: Option<Rc<SpreadList>>,
    kinds: KindSet,
    complete: bool,
    edition: Edition,
}

/// Which lists are meant: two are equal when they are of the very same lists.
#[derive(Clone, Debug, Default)]
pub struct Edition(Rc<()>);

impl PartialEq for Edition {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// Notes by which lists a token has been found to be meant by no entry: neither a token nor a list ever changes, so
/// those lists need not be asked again. Kept with the token.
#[derive(Clone, Debug, Default)]
pub struct Clearance(RefCell<Option<Edition>>);

impl Revocations {
    /// These lists. They are `complete` when none is missing or too old that a request may not pass without.
    #[must_use]
    pub fn new(lists: Vec<Rc<List>>, complete: bool) -> Self {
        Self::of(lists, None, complete)
    }

    fn of(lists: Vec<Rc<List>>, told: Option<Rc<SpreadList>>, complete: bool) -> Self {
        let mut kinds = KindSet::default();
        let all = lists.iter().map(|list| list.kinds()).chain(told.iter().map(|told| told.kinds()));
        for of_list in all {
            EntryKind::ALL.into_iter().filter(|kind| of_list.has(*kind)).for_each(|kind| kinds.insert(kind));
        }
        Self { lists, told, kinds, complete, edition: Edition::default() }
    }

    /// What follows on this when the lists are these now, and `told` what events have revoked. It is known for the same where
    /// none of them has changed.
    #[must_use]
    pub fn followed_by(&self, lists: Vec<Rc<List>>, told: Option<Rc<SpreadList>>, complete: bool) -> Self {
        let are_same = lists.len() == self.lists.len() && lists.iter().zip(&self.lists).all(|(a, b)| Rc::ptr_eq(a, b));
        let is_same_told = match (&told, &self.told) {
            (Some(one), Some(other)) => Rc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        let is_same = are_same && is_same_told;
        if is_same { Self { complete, ..self.clone() } } else { Self::of(lists, told, complete) }
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
    pub fn find(&self, token: &impl Revocable) -> Option<EntryKind> {
        EntryKind::ALL
            .into_iter()
            .filter(|kind| self.kinds.has(*kind))
            .find(|&kind| key_of(token, kind).is_some_and(|key| self.means(kind, key, token.issued_at())))
    }

    /// The kind of an entry that means the token that is found by these: what [`Self::find`] says of the token itself.
    #[must_use]
    pub fn find_by(&self, found_by: &FoundBy) -> Option<EntryKind> {
        let issued_at = found_by.issued_at();
        let mut keys = found_by.keys().filter(|(kind, _)| self.kinds.has(*kind));
        keys.find(|&(kind, key)| self.means(kind, key, issued_at)).map(|(kind, _)| kind)
    }

    /// Whether an entry of that kind and key means a token that was issued then.
    fn means(&self, kind: EntryKind, key: Key, issued_at: Option<UnixSeconds>) -> bool {
        self.lists.iter().any(|list| list.means(kind, key, issued_at))
            || self.told.as_ref().is_some_and(|told| told.means(kind, key, issued_at))
    }

    /// Which lists they are.
    #[must_use]
    pub const fn edition(&self) -> &Edition {
        &self.edition
    }

    /// Finds the entry for a token that may come again, with which `clearance` is kept.
    pub fn find_again(&self, token: &impl Revocable, clearance: &Clearance) -> Option<EntryKind> {
        let is_cleared = clearance.0.borrow().as_ref().is_some_and(|known| *known == self.edition);
        if is_cleared {
            return None;
        }
        let found = self.find(token);
        if found.is_none() {
            clearance.0.replace(Some(self.edition.clone()));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revocation::{Builder, Entry};
    use std::cell::Cell;

    /// A token that counts how often it was looked at.
    struct Counted(Cell<usize>);

    impl Revocable for Counted {
        fn iss(&self) -> &'static str {
            "i"
        }

        fn name(&self, kind: EntryKind) -> Option<Cow<'_, str>> {
            self.0.set(self.0.get() + 1);
            (kind == EntryKind::TokenId).then_some("a".into())
        }

        fn issued_at(&self) -> Option<UnixSeconds> {
            None
        }
    }

    fn list(name: &str) -> Rc<List> {
        let mut builder = Builder::new(UnixSeconds(0));
        builder.add(&Entry::token("i".into(), name.into()));
        Rc::new(builder.finish())
    }

    #[test]
    fn a_token_that_no_entry_means_is_looked_up_again_when_a_list_has_changed_and_only_then() {
        let (token, clearance) = (Counted(Cell::new(0)), Clearance::default());
        let other = list("b");
        let mut revocations = Revocations::new(vec![Rc::clone(&other)], true);
        // The lists that follow, whether all are there, how often the token has been looked at, and what came of it.
        for (lists, complete, looks, found) in [
            (vec![Rc::clone(&other)], true, 1, None),
            (vec![Rc::clone(&other)], false, 1, None),
            (vec![list("b")], true, 2, None),
            (vec![Rc::clone(&other)], true, 3, None),
            (vec![Rc::clone(&other), list("a")], true, 4, Some(EntryKind::TokenId)),
            (vec![list("a")], true, 5, Some(EntryKind::TokenId)),
            (vec![], true, 5, None),
            (vec![Rc::clone(&other)], true, 6, None),
        ] {
            revocations = revocations.followed_by(lists, None, complete);
            assert_eq!(revocations.are_complete(), complete);
            assert_eq!(revocations.find_again(&token, &clearance), found, "{looks}");
            assert_eq!(token.0.get(), looks);
            if found.is_none() {
                assert_eq!(revocations.find_again(&token, &clearance), None);
                assert_eq!(token.0.get(), looks, "nothing has changed");
            }
        }
    }
}
