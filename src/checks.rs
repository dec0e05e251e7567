//! The checks of a credential, one file each. A check takes the proof that the check before it gave, and gives the next:
//!
//! ```text
//! BearerToken -> form -> Formed -> issuer -> Recognised -> kind -> Typed -> audience -> Addressed
//!     -> time -> Timely -> claims -> Complete -> signature -> Verified (Principal)
//!     -> revocation -> Live -> sender -> Proven -> authentication -> Authenticated -> scope -> Scoped
//!     -> condition -> Permit -> replay -> FirstUse
//! ```
//!
//! An opaque token begins with what its issuer says of it, which is judged as the claims of a JWT are, and needs no
//! signature:
//!
//! ```text
//! BearerToken -> opaque -> Formed -> issuer -> ... -> Verified (Principal) -> ...
//! ```
//!
//! Where a requirement has `csrf`, it is judged first whether a page of another site sent the request ([`check_site`]).
//!
//! Where `mcp` has `session`, [`check_session`] judges by the principals of a [`Permit`] whether the session is theirs, before
//! a message is read whole.
//!
//! An API key has a shorter way. What is asked of the sender and of the user, is asked of a token:
//!
//! ```text
//! ApiKey -> identity -> Identified (Principal) -> revocation -> Live -> Authenticated -> scope -> ...
//! ```
//!
//! So has a signature of the request, which is judged with what it signs, and is used up at the end where it is good once:
//!
//! ```text
//! SentSignature -> signature -> Identified (Principal, SignedProof) -> revocation -> Live -> ... -> SignedProof::claim
//! ```
//!
//! Only the check that a proof is named after can make it, so none can be left out or done in another order. Everything up
//! to [`Complete`] costs no cryptography: only a token that passes all of it may wait for keys or be verified, and only one
//! that has been verified may wait for a revocation list. Validity is judged before what the credential grants (RFC 6750
//! section 3.1: an expired token without the scope is answered 401, not 403).
//!
//! Each check judges by a function that a proof is not needed for: [`failures()`] calls the same ones to tell what else
//! a refused token fails.
//!
//! `token` has the checks that know what a JWT is. The others judge times and a [`Principal`], whatever it was proven by.

mod authentication;
mod client_certificate;
mod condition;
mod cross_site;
mod event;
mod failures;
mod held;
mod identity;
mod item;
mod message;
mod mismatch;
mod possession;
mod principal;
mod replay;
mod reuse;
mod revocation;
mod scope;
mod sender;
mod session;
mod signature;
mod status;
mod time;
mod token;

pub use authentication::Authenticated;
pub use client_certificate::is_forwarded;
pub use condition::{Permit, check_beside};
pub use cross_site::{check_site, judge_site};
pub use event::{Heard, hear_event};
pub use failures::failures;
pub use held::{hold, judge_held};
pub use identity::{Identified, NotIdentified, secret_failures};
pub use item::{good_until, grants, meets_as_token};
pub use message::{Hearing, Verdict, check_transport, hear, is_of_stateless_version, wanted as wanted_message};
pub use mismatch::{PLACE, mismatch};
pub use possession::Possession;
pub use principal::Principal;
pub use replay::{Effect, Effects, FirstUse};
pub use reuse::check as check_reuse;
pub use revocation::Live;
pub use scope::{Scoped, wanted};
pub use sender::Proven;
pub use session::{Session, SessionHeader, check_session};
pub use signature::{SignedProof, Signing};
pub use token::{
    Addressed, Complete, FINGERPRINT_CHARACTERS, Formed, Recognised, Timely, Typed, Verified, asked_issuer,
    fingerprint, id_token_claim, is_opaque, named_issuer,
};

use crate::decision::{Denial, Need};
use crate::policy::TokenRequirement;
use std::rc::Rc;

/// What the requirements that hold for a request ask of its credential: one, or two where route metadata restricts, and
/// those of the items that its MCP message names.
pub type TokenRequirements<'a> = [&'a Rc<TokenRequirement>];

/// Shorthand of this room.
type Result<T> = std::result::Result<T, Denial>;

/// Why a check that asks for what is fetched gives no proof.
#[derive(Debug, PartialEq)]
pub enum Unproven {
    /// The credential is refused.
    Deny(Denial),
    /// It may be good, once this is there.
    Await(Need),
}

impl From<Denial> for Unproven {
    fn from(denial: Denial) -> Self {
        Self::Deny(denial)
    }
}
