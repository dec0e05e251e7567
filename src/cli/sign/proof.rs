//! What a gate makes of a request that has just been signed.

use super::draft::Draft;
use super::{Form, SignArguments, Signer};
use crate::audit::AuditRecord;
use crate::base::time::UnixSeconds;
use crate::config;
use crate::crypto::PureVerifier;
use crate::decision::{Basis, Decision};
use crate::engine::decide;
use crate::facts::{Body, Facts, KeyRing, KnownSurroundings};
use crate::request::RequestView;
use crate::revocation::Revocations;
use serde_json::{Value, json};

/// The variable with the secret, for the configuration that is made here.
const SECRET: &str = "SECRET";

/// Lets a gate with this one key judge the request.
///
/// # Errors
/// Why it would refuse the request, or why no gate can have the key.
pub(super) fn check(
    draft: &Draft<'_>,
    request: &RequestView<'_>,
    (arguments, key_id, signer): (&SignArguments, &str, &Signer),
    now: UnixSeconds,
) -> Result<(), String> {
    let written = gate(arguments, key_id, signer).to_string();
    let environment = |name: &str| match signer {
        Signer::Secret(secret) if name == SECRET => Some(secret.clone()),
        _ => None,
    };
    let loaded = config::load(written.as_bytes(), &environment).map_err(|error| {
        let first = error.0.first().map_or_else(String::new, |problem| format!("{}: {}", problem.path, problem.what));
        format!("no gate can be configured for this: {first}")
    })?;
    let surroundings =
        KnownSurroundings { now, peer_certificate: None, peer_uri: None, peer_dns: None, source_address: None };
    let (keys, revocations) = (KeyRing::default(), Revocations::none());
    let offline = Facts::offline(&surroundings, &keys, &PureVerifier, &revocations);
    let decision = decide(&loaded.policy, request, &Facts { body: Body::Whole(&draft.body), ..offline });
    match &decision {
        Decision::Allow(grant) if matches!(grant.basis, Basis::Token) => Ok(()),
        Decision::Deny(refusal) => {
            let record = AuditRecord::of(&decision, &loaded.policy, loaded.settings.audit, request.method());
            let why = record.and_then(|record| record.why()).map_or_else(String::new, |why| format!(": {why}"));
            Err(format!("a gate refuses what was signed, as {}{why}", refusal.denial.reason().name()))
        }
        _ => Err("a gate does not judge what was signed".to_owned()),
    }
}

/// A configuration with one identity, which has the key.
fn gate(arguments: &SignArguments, key_id: &str, signer: &Signer) -> Value {
    let secret = match signer {
        Signer::Secret(_) => json!({ "key_id": key_id, "env": SECRET }),
        Signer::Key(key) => json!({ "key_id": key_id, "jwk": key.to_public_jwk() }),
    };
    let (kind, mut terms) = match arguments.form {
        Form::Sigv4 => {
            let (regions, services) = ([&arguments.region], [&arguments.service]);
            ("aksk", json!({ "form": "sigv4", "regions": regions, "services": services }))
        }
        Form::Apinto => ("aksk", json!({ "form": "apinto" })),
        Form::Message => ("signature", json!({ "nonce": "optional" })),
    };
    if let (Some(tag), Value::Object(members)) = (&arguments.tag, &mut terms) {
        members.insert("tag".to_owned(), tag.as_str().into());
    }
    let mut set = json!({ "name": "signers", "identities": [{ "id": "signer", "secrets": [secret] }] });
    if let Value::Object(members) = &mut set {
        members.insert(kind.to_owned(), terms);
    }
    json!({ "credentials": [set], "default": { "credentials": "signers" } })
}
