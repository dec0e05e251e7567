//! The status lists that are there.

use crate::policy::IssuerId;
use crate::revocation::StatusList;
use std::cell::Cell;
use std::rc::Rc;

/// The status lists that tokens have asked for, as far as they are there.
#[derive(Debug, Default)]
pub struct StatusLists {
    places: Vec<StatusPlace>,
    changes: u64,
}

/// The place of a status list.
#[derive(Debug)]
pub struct StatusPlace {
    /// Whose list it is.
    pub issuer: IssuerId,
    /// Its address.
    pub uri: String,
    /// The list; `None` until one has been there.
    pub list: Option<Rc<StatusList>>,
    /// Whether it is missing or too old.
    pub is_stale: bool,
    /// Whether a token has asked for it since this was last cleared.
    pub asked: Cell<bool>,
}

impl StatusLists {
    /// The place of this list. A place that is found counts as asked for.
    #[must_use]
    pub fn find(&self, issuer: IssuerId, uri: &str) -> Option<&StatusPlace> {
        let place = self.places.iter().find(|place| place.issuer == issuer && place.uri == uri)?;
        place.asked.set(true);
        Some(place)
    }

    /// The places.
    #[must_use]
    pub fn places(&self) -> &[StatusPlace] {
        &self.places
    }

    /// The places, to be changed.
    pub const fn places_mut(&mut self) -> &mut Vec<StatusPlace> {
        &mut self.places
    }

    /// How often a list has become another one.
    #[must_use]
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// Notes that a list has become another one.
    pub const fn note_change(&mut self) {
        self.changes = self.changes.saturating_add(1);
    }
}
