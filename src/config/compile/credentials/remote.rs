//! Identities that change: the document that is fetched for a set.

use crate::base::time::Seconds;
use crate::config::compile::optional;
use crate::config::compile::remote::cluster;
use crate::config::compile::revocation::signers;
use crate::config::cursor::{Cursor, Object};
use crate::config::fields;
use crate::policy::{Endpoint, HolderKind, IdentityTerms, Limits, RemoteList, Scope, SetId, WhenStale};

/// The longest document, in bytes: its signature is checked in one step, which takes 10 ms for each megabyte.
const MAX_DOCUMENT_BYTES: usize = 4 << 20;
/// The longest that is taken where the configuration does not say: some thousands of identities.
const DEFAULT_DOCUMENT_BYTES: usize = 1 << 20;

/// The document of the set of this name. Identities that name no scopes have these.
pub(super) fn read(
    object: &Object<'_>,
    cursor: &Cursor<'_>,
    (set, kind): (SetId, HolderKind),
    (name, scopes): (&str, &[Scope]),
    (limits, warnings): (Limits, &mut Vec<String>),
) -> Option<RemoteList<IdentityTerms>> {
    if let Some(htpasswd) = object.get("htpasswd") {
        htpasswd.wrong::<()>(
            "is beside identities that are fetched",
            "write its users into the document, or make two sets",
        );
    }
    let document = cursor.object(&fields::REMOTE_IDENTITIES)?;
    let uri = document.need("uri", "write the address of the document");
    let cluster = cluster(&document);
    let endpoint = uri.and_then(|uri| {
        let endpoint = Endpoint::parse(uri.text()?, cluster.unwrap_or_default());
        endpoint.or_else(|| {
            uri.wrong(
                "is not an http or https address",
                "write it whole, such as https://ids.example.com/partners.json",
            )
        })
    });
    let refresh = optional(&document, "refresh", Seconds(10), |c| c.seconds(1..=86_400));
    let timeout_ms = optional(&document, "timeout", 2000, |c| c.milliseconds(100..=60_000));
    let max_bytes = optional(&document, "max_bytes", DEFAULT_DOCUMENT_BYTES, |c| c.whole(1024..=MAX_DOCUMENT_BYTES));
    let max_stale = optional(&document, "max_stale", Seconds(3600), |c| c.seconds(1..=2_592_000));
    let signed_by = optional(&document, "signed_by", None, |c| signers(c, limits, warnings).map(Some));
    Some(RemoteList {
        endpoint: cluster.and(endpoint)?,
        refresh: refresh?,
        timeout_ms: u32::try_from(timeout_ms?).ok()?,
        max_stale: max_stale?,
        when_stale: WhenStale::Deny,
        terms: IdentityTerms {
            set,
            name: name.into(),
            kind,
            scopes: scopes.into(),
            max_bytes: max_bytes?,
            signed_by: signed_by?,
            configured: [].into(),
            others: Vec::new(),
        },
    })
}
