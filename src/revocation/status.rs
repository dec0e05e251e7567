//! Token Status Lists ([draft-ietf-oauth-status-list](https://datatracker.ietf.org/doc/draft-ietf-oauth-status-list/)):
//! one status for each token of an issuer, in a few bits.

mod claim;
mod inflate;
mod list;
mod loader;

pub use claim::StatusClaim;
pub use list::StatusList;
pub use loader::{STATUS_LIST_TYPE, StatusLoader, StatusTerms};
