//! Runs vectors through the code that judges tokens: natively, and in the module for Envoy.

use scopegate::base::base64url;
use scopegate::base::json::{self, Value};
use scopegate::crypto::{Algorithm, Verification, VerificationKey, Verifier};
use scopegate::jose::{Compact, KeySet};

/// Reads `{"suites": [{"name", "groups": [{"alg", "jwk" or "secret", "cases": […]}]}]}` and gives a line for each suite:
/// its name, and a letter for each case.
///
/// A case is a whole token, or a message and a signature. No message of a set of vectors can be the signing input of a
/// JWS, which begins with its header, so there the signature comes out of a token and is checked over the message.
pub fn run(suites: &str, verifier: &dyn Verifier) -> Vec<String> {
    let suites = json::parse(suites.as_bytes()).expect("suites");
    let line = |suite: &Value| {
        let verdicts: String = list(suite, "groups").iter().map(|group| run_group(group, verifier)).collect();
        format!("{} {verdicts}", suite["name"].as_str().expect("a name"))
    };
    list(&suites, "suites").iter().map(line).collect()
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().expect("a list")
}

/// What an issuer has: a key set, or a shared secret.
enum Keys {
    Set(KeySet),
    Secret(VerificationKey),
}

fn run_group(group: &Value, verifier: &dyn Verifier) -> String {
    let algorithm = Algorithm::from_name(group["alg"].as_str().expect("an algorithm")).expect("an algorithm of ours");
    let keys = match group.get("secret").and_then(Value::as_str) {
        Some(secret) => {
            let secret = base64url::decode(secret.as_bytes()).expect("base64url");
            VerificationKey::from_secret(algorithm, &secret).ok().map(Keys::Secret)
        }
        None => {
            let set = format!("{{\"keys\":[{}]}}", group["jwk"]);
            KeySet::parse(set.as_bytes(), usize::MAX, 1).ok().map(Keys::Set)
        }
    };
    list(group, "cases").iter().map(|case| judge(keys.as_ref(), algorithm, case, verifier)).collect()
}

/// `v`alid, i`n`valid, the `k`ey or the `t`oken cannot be used, `b`usy: not checked.
fn judge(keys: Option<&Keys>, algorithm: Algorithm, case: &Value, verifier: &dyn Verifier) -> char {
    let text = |at: usize| case[at].as_str().expect("text");
    let (token, message) = match case.as_str() {
        Some(token) => (token.to_owned(), None),
        None => {
            let header = base64url::encode(format!("{{\"alg\":\"{}\"}}", algorithm.name()).as_bytes());
            let message = base64url::decode(text(0).as_bytes()).expect("base64url");
            (format!("{header}.e30.{}", text(1)), Some(message))
        }
    };
    let Ok(compact) = Compact::parse(token.as_bytes()) else { return 't' };
    if Algorithm::from_name(&compact.header.alg) != Some(algorithm) {
        return 't';
    }
    let key = match keys {
        Some(Keys::Set(set)) => {
            set.candidates(compact.header.kid.as_deref(), algorithm).next().map(|candidate| &candidate.key)
        }
        Some(Keys::Secret(secret)) => Some(secret),
        None => None,
    };
    let Some(key) = key else { return 'k' };
    let message = message.as_deref().unwrap_or(compact.signing_input);
    match verifier.verify(key, algorithm, message, &compact.signature) {
        Verification::Valid => 'v',
        Verification::Invalid => 'n',
        Verification::TooBusy => 'b',
    }
}
