//! What Envoy's foreign function `declare_property` is given: bytes only, no call.
//!
//! The message is that of `source/extensions/common/wasm/ext/declare_property.proto`: `name = 1`, `type = 3`, `schema =
//! 4`. The defaults of the other fields are right: writable, and with the life span of the stream's filter chain.

use crate::base::protobuf::put_field;

/// `WasmType.String`.
const TEXT: [u8; 2] = [3 << 3, 1];
/// `WasmType.Protobuf`, whose schema is a type URL.
const MESSAGE: [u8; 2] = [3 << 3, 3];
const STRUCT: &[u8] = b"type.googleapis.com/google.protobuf.Struct";

/// Declares that the values of a key of filter state are text.
pub fn of_text(key: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(key.len().saturating_add(8));
    put_field(&mut message, 1, key.as_bytes());
    message.extend(TEXT);
    message
}

/// Declares that the values of a key of filter state are of the type `google.protobuf.Struct`.
pub fn of_struct(key: &str) -> Vec<u8> {
    let mut message = Vec::new();
    put_field(&mut message, 1, key.as_bytes());
    message.extend(MESSAGE);
    put_field(&mut message, 4, STRUCT);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_declared_as_text_whatever_its_length() {
        assert_eq!(of_text("a.b"), b"\x0a\x03a.b\x18\x01");
        let long = "x".repeat(300);
        assert_eq!(of_text(&long), [b"\x0a\xac\x02", long.as_bytes(), b"\x18\x01"].concat());
    }

    #[test]
    fn a_key_is_declared_as_a_struct_by_its_type_url() {
        assert_eq!(of_struct("a"), b"\x0a\x01a\x18\x03\x22\x2atype.googleapis.com/google.protobuf.Struct");
    }
}
