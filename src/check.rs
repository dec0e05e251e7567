//! The checks of a token, one file each. A check takes the proof that the check before it gave, and gives the next:
//!
//! ```text
//! BearerToken -> form -> Formed -> issuer -> Recognised -> kind -> Typed -> audience -> Addressed
//!     -> time -> Timely -> claims -> Complete -> signature -> Verified -> revocation -> Live
//!     -> scope -> Scoped -> condition -> Permit
//! ```
//!
//! Only the check that a proof is named after can make it, so none can be left out or done in another order.
//! Everything up to [`Complete`] costs no cryptography: only a token that passes all of it may wait for keys or be
//! verified, and only one that has been verified may wait for a revocation list. Validity is judged before what the token grants (RFC 6750 section 3.1: an expired token without the
//! scope is answered 401, not 403).

mod audience;
mod claims;
mod condition;
mod form;
mod issuer;
mod kind;
mod revocation;
mod scope;
mod signature;
mod time;

pub use audience::Addressed;
pub use claims::Complete;
pub use condition::Permit;
pub use form::{FINGERPRINT_CHARACTERS, Formed, fingerprint};
pub use issuer::Recognised;
pub use kind::Typed;
pub use revocation::Live;
pub use scope::{Scoped, wanted};
pub use signature::Verified;
pub use time::Timely;

use crate::decision::{Denial, Need};
use crate::policy::TokenRequirement;

/// What the requirements that hold for a request ask of its token: one, or two where route metadata restricts.
pub type TokenRequirements<'a> = [&'a TokenRequirement];

/// Shorthand of this room.
type Result<T> = std::result::Result<T, Denial>;

/// Why a check that asks for what is fetched gives no proof.
#[derive(Debug, PartialEq)]
pub enum Unproven {
    /// The token is refused.
    Deny(Denial),
    /// It may be good, once this is there.
    Await(Need),
}
