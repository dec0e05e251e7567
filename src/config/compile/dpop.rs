//! Proofs of possession.

use super::issuer::algorithm;
use super::{optional, replay};
use crate::base::time::Seconds;
use crate::config::cursor::Cursor;
use crate::config::{Environment, fields};
use crate::crypto::{AlgorithmSet, KeyFamily};
use crate::policy::{CryptoPlace, Dpop, NoncePolicy, ReplayPlace, TargetUri};

/// The longest that a proof may be old or ahead: five minutes, which is more than clocks differ.
const MAX_WINDOW: u32 = 300;
/// The longest that a nonce is good: a day.
const MAX_LIFETIME: u32 = 86_400;

/// How proofs are judged, and where they are claimed. `has_service`: whether the fleet has a service.
pub(super) fn read(
    cursor: &Cursor<'_>,
    crypto: CryptoPlace,
    has_service: bool,
    environment: Environment<'_>,
) -> Option<(Dpop, ReplayPlace)> {
    let object = cursor.object(&fields::DPOP)?;
    let origins = object
        .need("origins", "write where clients reach the gate, such as [https://api.example.com]")
        .and_then(|cursor| origins(&cursor));
    let default = AlgorithmSet::default_for_issuer();
    let default = default.iter().filter(|algorithm| crypto != CryptoPlace::Wasm || algorithm.runs_in_vm()).collect();
    let algorithms = optional(&object, "algorithms", default, |cursor| {
        let list = cursor.list_of("algorithm", |item| {
            let algorithm = algorithm(item, crypto)?;
            if algorithm.family() == KeyFamily::Secret {
                return item.wrong("signs with a shared secret", "name an algorithm with a public key");
            }
            Some(algorithm)
        });
        list.map(|list| list.into_iter().collect())
    });
    let max_age = optional(&object, "max_age", Seconds(60), |c| c.seconds(1..=MAX_WINDOW));
    let max_ahead = optional(&object, "max_ahead", Seconds(10), |c| c.seconds(0..=MAX_WINDOW));
    let nonce = optional(&object, "nonce", None, |c| nonce(c, environment).map(Some));
    let place = optional(&object, "replay", ReplayPlace::default(), |cursor| {
        let place = cursor.word(&[("process", ReplayPlace::Process), ("service", ReplayPlace::Service)])?;
        if place == ReplayPlace::Service && !has_service {
            return cursor.wrong(
                "is service, and there is none",
                "write `replay: {service: {...}}` at the top of the configuration",
            );
        }
        Some(place)
    });
    let (origins, algorithms, max_age, max_ahead) = (origins?, algorithms?, max_age?, max_ahead?);
    Some((Dpop { origins, algorithms, max_age, max_ahead, nonce: nonce? }, place?))
}

fn origins(cursor: &Cursor<'_>) -> Option<Vec<TargetUri>> {
    let read = |item: &Cursor<'_>| {
        let text = item.text()?;
        match TargetUri::parse(text.as_bytes()).filter(|_| !text.contains(['?', '#'])) {
            Some(origin) => Some(origin),
            None => item.wrong(
                "is not an http or https address without user information, query and fragment",
                "write scheme and host, such as https://api.example.com, and the path that a proxy before the gate takes \
                 away, if one does",
            ),
        }
    };
    let origins = cursor.list_of("origin", read)?;
    for (index, item) in cursor.list()?.iter().enumerate() {
        let own = origins.get(index);
        if origins.iter().take(index).any(|earlier| Some(earlier) == own) {
            item.wrong::<()>("is the same address as one before it", "keep one");
        }
    }
    Some(origins)
}

fn nonce(cursor: &Cursor<'_>, environment: Environment<'_>) -> Option<NoncePolicy> {
    let object = cursor.object(&fields::DPOP_NONCE)?;
    let secret = replay::shared_secret(&object, environment);
    let lifetime = optional(&object, "lifetime", Seconds(300), |c| c.seconds(10..=MAX_LIFETIME));
    Some(NoncePolicy::new(&secret?, lifetime?))
}
