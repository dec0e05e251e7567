//! A DPoP proof that comes with a token: what it says, and what every gate would refuse it for.

use super::{object, printable};
use crate::base::base64url;
use crate::base::time::{Seconds, UnixSeconds};
use crate::cli::moment::{self, span};
use crate::crypto::{Algorithm, PureVerifier, Verification, Verifier as _};
use crate::jose::{Bindings, Compact, Confirmation, Malformed, Proof, access_token_hash};
use serde_json::Value;

/// The default of `dpop.max_age`.
const MAX_AGE: Seconds = Seconds(60);

/// What a proof says, and what is wrong with it.
pub(super) struct Inspected {
    pub lines: Vec<String>,
    /// Why no gate takes it with this token.
    pub refused: Vec<&'static str>,
}

/// Looks at a proof beside its token, at this time.
pub(super) fn inspect(proof: &str, token: &str, now: UnixSeconds) -> Inspected {
    let mut lines = Vec::new();
    for (name, segment) in ["header", "claims"].into_iter().zip(proof.split('.')) {
        lines.push(object(segment).map_or_else(
            || format!("proof {name}: cannot be decoded"),
            |part| format!("proof {name} {}", printable(&format!("{:#}", Value::Object(part)))),
        ));
    }
    let proof = match Proof::parse(proof.as_bytes()) {
        Ok(proof) => proof,
        Err(Malformed(why)) => return Inspected { lines, refused: vec![why] },
    };
    lines.push(format!("proof of the key {}", base64url::encode(&proof.thumbprint)));
    lines.extend(proof.claims().issued_at.map(|at| age(at, now)));
    let mut refused = Vec::new();
    match Algorithm::from_name(&proof.alg) {
        None => refused.push("its alg is not known"),
        Some(algorithm) if !proof.key.fits(algorithm) => refused.push("its alg is not one of its key"),
        Some(algorithm) if !algorithm.runs_in_vm() => {
            lines.push(format!("its signature is not checked here: Envoy checks {}", algorithm.name()));
        }
        Some(algorithm) => {
            let verified = PureVerifier.verify(&proof.key, algorithm, proof.signing_input, &proof.signature);
            if verified != Verification::Valid {
                refused.push("its signature is not of its key");
            }
        }
    }
    if proof.text("ath") != access_token_hash(token.as_bytes()) {
        refused.push("its ath is of another token");
    }
    if let Ok(compact) = Compact::parse(token.as_bytes()) {
        match compact.claims.confirmation.as_deref() {
            Some(Confirmation::Bound(Bindings { key: Some(key), .. })) if *key == proof.thumbprint => {}
            Some(Confirmation::Bound(Bindings { key: Some(_), .. })) => {
                refused.push("it is of another key than the token");
            }
            _ => refused.push("the token is bound to no key, and is refused with the scheme DPoP"),
        }
    }
    Inspected { lines, refused }
}

/// The age of a proof, which decides whether it is taken.
fn age(at: UnixSeconds, now: UnixSeconds) -> String {
    let away = span(at.0.abs_diff(now.0));
    let words = if at <= now { format!("{away} ago") } else { format!("in {away}") };
    let late = if now > at.plus(MAX_AGE) { ": too old, unless dpop.max_age says otherwise" } else { "" };
    format!("proof made {words} ({}){late}", moment::written(at))
}
