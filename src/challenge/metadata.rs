//! The metadata of a resource ([RFC 9728 section 3](https://www.rfc-editor.org/rfc/rfc9728#section-3)), and the parameter of
//! challenges that leads to it.

use super::Reply;
use crate::base::json::Value;
use crate::decision::{MetadataPart, Served};
use crate::policy::{Policy, Resource, Scope, SenderConstraint};
use serde_json::Map;

/// What a request at the address of metadata is answered. Nothing of the request is in it.
#[must_use]
pub fn metadata(served: &Served, policy: &Policy) -> Reply {
    let resource = policy.resources.get(served.resource.0);
    let mut headers = vec![("access-control-allow-origin", "*".to_owned())];
    let mut more = |pairs: &[(&'static str, &str)]| {
        headers.extend(pairs.iter().map(|(name, value)| (*name, (*value).to_owned())));
    };
    let (status, body) = match (served.part, resource) {
        (MetadataPart::Document, Some(resource)) => {
            more(&[("content-type", "application/json")]);
            (200, document(resource, policy))
        }
        (MetadataPart::Preflight, _) => {
            more(&[("access-control-allow-methods", "GET"), ("access-control-allow-headers", "mcp-protocol-version")]);
            (204, String::new())
        }
        (MetadataPart::OtherMethod, _) | (MetadataPart::Document, None) => {
            more(&[("allow", "GET, HEAD, OPTIONS")]);
            (405, String::new())
        }
    };
    Reply { status, headers, body, grpc_status: 0, details: "scopegate_metadata".to_owned() }
}

/// The document. It says nothing that the policy does not make true, and has nothing empty in it.
fn document(resource: &Resource, policy: &Policy) -> String {
    let issuers = || resource.authorization_servers.iter().filter_map(|id| policy.issuers.get(id.0));
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    put("resource", Value::String(resource.identifier.text()));
    put("authorization_servers", list(&mut issuers().map(|issuer| issuer.issuer.as_str())));
    if !resource.scopes_supported.is_empty() {
        put("scopes_supported", list(&mut resource.scopes_supported.iter().map(Scope::as_str)));
    }
    // Of an issuer whose tokens are in a header of their own, no token is good where RFC 6750 section 2.1 has it.
    let in_authorization = issuers().any(|issuer| issuer.token_header.is_none());
    if in_authorization {
        put("bearer_methods_supported", list(&mut ["header"].into_iter()));
    }
    if let (true, Some(dpop)) = (in_authorization, &policy.dpop) {
        put("dpop_signing_alg_values_supported", list(&mut dpop.algorithm_names().split(' ')));
    }
    for (name, constraint) in [
        ("dpop_bound_access_tokens_required", SenderConstraint::DPOP),
        ("tls_client_certificate_bound_access_tokens", SenderConstraint::MTLS),
    ] {
        if issuers().all(|issuer| issuer.sender_constraint.includes(constraint)) {
            put(name, Value::Bool(true));
        }
    }
    Value::Object(members).to_string()
}

/// A list of texts.
fn list(texts: &mut dyn Iterator<Item = &str>) -> Value {
    let mut items = Vec::new();
    for text in texts {
        items.push(Value::String(text.to_owned()));
    }
    Value::Array(items)
}

/// The parameter of a challenge that names the address of the document (RFC 9728 section 5.1).
pub(super) fn parameter(resource: &Resource) -> String {
    format!(", resource_metadata=\"{}\"", resource.identifier.metadata_url())
}
