//! The service in which a whole fleet claims what is good once: a Redis that is reached over HTTP.

use super::Endpoint;
use crate::base::base64url;
use crate::base::time::{Seconds, UnixSeconds};
use crate::crypto::{SHA256_BYTES, hmac};
use std::fmt;

/// A pool of what has been used. Each has room of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Tokens.
    Tokens,
    /// Proofs of possession.
    Proofs,
    /// Signatures of requests, by their nonces or by what they sign.
    Signatures,
}

impl Pool {
    /// What it is called in the names of shared data and in the keys of the service. A pool keeps its name, or a new version
    /// of the filter forgets what has been used.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Proofs => "proofs",
            Self::Signatures => "signatures",
        }
    }
}

/// Where something is claimed that is good once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplayPlace {
    /// In this process alone.
    #[default]
    Process,
    /// In this process, and then in the service of the fleet.
    Service,
}

/// How the service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceForm {
    /// As Webdis: a command with slashes in it.
    Webdis,
    /// As the Redis REST API of Upstash: a command as a JSON array.
    Upstash,
}

/// The service of a fleet.
pub struct ReplayService {
    /// Where it is reached.
    pub endpoint: Endpoint,
    /// How it speaks.
    pub form: ServiceForm,
    /// The timeout, in milliseconds.
    pub timeout_ms: u32,
    /// The value of the header `authorization` that it wants.
    pub authorization: Option<Box<str>>,
    /// Where proofs are claimed. Tokens and signatures are always claimed in the service.
    pub proofs: ReplayPlace,
    secret: Box<[u8]>,
}

/// What the service of a fleet is asked: whether this is the first use in the whole fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetClaim {
    /// What is used.
    pub pool: Pool,
    /// What it is called there: a digest under the secret of the fleet, from which the service does not learn what it is.
    digest: [u8; SHA256_BYTES],
    /// For how long it has to be remembered.
    pub lifetime: Seconds,
}

/// How far the clocks of a fleet may differ: for so long another Envoy may still accept what is over here.
const SKEW: i64 = 10;
/// What the secret is used for here. Another use of it makes other digests.
const PURPOSE: &[u8] = b"scopegate/1 replay ";

impl ReplayService {
    /// A service whose keys are made under this secret.
    #[must_use]
    pub fn new(endpoint: Endpoint, form: ServiceForm, secret: &[u8]) -> Self {
        let secret = secret.into();
        Self { endpoint, form, timeout_ms: 200, authorization: None, proofs: ReplayPlace::Process, secret }
    }

    /// Whether what is in this pool is claimed in the service.
    #[must_use]
    pub fn claims(&self, pool: Pool) -> bool {
        match pool {
            Pool::Tokens | Pool::Signatures => true,
            Pool::Proofs => self.proofs == ReplayPlace::Service,
        }
    }

    /// The claim of something with this identity, which is refused anyway from `until` on. Every Envoy of the fleet makes
    /// the same key of it. It is remembered for a little longer than that, never for less, and for a second at least.
    #[must_use]
    pub fn claim(&self, pool: Pool, id: &[&[u8]], until: UnixSeconds, now: UnixSeconds) -> FleetClaim {
        let mut message = PURPOSE.to_vec();
        // With the length before each part, no two identities make the same message.
        for part in [pool.name().as_bytes()].iter().chain(id) {
            message.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            message.extend(*part);
        }
        let left = until.0.saturating_sub(now.0).max(0).saturating_add(SKEW);
        let lifetime = Seconds(u32::try_from(left).unwrap_or(u32::MAX));
        FleetClaim { pool, digest: hmac(&self.secret, &message), lifetime }
    }
}

impl FleetClaim {
    /// Its key in Redis: letters, digits, `:`, `-` and `_`.
    #[must_use]
    pub fn key(&self) -> String {
        format!("scopegate:{}:{}", self.pool.name(), base64url::encode(&self.digest))
    }

    /// Whether it claims the same thing as another.
    #[must_use]
    pub fn is_of_same(&self, other: &Self) -> bool {
        self.pool == other.pool && self.digest == other.digest
    }
}

/// Shows nothing of the secret.
impl fmt::Debug for ReplayService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ReplayService").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

    fn service(secret: u8) -> ReplayService {
        let endpoint = Endpoint::parse("http://localhost/", "redis").expect("an address");
        ReplayService::new(endpoint, ServiceForm::Webdis, &[secret; 32])
    }

    fn key(secret: u8, pool: Pool, id: &[&[u8]]) -> String {
        service(secret).claim(pool, id, NOW, NOW).key()
    }

    #[test]
    fn a_key_depends_on_the_secret_the_pool_and_each_part_of_the_identity_and_on_nothing_else() {
        let own = key(1, Pool::Tokens, &[b"iss", b"jti"]);
        assert_eq!(own, service(1).claim(Pool::Tokens, &[b"iss", b"jti"], UnixSeconds(i64::MAX), UnixSeconds(0)).key());
        let others = [
            key(2, Pool::Tokens, &[b"iss", b"jti"]),
            key(1, Pool::Proofs, &[b"iss", b"jti"]),
            key(1, Pool::Tokens, &[b"issj", b"ti"]),
            key(1, Pool::Tokens, &[b"iss", b"jti", b""]),
            key(1, Pool::Tokens, &[b"issjti"]),
            key(1, Pool::Tokens, &[b"jti", b"iss"]),
        ];
        for (index, other) in others.iter().enumerate() {
            assert!(*other != own && !others[..index].contains(other), "{index}");
        }
        // 32 bytes, and nothing that an address or a command would read otherwise.
        assert_eq!(own.len(), "scopegate:tokens:".len() + 43);
        assert!(own.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":-_".contains(&byte)), "{own}");
        assert!(!format!("{:?}", service(77)).contains("77"), "the secret is not shown");
    }

    /// What any gate of the fleet makes of the secret, whatever its version: another key would let a used token pass.
    #[test]
    fn the_key_of_a_token_is_the_same_in_every_version() {
        let id: [&[u8]; 4] = [b"enforced", b"jti", b"https://issuer.example.com/", b"1"];
        assert_eq!(key(7, Pool::Tokens, &id), "scopegate:tokens:rUMri0gCnw7JdkjrmGExq9JP02BEHYjQ2Loq5HskxHM");
    }

    #[test]
    fn it_is_remembered_until_the_slowest_clock_of_the_fleet_refuses_it() {
        let lifetime =
            |until: i64| service(1).claim(Pool::Tokens, &[], UnixSeconds(NOW.0.saturating_add(until)), NOW).lifetime.0;
        assert_eq!([lifetime(60), lifetime(1), lifetime(0), lifetime(-5)], [70, 11, 10, 10]);
        assert_eq!(lifetime(i64::MAX), u32::MAX, "136 years");
    }

    #[test]
    fn tokens_are_always_claimed_and_proofs_where_that_is_asked() {
        let mut service = service(1);
        assert_eq!([service.claims(Pool::Tokens), service.claims(Pool::Proofs)], [true, false]);
        service.proofs = ReplayPlace::Service;
        assert_eq!([service.claims(Pool::Tokens), service.claims(Pool::Proofs)], [true, true]);
    }
}
