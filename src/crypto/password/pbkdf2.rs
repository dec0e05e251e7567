//! PBKDF2 ([RFC 8018 section 5.2](https://www.rfc-editor.org/rfc/rfc8018#section-5.2)) of one block, in the text form of
//! passlib: `$pbkdf2-sha256$ROUNDS$SALT$HASH`, base64 without padding and with `.` in the place of `+`.

use crate::crypto::{SHA256_BYTES, sha256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// The most rounds.
const MAX_ROUNDS: u32 = 1_000_000;
/// The shortest salt, in bytes.
const LEAST_SALT: usize = 8;
/// The rounds of a step: about an eighth of a millisecond in the module.
const STEP: u32 = 128;

/// A hash function whose state can be kept: HMAC begins with the same block in every round.
pub(super) trait Keyed: Clone {
    /// The bytes of a block.
    const BLOCK: usize;
    type Digest: AsRef<[u8]> + AsMut<[u8]> + Clone;

    /// The state after a first block.
    fn begin(block: &[u8]) -> Self;

    /// The digest after further bytes.
    fn end(self, bytes: &[u8]) -> Self::Digest;
}

/// A hash as it is written.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Hash {
    pub(super) rounds: u32,
    pub(super) salt: Box<[u8]>,
    pub(super) made: Box<[u8]>,
}

impl Hash {
    /// Reads what stands after the name; the hash has so many bytes.
    pub(super) fn parse(text: &str, bytes: usize) -> Result<Self, &'static str> {
        const FORM: &str = "is not PBKDF2 as $pbkdf2-sha256$ROUNDS$SALT$HASH";
        let mut parts = text.split('$');
        let (Some(rounds), Some(salt), Some(made), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(FORM);
        };
        let is_number = !rounds.is_empty() && !rounds.starts_with('0') && rounds.bytes().all(|it| it.is_ascii_digit());
        let rounds: u32 = if is_number { rounds.parse().unwrap_or(u32::MAX) } else { return Err(FORM) };
        if rounds > MAX_ROUNDS {
            return Err("has more than 1000000 rounds of PBKDF2");
        }
        let read = |text: &str| STANDARD_NO_PAD.decode(text.replace('.', "+")).ok();
        let salt = read(salt).ok_or(FORM)?;
        if salt.len() < LEAST_SALT {
            return Err("has a salt of fewer than 8 bytes");
        }
        let made = read(made).filter(|made| made.len() == bytes).ok_or(FORM)?;
        Ok(Self { rounds, salt: salt.into(), made: made.into() })
    }

    /// The digest of all of it.
    pub(super) fn digest(&self, name: u8) -> [u8; SHA256_BYTES] {
        sha256(&[&[name][..], &self.rounds.to_be_bytes(), &self.salt, &self.made].concat())
    }
}

/// The text form of a hash, without its name.
pub(super) fn text(rounds: u32, salt: &[u8], made: impl AsRef<[u8]>) -> String {
    let written = |bytes: &[u8]| STANDARD_NO_PAD.encode(bytes).replace('+', ".");
    format!("{rounds}${}${}", written(salt), written(made.as_ref()))
}

/// A hash that is being made.
pub(super) struct Pbkdf2<H: Keyed> {
    inner: H,
    outer: H,
    last: H::Digest,
    made: H::Digest,
    rounds_left: u32,
}

impl<H: Keyed> Pbkdf2<H> {
    /// The first round.
    pub(super) fn begin(password: &[u8], salt: &[u8], rounds: u32) -> Self {
        // HMAC takes the digest of a key that is longer than a block.
        let digest = (password.len() > H::BLOCK).then(|| H::begin(&[]).end(password));
        let key = digest.as_ref().map_or(password, AsRef::as_ref);
        let padded = |pad: u8| {
            let mut block = vec![pad; H::BLOCK];
            block.iter_mut().zip(key).for_each(|(byte, own)| *byte ^= own);
            H::begin(&block)
        };
        let (inner, outer) = (padded(0x36), padded(0x5c));
        let first = outer.clone().end(inner.clone().end(&[salt, &1_u32.to_be_bytes()].concat()).as_ref());
        Self { inner, outer, made: first.clone(), last: first, rounds_left: rounds.saturating_sub(1) }
    }

    /// Does some rounds. The last ones give what was made.
    pub(super) fn step(&mut self) -> Option<&H::Digest> {
        for _ in 0..self.rounds_left.min(STEP) {
            self.last = self.outer.clone().end(self.inner.clone().end(self.last.as_ref()).as_ref());
            self.made.as_mut().iter_mut().zip(self.last.as_ref()).for_each(|(byte, own)| *byte ^= own);
        }
        self.rounds_left = self.rounds_left.saturating_sub(STEP);
        (self.rounds_left == 0).then_some(&self.made)
    }
}
