//! The filters that see a request after the gate, or before it, in their order: those of the chain that stay, and those
//! behind the router.

use crate::cli::migrate::envoy::chain::Chain;
use crate::cli::source::View;
use crate::policy::{AUTHORIZATION, same_header};
use std::path::Path;

/// A filter that is not migrated.
pub(super) struct Reader<'s> {
    /// The place in the chain; that of no filter if it is one of a cluster.
    pub(super) index: usize,
    /// Its place among these, in the order in which they see a request.
    pub(super) order: usize,
    pub(super) file: &'s Path,
    pub(super) name: Option<&'s str>,
    /// Its configuration, or the whole entry if that is fetched.
    pub(super) view: View<'s>,
    /// Whether it sees what the router sends.
    pub(super) is_behind_router: bool,
}

const ROUTER: &str = "envoy.extensions.filters.http.router.v3.Router";
/// Hands on what it reads, and refuses nothing by it.
const TAP: &str = "envoy.extensions.filters.http.tap.v3.Tap";
/// Writes what it reads into headers: in the chain, and beside a route.
const MUTATIONS: [&str; 2] = [
    "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
    "envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute",
];
/// Names headers that it does not read: in the chain, and beside a route.
const CORS: [&str; 2] =
    ["envoy.extensions.filters.http.cors.v3.Cors", "envoy.extensions.filters.http.cors.v3.CorsPolicy"];
/// Filters that refuse nothing by a header or by metadata that another filter may have written.
const PASSING: [&str; 10] = [
    ROUTER,
    TAP,
    MUTATIONS[0],
    CORS[0],
    "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
    "envoy.extensions.filters.http.compressor.v3.Compressor",
    "envoy.extensions.filters.http.decompressor.v3.Decompressor",
    "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
    "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb",
    "envoy.extensions.filters.http.bandwidth_limit.v3.BandwidthLimit",
];
/// Filters that run code, or ask a service, of which nothing is in these files.
const CLOSED: [&str; 5] = [
    "envoy.extensions.filters.http.wasm.v3.Wasm",
    "envoy.extensions.filters.http.golang.v3alpha.Config",
    "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
    "envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
    "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
];
/// Of these, those that run code in Envoy, which reads what it wants.
const CODE: usize = 3;

/// Filters that look at a header, or set it, and need not name it: the package of their types, and the header.
const UNNAMED: [(&str, &str); 7] = [
    ("aws_lambda", AUTHORIZATION),
    ("aws_request_signing", AUTHORIZATION),
    ("cache", AUTHORIZATION),
    ("cache_v2", AUTHORIZATION),
    (INJECTOR, AUTHORIZATION),
    ("gcp_authn", AUTHORIZATION),
    ("oauth2", AUTHORIZATION),
];
/// Of these, the one that may be told to look at nothing, or to take another header.
const INJECTOR: &str = "credential_injector";

/// All that stay, in the order in which they see a request.
pub(super) fn all<'s>(chain: &Chain<'s>, clusters: &[(&'s Path, View<'s>)]) -> Vec<Reader<'s>> {
    let mut found: Vec<Reader<'s>> = Vec::new();
    let mut add = |index, file, filter: &View<'s>, is_behind_router| {
        let view = filter.get("typed_config").unwrap_or_else(|| filter.clone());
        found.push(Reader { index, order: found.len(), file, name: filter.name(), view, is_behind_router });
    };
    for (place, (index, file, filter)) in chain.others.iter().enumerate() {
        // The resource that is fetched stands beside the entry that names it.
        let is_found = chain.others.iter().skip(place.saturating_add(1)).any(|(other, ..)| other == index);
        if is_found && filter.at(&["config_discovery", "default_config"]).is_none() {
            continue;
        }
        let own = filter.get("typed_config").filter(|config| config.type_name() == Some(ROUTER));
        match own {
            Some(router) => {
                for inner in router.list("upstream_http_filters") {
                    add(*index, *file, &inner, true);
                }
            }
            None => add(*index, *file, filter, false),
        }
    }
    for (file, cluster) in clusters {
        let options = cluster.get("typed_extension_protocol_options").map(|all| all.members()).unwrap_or_default();
        for filter in options.iter().flat_map(|(_, own)| own.list("http_filters")) {
            add(usize::MAX, *file, &filter, true);
        }
    }
    found
}

/// The type of a filter.
fn own_type<'s>(config: &View<'s>) -> Option<&'s str> {
    let own = config.type_name()?;
    if own.ends_with(".TypedStruct") {
        return config.get("type_url")?.text()?.rsplit('/').next();
    }
    Some(own)
}

fn is_one(config: &View<'_>, types: &[&str]) -> bool {
    own_type(config).is_some_and(|own| types.contains(&own))
}

/// Whether a filter hands on what it reads to those who look on.
pub(super) fn is_telling(config: &View<'_>) -> bool {
    is_one(config, &[TAP])
}

/// Whether a filter hands on what it reads to the filters after it.
pub(super) fn hands_on(config: &View<'_>) -> bool {
    is_one(config, &MUTATIONS)
}

/// Whether the headers that it names are not those that it reads.
pub(super) fn only_names(config: &View<'_>) -> bool {
    is_one(config, &CORS)
}

/// The headers that a filter makes which hands on what it reads.
pub(super) fn made_by<'s>(config: &View<'s>) -> Vec<&'s str> {
    let mut made = Vec::new();
    for holder in config.holders("key") {
        made.extend(holder.get("key").and_then(|key| key.text()));
    }
    made
}

/// Whether a filter may refuse a request by what is in it.
pub(super) fn may_refuse(config: &View<'_>) -> bool {
    !is_one(config, &PASSING)
}

/// Whether a filter limits requests as routes say.
pub(super) fn limits(config: &View<'_>) -> bool {
    let mut found = false;
    config.visit(&mut |inner| found |= inner.text().is_some_and(|text| text.contains("ratelimit")));
    found || is_fetched(config)
}

/// Whether it is fetched, and not in these files.
fn is_fetched(config: &View<'_>) -> bool {
    config.get("config_discovery").is_some()
}

/// Whether what it refuses by is not in these files.
pub(in crate::cli::migrate) fn is_closed(config: &View<'_>) -> bool {
    holds_one(config, &CLOSED) || is_fetched(config)
}

/// Whether it may read metadata that nothing in these files names.
pub(super) fn runs_code(config: &View<'_>) -> bool {
    holds_one(config, CLOSED.get(..CODE).unwrap_or_default()) || is_fetched(config)
}

/// Whether a filter, or one within it, looks at a header that it need not name.
pub(super) fn looks_at(config: &View<'_>, header: &str) -> bool {
    let mut found = false;
    config.visit(&mut |inner| {
        let own = own_type(inner).and_then(|own| own.strip_prefix("envoy.extensions.filters.http."));
        let Some(package) = own.and_then(|own| own.split('.').next()) else { return };
        let is_set = package == INJECTOR
            && (inner.get("overwrite").is_some_and(|flag| flag.is_true())
                || inner.at(&["credential", "typed_config", "header"]).is_some());
        found |= !is_set && UNNAMED.contains(&(package, header));
    });
    found
}

/// Whether a value writes into a header, and what is then in it depends on what was there.
pub(super) fn adds_to(option: &View<'_>, header: &str) -> bool {
    let key = option.at(&["header", "key"]).and_then(|key| key.text());
    let action = option.get("append_action").and_then(|action| action.text());
    let keeps = option.get("append").is_none_or(|append| append.is_true());
    key.is_some_and(|key| same_header(key.as_bytes(), header.as_bytes()))
        && keeps
        && action != Some("OVERWRITE_IF_EXISTS_OR_ADD")
}

fn holds_one(config: &View<'_>, types: &[&str]) -> bool {
    let mut found = false;
    config.visit(&mut |inner| found |= is_one(inner, types));
    found
}
