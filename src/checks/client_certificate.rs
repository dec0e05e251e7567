//! Which certificate is the client's: that of the connection, or the one that a trusted proxy forwards
//! ([RFC 9440 section 4](https://www.rfc-editor.org/rfc/rfc9440#section-4)).

use super::Result;
use crate::credential::{self, Forwarded};
use crate::crypto::{SHA256_BYTES, sha256};
use crate::decision::Denial;
use crate::facts::{PeerName, Surroundings};
use crate::policy::{ForwardedCertificate, TrustedPeer};
use crate::request::RequestView;

/// Whether the request comes from a proxy whose word about its client counts.
#[must_use]
pub fn is_forwarded(forwarded: &ForwardedCertificate, surroundings: &dyn Surroundings) -> bool {
    forwarded.from.iter().any(|peer| match peer {
        TrustedPeer::Digest(digest) => surroundings.peer_certificate() == Some(*digest),
        TrustedPeer::Uri(uri) => surroundings.peer_name(PeerName::Uri) == Some(uri.as_bytes()),
    })
}

/// The digest of the client's certificate; `None` without one. A trusted proxy's own certificate is never taken for its
/// client's, and what anyone else forwards counts for nothing.
///
/// # Errors
/// [`Denial::CertificateMismatch`] when what the proxy forwards is not exactly one certificate.
pub(super) fn client_certificate(
    forwarded: Option<&ForwardedCertificate>,
    request: &RequestView<'_>,
    surroundings: &dyn Surroundings,
) -> Result<Option<[u8; SHA256_BYTES]>> {
    let Some(forwarded) = forwarded.filter(|forwarded| is_forwarded(forwarded, surroundings)) else {
        return Ok(surroundings.peer_certificate());
    };
    let certificate =
        credential::forwarded_certificate(request, forwarded.header).map_err(Denial::CertificateMismatch)?;
    Ok(certificate.map(|certificate| match certificate {
        Forwarded::Digest(digest) => digest,
        Forwarded::Der(der) => sha256(&der),
    }))
}
