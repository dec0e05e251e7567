//! Presenting the token: bytes that no text can contain. The table is in `cases/presenting.yaml`.

use crate::world::{config, get};
use scopegate::decision::Reason;
use serde_json::json;

#[test]
fn bytes_that_are_no_text_are_malformed() {
    let config = config(json!({}));
    for value in [&b"Bearer \xff"[..], b"\xff\xfe", b"Bearer a\0b"] {
        assert_eq!(
            get("/").header("authorization", value).refused(&config),
            Some(Reason::MalformedHeader),
            "{value:?}"
        );
    }
}
