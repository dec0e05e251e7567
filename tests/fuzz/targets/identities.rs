//! A document of identities is used whole or not at all, only as it was signed, and says of each identity what another reader
//! finds in it; no id and no secret is there twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::base::base64url;
use scopegate::config::IdentityLoader;
use scopegate::crypto::{PureVerifier, Verifier};
use scopegate::jose::KeySet;
use scopegate::policy::{FetchedSet, HolderKind, IdentityTerms, KeySource, SetId};
use scopegate::revocation::Chunks;
use scopegate_fuzz::{NOW, Nobody, StandIn, configuration, policy, reached};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::rc::Rc;

const LIMIT: usize = 1 << 16;
/// The digest of a secret of the configuration.
const TAKEN: [u8; 32] = [0xaa; 32];

thread_local! {
    static KEYS: Rc<KeySet> = policy(configuration(json!({})))
        .issuers
        .into_iter()
        .find_map(|issuer| match issuer.keys {
            KeySource::Configured(keys) => Some(keys),
            KeySource::Remote(_) => None,
        })
        .expect("an issuer with keys");
}

fn load(document: &[u8], kind: HolderKind, is_signed: bool, verifier: &dyn Verifier) -> Option<Rc<FetchedSet>> {
    let terms = IdentityTerms {
        set: SetId(0),
        name: "partners".into(),
        kind,
        scopes: [].into(),
        max_bytes: LIMIT,
        signed_by: is_signed.then(|| KEYS.with(Rc::clone)),
        configured: [TAKEN].into(),
        others: Vec::new(),
    };
    let mut loader = IdentityLoader::begin(&Chunks::from(document), terms, None, verifier, NOW).ok()?;
    // Each step reads many bytes: so small a document is read in a few.
    for _ in 0..100 {
        if let Some(fetched) = loader.step().ok()? {
            return Some(fetched);
        }
    }
    panic!("a document without an end");
}

/// Holds a set against what another reader finds in its document.
fn check(fetched: &FetchedSet, written: &Value) {
    let listed = written["identities"].as_array().expect("a list");
    let identities = &fetched.set.identities;
    assert_eq!(listed.len(), identities.len(), "each is there");
    for (written, read) in listed.iter().zip(identities) {
        assert_eq!(written["id"], read.id.as_str());
        assert_eq!(written["disabled"].as_bool().unwrap_or(false), read.disabled);
        assert_eq!(written["expires"].as_i64(), read.expires.map(|end| end.0));
        let secrets = written["secrets"].as_array().expect("secrets");
        assert!(!secrets.is_empty() && secrets.iter().all(|secret| secret.get("env").is_none()));
    }
    let ids: BTreeSet<&str> = identities.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids.len(), identities.len(), "each has an id of its own");
    let digests = fetched.set.digests();
    let own: BTreeSet<&[u8; 32]> = digests.iter().collect();
    assert_eq!(own.len(), digests.len(), "and secrets of its own");
    assert!(!own.contains(&TAKEN), "none is of another set");
}

fuzz_target!(|document: &[u8]| {
    for kind in [HolderKind::Keys, HolderKind::Users, HolderKind::Certificates] {
        if let Some(fetched) = load(document, kind, false, &PureVerifier) {
            reached("identities", &format!("{} of {kind:?}", fetched.set.identities.len()));
            check(&fetched, &serde_json::from_slice(document).expect("JSON"));
        }
        assert!(load(document, kind, true, &Nobody).is_none(), "its signature was not verified");
        let verifier = StandIn::default();
        let Some(fetched) = load(document, kind, true, &verifier) else { continue };
        assert!(verifier.accepted.get() > 0, "it is used as signed");
        reached("identities", &format!("signed, {} of {kind:?}", fetched.set.identities.len()));
        let claims = document.split(|&byte| byte == b'.').nth(1).and_then(base64url::decode).expect("claims");
        let claims: Value = serde_json::from_slice(&claims).expect("claims");
        assert_eq!(claims["sub"], "partners");
        check(&fetched, &claims);
    }
});
