//! Keys that are fetched.

use super::optional;
use crate::base::time::Seconds;
use crate::config::cursor::{Cursor, Object};
use crate::config::fields;
use crate::policy::{Endpoint, KeyOrigin, RemoteKeys};

/// Where the keys of `issuer` are fetched, and how they are kept fresh.
pub(super) fn read(object: &Object<'_>, issuer: Option<&str>) -> Option<RemoteKeys> {
    let origin = match object.get("discovery") {
        Some(cursor) => {
            if let Some(extra) = object.get("cluster") {
                extra.wrong::<()>("has no meaning beside `discovery`", "move it into `discovery`");
            }
            discovery(&cursor, issuer)
        }
        None if object.has("discovery") => None,
        None => document(object),
    };
    let refresh = optional(object, "refresh", Seconds(600), |c| c.seconds(1..=86_400));
    let timeout_ms = optional(object, "timeout", 2000, |c| c.milliseconds(100..=60_000));
    let max_stale = optional(object, "max_stale", Seconds(86_400), |c| c.seconds(1..=2_592_000));
    let interval = optional(object, "unknown_kid_interval", Seconds(30), |c| c.seconds(1..=3600));
    Some(RemoteKeys {
        origin: origin?,
        refresh: refresh?,
        timeout_ms: u32::try_from(timeout_ms?).ok()?,
        max_stale: max_stale?,
        unknown_kid_interval: interval?,
    })
}

fn document(object: &Object<'_>) -> Option<KeyOrigin> {
    let cluster = cluster(object);
    let uri = object.get("uri")?;
    endpoint(&uri, cluster).map(KeyOrigin::Document)
}

/// An address, and the cluster that serves it.
pub(super) fn endpoint(uri: &Cursor<'_>, cluster: Option<&str>) -> Option<Endpoint> {
    let endpoint = Endpoint::parse(uri.text()?, cluster.unwrap_or_default());
    let endpoint = endpoint.or_else(|| {
        uri.wrong("is not an http or https address", "write it whole, such as https://idp.example.com/jwks.json")
    })?;
    cluster.map(|_| endpoint)
}

fn discovery(cursor: &Cursor<'_>, issuer: Option<&str>) -> Option<KeyOrigin> {
    let object = cursor.object(&fields::DISCOVERY)?;
    let cluster = cluster(&object);
    let jwks_cluster =
        optional(&object, "jwks_cluster", cluster.map(str::to_owned), |c| c.text().map(|name| Some(name.to_owned())));
    let metadata = Endpoint::of_metadata(issuer?, cluster.unwrap_or_default()).or_else(|| {
        cursor.wrong(
            "needs an issuer that is an http or https address without a query",
            "write where the keys are: `uri` and `cluster`",
        )
    })?;
    Some(KeyOrigin::Discovery { metadata, jwks_cluster: jwks_cluster?? })
}

pub(super) fn cluster<'n>(object: &Object<'n>) -> Option<&'n str> {
    object.need("cluster", "name the Envoy cluster that the request is sent to").and_then(|c| c.text())
}
