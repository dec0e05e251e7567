//! Every member of a key set is used or left out with a reason, and no private or symmetric key is used.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::crypto::Algorithm;
use scopegate::jose::{KeySet, MAX_CANDIDATES};
use serde_json::Value;

fuzz_target!(|document: &[u8]| {
    let Ok(set) = KeySet::parse(document, 1 << 20, 20) else { return };
    let other: Value = serde_json::from_slice(document).expect("JSON to another reader");
    let members = other["keys"].as_array().expect("a list");
    assert_eq!(set.keys().len() + set.skipped().len(), members.len());
    let used: Vec<&Value> = members
        .iter()
        .enumerate()
        .filter(|(index, _)| !set.skipped().iter().any(|skipped| skipped.index == *index))
        .map(|(_, member)| member)
        .collect();
    for (key, member) in set.keys().iter().zip(used) {
        assert_eq!(member.get("kid").and_then(Value::as_str), key.kid.as_deref());
        assert_ne!(member["kty"], "oct");
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
            assert!(member.get(private).is_none());
        }
        assert!(member.get("use").is_none_or(|usage| usage == "sig" || usage.is_null()));
        assert!(key.algorithm.is_none_or(|algorithm| key.key.fits(algorithm)));
        for algorithm in Algorithm::ALL {
            let candidates: Vec<_> = set.candidates(key.kid.as_deref(), algorithm).collect();
            assert!(candidates.len() <= MAX_CANDIDATES);
            assert!(candidates.iter().all(|candidate| candidate.key.fits(algorithm)));
            assert!(key.kid.is_none() || candidates.iter().all(|candidate| candidate.kid == key.kid));
        }
    }
    let again = KeySet::parse(document, 1 << 20, 20).expect("the same");
    assert!(set.has_same_keys(&again));
});
