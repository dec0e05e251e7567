//! The requests of one worker that wait for keys or revocation lists: a bounded number, each with a deadline of its own.

use crate::decision::Need;
use crate::policy::IssuerId;

/// A waiting room. `W` is what leads to a waiting request.
#[derive(Debug)]
pub struct WaitingRoom<W> {
    places: Vec<Place<W>>,
    limit: usize,
}

/// A request that waits.
#[derive(Debug)]
pub struct Place<W> {
    /// What for.
    pub need: Need,
    /// Since when, in milliseconds.
    pub since: u64,
    /// Until when at most.
    pub deadline: u64,
    /// Who.
    pub who: W,
}

impl<W> WaitingRoom<W> {
    /// A room with so many places.
    pub const fn new(limit: usize) -> Self {
        Self { places: Vec::new(), limit }
    }

    /// Lets somebody wait. Returns whether there was a place: at most a quarter of them, rounded up, is for unknown key
    /// ids, which anybody can make up. Before somebody is sent away, places of those that `is_gone` are given up.
    pub fn enter(&mut self, place: Place<W>, is_gone: impl Fn(&W) -> bool) -> bool {
        if !self.has_room(&place.need) {
            self.places.retain(|place| !is_gone(&place.who));
        }
        let has_room = self.has_room(&place.need);
        if has_room {
            self.places.push(place);
        }
        has_room
    }

    fn has_room(&self, need: &Need) -> bool {
        let is_kid = |need: &Need| matches!(need, Need::Kid(..));
        let of_kids = || self.places.iter().filter(|place| is_kid(&place.need)).count();
        self.places.len() < self.limit && (!is_kid(need) || of_kids() < self.limit.div_ceil(4))
    }

    /// Takes out whoever need not wait any longer, with what `ended` says of it, and forgets who `is_gone`.
    pub fn leave<E>(
        &mut self,
        mut ended: impl FnMut(&Place<W>) -> Option<E>,
        is_gone: impl Fn(&W) -> bool,
    ) -> Vec<(Place<W>, E)> {
        let mut leaving = Vec::new();
        for place in std::mem::take(&mut self.places) {
            if is_gone(&place.who) {
                continue;
            }
            match ended(&place) {
                Some(end) => leaving.push((place, end)),
                None => self.places.push(place),
            }
        }
        leaving
    }

    /// Whether somebody waits for an unknown `kid` of this issuer.
    pub fn waits_for_kid_of(&self, issuer: IssuerId) -> bool {
        self.places.iter().any(|place| matches!(place.need, Need::Kid(of, _) if of == issuer))
    }

    /// How many wait.
    pub const fn len(&self) -> usize {
        self.places.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(who: u32) -> Place<u32> {
        Place { need: Need::Keys(IssuerId(0)), since: 0, deadline: 10, who }
    }

    fn kid(who: u32) -> Place<u32> {
        Place { need: Need::Kid(IssuerId(0), who.to_string()), ..keys(who) }
    }

    #[test]
    fn there_are_so_many_places_and_no_more() {
        let mut room = WaitingRoom::new(2);
        assert!(room.enter(keys(1), |_| false) && room.enter(keys(2), |_| false));
        assert!(!room.enter(keys(3), |_| false));
        assert!(room.enter(keys(3), |who| *who == 1), "who is gone gives the place up");
        assert_eq!(room.len(), 2);
        assert!(!WaitingRoom::new(0).enter(keys(1), |_| false));
    }

    #[test]
    fn a_quarter_of_the_places_is_for_unknown_key_ids() {
        let mut room = WaitingRoom::new(8);
        assert!(room.enter(kid(1), |_| false) && room.enter(kid(2), |_| false));
        assert!(!room.enter(kid(3), |_| false));
        for who in 4..10 {
            assert!(room.enter(keys(who), |_| false), "the others stay free: {who}");
        }
        assert!(!room.enter(keys(10), |_| false));
        assert!(WaitingRoom::new(1).enter(kid(1), |_| false), "rounded up");
    }

    #[test]
    fn it_is_known_whether_somebody_waits_for_a_kid_of_an_issuer() {
        let mut room = WaitingRoom::new(8);
        room.enter(keys(1), |_| false);
        assert!(!room.waits_for_kid_of(IssuerId(0)));
        room.enter(kid(2), |_| false);
        assert!(room.waits_for_kid_of(IssuerId(0)) && !room.waits_for_kid_of(IssuerId(1)));
    }

    #[test]
    fn whoever_leaves_is_told_why_and_the_others_stay() {
        let mut room = WaitingRoom::new(8);
        for who in 1..=4 {
            room.enter(keys(who), |_| false);
        }
        let left = room.leave(|place| (place.who == 2).then_some("ready"), |who| *who == 3);
        assert_eq!(left.iter().map(|(place, end)| (place.who, *end)).collect::<Vec<_>>(), [(2, "ready")]);
        assert_eq!(room.len(), 2);
    }
}
