//! A token taken apart is the token put together again, to the last byte: it has one spelling.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::base::base64url;
use scopegate::jose::Compact;

fuzz_target!(|token: &[u8]| {
    if let Ok(compact) = Compact::parse(token) {
        let signature = base64url::encode(&compact.signature);
        assert_eq!([compact.signing_input, b".", signature.as_bytes()].concat(), token);
        assert!(!compact.signature.is_empty());
    }
});
