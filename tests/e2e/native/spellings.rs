//! What is changed of a signed token: its spelling, and the value of its signature.

use super::changes::{Kind, Spell, passes, refused};
use super::signers::base64url_of;
use crate::support::random::Random;
use scopegate::base::base64url;

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The order of the group of P-256.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// `n - s`: the other half of the signatures of an ECDSA key.
fn negated(half: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut result = vec![0; 32];
    for place in (0..32).rev() {
        let difference = i32::from(ORDER[place]) - i32::from(half[place]) - borrow;
        borrow = i32::from(difference < 0);
        result[place] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    result
}

/// The sum of two numbers of as many bytes, which may have one more.
pub(super) fn sum(left: &[u8], right: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let mut result: Vec<u8> = Vec::new();
    for (left, right) in left.iter().rev().zip(right.iter().rev()) {
        let [low, high] = (u16::from(*left) + u16::from(*right) + carry).to_le_bytes();
        result.push(low);
        carry = high.into();
    }
    result.extend((carry > 0).then_some(1));
    result.reverse();
    result
}

fn with_signature(token: &str, edit: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    format!("{input}.{}", base64url::encode(&edit(base64url::decode(signature.as_bytes()).unwrap())))
}

pub(super) fn halves(signature: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (r, s) = signature.split_at(signature.len() / 2);
    (r.to_vec(), s.to_vec())
}

fn random_bytes(length: usize, random: &mut Random) -> Vec<u8> {
    (0..length).map(|_| random.next().to_le_bytes()[0]).collect()
}

pub(super) const SPELLINGS: &[Kind<Spell>] = &[
    refused("a character is another", |token, _, random| {
        let mut bytes = token.as_bytes().to_vec();
        // Not the last one, whose bits are another matter.
        let places: Vec<usize> = (0..bytes.len() - 1).filter(|place| bytes[*place] != b'.').collect();
        let place = random.of(&places);
        let before = bytes[place];
        while bytes[place] == before {
            bytes[place] = random.of(ALPHABET);
        }
        String::from_utf8(bytes).unwrap()
    }),
    refused("stray bits are in the last character", |token, _, _| {
        let mut token = token.to_owned();
        // The last of a signature whose length is a multiple of three has none to spare.
        if token.rsplit_once('.').unwrap().1.len() % 4 == 0 {
            return token;
        }
        let last = token.pop().unwrap();
        let place = ALPHABET.iter().position(|byte| char::from(*byte) == last).unwrap();
        token.push(char::from(ALPHABET[place + 1]));
        token
    }),
    refused("a character is missing or twice", |token, _, random| {
        let mut token = token.to_owned();
        // Neither a dot nor one of the last, which are other matters: bits after the signature.
        let places: Vec<usize> =
            token[..token.len() - 5].match_indices(|at| at != '.').map(|(place, _)| place).collect();
        let place = random.of(&places);
        let removed = token.remove(place);
        if random.chance(2) {
            token.insert_str(place, &format!("{removed}{removed}"));
        }
        token
    }),
    refused("a character that base64url has not", |token, _, random| {
        let mut token = token.to_owned();
        // Not before the first one, which is another matter.
        token.insert(1 + random.below(token.len() - 1), random.of(&['+', '/', '=', '*', '%', '~', '!']));
        token
    }),
    refused("there is white space in its signature", |token, _, random| {
        let (input, signature) = token.rsplit_once('.').unwrap();
        let (left, right) = signature.split_at(1 + random.below(signature.len() - 1));
        format!("{input}.{left}{}{right}", random.of(&[" ", "  ", "\t"]))
    }),
    refused("it is padded", |token, _, random| format!("{token}{}", random.of(&["=", "=="]))),
    refused("there are more dots", |token, _, random| match random.below(3) {
        0 => format!(".{token}"),
        1 => format!("{token}."),
        _ => token.replacen('.', "..", 1),
    }),
    refused("a part is missing or too many", |token, _, random| {
        let parts: Vec<&str> = token.split('.').collect();
        match random.below(6) {
            0 => parts[..2].join("."),
            1 => parts[1..].join("."),
            2 => parts[0].to_owned(),
            3 => format!("{token}.{}", parts[1]),
            4 => format!("{token}.{}.{}", parts[0], parts[2]),
            _ => format!("{}.{}.{}", parts[1], parts[0], parts[2]),
        }
    }),
    refused("it is in another serialization", |token, _, random| {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = [parts[0], parts[1], parts[2]];
        let flat = format!(r#"{{"protected":"{header}","payload":"{claims}","signature":"{signature}"}}"#);
        let inner = base64url_of(r#"{"alg":"none","cty":"JWT"}"#);
        match random.below(3) {
            0 => flat,
            1 => base64url_of(&flat),
            _ => format!("{inner}.{}.", base64url_of(token)),
        }
    }),
    refused("the signature is missing", |token, _, _| format!("{}.", token.rsplit_once('.').unwrap().0)),
    refused("the signature is zeros or random", |token, _, random| {
        with_signature(token, |signature| {
            if random.chance(2) { vec![0; signature.len()] } else { random_bytes(signature.len(), random) }
        })
    }),
    refused("the signature is too short", |token, _, random| {
        with_signature(token, |signature| signature[..=random.below(signature.len() - 1)].to_vec())
    }),
    refused("something stands behind the signature", |token, _, random| {
        with_signature(token, |signature| [signature, random_bytes(1 + random.below(8), random)].concat())
    }),
    refused("the signature is there twice", |token, _, _| with_signature(token, |signature| signature.repeat(2))),
    refused("a zero is before each half of the signature", |token, _, _| {
        with_signature(token, |signature| {
            let (r, s) = halves(&signature);
            [&[0], &r[..], &[0], &s[..]].concat()
        })
    }),
    refused("the halves of the signature are swapped", |token, _, _| {
        with_signature(token, |signature| {
            let (r, s) = halves(&signature);
            [s, r].concat()
        })
    }),
    refused("a half of the signature is no number below the order", |token, _, random| {
        with_signature(token, |signature| {
            let (r, s) = halves(&signature);
            let zeros = vec![0; r.len()];
            let order = if r.len() == 32 { ORDER.to_vec() } else { vec![0xff; r.len()] };
            let above = if r.len() == 32 { sum(&ORDER, &[&[0; 31][..], &[1]].concat()) } else { order.clone() };
            let bad = random.of(&[zeros, order, above, vec![0xff; r.len()]]);
            match random.below(3) {
                0 => [bad, s].concat(),
                1 => [r, bad].concat(),
                _ => [bad.clone(), bad].concat(),
            }
        })
    }),
    passes("the signature of an ECDSA key is the other one", |token, keyring, _| {
        // Only the keys of P-256 can be told here, by their header.
        if !token.starts_with(keyring.world.token().sign().split('.').next().unwrap()) {
            return token.to_owned();
        }
        with_signature(token, |signature| match signature.len() {
            64 => [&signature[..32], &negated(&signature[32..])].concat(),
            _ => signature,
        })
    }),
    refused("the signature is of another token", |token, keyring, _| {
        let other = keyring.world.token().claim("sub", "mallory").sign();
        format!("{}.{}", token.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1)
    }),
    refused("the claims are of another token", |token, keyring, _| {
        let other = keyring.world.token().claim("sub", "admin").claim("scope", "orders:read orders:write").sign();
        let parts: Vec<&str> = token.split('.').collect();
        format!("{}.{}.{}", parts[0], other.split('.').nth(1).unwrap(), parts[2])
    }),
    refused("it is upper case", |token, _, _| token.to_ascii_uppercase()),
];
