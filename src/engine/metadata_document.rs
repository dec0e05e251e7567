//! The addresses of metadata (RFC 9728), which are the gate's own.

use super::Cause;
use super::applicable::{Admission, Applicable};
use crate::decision::{Denial, MetadataPart};
use crate::policy::{Policy, ResourceId, ResourceIdentifier};
use crate::request::RequestView;

/// Stops a request that is answered at such an address: with the metadata of a resource, whatever its credential; or, where
/// no resource and no public requirement is, with a refusal that names no way in: a client that looks for metadata there
/// would take it for the resource's.
///
/// # Errors
/// The answer. Everything else is judged as if there were no such addresses.
pub(super) fn stop(policy: &Policy, request: &RequestView<'_>, found: Option<&Applicable<'_>>) -> Result<(), Cause> {
    let Some(path) = request.path().and_then(ResourceIdentifier::below_metadata) else { return Ok(()) };
    let authority = request.authority();
    let asked = policy.resources.iter().position(|resource| resource.identifier.has_metadata_at(authority, path));
    if let Some(index) = asked {
        let part = match request.method() {
            b"GET" | b"HEAD" => MetadataPart::Document,
            b"OPTIONS" => MetadataPart::Preflight,
            _ => MetadataPart::OtherMethod,
        };
        return Err(Cause::Serve(ResourceId(index), part));
    }
    match found {
        Some(applicable) if applicable.admission() != Admission::Everyone => Err(Cause::Deny(Denial::NoMetadata)),
        Some(_) | None => Ok(()),
    }
}
