//! How an issuer is asked about an opaque token (RFC 7662 section 2.1), and the tokens that are known not to be active.

use super::feed::{Failure, FailureKind};
use crate::base::text::form_encode;
use crate::base::time::UnixSeconds;
use crate::facts::{Introspected, TokenName, VerifiedToken};
use crate::jose::{IntrospectionAnswer, Malformed};
use crate::policy::{Introspection, IssuerId};
use std::collections::VecDeque;
use std::rc::Rc;

/// The longest answer that is read, in bytes.
pub const ANSWER_BYTES: usize = 65_536;

/// For how long a token counts as not active, in seconds.
const INACTIVE_SECONDS: u64 = 10;
/// How many such tokens are remembered: as many as a worker can have asked about in that time.
const INACTIVE_TOKENS: usize = 1024;

/// The headers of the request. The client of the gate proves itself in one; the token is in none.
pub fn headers(terms: &Introspection) -> Vec<(&str, &str)> {
    let mut headers = terms.endpoint.request("POST");
    headers.extend([
        ("accept", "application/json"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("authorization", &*terms.authorization),
    ]);
    headers
}

/// The body of the request.
pub fn body(token: &[u8]) -> String {
    ["token=", &form_encode(token), "&token_type_hint=access_token"].concat()
}

/// What `issuer` says in an answer, and for how long.
///
/// # Errors
/// When it says nothing that can be used.
pub fn read(
    answer: Vec<u8>,
    issuer: IssuerId,
    terms: &Introspection,
    now: UnixSeconds,
) -> Result<Introspected, Failure> {
    match IntrospectionAnswer::parse(answer) {
        Ok(IntrospectionAnswer::Active(claims)) => {
            let token = VerifiedToken::introspected(issuer, *claims, now, now.plus(terms.cache));
            Ok(Introspected::Active(Rc::new(token)))
        }
        Ok(IntrospectionAnswer::Inactive) => Ok(Introspected::Inactive),
        Err(Malformed(why)) => {
            Err(FailureKind::Invalid.because(["sent an answer that cannot be used: ", why].concat()))
        }
    }
}

/// Tokens that are not active, apart from those that are: tokens that somebody makes up push out no good one. The newest
/// are remembered.
#[derive(Debug, Default)]
pub struct InactiveTokens(VecDeque<(TokenName, u64)>);

impl InactiveTokens {
    /// Whether a token of this name is one, at this second.
    pub fn holds(&self, name: TokenName, now: u64) -> bool {
        self.0
            .iter()
            .any(|(other, since)| *other == name && now.saturating_sub(*since) < INACTIVE_SECONDS && *since <= now)
    }

    /// Adds one.
    pub fn add(&mut self, name: TokenName, now: u64) {
        if self.0.len() >= INACTIVE_TOKENS {
            self.0.pop_front();
        }
        self.0.push_back((name, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Seconds;
    use crate::policy::{Endpoint, TokenTypes};

    fn terms(cache: u32) -> Introspection {
        Introspection {
            endpoint: Endpoint::parse("https://idp.example.com/introspect?x=1", "idp").unwrap(),
            authorization: "Basic Z2F0ZTpz".into(),
            prefix: String::new(),
            cache: Seconds(cache),
            timeout_ms: 1000,
            token_types: TokenTypes::default(),
        }
    }

    #[test]
    fn the_token_is_in_the_body_alone_and_encoded() {
        let terms = terms(30);
        let headers = headers(&terms);
        assert!(
            headers.contains(&(":path", "/introspect?x=1")) && headers.contains(&("authorization", "Basic Z2F0ZTpz"))
        );
        assert_eq!(body(b"a+b/c~d.e-f_g=="), "token=a%2Bb%2Fc%7Ed.e-f_g%3D%3D&token_type_hint=access_token");
        assert_eq!(body(b"a&token=b"), "token=a%26token%3Db&token_type_hint=access_token");
    }

    #[test]
    fn an_answer_holds_for_the_time_of_the_cache_and_never_beyond_exp() {
        let has_expired = |text: &str, cache: u32, now: i64| match read(
            text.as_bytes().to_vec(),
            IssuerId(0),
            &terms(cache),
            UnixSeconds(100),
        ) {
            Ok(Introspected::Active(token)) => token.has_expired(UnixSeconds(now)),
            other => panic!("{other:?}"),
        };
        for (exp, cache, last) in [(1000, 30, 129), (110, 30, 109)] {
            let answer = format!("{{\"active\":true,\"exp\":{exp}}}");
            assert!(!has_expired(&answer, cache, last) && has_expired(&answer, cache, last + 1), "{exp} {cache}");
            assert!(!has_expired(&answer, cache, 100) && has_expired(&answer, cache, 99), "the clock was set back");
        }
        assert!(has_expired(r#"{"active":true,"exp":1000}"#, 0, 100), "without a cache it does not hold at all");
        assert!(!has_expired(r#"{"active":true}"#, 30, 129) && has_expired(r#"{"active":true}"#, 30, 130));
    }

    #[test]
    fn an_inactive_token_is_known_for_ten_seconds_and_makes_room_for_newer_ones() {
        let mut tokens = InactiveTokens::default();
        tokens.add(TokenName(1), 100);
        assert!(tokens.holds(TokenName(1), 100) && tokens.holds(TokenName(1), 109) && !tokens.holds(TokenName(1), 110));
        assert!(!tokens.holds(TokenName(2), 100));
        assert!(!tokens.holds(TokenName(1), 99), "the clock was set back");
        (2..100_000).for_each(|name| tokens.add(TokenName(name), 101));
        assert_eq!(tokens.0.len(), INACTIVE_TOKENS);
        assert!(!tokens.holds(TokenName(1), 101) && tokens.holds(TokenName(99_999), 101));
    }
}
