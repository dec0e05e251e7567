//! Whether a password is that of its user: what has been found out before, or what has to be.

use crate::base::time::UnixSeconds;
use crate::crypto::Hashing;
use crate::decision::PasswordJob;
use crate::policy::{SetId, UserSecrets};
use std::rc::Rc;

/// Whether this is the password of that user.
#[derive(Clone, Copy)]
pub struct PasswordQuestion<'q> {
    /// The set.
    pub set: SetId,
    /// Its name.
    pub set_name: &'q str,
    /// The user name, as it was sent.
    pub user: &'q [u8],
    /// The password.
    pub password: &'q [u8],
    /// What it is held against.
    pub secrets: &'q Rc<UserSecrets>,
}

/// What is known of a password.
#[derive(Debug)]
pub enum PasswordAnswer {
    /// It is that of the hash at this place.
    Matches(usize),
    /// It is of none of the hashes.
    MatchesNone,
    /// This has to be done first.
    NotYet(Rc<PasswordJob>),
}

/// Knows which passwords are right. Hashing one takes too long to be done while all other requests wait.
pub trait PasswordJudge {
    /// What is known at `now`.
    fn judge(&self, question: &PasswordQuestion<'_>, now: UnixSeconds) -> PasswordAnswer;
}

/// Hashes each password in one go: for decisions away from a gate, where no request waits for another.
#[derive(Clone, Copy, Debug, Default)]
pub struct HashesAtOnce;

impl PasswordJudge for HashesAtOnce {
    fn judge(&self, question: &PasswordQuestion<'_>, _now: UnixSeconds) -> PasswordAnswer {
        match Hashing::in_one_go(question.password, &question.secrets.hashes) {
            Some(at) => PasswordAnswer::Matches(at),
            None => PasswordAnswer::MatchesNone,
        }
    }
}
