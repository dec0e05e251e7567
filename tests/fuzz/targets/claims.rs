//! Claims are what another reader of JSON finds, whichever way they are asked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::base::members::{Members, Raw};
use scopegate::base::time::UnixSeconds;
use scopegate::jose::{ClaimPath, Claims};
use serde_json::Value;

fuzz_target!(|text: &[u8]| {
    let Some(members) = Members::parse(text.to_vec()) else { return };
    let other: Value = serde_json::from_slice(text).expect("JSON to another reader");
    let other = other.as_object().expect("an object to another reader");
    let Ok(claims) = Claims::from_members(members) else { return };
    for (name, value) in other {
        assert!(claims.has(name));
        assert_eq!(claims.text(name).as_deref(), value.as_str());
        assert_eq!(claims.get(&ClaimPath::top(name.clone())).map(Raw::to_value).as_ref(), Some(value));
        for (inner, value) in value.as_object().into_iter().flatten() {
            let path = ClaimPath::from_names([name.clone(), inner.clone()]).expect("a path");
            assert_eq!(claims.get(&path).map(Raw::to_value).as_ref(), Some(value));
        }
    }
    assert_eq!(claims.issuer().as_deref(), other.get("iss").and_then(Value::as_str));
    assert_eq!(claims.subject().as_deref(), other.get("sub").and_then(Value::as_str));
    for (name, date) in [("exp", claims.expires_at), ("nbf", claims.not_before), ("iat", claims.issued_at)] {
        match other.get(name) {
            None => assert_eq!(date, None),
            Some(value) => {
                assert!(value.is_number());
                if let Some(whole) = value.as_i64() {
                    assert_eq!(date, Some(UnixSeconds(whole)));
                }
            }
        }
    }
});
