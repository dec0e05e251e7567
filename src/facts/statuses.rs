//! The status lists that are there.

use crate::policy::IssuerId;
use crate::revocation::StatusList;
use std::cell::Cell;
use std::rc::Rc;

/// The status lists that tokens have asked for, as far as they are there.
#[derive(Debug, Default)]
pub struct StatusLists(Vec<StatusPlace>);

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
        let place = self.0.iter().find(|place| place.issuer == issuer && place.uri == uri)?;
        place.asked.set(true);
        Some(place)
    }

    /// The places.
    #[must_use]
    pub fn places(&self) -> &[StatusPlace] {
        &self.0
    }

    /// The places, to be changed.
    pub const fn places_mut(&mut self) -> &mut Vec<StatusPlace> {
        &mut self.0
    }
}
