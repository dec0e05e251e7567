//! The checks of a token, from its form to its signature. They end in a [`Principal`](super::Principal).
//!
//! What is remembered of a token is its form and its signature. Everything between the two is judged for every request,
//! remembered or not: a token that was verified on one route must not pass on another that asks for more.

pub(super) mod audience;
pub(super) mod claims;
mod form;
pub(super) mod issuer;
pub(super) mod kind;
mod opaque;
pub(super) mod signature;
pub(super) mod time;

pub use audience::Addressed;
pub use claims::Complete;
pub use form::{FINGERPRINT_CHARACTERS, Formed, fingerprint};
pub use issuer::{Recognised, named_issuer};
pub use kind::{Typed, id_token_claim};
pub use opaque::{asked_issuer, is_opaque};
pub use signature::Verified;
pub use time::Timely;

use super::{Result, TokenRequirements, Unproven};
