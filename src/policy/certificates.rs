//! Client certificates that the configuration names: by their digest, or by a name in them.

use super::{Secret, Secrets};
use crate::crypto::{SHA256_BYTES, sha256};

/// The certificates of a set.
#[derive(Debug)]
pub struct Certificates {
    secrets: Secrets,
    /// Whether some are found by the first URI in them.
    pub by_uri: bool,
    /// Whether some are found by the first DNS name in them.
    pub by_dns: bool,
}

impl Certificates {
    /// Certificates, by their digests and the digests of their names, as [`digest_of_uri`] and [`digest_of_dns`] make them.
    #[must_use]
    pub fn new(secrets: &[Secret], by_uri: bool, by_dns: bool) -> Self {
        Self { secrets: Secrets::new(secrets), by_uri, by_dns }
    }

    /// What is known of the certificate with this digest, or of those with this name.
    #[must_use]
    pub fn find(&self, digest: &[u8; SHA256_BYTES]) -> Option<&Secret> {
        self.secrets.find(digest)
    }

    /// The digests of all certificates, and of their names.
    #[must_use]
    pub fn digests(&self) -> Vec<[u8; SHA256_BYTES]> {
        self.secrets.digests()
    }
}

/// That of a URI among the subject alternative names. No certificate has it: what is hashed is no DER.
#[must_use]
pub fn digest_of_uri(uri: &[u8]) -> [u8; SHA256_BYTES] {
    sha256(&[b"uri:", uri].concat())
}

/// That of a DNS name among the subject alternative names, in any letter case.
#[must_use]
pub fn digest_of_dns(name: &[u8]) -> [u8; SHA256_BYTES] {
    sha256(&[&b"dns:"[..], &name.to_ascii_lowercase()].concat())
}
