//! Status lists of an issuer's tokens.

use super::optional;
use crate::base::time::Seconds;
use crate::config::cursor::Cursor;
use crate::config::fields;
use crate::crypto::{AlgorithmSet, KeyFamily};
use crate::policy::{Endpoint, ListCluster, PathPolicy, StatusListPolicy, WhenStale, is_unambiguous};
use crate::revocation::StatusTerms;

/// The longest list, in bytes: its signature is checked in one step, which takes 10 ms for each megabyte.
const MAX_LIST_BYTES: usize = 4 << 20;
/// The longest that is taken where the configuration does not say: eight million tokens of one bit.
const DEFAULT_LIST_BYTES: usize = 1 << 20;

/// How the `status` claim of tokens of `issuer`, which signs with these algorithms, is honoured.
pub(super) fn read(cursor: &Cursor<'_>, issuer: Option<&str>, algorithms: AlgorithmSet) -> Option<StatusListPolicy> {
    let object = cursor.object(&fields::STATUS_LIST)?;
    let missing = "say which lists may be fetched, and from which Envoy cluster";
    let clusters = object.need("clusters", missing).and_then(|list| {
        let clusters: Vec<Option<ListCluster>> = list.list()?.iter().map(cluster).collect();
        if clusters.is_empty() {
            return list.wrong("is an empty list: no list could be fetched", missing);
        }
        clusters.into_iter().collect()
    });
    let refresh = optional(&object, "refresh", Seconds(300), |c| c.seconds(1..=86_400));
    let timeout_ms = optional(&object, "timeout", 2000, |c| c.milliseconds(100..=60_000));
    let max_bytes = optional(&object, "max_bytes", DEFAULT_LIST_BYTES, |c| c.whole(1024..=MAX_LIST_BYTES));
    let max_stale = optional(&object, "max_stale", Seconds(3600), |c| c.seconds(1..=2_592_000));
    let max_lists = optional(&object, "max_lists", 32, |c| c.whole(1..=256));
    let when_stale = optional(&object, "when_stale", WhenStale::default(), |cursor| {
        cursor.word(&[("deny", WhenStale::Deny), ("allow", WhenStale::Allow)])
    });
    let can_sign: AlgorithmSet = algorithms
        .iter()
        .filter(|algorithm| algorithm.runs_in_vm() && algorithm.family() != KeyFamily::Secret)
        .collect();
    if can_sign.is_empty() && !algorithms.is_empty() {
        return cursor.wrong(
            "has no algorithm that could sign a list: those are not signed with secrets, and checked in the VM, which has no ES512",
            "list another of the issuer's `algorithms`, or leave it out",
        );
    }
    Some(StatusListPolicy {
        clusters: clusters?,
        refresh: refresh?,
        timeout_ms: u32::try_from(timeout_ms?).ok()?,
        max_stale: max_stale?,
        when_stale: when_stale?,
        max_lists: max_lists?,
        terms: StatusTerms {
            issuer: issuer?.to_owned(),
            uri: String::new(),
            max_bytes: max_bytes?,
            algorithms: can_sign,
            keys: None,
        },
    })
}

fn cluster(cursor: &Cursor<'_>) -> Option<ListCluster> {
    let object = cursor.object(&fields::STATUS_CLUSTER)?;
    let prefix = object.need("uri_prefix", "write how the addresses of the lists begin").and_then(|c| uri_prefix(&c));
    let cluster = object.need("cluster", "name the Envoy cluster that the request is sent to").and_then(|c| c.text());
    Some(ListCluster { uri_prefix: prefix?, cluster: cluster?.to_owned() })
}

/// A prefix ends where a segment does: `https://a.example/1` would also begin the address of `https://a.example/12`, and
/// `https://a.example` that of `https://a.example.evil`.
fn uri_prefix(cursor: &Cursor<'_>) -> Option<String> {
    let text = cursor.text()?;
    let right = "write it whole, up to a slash, such as https://status.example.com/lists/";
    let Some(endpoint) = Endpoint::parse(text, "") else {
        return cursor.wrong("is not an http or https address", right);
    };
    if !text.ends_with('/') || endpoint.path.contains('?') {
        return cursor.wrong("does not end its path with `/`", right);
    }
    if !is_unambiguous(endpoint.path.as_bytes(), PathPolicy::default()) {
        return cursor.wrong("can be read in more than one way: no list could be fetched", right);
    }
    Some(text.to_owned())
}
