//! What has been revoked: entries, lists of them, and looking a token up.
//!
//! A list comes as JSON Lines or in a binary form, and either may be signed. A list of 1 000 000 entries is used where
//! it lies, and whatever is long is done in steps, so that no caller is held up. No HTTP, no host, no clock.

mod binary;
mod build;
mod chunks;
mod entry;
mod error;
mod found_by;
mod kind;
mod lines;
mod list;
mod loader;
mod mark;
mod revision;
mod revocations;
mod signed;
mod spread;
mod status;

pub use build::Builder;
pub use chunks::{CHUNK_BYTES, Chunks};
pub use entry::{Entry, FINGERPRINT_CHARACTERS};
pub use error::ListError;
pub use found_by::FoundBy;
pub use kind::EntryKind;
pub use lines::{Line, MAX_LINE_BYTES, MAX_LINES_BYTES, MAX_LINES_ENTRIES, Tally};
pub use list::List;
pub use loader::{Loader, Terms};
pub use mark::{MARK_BYTES, Mark};
pub use revision::Revision;
pub use revocations::{Clearance, Edition, Revocable, Revocations};
pub use signed::{DIGEST_CLAIM, IDENTITIES_TYPE, SIGNED_TYPE, Signature, list_start, looks_signed, open_identities};
pub use spread::SpreadList;
pub use status::{STATUS_LIST_TYPE, StatusClaim, StatusList, StatusLoader, StatusTerms};
