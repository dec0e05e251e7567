//! The wire forms of a configuration: a protobuf Struct from Envoy, JSON from Istio.

use super::tree::{Node, Tree};
use crate::base::json;
use prost::Message;
use prost_types::value::Kind;
use std::collections::BTreeMap;

/// Our namespace in `filter_metadata`.
pub const METADATA_NAMESPACE: &str = "scopegate";

/// The whole numbers that a double holds exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The part of `envoy.config.core.v3.Metadata` that we read.
#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(btree_map = "string, message", tag = "1")]
    filter_metadata: BTreeMap<String, prost_types::Struct>,
}

/// Reads a plugin configuration: a serialised `google.protobuf.Struct`, which is what Envoy hands over for one, or a
/// JSON text, which is what a `StringValue` holds and what Istio hands over.
pub fn plugin_configuration(bytes: &[u8]) -> Result<Node, String> {
    if bytes.trim_ascii().is_empty() {
        return Err("there is no configuration".to_owned());
    }
    // A Struct begins with the tag of its field 1, which is the byte of a line feed.
    if bytes.first() == Some(&b'\n')
        && let Ok(message) = prost_types::Struct::decode(bytes)
    {
        return Ok(object(message));
    }
    if bytes.trim_ascii_start().first() == Some(&b'{') {
        return json::parse(bytes).map(Node::from).map_err(|error| format!("not valid JSON: {error}"));
    }
    Err("neither a google.protobuf.Struct nor a JSON object".to_owned())
}

/// Our part of a serialised `Metadata`, if there is one.
pub fn metadata(bytes: &[u8]) -> Result<Option<Node>, String> {
    let mut metadata = Metadata::decode(bytes).map_err(|_| "not a serialised Metadata message".to_owned())?;
    Ok(metadata.filter_metadata.remove(METADATA_NAMESPACE).map(object))
}

/// A requirement in the form of a route's metadata, serialised.
#[cfg(feature = "module")]
#[must_use]
pub fn as_metadata(requirement: &Node) -> Vec<u8> {
    let value = value_of(requirement);
    let Some(Kind::StructValue(own)) = value.kind else { return Vec::new() };
    Metadata { filter_metadata: BTreeMap::from([(METADATA_NAMESPACE.to_owned(), own)]) }.encode_to_vec()
}

#[cfg(feature = "module")]
fn value_of(node: &Node) -> prost_types::Value {
    let kind = match &node.value {
        Tree::Null => Kind::NullValue(0),
        Tree::Bool(flag) => Kind::BoolValue(*flag),
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "as in a Struct of Envoy's")]
        Tree::Whole(number) => Kind::NumberValue(*number as f64),
        Tree::Fraction(number) => Kind::NumberValue(*number),
        Tree::Text(text) => Kind::StringValue(text.clone()),
        Tree::List(items) => Kind::ListValue(prost_types::ListValue { values: items.iter().map(value_of).collect() }),
        Tree::Object(members) => Kind::StructValue(prost_types::Struct {
            fields: members.iter().map(|(name, member)| (name.clone(), value_of(member))).collect(),
        }),
    };
    prost_types::Value { kind: Some(kind) }
}

fn object(message: prost_types::Struct) -> Node {
    Tree::Object(message.fields.into_iter().map(|(name, value)| (name, node(value))).collect()).into()
}

fn node(value: prost_types::Value) -> Node {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Tree::Null.into(),
        Some(Kind::BoolValue(flag)) => Tree::Bool(flag).into(),
        Some(Kind::NumberValue(number)) => number_tree(number).into(),
        Some(Kind::StringValue(text)) => Tree::Text(text).into(),
        Some(Kind::ListValue(list)) => Tree::List(list.values.into_iter().map(node).collect()).into(),
        Some(Kind::StructValue(inner)) => object(inner),
    }
}

/// Struct numbers are doubles; whole ones become whole numbers again.
#[must_use]
pub fn number_tree(number: f64) -> Tree {
    if number.fract() == 0.0 && number.abs() < EXACT {
        #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "whole and in range")]
        Tree::Whole(number as i64)
    } else {
        Tree::Fraction(number)
    }
}
