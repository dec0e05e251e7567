//! JOSE without I/O: compact serialization, JOSE header, claims, key sets. Knows nothing of HTTP, of configuration
//! or of what time it is; it parses `exp` and does not judge it.

mod claims;
mod compact;
mod confirmation;
mod header;
mod instead;
mod introspection;
mod jwk;
mod proof;

pub use claims::{ClaimPath, Claims, EACH_ITEM};
pub use compact::{Compact, Malformed};
pub use confirmation::{Bindings, Confirmation};
pub use header::{JoseHeader, type_name};
pub use instead::Instead;
pub use introspection::IntrospectionAnswer;
pub use jwk::{Key, KeySet, KeySetError, MAX_CANDIDATES, Skipped};
pub use proof::{Proof, access_token_hash, thumbprint};
