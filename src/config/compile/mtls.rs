//! The certificate of a client behind another proxy.

use crate::base::text::from_hex;
use crate::config::cursor::Cursor;
use crate::config::fields;
use crate::policy::{CertificateHeader, Forward, ForwardedCertificate, Policy, SetKind, TrustedPeer, digest_of_uri};

/// The section `mtls`.
pub(super) fn read(cursor: &Cursor<'_>, forward: Option<&Forward>) -> Option<ForwardedCertificate> {
    let object = cursor.object(&fields::MTLS)?;
    let remedy = "write {header: ..., from: [...]}, or leave mtls out: the certificate of the connection always counts";
    object.need("forwarded", remedy).and_then(|cursor| forwarded(&cursor, forward))
}

fn forwarded(cursor: &Cursor<'_>, forward: Option<&Forward>) -> Option<ForwardedCertificate> {
    let object = cursor.object(&fields::FORWARDED_CERTIFICATE)?;
    let header = object.need("header", "write x-forwarded-client-cert (Envoy) or client-cert (RFC 9440)");
    let header = header.and_then(|cursor| {
        let words = [CertificateHeader::Xfcc, CertificateHeader::ClientCert].map(|header| (header.name(), header));
        cursor.word(&words)
    });
    let from = object
        .need("from", "name the certificates of the proxies that forward it, each by SHA-256 or URI")
        .and_then(|cursor| peers(&cursor));
    let forwarded = ForwardedCertificate { header: header?, from: from? };
    let set = forward.map(|forward| forward.headers.as_slice()).unwrap_or_default();
    if let Some(header) = set.iter().find(|header| forwarded.is_header(header.name.as_bytes())) {
        let what = format!("reads {}, which forward.headers sets from a claim", header.name);
        return cursor.wrong(what, "choose another name there");
    }
    Some(forwarded)
}

fn peers(cursor: &Cursor<'_>) -> Option<Vec<TrustedPeer>> {
    let peers = cursor.list_of("certificate", |item| {
        let text = item.text()?;
        peer(text).or_else(|| {
            item.wrong(
                "does not name a certificate: an address proves nothing",
                "write the 64 hexadecimal digits of its SHA-256, or the first URI among its subject alternative names, such \
                 as spiffe://example.com/front",
            )
        })
    })?;
    for (index, item) in cursor.list()?.iter().enumerate() {
        let own = peers.get(index);
        if peers.iter().take(index).any(|earlier| Some(earlier) == own) {
            item.wrong::<()>("is the same certificate as one before it", "keep one");
        }
    }
    Some(peers)
}

/// A warning of a proxy that is an identity too: all that it forwards comes on its connections.
pub(super) fn proxies_that_are_identities(policy: &Policy) -> Option<String> {
    let peers = &policy.forwarded_certificate.as_ref()?.from;
    let digest_of = |peer: &TrustedPeer| match peer {
        TrustedPeer::Digest(digest) => *digest,
        TrustedPeer::Uri(uri) => digest_of_uri(uri.as_bytes()),
    };
    let set = policy.credentials.iter().find(|set| match &set.kind {
        SetKind::Certificates(certificates) => peers.iter().any(|peer| certificates.find(&digest_of(peer)).is_some()),
        SetKind::ApiKeys(_) | SetKind::Cookie(_) | SetKind::Passwords(_) | SetKind::Signatures(_) => false,
    })?;
    let who = "every client of that proxy passes as its identity";
    Some(format!("mtls.forwarded.from: names a certificate of {}: {who}", set.name))
}

/// A digest, with colons or without, or a URI.
fn peer(text: &str) -> Option<TrustedPeer> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
    if let Some(digest) = from_hex(&digits).and_then(|digest| digest.try_into().ok()) {
        return Some(TrustedPeer::Digest(digest));
    }
    is_uri(text).then(|| TrustedPeer::Uri(text.to_owned()))
}

/// Whether it is a URI with a scheme, as certificates have them.
pub(super) fn is_uri(text: &str) -> bool {
    let is_uri = text.starts_with("urn:")
        || text.split_once("://").is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty());
    is_uri && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}
