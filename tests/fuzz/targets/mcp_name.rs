//! A value of `Mcp-Name` means one name, and every name has a value that means it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::base::base64url;
use scopegate::mcp::header::decode_name;
use scopegate_fuzz::reached;

/// Base64 of the standard alphabet, with its padding (RFC 4648 section 4).
fn written(bytes: &[u8]) -> String {
    let text = base64url::encode(bytes).replace('-', "+").replace('_', "/");
    format!("=?base64?{text}{}?=", "=".repeat((4 - text.len() % 4) % 4))
}

fuzz_target!(|value: &[u8]| {
    let trimmed = String::from_utf8_lossy(value).trim_matches([' ', '\t']).to_owned();
    match decode_name(value) {
        Some(name) if *name == *trimmed => reached("mcp_name", "as it is"),
        Some(name) => {
            assert_eq!(written(name.as_bytes()), trimmed);
            reached("mcp_name", "in base64");
        }
        None => reached("mcp_name", "no name"),
    }
    // Any text is the name of some value.
    if let Ok(name) = std::str::from_utf8(value) {
        assert_eq!(decode_name(written(value).as_bytes()).as_deref(), Some(name));
    }
});
