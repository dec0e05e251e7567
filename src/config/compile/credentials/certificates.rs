//! Client certificates of identities.

use super::instant;
use super::secrets::{Digests, written};
use crate::config::compile::mtls::is_uri;
use crate::config::compile::optional;
use crate::config::cursor::Cursor;
use crate::config::fields;
use crate::crypto::SHA256_BYTES;
use crate::policy::{Secret, digest_of_dns, digest_of_uri};

const NAME_IT: &str =
    "write one of sha256, uri and dns: its SHA-256, or the first URI or DNS name among its subject alternative names";

/// The certificates of an identity.
pub(super) struct Found {
    pub(super) secrets: Vec<Secret>,
    /// Whether some are found by the first URI in them.
    pub(super) by_uri: bool,
    /// Whether some are found by the first DNS name in them.
    pub(super) by_dns: bool,
}

/// The certificates of the identity at this place in its set.
pub(super) fn read<'n>(item: &Cursor<'n>, identity: usize, digests: &mut Digests<'n>) -> Option<Found> {
    let list = item.member("secrets").or_else(|| item.wrong("has no `secrets`", NAME_IT))?;
    let items = list.list()?;
    if items.is_empty() {
        return list.wrong("is an empty list", NAME_IT);
    }
    let mut found = Found { secrets: Vec::with_capacity(items.len()), by_uri: false, by_dns: false };
    let mut is_whole = true;
    for item in &items {
        found.by_uri |= item.member("uri").is_some();
        found.by_dns |= item.member("dns").is_some();
        match certificate(item, identity) {
            Some(secret) => {
                digests.note(secret.digest, item);
                found.secrets.push(secret);
            }
            None => is_whole = false,
        }
    }
    is_whole.then_some(found)
}

fn certificate(cursor: &Cursor<'_>, identity: usize) -> Option<Secret> {
    let object = cursor.object(&fields::CERTIFICATE_SECRET)?;
    let expires = optional(&object, "expires", None, |cursor| instant(cursor).map(Some));
    let digest = match (object.get("sha256"), object.get("uri"), object.get("dns")) {
        (Some(digest), None, None) => written(&digest, "write the 64 digits of its SHA-256"),
        (None, Some(uri), None) => of_uri(&uri),
        (None, None, Some(name)) => of_dns(&name),
        _ => cursor.wrong("does not name one certificate in one way", NAME_IT),
    };
    Some(Secret { digest: digest?, identity, expires: expires? })
}

fn of_uri(cursor: &Cursor<'_>) -> Option<[u8; SHA256_BYTES]> {
    let text = cursor.text()?;
    if !is_uri(text) {
        return cursor
            .wrong("is not a URI", "write it as it is in the certificate, such as spiffe://example.com/orders");
    }
    Some(digest_of_uri(text.as_bytes()))
}

fn of_dns(cursor: &Cursor<'_>) -> Option<[u8; SHA256_BYTES]> {
    let text = cursor.text()?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if text.is_empty() || !text.bytes().all(is_name) {
        return cursor.wrong(
            "is not a DNS name",
            "write it as it is in the certificate, such as orders.example.com; no pattern is read",
        );
    }
    Some(digest_of_dns(text.as_bytes()))
}
