//! A status list is used only as it was signed, is no longer than the limit, and says of each place what the bytes that were
//! deflated say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::base::base64url;
use scopegate::crypto::{AlgorithmSet, Verifier};
use scopegate::jose::KeySet;
use scopegate::policy::KeySource;
use scopegate::revocation::{Chunks, StatusList, StatusLoader, StatusTerms};
use scopegate_fuzz::{NOW, Nobody, StandIn, configuration, policy, reached};
use serde_json::{Value, json};
use std::rc::Rc;

const LIMIT: usize = 1 << 16;

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

fn load(document: &[u8], verifier: &dyn Verifier) -> Option<StatusList> {
    let terms = StatusTerms {
        issuer: "https://issuer.example.com/".into(),
        uri: "https://issuer.example.com/lists/1".into(),
        max_bytes: LIMIT,
        algorithms: AlgorithmSet::default_for_issuer(),
        keys: Some(KEYS.with(Rc::clone)),
    };
    let mut loader = StatusLoader::begin(&Chunks::from(document), &terms, None, verifier, NOW).ok()?;
    // Each step reads or makes many bytes: so small a document is read in a few.
    for _ in 0..100 {
        if let Some(list) = loader.step().ok()? {
            return Some(list);
        }
    }
    panic!("a list without an end");
}

fuzz_target!(|document: &[u8]| {
    assert!(load(document, &Nobody).is_none(), "its signature was not verified");
    let verifier = StandIn::default();
    let Some(list) = load(document, &verifier) else { return };
    assert!(verifier.accepted.get() > 0, "it is used as signed");
    reached("status_list", &format!("of {} bytes", list.bytes()));
    let claims = document.split(|&byte| byte == b'.').nth(1).and_then(base64url::decode).expect("claims");
    let claims: Value = serde_json::from_slice(&claims).expect("claims");
    assert_eq!(claims["sub"], "https://issuer.example.com/lists/1");
    assert!(claims["iat"].is_number());
    let bits = claims["status_list"]["bits"].as_u64().expect("bits");
    assert!([1, 2, 4, 8].contains(&bits) && list.bytes() <= LIMIT);
    let entries = u64::try_from(list.entries()).expect("a number");
    assert_eq!(entries * bits, 8 * u64::try_from(list.bytes()).expect("a number"));
    for index in (0..entries).step_by(97).chain(entries.checked_sub(1)) {
        let value = list.get(index).expect("a status");
        assert!(u64::from(value) < 1 << bits, "{value} at {index}");
    }
    for index in [entries, entries.saturating_mul(2).max(1), u64::MAX] {
        assert_eq!(list.get(index), None, "past the end");
    }
});
