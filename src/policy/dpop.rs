//! What proofs of possession must be ([RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)).

use super::TargetUri;
use crate::base::base64url;
use crate::base::time::{Seconds, UnixSeconds};
use crate::crypto::{Algorithm, AlgorithmSet, hmac, same_tag};
use crate::request::RequestView;

/// How proofs are judged.
#[derive(Debug)]
pub struct Dpop {
    /// Where clients reach what the gate protects, with the path that a proxy before it takes away.
    pub origins: Vec<TargetUri>,
    /// What proofs may be signed with.
    pub algorithms: AlgorithmSet,
    /// The longest `now - iat`.
    pub max_age: Seconds,
    /// The longest `iat - now`.
    pub max_ahead: Seconds,
    /// The nonces that proofs must have.
    pub nonce: Option<NoncePolicy>,
}

impl Dpop {
    /// The names of the algorithms, spaces between them.
    #[must_use]
    pub fn algorithm_names(&self) -> String {
        let names: Vec<&str> = self.algorithms.iter().map(Algorithm::name).collect();
        names.join(" ")
    }

    /// Whether `htu` is the address of a request, by RFC 9449 section 4.3 (9). Its origin is a configured one; of several,
    /// the authority of the request chooses.
    #[must_use]
    pub fn is_target(&self, htu: &str, request: &RequestView<'_>) -> bool {
        let (Some(told), Some(path)) = (TargetUri::parse(htu.as_bytes()), request.path()) else { return false };
        let is_chosen = |origin: &TargetUri| match self.origins.as_slice() {
            [_] => true,
            _ => request.authority().is_some_and(|authority| origin.is_at(authority)),
        };
        self.origins.iter().any(|origin| is_chosen(origin) && origin.join(path).as_ref() == Some(&told))
    }
}

/// Nonces that hold no state: a time, and a tag of it under one secret. Who knows the secret accepts them, so every worker
/// and every gate of a fleet does.
pub struct NoncePolicy {
    secret: Box<[u8]>,
    /// How long one is good.
    lifetime: Seconds,
}

/// The bytes of a time.
const TIME_BYTES: usize = 8;
/// The bytes of a tag: 128 bits cannot be guessed.
const TAG_BYTES: usize = 16;
/// What the secret is used for here. Another use of it makes other tags.
const PURPOSE: &[u8] = b"scopegate/1 dpop nonce ";
/// How far the clocks of a fleet may differ.
const SKEW: Seconds = Seconds(10);

impl NoncePolicy {
    /// Nonces under this secret.
    #[must_use]
    pub fn new(secret: &[u8], lifetime: Seconds) -> Self {
        Self { secret: secret.into(), lifetime }
    }

    /// A nonce that is good from now on.
    #[must_use]
    pub fn issue(&self, now: UnixSeconds) -> String {
        base64url::encode(&[now.0.to_be_bytes().as_slice(), &self.tag(now)].concat())
    }

    /// Whether `nonce` is one that a holder of the secret has issued, and its time is not over.
    #[must_use]
    pub fn accepts(&self, nonce: &str, now: UnixSeconds) -> bool {
        let Some(bytes) = base64url::decode(nonce.as_bytes()) else { return false };
        let Some((time, tag)) = bytes.split_first_chunk::<TIME_BYTES>() else { return false };
        let issued = UnixSeconds(i64::from_be_bytes(*time));
        same_tag(&self.tag(issued), tag) && issued <= now.plus(SKEW) && now <= issued.plus(self.lifetime)
    }

    fn tag(&self, issued: UnixSeconds) -> [u8; TAG_BYTES] {
        let whole = hmac(&self.secret, &[PURPOSE, &issued.0.to_be_bytes()].concat());
        let mut tag = [0; TAG_BYTES];
        tag.iter_mut().zip(whole).for_each(|(place, byte)| *place = byte);
        tag
    }
}

/// Shows nothing of the secret.
impl std::fmt::Debug for NoncePolicy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("NoncePolicy").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn policy(secret: &[u8]) -> NoncePolicy {
        NoncePolicy::new(secret, Seconds(300))
    }

    #[test]
    fn a_nonce_is_good_for_its_lifetime_and_for_all_who_know_the_secret() {
        let nonce = policy(&[1; 32]).issue(NOW);
        let accepts = |after: i64| policy(&[1; 32]).accepts(&nonce, UnixSeconds(NOW.0 + after));
        for after in [-10, 0, 1, 300] {
            assert!(accepts(after), "{after}");
        }
        for after in [-11, 301, 100_000] {
            assert!(!accepts(after), "{after}");
        }
        assert!(!policy(&[2; 32]).accepts(&nonce, NOW));
        assert_eq!(format!("{:?}", policy(&[1; 32])), "NoncePolicy { lifetime: Seconds(300), .. }");
    }

    #[test]
    fn no_other_text_is_a_nonce() {
        let policy = policy(&[1; 32]);
        let nonce = policy.issue(NOW);
        assert_eq!(nonce.len(), 32, "of characters that RFC 9449 section 8.1 admits");
        let bytes = base64url::decode(nonce.as_bytes()).expect("base64url");
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                assert!(!policy.accepts(&base64url::encode(&other), NOW), "{at} {bit}");
            }
        }
        for text in ["", "x", nonce.get(..31).unwrap_or_default(), &format!("{nonce}A"), &format!("{nonce}=")] {
            assert!(!policy.accepts(text, NOW), "{text}");
        }
        assert!(!policy.accepts(&base64url::encode(&bytes[..bytes.len() - 1]), NOW));
    }

    #[test]
    fn a_time_at_the_ends_of_the_clock_is_no_other() {
        let policy = policy(&[1; 32]);
        for at in [i64::MIN, i64::MAX] {
            assert!(!policy.accepts(&policy.issue(UnixSeconds(at)), NOW), "{at}");
        }
    }
}
