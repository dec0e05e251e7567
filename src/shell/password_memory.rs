//! Passwords that have been hashed, under names that no client can choose. A right one is remembered for five minutes and a
//! wrong one for one. Nothing that is kept here can be taken for a password, or for a hash of one.

use crate::base::time::UnixSeconds;
use crate::crypto::KeyedDigest;
use crate::decision::PasswordJob;
use crate::facts::{PasswordAnswer, PasswordJudge, PasswordQuestion};
use crate::policy::SetId;
use std::cell::RefCell;
use std::rc::Rc;

/// How long a right password is remembered, in seconds.
const RIGHT: i64 = 300;
/// How long a wrong one is.
const WRONG: i64 = 60;
/// How many wrong ones are remembered. Another one may take the place of one that is.
const WRONG_PLACES: u128 = 1024;

/// The passwords of one worker.
#[derive(Debug)]
pub struct PasswordMemory {
    digest: KeyedDigest,
    /// For each set a place for each of its hashes: clients that guess cannot take the place of a right password.
    right: RefCell<Vec<Vec<Entry>>>,
    wrong: RefCell<Vec<Entry>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    name: u128,
    /// From when on it is forgotten.
    until: i64,
}

impl Entry {
    const fn is(self, name: u128, now: UnixSeconds) -> bool {
        // A clock that went back forgets.
        self.name == name && now.0 < self.until && self.until.saturating_sub(now.0) <= RIGHT
    }
}

impl PasswordMemory {
    /// One that remembers nothing yet; `None` where there are no random numbers, without which names could be chosen.
    pub fn new() -> Option<Self> {
        KeyedDigest::random().map(|digest| Self { digest, right: RefCell::default(), wrong: RefCell::default() })
    }

    /// Remembers at which place of its hashes a password is.
    pub fn remember(&self, job: &PasswordJob, found: Option<usize>, now: UnixSeconds) {
        let (mut right, mut wrong) = (self.right.borrow_mut(), self.wrong.borrow_mut());
        let (places, at, lasts) = match (job.secrets.first, found) {
            (Some(first), Some(found)) => {
                grow(&mut right, job.set.0);
                let Some(places) = right.get_mut(job.set.0) else { return };
                (places, first.saturating_add(found), RIGHT)
            }
            _ => (&mut *wrong, place_of_wrong(job.name), WRONG),
        };
        grow(places, at);
        if let Some(entry) = places.get_mut(at) {
            *entry = Entry { name: job.name, until: now.0.saturating_add(lasts) };
        }
    }

    fn recall(&self, set: SetId, first: Option<usize>, hashes: usize, name: u128, now: UnixSeconds) -> Option<usize> {
        let right = self.right.borrow();
        let places = right.get(set.0)?;
        let first = first?;
        (0..hashes).find(|at| places.get(first.saturating_add(*at)).is_some_and(|entry| entry.is(name, now)))
    }
}

/// The place of a wrong password, whose name is as good as random.
fn place_of_wrong(name: u128) -> usize {
    usize::try_from(name % WRONG_PLACES).unwrap_or_default()
}

fn grow<T: Default>(places: &mut Vec<T>, at: usize) {
    if places.len() <= at {
        places.resize_with(at.saturating_add(1), T::default);
    }
}

impl PasswordJudge for PasswordMemory {
    fn judge(&self, question: &PasswordQuestion<'_>, now: UnixSeconds) -> PasswordAnswer {
        let PasswordQuestion { set, set_name, user, password, secrets } = *question;
        let name = self.digest.of_parts(&[set_name.as_bytes(), user, password, &secrets.digest]);
        if let Some(at) = self.recall(set, secrets.first, secrets.hashes.len(), name, now) {
            return PasswordAnswer::Matches(at);
        }
        if self.wrong.borrow().get(place_of_wrong(name)).is_some_and(|entry| entry.is(name, now)) {
            return PasswordAnswer::MatchesNone;
        }
        let job = PasswordJob { name, set, password: password.into(), secrets: Rc::clone(secrets) };
        PasswordAnswer::NotYet(Rc::new(job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{PasswordHash, sha256};
    use crate::policy::Passwords;

    const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

    fn passwords(secrets: &[&str]) -> Passwords {
        let hashes = secrets.iter().map(|secret| (PasswordHash::sha256(sha256(secret.as_bytes())), None)).collect();
        Passwords::new(vec![("alice".to_owned().into(), hashes)])
    }

    fn ask(
        memory: &PasswordMemory,
        set: usize,
        all: &Passwords,
        user: &str,
        password: &str,
        now: i64,
    ) -> PasswordAnswer {
        let (_, secrets) = all.find(user.as_bytes());
        let set_name = ["staff", "others"][set];
        let question = PasswordQuestion {
            set: SetId(set),
            set_name,
            user: user.as_bytes(),
            password: password.as_bytes(),
            secrets,
        };
        memory.judge(&question, UnixSeconds(NOW.0 + now))
    }

    fn job(answer: PasswordAnswer) -> Rc<PasswordJob> {
        let PasswordAnswer::NotYet(job) = answer else { panic!("{answer:?}") };
        job
    }

    #[test]
    fn a_right_password_is_remembered_for_five_minutes_and_a_wrong_one_for_one() {
        let (memory, all) = (PasswordMemory::new().unwrap(), passwords(&["old", "new"]));
        memory.remember(&job(ask(&memory, 0, &all, "alice", "new", 0)), Some(1), NOW);
        memory.remember(&job(ask(&memory, 0, &all, "alice", "bad", 0)), None, NOW);
        memory.remember(&job(ask(&memory, 0, &all, "bob", "new", 0)), None, NOW);
        for (user, password, lasts) in [("alice", "new", RIGHT), ("alice", "bad", WRONG), ("bob", "new", WRONG)] {
            let ask = |now| ask(&memory, 0, &all, user, password, now);
            assert!(!matches!(ask(lasts - 1), PasswordAnswer::NotYet(_)), "{user} {password}");
            job(ask(lasts));
            job(ask(-301));
        }
        assert!(matches!(ask(&memory, 0, &all, "alice", "new", 0), PasswordAnswer::Matches(1)));
    }

    #[test]
    fn it_is_forgotten_with_its_hashes_and_is_of_its_set_user_and_password_alone() {
        let (memory, all) = (PasswordMemory::new().unwrap(), passwords(&["old", "new"]));
        memory.remember(&job(ask(&memory, 0, &all, "alice", "new", 0)), Some(1), NOW);
        job(ask(&memory, 1, &all, "alice", "new", 0));
        job(ask(&memory, 0, &all, "alice", "old", 0));
        job(ask(&memory, 0, &all, "alic", "enew", 0));
        job(ask(&memory, 0, &passwords(&["old", "other"]), "alice", "new", 0));
    }

    /// Even if a hash that is of no user could be met, an unknown user is none.
    #[test]
    fn an_unknown_user_is_never_right() {
        let (memory, all) = (PasswordMemory::new().unwrap(), passwords(&["old"]));
        memory.remember(&job(ask(&memory, 0, &all, "bob", "old", 0)), Some(0), NOW);
        assert!(matches!(ask(&memory, 0, &all, "bob", "old", 0), PasswordAnswer::MatchesNone));
    }

    #[test]
    fn wrong_passwords_take_a_bounded_room_and_none_of_the_right_ones() {
        let (memory, all) = (PasswordMemory::new().unwrap(), passwords(&["old"]));
        memory.remember(&job(ask(&memory, 0, &all, "alice", "old", 0)), Some(0), NOW);
        for number in 0..5000 {
            let wrong = job(ask(&memory, 0, &all, "alice", &format!("guess {number}"), 0));
            memory.remember(&wrong, None, NOW);
        }
        assert!(memory.wrong.borrow().len() <= 1024);
        assert!(matches!(ask(&memory, 0, &all, "alice", "old", 0), PasswordAnswer::Matches(0)));
    }
}
