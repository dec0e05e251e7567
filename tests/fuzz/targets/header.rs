//! A JOSE header says what another reader of JSON finds in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::base::members::Members;
use scopegate::jose::JoseHeader;
use serde_json::Value;

fuzz_target!(|text: &[u8]| {
    let Some(members) = Members::parse(text.to_vec()) else { return };
    let other: Value = serde_json::from_slice(text).expect("JSON to another reader");
    if let Ok(header) = JoseHeader::from_members(&members) {
        assert_eq!(other["alg"].as_str(), Some(header.alg.as_str()));
        assert_eq!(other.get("kid"), header.kid.map(Value::from).as_ref());
        assert_eq!(other.get("typ"), header.typ.map(Value::from).as_ref());
        assert!(other.get("crit").is_none());
        assert!(other.get("b64").is_none_or(|b64| *b64 == true));
    }
});
