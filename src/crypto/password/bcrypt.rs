//! bcrypt (Provos and Mazières, 1999), in the text forms `$2a$`, `$2b$` and `$2y$`, which are one for passwords up to 72
//! bytes without NUL.

use base64::Engine as _;
use base64::alphabet::BCRYPT;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use blowfish::Blowfish;

/// The longest password that counts whole, in bytes.
pub const MAX_PASSWORD: usize = 72;

const BASE64: GeneralPurpose = GeneralPurpose::new(&BCRYPT, NO_PAD);
/// `OrpheanBeholderScryDoubt`.
const TEXT: [[u32; 2]; 3] = [[0x4f72_7068, 0x6561_6e42], [0x6568_6f6c, 0x6465_7253], [0x6372_7944, 0x6f75_6274]];
/// The bytes of the text that count: the last of 24 was left out by the first program, and by all since.
const MADE_BYTES: usize = 23;

/// A hash as it is written.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Hash {
    pub(super) cost: u32,
    pub(super) salt: [u8; 16],
    pub(super) made: [u8; MADE_BYTES],
}

impl Hash {
    /// Reads one whose beginning is known.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "is not a whole bcrypt hash, which has 60 characters";
        let (cost, rest) = text.get(4..).and_then(|text| text.split_once('$')).ok_or(FORM)?;
        let cost: u32 = Some(cost).filter(|cost| cost.len() == 2).and_then(|cost| cost.parse().ok()).ok_or(FORM)?;
        if !(5..=12).contains(&cost) {
            return Err("has a bcrypt cost that is not from 5 to 12");
        }
        let (salt, made) = rest.split_at_checked(22).ok_or(FORM)?;
        let read = |text: &str| BASE64.decode(text).ok();
        let salt = read(salt).and_then(|salt| <[u8; 16]>::try_from(salt.as_slice()).ok()).ok_or(FORM)?;
        let made = read(made).and_then(|made| <[u8; MADE_BYTES]>::try_from(made.as_slice()).ok()).ok_or(FORM)?;
        Ok(Self { cost, salt, made })
    }
}

/// The text form of a hash.
pub(super) fn text(cost: u32, salt: &[u8], made: &[u8]) -> String {
    format!("$2y${cost:02}${}{}", BASE64.encode(salt), BASE64.encode(made))
}

/// A hash that is being made.
pub(super) struct Bcrypt {
    state: Blowfish,
    /// The password and a NUL, up to 72 bytes.
    key: Vec<u8>,
    salt: [u8; 16],
    rounds_left: u32,
}

impl Bcrypt {
    pub(super) fn begin(password: &[u8], cost: u32, salt: [u8; 16]) -> Self {
        let mut key = password.to_vec();
        key.push(0);
        key.truncate(MAX_PASSWORD);
        let mut state = Blowfish::bc_init_state();
        state.salted_expand_key(&salt, &key);
        Self { state, key, salt, rounds_left: 1 << cost.min(31) }
    }

    /// Does a round, which takes about an eighth of a millisecond in the module. The last one gives what was made.
    pub(super) fn step(&mut self) -> Option<[u8; MADE_BYTES]> {
        self.state.bc_expand_key(&self.key);
        self.state.bc_expand_key(&self.salt);
        self.rounds_left = self.rounds_left.saturating_sub(1);
        if self.rounds_left > 0 {
            return None;
        }
        let mut made = Vec::with_capacity(24);
        for mut pair in TEXT {
            for _ in 0..64 {
                pair = self.state.bc_encrypt(pair);
            }
            made.extend(pair.iter().flat_map(|half| half.to_be_bytes()));
        }
        let mut whole = [0; MADE_BYTES];
        whole.iter_mut().zip(made).for_each(|(byte, made)| *byte = made);
        Some(whole)
    }
}
