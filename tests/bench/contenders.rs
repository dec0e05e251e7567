//! The contenders of a case: Scopegate as Wasm and as a native module, and Envoy's own filters set up for the same work.

use super::cases::Case;
use super::support::envoy::{Gate, listener, merge};
use super::support::envoy::{module, root};
use super::support::issuer::{AUDIENCE, ISSUER};
use super::support::native::{Environment, rewrite};
use serde_json::{Value, json};

/// The environment variable with the secret with which issuers are asked about opaque tokens.
pub const CLIENT_SECRET: &str = "CLIENT_SECRET";
const SECRET: &str = "0123456789abcdefghij";
/// What the module's statistics begin with: both are in one Envoy, and are told apart.
pub const MODULE_STATISTICS: &str = "modulecustom";

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    Scopegate,
    Module,
    Native,
}

impl Contender {
    pub const ALL: [Self; 3] = [Self::Scopegate, Self::Module, Self::Native];

    /// The name of its listener.
    pub fn listener(self, case: &str) -> String {
        match self {
            Self::Scopegate => format!("{case}.scopegate"),
            Self::Module => format!("{case}.module"),
            Self::Native => format!("{case}.native"),
        }
    }
}

/// What follows the filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// Envoy answers by itself: nothing else is measured.
    DirectResponse,
    /// An upstream that shows what it received.
    Upstream,
}

impl Behind {
    /// These routes, each with where it leads.
    pub fn finish(self, routes: &[Value]) -> Value {
        let finish = |route: &Value| {
            let mut route = route.clone();
            match self {
                Self::DirectResponse => {
                    route["direct_response"] = json!({ "status": 200, "body": { "inline_string": "ok\n" } });
                }
                Self::Upstream => route["route"] = json!({ "cluster": "upstream" }),
            }
            route
        };
        routes.iter().map(finish).collect()
    }
}

/// One route for everything.
pub fn one_route() -> Vec<Value> {
    vec![json!({ "name": "all", "match": { "prefix": "/" } })]
}

/// A listener without a filter: what Envoy alone costs.
pub fn bare() -> Value {
    let routes = Behind::DirectResponse.finish(&one_route());
    listener("bare", &[], &routes, &json!({}), &connection_manager())
}

/// The listener of a contender.
pub fn contender(contender: Contender, case: &Case, behind: Behind) -> Value {
    match contender {
        Contender::Scopegate => scopegate(case, behind),
        Contender::Module => native_module(case, behind),
        Contender::Native => native(case, behind),
    }
}

/// What all listeners have: no access log.
pub fn connection_manager() -> Value {
    json!({ "access_log": [] })
}

fn scopegate(case: &Case, behind: Behind) -> Value {
    let mut configuration = case.scopegate.clone();
    configuration["issuers"] = json!([{
        "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": case.mint.issuer.jwks() },
    }]);
    merge(&mut configuration["issuers"][0], &case.issuer);
    if case.settings.has("cache") {
        configuration["cache"] = json!({ "entries": case.cache_entries });
    }
    // Here nothing else is to be kept alive, and every token is to be answered as the native filters answer it.
    configuration["limits"] = json!({ "wasm_crypto_percent": 100 });
    let mut plugin = json!({ "vm_config": {
        "vm_id": "bench", "environment_variables": { "key_values": { CLIENT_SECRET: SECRET } },
    } });
    merge(&mut plugin, &case.plugin);
    let gate = Gate {
        // A gate has a name that lasts as long as the program.
        name: Contender::Scopegate.listener(case.name).leak(),
        connection_manager: connection_manager(),
        plugin,
        ..Gate::new(configuration)
    };
    gate.routes(behind.finish(&case.scopegate_routes)).listener()
}

/// What is the same as [`scopegate`] but for the kind of filter, its statistics and its name.
fn native_module(case: &Case, behind: Behind) -> Value {
    let mut listener = rewrite(&scopegate(case, behind), &module()).document;
    let [ours, its] = [Contender::Scopegate, Contender::Module].map(|who| who.listener(case.name));
    rename(&mut listener, &[(&ours, &its), ("wasmcustom", MODULE_STATISTICS)]);
    listener
}

/// Replaces texts that are one of these as a whole.
fn rename(value: &mut Value, names: &[(&str, &str)]) {
    match value {
        Value::String(text) => {
            if let Some((_, to)) = names.iter().find(|(from, _)| from == text) {
                (*to).clone_into(text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, names)),
        Value::Object(members) => members.values_mut().for_each(|member| rename(member, names)),
        _ => {}
    }
}

/// What Envoy has in its environment: where the native module is, and the secrets that it reads there.
pub fn environment() -> Environment {
    let folder = root().join("target");
    assert!(folder.join("libscopegate.so").is_file(), "target/libscopegate.so is missing: run `make module`");
    let variables = [
        ("ENVOY_DYNAMIC_MODULES_SEARCH_PATH", folder.to_string_lossy().into_owned()),
        (CLIENT_SECRET, SECRET.to_owned()),
    ];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What authenticates a request, and `rbac`, which checks what that has found.
fn native(case: &Case, behind: Behind) -> Value {
    let authentication = case.native_authentication.clone().unwrap_or_else(|| jwt_authn(case));
    let rbac = json!({
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": { "action": "ALLOW", "policies": case.native_policies },
        },
    });
    let filters: Vec<Value> =
        [authentication].into_iter().chain(case.native_between.iter().cloned()).chain([rbac]).collect();
    let name = Contender::Native.listener(case.name);
    listener(&name, &filters, &behind.finish(&case.native_routes), &json!({}), &connection_manager())
}

/// `api_key_auth` with these keys, which it takes away and puts their client in the place of.
pub fn api_key_auth(keys: &[Value]) -> Value {
    json!({
        "name": "envoy.filters.http.api_key_auth",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth",
            "key_sources": [{ "header": "authorization" }],
            "credentials": keys,
            "forwarding": { "header": "x-auth-subject", "hide_credentials": true },
        },
    })
}

/// `basic_auth` with these lines of `htpasswd`, which puts the user's name in the place of its header.
pub fn basic_auth(users: &str) -> Value {
    json!({
        "name": "envoy.filters.http.basic_auth",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.basic_auth.v3.BasicAuth",
            "users": { "inline_string": users },
            "forward_username_header": "x-auth-subject",
        },
    })
}

/// An `rbac` policy: the client that another filter has found.
pub fn native_client_policy(client: &str) -> Value {
    json!({
        "permissions": [{ "any": true }],
        "principals": [{ "header": { "name": "x-auth-subject", "string_match": { "exact": client } } }],
    })
}

/// `jwt_authn` with its cache, and claims for `rbac`.
fn jwt_authn(case: &Case) -> Value {
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": { "issuer": {
                "issuer": ISSUER,
                "audiences": [AUDIENCE],
                "local_jwks": { "inline_string": case.mint.issuer.jwks().to_string() },
                "jwt_cache_config": { "jwt_cache_size": case.cache_entries },
                "require_expiration": true,
                "clock_skew_seconds": 10,
                "forward": false,
                "from_headers": [{ "name": "authorization", "value_prefix": "Bearer " }],
                "claim_to_headers": [{ "header_name": "x-auth-subject", "claim_name": "sub" }],
                "payload_in_metadata": "claims",
                "normalize_payload_in_metadata": { "space_delimited_claims": ["scope"] },
            } },
            "rules": case.native_rules,
        },
    })
}

/// A `jwt_authn` rule: a valid token for all below `path`.
pub fn native_rule(path: &str) -> Value {
    json!({ "match": { "path_separated_prefix": path }, "requires": { "provider_name": "issuer" } })
}

/// A `jwt_authn` rule: a valid token for all paths.
pub fn native_rule_for_all() -> Value {
    json!({ "match": { "prefix": "/" }, "requires": { "provider_name": "issuer" } })
}

/// An `rbac` policy: this scope, for all below `path`, or everywhere.
pub fn native_policy(path: Option<&str>, scope: &str) -> Value {
    let permission = path.map_or_else(
        || json!({ "any": true }),
        |path| json!({ "url_path": { "path": { "prefix": format!("{path}/") } } }),
    );
    json!({ "permissions": [permission], "principals": [native_scope(scope)] })
}

/// An `rbac` principal: who has this scope.
pub fn native_scope(scope: &str) -> Value {
    json!({ "sourced_metadata": { "metadata_matcher": {
        "filter": "envoy.filters.http.jwt_authn",
        "path": [{ "key": "claims" }, { "key": "scope" }],
        "value": { "list_match": { "one_of": { "string_match": { "exact": scope } } } },
    } } })
}

/// What a route adds so that `rbac` asks for this scope on it.
pub fn native_route_policy(scope: &str) -> Value {
    json!({ "envoy.filters.http.rbac": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute",
        "rbac": { "rules": { "action": "ALLOW", "policies": { "scope": native_policy(None, scope) } } },
    } })
}
