//! What the gate answers itself without refusing anything.

use super::Trace;
use crate::policy::ResourceId;

/// A request at the address of a resource's metadata (RFC 9728), which is answered before a requirement is consulted.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    /// The resource.
    pub resource: ResourceId,
    /// What is asked for.
    pub part: MetadataPart,
    /// What decided: no requirement, and no credential.
    pub trace: Trace,
}

/// What a request asks for at the address of metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataPart {
    /// The document.
    Document,
    /// Whether a page may ask for it.
    Preflight,
    /// Something that a method does which is not for documents.
    OtherMethod,
}
