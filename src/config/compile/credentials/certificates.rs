//! Client certificates of identities.

use super::secrets::{Digests, written};
use super::{Terms, identities, instant};
use crate::config::compile::mtls::is_uri;
use crate::config::compile::optional;
use crate::config::cursor::{Cursor, Object};
use crate::config::fields;
use crate::crypto::SHA256_BYTES;
use crate::policy::{Certificates, Identity, Secret, digest_of_dns, digest_of_uri};

const NAME_IT: &str =
    "write one of sha256, uri and dns: its SHA-256, or the first URI or DNS name among its subject alternative names";

/// The identities of a set, and their certificates.
pub(super) fn read<'n>(
    object: &Object<'n>,
    terms: Terms<'_>,
    digests: &mut Digests<'n>,
) -> Option<(Vec<Identity>, Certificates)> {
    if let Some(htpasswd) = object.get("htpasswd") {
        htpasswd.wrong::<()>("has passwords, and this is a set of certificates", "leave it out, or write basic: {}");
    }
    let listed =
        object.need("identities", "list those who have certificates").and_then(|list| identities(&list, terms));
    let (mut read, mut secrets, mut is_whole) = (Vec::new(), Vec::new(), true);
    let (mut by_uri, mut by_dns) = (false, false);
    for (index, (identity, place)) in listed?.into_iter().enumerate() {
        let list = place.member("secrets").or_else(|| place.wrong("has no `secrets`", NAME_IT));
        let items = list.and_then(|list| match list.list()? {
            items if items.is_empty() => list.wrong("is an empty list", NAME_IT),
            items => Some(items),
        });
        is_whole &= items.is_some();
        for item in items.unwrap_or_default() {
            by_uri |= item.member("uri").is_some();
            by_dns |= item.member("dns").is_some();
            match certificate(&item, index) {
                Some(secret) => {
                    digests.note(secret.digest, &item);
                    secrets.push(secret);
                }
                None => is_whole = false,
            }
        }
        read.push(identity);
    }
    is_whole.then(|| (read, Certificates::new(&secrets, by_uri, by_dns)))
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
