//! The certificate of a client whose TLS connection ends at a proxy before the gate.

use super::same_header;
use crate::crypto::SHA256_BYTES;

/// How a client's certificate is forwarded, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedCertificate {
    /// The header that carries it.
    pub header: CertificateHeader,
    /// The proxies whose word counts, by their own certificates.
    pub from: Vec<TrustedPeer>,
}

/// A header that carries a client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateHeader {
    /// Envoy's `x-forwarded-client-cert`.
    Xfcc,
    /// `Client-Cert` of [RFC 9440](https://www.rfc-editor.org/rfc/rfc9440).
    ClientCert,
}

/// A proxy, by the certificate that it shows in the TLS handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustedPeer {
    /// The SHA-256 digest of its certificate.
    Digest([u8; SHA256_BYTES]),
    /// The first URI among the subject alternative names of its certificate, such as a SPIFFE ID.
    Uri(String),
}

impl CertificateHeader {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Xfcc => "x-forwarded-client-cert",
            Self::ClientCert => "client-cert",
        }
    }

    /// All headers that speak of the certificate: RFC 9440 section 4 has a proxy remove `Client-Cert-Chain` too.
    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Xfcc => &["x-forwarded-client-cert"],
            Self::ClientCert => &["client-cert", "client-cert-chain"],
        }
    }
}

impl ForwardedCertificate {
    /// Whether a header speaks of the certificate, in any spelling that an upstream could take for its name.
    #[must_use]
    pub fn is_header(&self, name: &[u8]) -> bool {
        self.header.names().iter().any(|own| same_header(own.as_bytes(), name))
    }

    /// Whether this is such a header in its own spelling. Any other was not written by the proxy.
    #[must_use]
    pub fn is_spelled(&self, name: &[u8]) -> bool {
        self.header.names().iter().any(|own| own.as_bytes() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_headers_is_known_and_one_of_them_is_the_proxys() {
        let of = |header| ForwardedCertificate { header, from: Vec::new() };
        let (xfcc, client_cert) = (of(CertificateHeader::Xfcc), of(CertificateHeader::ClientCert));
        for (forwarded, name, is_header, is_spelled) in [
            (&xfcc, "x-forwarded-client-cert", true, true),
            (&xfcc, "x_forwarded_client_cert", true, false),
            (&xfcc, "x-forwarded_client-cert", true, false),
            (&xfcc, "client-cert", false, false),
            (&xfcc, "x-forwarded-client-cer", false, false),
            (&client_cert, "client-cert", true, true),
            (&client_cert, "client_cert", true, false),
            (&client_cert, "client-cert-chain", true, true),
            (&client_cert, "client_cert-chain", true, false),
            (&client_cert, "x-forwarded-client-cert", false, false),
        ] {
            assert_eq!(forwarded.is_header(name.as_bytes()), is_header, "{name}");
            assert_eq!(forwarded.is_spelled(name.as_bytes()), is_spelled, "{name}");
        }
    }
}
