//! Every cryptographic operation goes through this room, and none of it is ours: the libraries under jwt-simple (RustCrypto,
//! superboring) make keys of bytes and check signatures, ed25519-dalek does so for EdDSA. Natively ring checks some of them.
//!
//! Knows bytes, keys and algorithms; knows no HTTP, no JSON and no time.

mod algorithm;
mod body_hasher;
mod digest;
mod host_form;
mod key;
mod mac;
mod password;
#[cfg(not(target_arch = "wasm32"))]
mod ring_verifier;
mod spki;
#[cfg(test)]
pub mod test_key;
mod verify;

pub use algorithm::{Algorithm, AlgorithmSet};
pub use body_hasher::{BodyHasher, SHA512_BYTES};
pub use digest::{KeyedDigest, SHA256_BYTES, Sha256, sha256};
pub use host_form::{HostForm, HostVerdict, Probe};
pub use key::{KeyError, KeyFamily, MAX_RSA_BITS, MIN_RSA_BITS, Material, VerificationKey};
pub use mac::{hmac, same_tag};
pub use password::{Effort, Hashing, MAX_PASSWORD, PasswordHash, Progress};
#[cfg(not(target_arch = "wasm32"))]
pub use ring_verifier::RingVerifier;
#[cfg(feature = "module")]
pub use ring_verifier::RingVerifier as LocalVerifier;
#[cfg(not(feature = "module"))]
pub use verify::PureVerifier as LocalVerifier;
pub use verify::{PureVerifier, Verification, Verifier};
