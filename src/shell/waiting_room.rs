//! The requests of one worker that wait for keys or revocation lists: a bounded number, each with its own deadline.

use crate::decision::Need;
use crate::policy::IssuerId;

/// A waiting room. `W` leads to a waiting request.
#[derive(Debug)]
pub struct WaitingRoom<W> {
    waiters: Vec<Waiter<W>>,
    limit: usize,
}

/// A request that waits.
#[derive(Debug)]
pub struct Waiter<W> {
    /// What it waits for.
    pub need: Need,
    /// When it began to wait, in milliseconds.
    pub since: u64,
    /// When it stops waiting.
    pub deadline: u64,
    /// The request.
    pub request: W,
}

impl<W> WaitingRoom<W> {
    /// A room for at most `limit` requests.
    pub const fn new(limit: usize) -> Self {
        Self { waiters: Vec::new(), limit }
    }

    /// Adds a waiter. Returns whether there was room: at most a quarter of it, rounded up, is for unknown key ids, and at
    /// most half for credentials of which no identity is known yet. Any client can make those up. A full room first drops the requests that `is_gone`.
    pub fn enter(&mut self, waiter: Waiter<W>, is_gone: impl Fn(&W) -> bool) -> bool {
        if !self.has_room(&waiter.need) {
            self.waiters.retain(|waiter| !is_gone(&waiter.request));
        }
        let has_room = self.has_room(&waiter.need);
        if has_room {
            self.waiters.push(waiter);
        }
        has_room
    }

    fn has_room(&self, need: &Need) -> bool {
        let share = match need {
            Need::Kid(..) => self.limit.div_ceil(4),
            Need::Identities(_) => self.limit.div_ceil(2),
            _ => return self.waiters.len() < self.limit,
        };
        let is_alike = |other: &Need| std::mem::discriminant(other) == std::mem::discriminant(need);
        let alike = self.waiters.iter().filter(|waiter| is_alike(&waiter.need)).count();
        self.waiters.len() < self.limit && alike < share
    }

    /// Removes the waiters for which `ended` returns something, and returns both. Drops the requests that `is_gone`.
    pub fn leave<E>(
        &mut self,
        mut ended: impl FnMut(&Waiter<W>) -> Option<E>,
        is_gone: impl Fn(&W) -> bool,
    ) -> Vec<(Waiter<W>, E)> {
        let mut leaving = Vec::new();
        for waiter in std::mem::take(&mut self.waiters) {
            if is_gone(&waiter.request) {
                continue;
            }
            match ended(&waiter) {
                Some(end) => leaving.push((waiter, end)),
                None => self.waiters.push(waiter),
            }
        }
        leaving
    }

    /// Whether a request waits for an unknown `kid` of this issuer.
    pub fn waits_for_kid_of(&self, issuer: IssuerId) -> bool {
        self.waiters.iter().any(|waiter| matches!(waiter.need, Need::Kid(of, _) if of == issuer))
    }

    /// How many requests wait.
    pub const fn len(&self) -> usize {
        self.waiters.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::SetId;

    fn keys(request: u32) -> Waiter<u32> {
        Waiter { need: Need::Keys(IssuerId(0)), since: 0, deadline: 10, request }
    }

    fn kid(request: u32) -> Waiter<u32> {
        Waiter { need: Need::Kid(IssuerId(0), request.to_string()), ..keys(request) }
    }

    #[test]
    fn there_are_so_many_places_and_no_more() {
        let mut room = WaitingRoom::new(2);
        assert!(room.enter(keys(1), |_| false) && room.enter(keys(2), |_| false));
        assert!(!room.enter(keys(3), |_| false));
        assert!(room.enter(keys(3), |request| *request == 1), "a request that is gone leaves its place");
        assert_eq!(room.len(), 2);
        assert!(!WaitingRoom::new(0).enter(keys(1), |_| false));
    }

    #[test]
    fn a_quarter_of_the_places_is_for_unknown_key_ids() {
        let mut room = WaitingRoom::new(8);
        assert!(room.enter(kid(1), |_| false) && room.enter(kid(2), |_| false));
        assert!(!room.enter(kid(3), |_| false));
        for request in 4..10 {
            assert!(room.enter(keys(request), |_| false), "the others stay free: {request}");
        }
        assert!(!room.enter(keys(10), |_| false));
        assert!(WaitingRoom::new(1).enter(kid(1), |_| false), "rounded up");
    }

    #[test]
    fn half_of_the_places_is_for_credentials_of_which_no_identity_is_known() {
        let of_set = |request: u32| Waiter {
            need: Need::Identities(SetId(usize::try_from(request).expect("a number"))),
            ..keys(request)
        };
        let mut room = WaitingRoom::new(4);
        assert!(room.enter(of_set(1), |_| false) && room.enter(of_set(2), |_| false));
        assert!(!room.enter(of_set(3), |_| false), "of whichever set");
        assert!(room.enter(kid(4), |_| false) && room.enter(keys(5), |_| false), "the others stay free");
        assert!(!room.enter(keys(6), |_| false));
        assert!(WaitingRoom::new(1).enter(of_set(1), |_| false), "rounded up");
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
    fn a_request_that_leaves_is_told_why_and_the_others_stay() {
        let mut room = WaitingRoom::new(8);
        for request in 1..=4 {
            room.enter(keys(request), |_| false);
        }
        let left = room.leave(|waiter| (waiter.request == 2).then_some("ready"), |request| *request == 3);
        assert_eq!(left.iter().map(|(waiter, end)| (waiter.request, *end)).collect::<Vec<_>>(), [(2, "ready")]);
        assert_eq!(room.len(), 2);
    }
}
