//! A proof taken apart is the proof put together again, to the last byte; its key and its claims are what its text says, and
//! its address has one spelling.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::base::base64url;
use scopegate::jose::{Compact, Proof, thumbprint};
use scopegate::policy::TargetUri;
use scopegate_fuzz::reached;

fuzz_target!(|text: &[u8]| {
    // The text is an address, too.
    if let Some(uri) = TargetUri::parse(text) {
        reached("proof", "an address");
        let end = text.iter().position(|byte| b"?#".contains(byte)).unwrap_or(text.len());
        assert_eq!(TargetUri::parse(&text[..end]).as_ref(), Some(&uri), "query and fragment do not count");
        assert_eq!(uri.join(b"/a").as_ref(), uri.join(b"/./a").as_ref());
    }
    let Ok(proof) = Proof::parse(text) else { return };
    reached("proof", "a proof");
    let signature = base64url::encode(&proof.signature);
    assert_eq!([proof.signing_input, b".", signature.as_bytes()].concat(), text);
    let compact = Compact::parse(text).expect("a proof is a JWT");
    let typ = compact.header.typ.as_deref().unwrap_or_default().to_ascii_lowercase();
    assert_eq!((typ.trim_start_matches("application/"), &compact.header.alg), ("dpop+jwt", &proof.alg));
    for name in ["jti", "htm", "htu", "ath"] {
        assert!(!proof.text(name).is_empty());
    }
    assert!(proof.claims().issued_at.is_some());
    let header = text.split(|&byte| byte == b'.').next().and_then(base64url::decode).expect("a header");
    let header: serde_json::Value = serde_json::from_slice(&header).expect("JSON");
    assert_eq!(thumbprint(&header["jwk"]), Some(proof.thumbprint));
    assert!(["d", "p", "q", "dp", "dq", "qi", "k"].iter().all(|name| header["jwk"].get(name).is_none()));
});
