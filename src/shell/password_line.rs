//! Passwords that wait to be hashed, and the requests that wait for them: one password at a time, in steps, client networks
//! in turn.

use super::turns::{Network, Turns};
use crate::crypto::{Hashing, Progress};
use crate::decision::PasswordJob;
use std::rc::Rc;

/// How long a request waits for its password to be hashed, in milliseconds.
pub const LONGEST_WAIT_MS: u64 = 10_000;

/// The line of one worker. `W` is a request that waits.
#[derive(Debug)]
pub struct PasswordLine<W> {
    line: Turns<Waiting<W>>,
    current: Option<(Waiting<W>, Hashing)>,
    /// How many requests wait.
    len: usize,
    limit: usize,
}

/// A password, and all that wait for it.
#[derive(Debug)]
pub struct Waiting<W> {
    /// The password.
    pub job: Rc<PasswordJob>,
    /// Who waits, each with when it began to, in milliseconds.
    pub waiters: Vec<(W, u64)>,
}

impl<W> PasswordLine<W> {
    /// A line for at most `limit` requests.
    pub const fn new(limit: usize) -> Self {
        Self { line: Turns::new(limit), current: None, len: 0, limit }
    }

    /// Lets a request wait. Equal passwords of a user are hashed once. Returns those that have to leave, since there is no
    /// room: this request, or others of a client network that has more.
    pub fn enter(&mut self, network: Network, job: Rc<PasswordJob>, waiter: W, now: u64) -> Vec<(W, u64)> {
        let current = self.current.iter_mut().map(|(waiting, _)| waiting);
        let equal = current.chain(self.line.iter_mut()).find(|waiting| waiting.job == job);
        let is_full = self.len >= self.limit;
        if let Some(equal) = equal {
            if is_full {
                return vec![(waiter, now)];
            }
            self.len = self.len.saturating_add(1);
            equal.waiters.push((waiter, now));
            return Vec::new();
        }
        // A full line lets no request in without another's leaving, even where several wait for one password.
        let entering = Rc::as_ptr(&job);
        let kept = Waiting { job, waiters: vec![(waiter, now)] };
        let leaving = if is_full { self.line.replace(network, kept) } else { self.line.enter(network, kept) };
        let leaving = match leaving {
            // Those that sent one password can have filled it: one of them gives way to a network that has no place.
            Some(own) if Rc::as_ptr(&own.job) == entering && !self.line.has(network) => match self.last_of_several() {
                Some(last) => {
                    // There is room for its password, since several wait for another.
                    self.line.enter(network, own);
                    vec![last]
                }
                None => own.waiters,
            },
            leaving => leaving.map_or_else(Vec::new, |waiting| waiting.waiters),
        };
        self.len = self.len.saturating_add(1).saturating_sub(leaving.len());
        leaving
    }

    /// Takes out the last one that waits for the password that most wait for, if several do.
    fn last_of_several(&mut self) -> Option<(W, u64)> {
        let current = self.current.iter_mut().map(|(waiting, _)| waiting);
        let most = current.chain(self.line.iter_mut()).max_by_key(|waiting| waiting.waiters.len())?;
        if most.waiters.len() > 1 { most.waiters.pop() } else { None }
    }

    /// Does one step of the work. Returns the password that has been hashed by it, with the place of the hash that it is of.
    pub fn step(&mut self) -> Option<(Waiting<W>, Option<usize>)> {
        let (waiting, hashing) = match &mut self.current {
            Some(current) => current,
            empty @ None => {
                let next = self.line.serve()?;
                let hashing = Hashing::begin(&next.job.password);
                empty.insert((next, hashing))
            }
        };
        let found = match hashing.step(&waiting.job.secrets.hashes) {
            Progress::GoesOn => return None,
            Progress::Matches(at) => Some(at),
            Progress::MatchesNone => None,
        };
        let (waiting, _) = self.current.take()?;
        self.len = self.len.saturating_sub(waiting.waiters.len());
        Some((waiting, found))
    }

    /// Takes out the requests that have waited too long, and forgets those that are gone. A password that no request waits for
    /// any more is not hashed.
    pub fn end(&mut self, now: u64, is_gone: impl Fn(&W) -> bool) -> Vec<(W, u64)> {
        let mut over = Vec::new();
        let mut len = 0_usize;
        let current = self.current.iter_mut().map(|(waiting, _)| waiting);
        for waiting in current.chain(self.line.iter_mut()) {
            for (waiter, since) in std::mem::take(&mut waiting.waiters) {
                if is_gone(&waiter) {
                    continue;
                }
                // A clock that went back ends the wait, too.
                if since > now || now.saturating_sub(since) >= LONGEST_WAIT_MS {
                    over.push((waiter, since));
                } else {
                    waiting.waiters.push((waiter, since));
                    len = len.saturating_add(1);
                }
            }
        }
        self.line.take(|waiting| waiting.waiters.is_empty());
        self.current.take_if(|(waiting, _)| waiting.waiters.is_empty());
        self.len = len;
        over
    }

    /// How many requests wait.
    pub const fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{PasswordHash, sha256};
    use crate::policy::{Passwords, SetId};

    fn job(name: u128) -> Rc<PasswordJob> {
        let bcrypt = PasswordHash::parse(&PasswordHash::bcrypt(b"right", 5, [1; 16])).unwrap();
        let all = Passwords::new(vec![
            ("cheap".to_owned().into(), vec![(PasswordHash::sha256(sha256(b"right")), None)]),
            ("dear".to_owned().into(), vec![(bcrypt, None)]),
        ]);
        let user = if name == 0 { &b"nobody"[..] } else { b"dear" };
        let secrets = Rc::clone(all.find(user).1);
        Rc::new(PasswordJob { name, set: SetId(0), password: b"wrong"[..].into(), secrets })
    }

    fn network(address: &str) -> Network {
        Network::of(address.as_bytes())
    }

    const ONE: &str = "10.0.0.1:1";

    /// Steps until a password is hashed: how many, and who waited for it.
    fn hashed(line: &mut PasswordLine<u32>) -> (usize, Vec<u32>) {
        let mut steps = 0;
        loop {
            steps += 1;
            if let Some((waiting, _)) = line.step() {
                return (steps, waiting.waiters.into_iter().map(|(waiter, _)| waiter).collect());
            }
        }
    }

    #[test]
    fn an_unknown_user_costs_as_many_steps_as_a_wrong_password() {
        let mut line = PasswordLine::new(8);
        line.enter(network(ONE), job(0), 1, 0);
        line.enter(network(ONE), job(1), 2, 0);
        assert_eq!([hashed(&mut line), hashed(&mut line)], [(32, vec![1]), (32, vec![2])]);
        assert_eq!(line.len(), 0);
        assert!(line.step().is_none());
    }

    #[test]
    fn equal_passwords_are_hashed_once_even_when_it_has_begun() {
        let mut line = PasswordLine::new(3);
        line.enter(network(ONE), job(0), 1, 0);
        line.step();
        assert!(line.enter(network("10.9.0.1:1"), job(0), 2, 0).is_empty());
        assert!(line.enter(network(ONE), job(1), 3, 0).is_empty());
        assert_eq!(line.enter(network(ONE), job(0), 4, 0), [(4, 0)], "there is room for three requests");
        assert_eq!([hashed(&mut line).1, hashed(&mut line).1], [vec![1, 2], vec![3]]);
    }

    #[test]
    fn a_full_line_gives_way_to_another_network_and_to_none_of_its_own() {
        let mut line = PasswordLine::new(3);
        for waiter in 1..=3 {
            assert!(line.enter(network(ONE), job(waiter.into()), waiter, 0).is_empty());
        }
        assert_eq!(line.enter(network(ONE), job(4), 4, 0), [(4, 0)]);
        assert_eq!(line.enter(network("10.9.0.1:1"), job(5), 5, 0), [(3, 0)]);
        assert_eq!(
            (line.len(), hashed(&mut line).1, hashed(&mut line).1, hashed(&mut line).1),
            (3, vec![1], vec![5], vec![2])
        );
    }

    #[test]
    fn a_line_that_is_full_of_one_password_gives_way_to_a_network_that_has_no_place() {
        for steps in [0, 1] {
            let mut line = PasswordLine::new(3);
            for waiter in 1..=3 {
                assert!(line.enter(network(ONE), job(1), waiter, 0).is_empty());
            }
            (0..steps).for_each(|_| assert!(line.step().is_none()));
            assert_eq!(line.enter(network(ONE), job(1), 4, 0), [(4, 0)], "it waits for itself");
            assert_eq!(line.enter(network("10.9.0.1:1"), job(2), 5, 0), [(3, 0)], "{steps}");
            assert_eq!(line.enter(network("10.9.0.1:1"), job(3), 6, 0), [(6, 0)], "it has a place");
            assert_eq!(line.enter(network("10.8.0.1:1"), job(4), 7, 0), [(2, 0)]);
            assert_eq!(line.enter(network("10.7.0.1:1"), job(5), 8, 0), [(8, 0)], "each has one");
            assert_eq!(line.len(), 3);
            assert_eq!([hashed(&mut line).1, hashed(&mut line).1, hashed(&mut line).1], [[1], [5], [7]]);
            assert_eq!(line.len(), 0);
        }
    }

    #[test]
    fn who_waits_too_long_leaves_and_for_who_is_gone_nothing_is_done() {
        let mut line = PasswordLine::new(8);
        for (waiter, since) in [(1, 0), (2, 0), (3, 5_000)] {
            line.enter(network(ONE), job(waiter.into()), waiter, since);
        }
        line.step();
        assert!(line.end(9_999, |waiter| *waiter == 1).is_empty());
        assert_eq!(line.len(), 2);
        assert_eq!(line.end(10_000, |_| false), [(2, 0)]);
        assert_eq!(hashed(&mut line), (32, vec![3]), "the one that had begun is dropped");
        line.enter(network(ONE), job(4), 4, 70_000);
        assert_eq!(line.end(60_000, |_| false), [(4, 70_000)], "the clock went back");
    }
}
