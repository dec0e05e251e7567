//! Hashes of passwords: their text forms, and whether a password is the one, found out in steps.
//!
//! A hash of a password is slow on purpose, and a worker has one thread: what takes half a second in one piece would stop
//! all its requests for as long. So the work is cut into steps of a fraction of a millisecond, and the caller says
//! when to go on.

mod bcrypt;
mod pbkdf2;

use super::{SHA256_BYTES, same_tag, sha256};
use bcrypt::Bcrypt;
use hmac_sha256::Hash as Sha256;
use pbkdf2::{Keyed, Pbkdf2};
use sha2::Sha512;
use std::fmt;

pub use bcrypt::MAX_PASSWORD;

/// The text form of PBKDF2 with SHA-256, in front of rounds, salt and hash.
const PBKDF2_SHA256: &str = "$pbkdf2-sha256$";
/// That with SHA-512.
const PBKDF2_SHA512: &str = "$pbkdf2-sha512$";

/// What a hash of a password is compared with, and how it is made.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    Sha256([u8; SHA256_BYTES]),
    Bcrypt(bcrypt::Hash),
    Pbkdf2Sha256(pbkdf2::Hash),
    Pbkdf2Sha512(pbkdf2::Hash),
}

/// What making a hash takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Next to nothing: SHA-256.
    Nothing,
    /// bcrypt of this cost.
    Bcrypt(u32),
    /// So many rounds of PBKDF2 with HMAC-SHA-256.
    Pbkdf2Sha256(u32),
    /// So many rounds of PBKDF2 with HMAC-SHA-512.
    Pbkdf2Sha512(u32),
}

impl Effort {
    /// About how long it takes in the module, in microseconds. It compares hashes, and promises nothing.
    #[must_use]
    pub const fn micros(self) -> u64 {
        match self {
            Self::Nothing => 1,
            Self::Bcrypt(cost) => 120 << cost,
            // Never a cast that loses something.
            Self::Pbkdf2Sha256(rounds) => widened(rounds),
            Self::Pbkdf2Sha512(rounds) => widened(rounds).saturating_mul(5) / 4,
        }
    }
}

const fn widened(rounds: u32) -> u64 {
    let [a, b, c, d] = rounds.to_be_bytes();
    u64::from_be_bytes([0, 0, 0, 0, a, b, c, d])
}

/// Shows how it is made, and nothing of what it is compared with.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PasswordHash({:?})", self.effort())
    }
}

impl PasswordHash {
    /// The hash that is plain SHA-256.
    #[must_use]
    pub const fn sha256(digest: [u8; SHA256_BYTES]) -> Self {
        Self(Form::Sha256(digest))
    }

    /// One that takes so much, and is that of no password.
    #[must_use]
    pub fn of_nobody(effort: Effort) -> Self {
        let pbkdf2 = |rounds, bytes: usize| pbkdf2::Hash { rounds, salt: [0; 16].into(), made: vec![0; bytes].into() };
        Self(match effort {
            Effort::Nothing => Form::Sha256([0; SHA256_BYTES]),
            Effort::Bcrypt(cost) => Form::Bcrypt(bcrypt::Hash { cost, salt: [0; 16], made: [0; 23] }),
            Effort::Pbkdf2Sha256(rounds) => Form::Pbkdf2Sha256(pbkdf2(rounds, 32)),
            Effort::Pbkdf2Sha512(rounds) => Form::Pbkdf2Sha512(pbkdf2(rounds, 64)),
        })
    }

    /// Reads the text form of bcrypt or PBKDF2.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence about it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(rest) = text.strip_prefix(PBKDF2_SHA256) {
            return pbkdf2::Hash::parse(rest, 32).map(|hash| Self(Form::Pbkdf2Sha256(hash)));
        }
        if let Some(rest) = text.strip_prefix(PBKDF2_SHA512) {
            return pbkdf2::Hash::parse(rest, 64).map(|hash| Self(Form::Pbkdf2Sha512(hash)));
        }
        if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
            return bcrypt::Hash::parse(text).map(|hash| Self(Form::Bcrypt(hash)));
        }
        Err(refused(text))
    }

    /// Makes the bcrypt hash of a password.
    #[must_use]
    pub fn bcrypt(password: &[u8], cost: u32, salt: [u8; 16]) -> String {
        let mut run = Bcrypt::begin(password, cost, salt);
        loop {
            if let Some(made) = run.step() {
                return bcrypt::text(cost, &salt, &made);
            }
        }
    }

    /// Makes the hash of a password by PBKDF2 with HMAC-SHA-256.
    #[must_use]
    pub fn pbkdf2(password: &[u8], rounds: u32, salt: &[u8]) -> String {
        let mut run: Pbkdf2<Sha256> = Pbkdf2::begin(password, salt, rounds);
        loop {
            if let Some(made) = run.step() {
                return format!("{PBKDF2_SHA256}{}", pbkdf2::text(rounds, salt, made));
            }
        }
    }

    /// What it takes.
    #[must_use]
    pub const fn effort(&self) -> Effort {
        match &self.0 {
            Form::Sha256(_) => Effort::Nothing,
            Form::Bcrypt(hash) => Effort::Bcrypt(hash.cost),
            Form::Pbkdf2Sha256(hash) => Effort::Pbkdf2Sha256(hash.rounds),
            Form::Pbkdf2Sha512(hash) => Effort::Pbkdf2Sha512(hash.rounds),
        }
    }

    /// The digest of how it is made and what it is compared with: another hash has another one.
    #[must_use]
    pub fn digest(&self) -> [u8; SHA256_BYTES] {
        match &self.0 {
            Form::Sha256(digest) => *digest,
            Form::Bcrypt(hash) => sha256(&[&[b'b'][..], &hash.cost.to_be_bytes(), &hash.salt, &hash.made].concat()),
            Form::Pbkdf2Sha256(hash) => hash.digest(b'p'),
            Form::Pbkdf2Sha512(hash) => hash.digest(b'q'),
        }
    }

    /// Begins to find out whether a password is the one.
    fn begin(&self, password: &[u8]) -> Run {
        match &self.0 {
            Form::Sha256(_) => Run::Sha256(sha256(password)),
            Form::Bcrypt(hash) => Run::Bcrypt(Box::new(Bcrypt::begin(password, hash.cost, hash.salt))),
            Form::Pbkdf2Sha256(hash) => Run::Pbkdf2Sha256(Box::new(Pbkdf2::begin(password, &hash.salt, hash.rounds))),
            Form::Pbkdf2Sha512(hash) => Run::Pbkdf2Sha512(Box::new(Pbkdf2::begin(password, &hash.salt, hash.rounds))),
        }
    }

    /// Whether this is what it is compared with.
    fn is(&self, made: &[u8]) -> bool {
        match &self.0 {
            Form::Sha256(digest) => same_tag(made, digest),
            Form::Bcrypt(hash) => same_tag(made, &hash.made),
            Form::Pbkdf2Sha256(hash) | Form::Pbkdf2Sha512(hash) => same_tag(made, &hash.made),
        }
    }
}

/// Why a text that is no hash of ours is refused.
fn refused(text: &str) -> &'static str {
    const KNOWN: [(&str, &str); 12] = [
        ("{SHA}", "is {SHA}, a SHA-1 without salt, which is guessed at once"),
        ("{SSHA", "is {SSHA}, a fast hash, which is guessed at once"),
        ("$apr1$", "is $apr1$, which is MD5"),
        ("$1$", "is $1$, which is MD5"),
        ("$5$", "is SHA-crypt, which is not read here"),
        ("$6$", "is SHA-crypt, which is not read here"),
        ("$argon2", "is argon2, whose memory a worker would never give back"),
        ("$scrypt$", "is scrypt, whose memory a worker would never give back"),
        ("$7$", "is scrypt, whose memory a worker would never give back"),
        ("$y$", "is yescrypt, whose memory a worker would never give back"),
        ("$2x$", "is of a bcrypt that was broken"),
        ("$2$", "is of a bcrypt that was broken"),
    ];
    let known = KNOWN.iter().find(|(prefix, _)| text.starts_with(prefix));
    let is_crypt = text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte));
    match known {
        Some((_, why)) => why,
        None if is_crypt => "is of crypt, or a password as it is",
        None => "is no hash of a password that is read here",
    }
}

/// A hash that is being made.
enum Run {
    Sha256([u8; SHA256_BYTES]),
    Bcrypt(Box<Bcrypt>),
    Pbkdf2Sha256(Box<Pbkdf2<Sha256>>),
    Pbkdf2Sha512(Box<Pbkdf2<Sha512>>),
}

/// Finds out of which of several hashes a password is, in steps of less than a millisecond.
pub struct Hashing {
    password: Box<[u8]>,
    /// Which of the hashes is made now.
    at: usize,
    run: Option<Run>,
}

/// Shows nothing of the password.
impl fmt::Debug for Hashing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hashing(the hash at {})", self.at)
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Another step has to be done.
    GoesOn,
    /// The password is that of the hash at this place.
    Matches(usize),
    /// It is of none.
    MatchesNone,
}

impl Hashing {
    /// Begins with the first hash.
    #[must_use]
    pub fn begin(password: &[u8]) -> Self {
        Self { password: password.into(), at: 0, run: None }
    }

    /// Does one step. `hashes` are those of all steps.
    pub fn step(&mut self, hashes: &[PasswordHash]) -> Progress {
        let Some(hash) = hashes.get(self.at) else { return Progress::MatchesNone };
        let made = match self.run.get_or_insert_with(|| hash.begin(&self.password)) {
            Run::Sha256(digest) => Some(hash.is(digest)),
            Run::Bcrypt(run) => run.step().map(|made| hash.is(&made)),
            Run::Pbkdf2Sha256(run) => run.step().map(|made| hash.is(made)),
            Run::Pbkdf2Sha512(run) => run.step().map(|made| hash.is(made)),
        };
        match made {
            None => Progress::GoesOn,
            Some(true) => Progress::Matches(self.at),
            Some(false) => {
                self.run = None;
                self.at = self.at.saturating_add(1);
                if self.at < hashes.len() { Progress::GoesOn } else { Progress::MatchesNone }
            }
        }
    }

    /// Does all steps in one go. `None` where the password is of none of the hashes.
    #[must_use]
    pub fn in_one_go(password: &[u8], hashes: &[PasswordHash]) -> Option<usize> {
        let mut hashing = Self::begin(password);
        loop {
            match hashing.step(hashes) {
                Progress::GoesOn => {}
                Progress::Matches(at) => return Some(at),
                Progress::MatchesNone => return None,
            }
        }
    }
}

/// The end of a run as bytes.
impl Keyed for Sha256 {
    const BLOCK: usize = 64;
    type Digest = [u8; 32];

    fn begin(block: &[u8]) -> Self {
        let mut state = Self::new();
        state.update(block);
        state
    }

    fn end(self, bytes: &[u8]) -> Self::Digest {
        let mut state = self;
        state.update(bytes);
        state.finalize()
    }
}

impl Keyed for Sha512 {
    const BLOCK: usize = 128;
    type Digest = [u8; 64];

    fn begin(block: &[u8]) -> Self {
        let mut state = <Self as sha2::Digest>::new();
        sha2::Digest::update(&mut state, block);
        state
    }

    fn end(self, bytes: &[u8]) -> Self::Digest {
        let mut state = self;
        sha2::Digest::update(&mut state, bytes);
        sha2::Digest::finalize(state).into()
    }
}

#[cfg(test)]
mod tests;
