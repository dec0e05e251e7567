//! JSON as Envoy hands it over.

use prost::Message as _;
use serde_json::Value;

/// The object as a `google.protobuf.Struct`; `None` if it has a number that a double does not hold exactly.
pub fn to_struct(value: &Value) -> Option<Vec<u8>> {
    Some(object(value.as_object()?)?.encode_to_vec())
}

/// The object as the `filter_metadata` of the namespace `scopegate` in `envoy.config.core.v3.Metadata`.
pub fn to_metadata(value: &Value) -> Option<Vec<u8>> {
    // Two nested messages: the map's entry with its name, and the Struct.
    let part = |tag: u8, bytes: &[u8]| {
        let mut part = vec![tag];
        prost::encode_length_delimiter(bytes.len(), &mut part).expect("room");
        [part.as_slice(), bytes].concat()
    };
    let entry = [part(10, b"scopegate"), part(18, &to_struct(value)?)].concat();
    Some(part(10, &entry))
}

fn object(members: &serde_json::Map<String, Value>) -> Option<prost_types::Struct> {
    let fields = members.iter().map(|(name, value)| Some((name.clone(), message(value)?)));
    Some(prost_types::Struct { fields: fields.collect::<Option<_>>()? })
}

fn message(value: &Value) -> Option<prost_types::Value> {
    use prost_types::value::Kind;
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(flag) => Kind::BoolValue(*flag),
        Value::Number(number) => {
            // Whole numbers of 32 bits a double holds exactly.
            Kind::NumberValue(f64::from(i32::try_from(number.as_i64()?).ok()?))
        }
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(items) => {
            Kind::ListValue(prost_types::ListValue { values: items.iter().map(message).collect::<Option<_>>()? })
        }
        Value::Object(members) => Kind::StructValue(object(members)?),
    };
    Some(prost_types::Value { kind: Some(kind) })
}
