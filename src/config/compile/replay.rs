//! What is good once, and the service of a fleet.

use super::issuer::secret_bytes;
use super::{optional, variable_of};
use crate::config::cursor::{Cursor, Object};
use crate::config::{Environment, fields};
use crate::policy::{Endpoint, ReplayPlace, ReplayService, ReplaySettings, ServiceForm};

/// The least secret that the gates of a fleet share, in bytes: that of the hash.
const LEAST_SECRET: usize = 32;
/// The address that requests to the service name where the configuration does not say: the cluster decides on the machine.
const ADDRESS: &str = "http://localhost/";

/// How what is good once is remembered. Proofs are claimed in this place.
pub(super) fn read(cursor: &Cursor<'_>, proofs: ReplayPlace, environment: Environment<'_>) -> Option<ReplaySettings> {
    let object = cursor.object(&fields::REPLAY)?;
    let entries = optional(&object, "entries", ReplaySettings::default().entries, |c| c.whole(1_000..=4_000_000));
    let service = optional(&object, "service", None, |c| service(c, proofs, environment).map(Some));
    Some(ReplaySettings { entries: entries?, service: service? })
}

fn service(cursor: &Cursor<'_>, proofs: ReplayPlace, environment: Environment<'_>) -> Option<ReplayService> {
    let object = cursor.object(&fields::REPLAY_SERVICE)?;
    let cluster = object.need("cluster", "name the Envoy cluster of the service").and_then(|c| c.text());
    let form = object
        .need("form", "say how it speaks: webdis or upstash")
        .and_then(|cursor| cursor.word(&[("webdis", ServiceForm::Webdis), ("upstash", ServiceForm::Upstash)]));
    let secret = shared_secret(&object, environment);
    let timeout_ms = optional(&object, "timeout", 200, |c| c.milliseconds(10..=5_000));
    let endpoint = |uri: &str| Endpoint::parse(uri, cluster.unwrap_or_default());
    let endpoint = optional(&object, "uri", endpoint(ADDRESS), |cursor| {
        match endpoint(cursor.text()?).filter(|endpoint| !endpoint.path.contains('?')) {
            Some(endpoint) => Some(Some(endpoint)),
            None => cursor.wrong(
                "is not an http or https address without a query",
                "write where the service answers, such as https://eu1-name-12345.upstash.io",
            ),
        }
    });
    let authorization = optional(&object, "authorization", None, |c| authorization(c, environment).map(Some));
    cluster?;
    let mut service = ReplayService::new(endpoint??, form?, &secret?);
    service.timeout_ms = u32::try_from(timeout_ms?).ok()?;
    service.authorization = authorization?;
    service.proofs = proofs;
    Some(service)
}

/// The value of a header.
pub(super) fn authorization(cursor: &Cursor<'_>, environment: Environment<'_>) -> Option<Box<str>> {
    let env = cursor.object(&fields::AUTHORIZATION)?.need("env", "name the environment variable that holds it")?;
    let value = variable_of(&env, environment)?;
    let value = value.trim();
    if value.is_empty() || !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return env.wrong(
            "names an environment variable whose value cannot stand in a header",
            "write the whole value of the header, such as `Bearer` and the token",
        );
    }
    Some(value.into())
}

/// The member `secret`: bytes that the gates of a fleet share.
pub(super) fn shared_secret(object: &Object<'_>, environment: Environment<'_>) -> Option<Vec<u8>> {
    shared_key(&object.need("secret", "write {env: NAME}, of a variable that holds it")?, environment)
}

/// Bytes that the gates of a fleet share.
pub(super) fn shared_key(cursor: &Cursor<'_>, environment: Environment<'_>) -> Option<Vec<u8>> {
    let secret = cursor.object(&fields::SHARED_SECRET)?;
    let env = secret.need("env", "name the environment variable that holds it")?;
    let bytes = secret_bytes(&env, environment)?;
    if bytes.len() < LEAST_SECRET {
        return env.wrong("names a secret that is too short", "make it of at least 32 random bytes");
    }
    Some(bytes)
}
