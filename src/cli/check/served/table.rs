//! Envoy's HTTP filters: which of them ask for the route, which clear the route cache, and what they set.
//!
//! Read from the sources of Envoy 1.40, with the differences of 1.36 to 1.39 from its changelogs;
//! `tests/e2e/filters.rs` runs those that ask or clear. A filter that is missing here counts as clearing, as setting
//! anything, and as not asking.

use super::any_text;
use super::names_header;
use crate::cli::source::View;
use std::path::Path;

/// What a filter changes in a request without clearing the route cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changes {
    Nothing,
    /// What its configuration names.
    Named,
    /// What its configuration names, if it also has `true` under this name.
    NamedWith(&'static str),
    Anything,
}

/// What a filter sets if it clears the route cache: a filter that asks afterwards makes Envoy match by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clearing {
    Nothing,
    Headers,
    Everything,
}

/// A condition on a filter's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Never,
    Always,
    /// If its configuration has `true` under this name, at any depth.
    Set(&'static str),
    /// If its configuration does not have that.
    Unset(&'static str),
    /// Unless its configuration has `false` under this name.
    NotOff(&'static str),
    /// Unless `route_cache_action` is `RETAIN`.
    NotRetained,
}

/// The request headers that a filter looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reads {
    /// Those that its configuration names.
    Named,
    /// All of them.
    All,
    /// `authorization`, whatever its configuration names.
    Authorization,
}

use Changes::{Named, Nothing};
use When::{Always, Never, NotOff, NotRetained, Set, Unset};

/// A filter that we know.
struct Known {
    /// Its type, without `envoy.extensions.filters.http.`.
    kind: &'static str,
    asks: When,
    clears: When,
    clearing: Clearing,
    headers: Changes,
    metadata: bool,
    filter_state: bool,
    reads: Reads,
}

/// Neither clears nor sets anything.
const fn quiet(kind: &'static str, asks: When) -> Known {
    Known {
        kind,
        asks,
        clears: Never,
        clearing: Clearing::Everything,
        headers: Nothing,
        metadata: false,
        filter_state: false,
        reads: Reads::Named,
    }
}

/// Other people's code or services: clears, and may do anything.
const fn code(kind: &'static str, clears: When) -> Known {
    Known {
        kind,
        asks: Never,
        clears,
        clearing: Clearing::Headers,
        headers: Changes::Anything,
        metadata: true,
        filter_state: true,
        reads: Reads::All,
    }
}

const CLEAR: &str = "clear_route_cache";

#[rustfmt::skip]
const TABLE: &[Known] = &[
    // They ask, and do not change inputs of a matcher.
    quiet("cors.v3.Cors", Always),
    quiet("csrf.v3.CsrfPolicy", Always),
    quiet("fault.v3.HTTPFault", Always),
    Known { metadata: true, ..quiet("rbac.v3.RBAC", Always) },
    Known { headers: Named, ..quiet("local_ratelimit.v3.LocalRateLimit", Always) },
    // They ask, set something without clearing, or clear if configured.
    Known { clears: Set(CLEAR), headers: Named, metadata: true, reads: Reads::Authorization,
            ..quiet("jwt_authn.v3.JwtAuthentication", Unset("bypass_cors_preflight")) },
    Known { clears: Set(CLEAR), asks: Always, ..code("ext_authz.v3.ExtAuthz", Never) },
    Known { headers: Named, ..quiet("header_mutation.v3.HeaderMutation", Always) },
    // It removes the header only if configured.
    Known { headers: Changes::NamedWith("remove"), metadata: true, ..quiet("header_to_metadata.v3.Config", Always) },
    Known { clears: Set(CLEAR), filter_state: true, ..quiet("set_filter_state.v3.Config", Always) },
    // They do not ask, or not always: buffer asks if there is a body, set_metadata since 1.37.
    Known { headers: Named, ..quiet("buffer.v3.Buffer", Never) },
    Known { metadata: true, ..quiet("set_metadata.v3.Config", Never) },
    Known { clears: Always, metadata: true, ..quiet("json_to_metadata.v3.JsonToMetadata", Never) },
    Known { clearing: Clearing::Nothing, ..code("mcp.v3.Mcp", Always) },
    code("lua.v3.Lua", NotOff(CLEAR)),
    code("ext_proc.v3.ExternalProcessor", NotRetained),
    Known { clears: Always, ..quiet("on_demand.v3.OnDemand", Never) },
    Known { clears: Set(CLEAR), headers: Named, ..quiet("transform.v3.TransformConfig", Never) },
    Known { clears: Always, headers: Named, ..quiet("ip_tagging.v3.IPTagging", Never) },
    Known { clears: Always, clearing: Clearing::Nothing, headers: Named, ..quiet("geoip.v3.Geoip", Never) },
    Known { headers: Named, reads: Reads::Authorization, ..quiet("basic_auth.v3.BasicAuth", Never) },
    Known { headers: Named, metadata: true, reads: Reads::Authorization, ..quiet("api_key_auth.v3.ApiKeyAuth", Never) },
    Known { headers: Changes::Anything, metadata: true, ..quiet("ratelimit.v3.RateLimit", Never) },
    quiet("compressor.v3.Compressor", Never),
    quiet("decompressor.v3.Decompressor", Never),
    quiet("health_check.v3.HealthCheck", Never),
    quiet("grpc_stats.v3.FilterConfig", Never),
    quiet("bandwidth_limit.v3.BandwidthLimit", Never),
    quiet("admission_control.v3.AdmissionControl", Never),
    quiet("adaptive_concurrency.v3.AdaptiveConcurrency", Never),
    quiet("router.v3.Router", Always),
];

/// Filters with custom code, which only warn after the gate.
const OF_OTHERS: [(&str, &str); 4] = [
    ("wasm.v3.Wasm", "another Wasm filter"),
    ("golang.v3alpha.Config", "a Go filter"),
    ("dynamic_modules.v3.DynamicModuleFilter", "a dynamic module"),
    ("grpc_json_transcoder.v3.GrpcJsonTranscoder", "grpc_json_transcoder"),
];

/// Those that ask for the route before they set anything. Others set first: `set_filter_state`, `header_mutation`.
const ASK_FIRST: [&str; 5] =
    ["cors.v3.Cors", "csrf.v3.CsrfPolicy", "fault.v3.HTTPFault", "rbac.v3.RBAC", "local_ratelimit.v3.LocalRateLimit"];

/// A filter of a chain, with its effects.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a row of the table, with its conditions decided")]
pub(super) struct Filter<'e> {
    pub view: View<'e>,
    /// Its name in messages.
    pub name: String,
    /// Whether it is in the table.
    pub known: bool,
    pub asks: bool,
    pub clears: bool,
    headers: Changes,
    pub metadata: bool,
    pub state: bool,
    /// Its type, without the prefix of Envoy's.
    pub kind: String,
    reads: Reads,
    /// Its own configuration, and those that routes have for it.
    configurations: Vec<View<'e>>,
}

const PREFIX: &str = "envoy.extensions.filters.http.";

impl<'e> Filter<'e> {
    /// Judges a filter of a chain, by its own configuration and by those that routes have for filters.
    pub(super) fn of(view: &View<'e>, of_routes: &[(&'e Path, View<'e>)]) -> Self {
        let (type_name, own) = typed(view);
        let kind = type_name.strip_prefix(PREFIX).unwrap_or(&type_name).to_owned();
        let mut configurations: Vec<View<'e>> = own.into_iter().collect();
        if let Some(name) = view.name() {
            configurations.extend(of_routes.iter().filter_map(|(_, filters)| filters.get(name)));
        }
        let entry = TABLE.iter().find(|known| known.kind == kind);
        let mut filter = Self {
            view: view.clone(),
            name: short(&kind, view),
            known: entry.is_some(),
            asks: false,
            clears: true,
            headers: Changes::Anything,
            metadata: true,
            state: true,
            reads: Reads::All,
            kind,
            configurations,
        };
        if let Some(known) = entry {
            filter.asks = filter.holds(known.asks) && !filter.may_be_off();
            filter.clears = filter.holds(known.clears);
            let clearing = if filter.clears && filter.clears_surely() { known.clearing } else { Clearing::Nothing };
            filter.headers = if clearing == Clearing::Nothing { known.headers } else { Nothing };
            filter.metadata = known.metadata && clearing != Clearing::Everything;
            filter.state = known.filter_state && clearing != Clearing::Everything;
            filter.reads = known.reads;
        }
        filter
    }

    fn holds(&self, when: When) -> bool {
        match when {
            Never => false,
            Always => true,
            Set(name) => self.has(name, &|view| view.is_true()),
            Unset(name) => !self.has(name, &|view| view.is_true()),
            // A route's own configuration may do what the filter's does not.
            NotOff(name) => self.configurations.len() != 1 || !self.has(name, &|view| !view.is_true()),
            NotRetained => {
                self.configurations.len() != 1 || !self.has("route_cache_action", &|view| view.text() == Some("RETAIN"))
            }
        }
    }

    /// Whether a filter that clears does so for everything that it sets: each provider of `jwt_authn` has its own
    /// setting, and a processor may omit it.
    fn clears_surely(&self) -> bool {
        let own = self.configurations.first();
        match self.kind.as_str() {
            "jwt_authn.v3.JwtAuthentication" => {
                let providers =
                    own.and_then(|view| view.get("providers")).map(|view| view.members()).unwrap_or_default();
                providers.iter().all(|(_, provider)| provider.get(CLEAR).is_some_and(|view| view.is_true()))
            }
            "ext_proc.v3.ExternalProcessor" => {
                let action = own.and_then(|view| view.get("route_cache_action"));
                self.configurations.len() == 1 && action.and_then(|view| view.text()) == Some("CLEAR")
            }
            _ => true,
        }
    }

    fn has(&self, name: &str, is: &dyn Fn(&View<'_>) -> bool) -> bool {
        let holders = self.configurations.iter().flat_map(|view| view.holders(name));
        holders.filter_map(|holder| holder.get(name)).any(|view| is(&view))
    }

    /// Whether it is off, for all requests or for those of some routes.
    fn may_be_off(&self) -> bool {
        self.view.get("disabled").is_some_and(|view| view.is_true()) || self.has("disabled", &|view| view.is_true())
    }

    /// Whether it asks before it sets anything, so that what it sets comes after Envoy's match.
    pub(super) fn asks_first(&self) -> bool {
        self.asks && ASK_FIRST.contains(&self.kind.as_str())
    }

    /// Whether it clears, or edits headers for later filters, which it must not do after the gate.
    pub(super) fn undoes(&self) -> bool {
        self.clears || self.kind == "header_mutation.v3.HeaderMutation"
    }

    /// Whether it may change a header without clearing the route cache. It changes path, host or method only if its
    /// configuration says so.
    pub(super) fn changes(&self, header: &str) -> bool {
        let routing = header.starts_with(':') || header.eq_ignore_ascii_case("host");
        match self.headers {
            Nothing => false,
            Named => self.names(header),
            Changes::NamedWith(name) => self.has(name, &|view| view.is_true()) && self.names(header),
            Changes::Anything => !routing || self.has("allow_all_routing", &|view| view.is_true()),
        }
    }

    /// Whether it may change the query without clearing the route cache.
    pub(super) fn changes_query(&self) -> bool {
        let mutates =
            || ["query_parameter_mutations", "parameter_mutations"].iter().any(|name| self.has(name, &|_| true));
        self.headers == Changes::Anything || self.headers != Nothing && (self.changes(":path") || mutates())
    }

    /// Whether its configuration has this header's name as a text.
    fn names(&self, header: &str) -> bool {
        self.configurations.iter().any(|view| any_text(view, &|text| text.eq_ignore_ascii_case(header)))
    }

    /// Whether its configuration has this header's name in a text, such as a format.
    pub(super) fn mentions(&self, header: &str) -> bool {
        self.configurations.iter().any(|view| any_text(view, &|text| names_header(text, header)))
    }

    /// Whether it looks at a header.
    pub(super) fn reads(&self, header: &str) -> bool {
        match self.reads {
            Reads::All => true,
            Reads::Authorization => header == "authorization" || self.mentions(header),
            Reads::Named => self.mentions(header),
        }
    }
}

/// The type of a filter's configuration, and the configuration; also from a `TypedStruct`, and if only its type is
/// known.
fn typed<'e>(view: &View<'e>) -> (String, Option<View<'e>>) {
    let Some(config) = view.get("typed_config") else {
        let types = view.at(&["config_discovery", "type_urls"]).map(|view| view.items()).unwrap_or_default();
        let only = match types.as_slice() {
            [one] => one.text().and_then(|url| url.rsplit('/').next()).unwrap_or_default(),
            _ => "",
        };
        // A fetched configuration may be anything.
        let known = TABLE.iter().any(|known| {
            only.strip_prefix(PREFIX) == Some(known.kind) && known.clears == Never && known.headers == Nothing
        });
        return (if known { only.to_owned() } else { String::new() }, None);
    };
    let name = config.type_name().unwrap_or_default();
    if name.ends_with(".TypedStruct") {
        let inner = config.get("type_url").and_then(|url| url.text()).and_then(|url| url.rsplit('/').next());
        return (inner.unwrap_or_default().to_owned(), config.get("value"));
    }
    (name.to_owned(), Some(config))
}

/// The name of a filter in messages.
fn short(kind: &str, view: &View<'_>) -> String {
    if let Some((_, name)) = OF_OTHERS.iter().find(|(other, _)| *other == kind) {
        return (*name).to_owned();
    }
    if TABLE.iter().any(|known| known.kind == kind) {
        return kind.split('.').next().unwrap_or(kind).to_owned();
    }
    match view.name() {
        Some(name) => format!("the filter {name}"),
        None => "a filter".to_owned(),
    }
}
