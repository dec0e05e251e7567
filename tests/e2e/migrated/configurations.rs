//! The old configurations, made into Envoy's resources: `tests/e2e/migrations` has the chain of filters and the routes of
//! each as compact YAML; keys, types and the connection manager around them are filled in here.

use crate::support::envoy::{listener, merge, root};
use crate::support::issuer::Issuer;
use crate::support::yaml;
use scopegate::crypto::Algorithm;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const TYPES: &str = "type.googleapis.com/envoy.extensions.filters.http.";
/// The filters: the key in a file, the type of the filter, and its type beside a route.
const FILTERS: [(&str, &str, &str); 5] = [
    ("jwt_authn", "jwt_authn.v3.JwtAuthentication", "jwt_authn.v3.PerRouteConfig"),
    ("rbac", "rbac.v3.RBAC", "rbac.v3.RBACPerRoute"),
    ("basic_auth", "basic_auth.v3.BasicAuth", "basic_auth.v3.BasicAuthPerRoute"),
    ("api_key_auth", "api_key_auth.v3.ApiKeyAuth", "api_key_auth.v3.ApiKeyAuthPerRoute"),
    ("cors", "cors.v3.Cors", "cors.v3.CorsPolicy"),
];

/// An old configuration.
pub(super) struct Old {
    /// The name of its file, without what follows the dot.
    pub(super) name: String,
    pub(super) listener: Value,
    /// The route configuration, where that is apart.
    pub(super) routes: Option<Value>,
    /// What requests try beside what the configuration itself names.
    pub(super) tries: Value,
    pub(super) providers: Vec<Provider>,
}

/// A provider of tokens.
pub(super) struct Provider {
    /// Where its keys are: an address, or the file and the provider.
    pub(super) keys: String,
    pub(super) cluster: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) audiences: Vec<String>,
    /// Headers with what stands before the token.
    pub(super) headers: Vec<(String, String)>,
    pub(super) parameters: Vec<String>,
    pub(super) cookies: Vec<String>,
}

/// The issuers of all providers, by where their keys are.
#[derive(Default)]
pub(super) struct Keys(pub(super) BTreeMap<String, Issuer>);

impl Keys {
    fn of(&mut self, place: &str) -> &Issuer {
        // Most issuers have RSA keys; those of elliptic curves sign faster here.
        let number = self.0.len();
        let algorithm = if number % 8 == 1 { Algorithm::Rs256 } else { Algorithm::Es256 };
        self.0.entry(place.to_owned()).or_insert_with(|| Issuer::new(algorithm, &format!("k{number}")))
    }
}

/// All of them, and their keys.
pub(super) fn all() -> (Vec<Old>, Keys) {
    let mut files: Vec<_> =
        fs::read_dir(root().join("tests/e2e/migrations")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut keys = Keys::default();
    let olds = files.iter().filter(|file| file.extension().is_some_and(|end| end == "yaml"));
    let old = |file: &std::path::PathBuf| {
        let name = file.file_stem().unwrap().to_str().unwrap();
        Old::new(name, yaml::documents(file).remove(0), &mut keys)
    };
    (olds.map(old).collect(), keys)
}

impl Old {
    fn new(name: &str, mut file: Value, keys: &mut Keys) -> Self {
        let mut providers = Vec::new();
        let mut filters = Vec::new();
        for item in file["chain"].as_array_mut().unwrap() {
            let (kind, mut configuration) = only(item.as_object().unwrap());
            if kind == "jwt_authn" {
                providers.extend(providers_of(name, &mut configuration, keys));
            }
            filters.push(filter(&kind, configuration));
        }
        let routes = json!([]);
        let mut hosts = file
            .get("virtual_hosts")
            .cloned()
            .unwrap_or_else(|| json!([{ "name": "all", "domains": ["*"], "routes": file["routes"] }]));
        types_of_routes(&mut hosts);
        // Half of those that people have normalise paths.
        let number: usize = name.split('-').next().unwrap().parse().unwrap();
        let normalises = number.is_multiple_of(2);
        let mut manager = json!({ "normalize_path": normalises, "merge_slashes": normalises });
        merge(&mut manager, file.get("manager").unwrap_or(&json!({})));
        let mut listener = listener(name, &filters, &routes, &json!({}), &manager);
        let route_configuration = json!({ "name": name, "virtual_hosts": hosts });
        let apart = file.get("apart").is_some();
        let members = self::manager(&mut listener).as_object_mut().unwrap();
        members.remove("access_log");
        members.remove("route_config");
        if !apart {
            members.insert("route_config".to_owned(), route_configuration.clone());
        }
        let tries = file.get("try").cloned().unwrap_or_else(|| json!({}));
        Self { name: name.to_owned(), listener, routes: apart.then_some(route_configuration), tries, providers }
    }

    /// The clusters that its routes name.
    pub(super) fn upstreams(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        clusters(&self.hosts(), &mut found);
        found
    }

    /// Its virtual hosts.
    pub(super) fn hosts(&self) -> Value {
        let of_listener = || self.listener["filter_chains"][0]["filters"][0]["typed_config"]["route_config"].clone();
        self.routes.clone().unwrap_or_else(of_listener)["virtual_hosts"].clone()
    }
}

/// The connection manager of a listener.
pub(super) fn manager(listener: &mut Value) -> &mut Value {
    &mut listener["filter_chains"][0]["filters"][0]["typed_config"]
}

/// The only member of an object.
fn only(object: &Map<String, Value>) -> (String, Value) {
    assert_eq!(object.len(), 1, "{object:?}");
    object.iter().map(|(name, value)| (name.clone(), value.clone())).next().unwrap()
}

fn kind_of(kind: &str) -> (&str, &str) {
    let found = FILTERS.iter().find(|(name, _, _)| *name == kind);
    let (_, own, beside) = found.unwrap_or_else(|| panic!("{kind} is no filter that is known here"));
    (own, beside)
}

fn filter(kind: &str, mut configuration: Value) -> Value {
    let members = configuration.as_object_mut().unwrap();
    let name = members.remove("name").unwrap_or_else(|| format!("envoy.filters.http.{kind}").into());
    members.insert("@type".to_owned(), format!("{TYPES}{}", kind_of(kind).0).into());
    json!({ "name": name, "typed_config": configuration })
}

/// Gives what routes and virtual hosts say of filters its name and its type.
fn types_of_routes(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::Object(beside)) = members.get_mut("typed_per_filter_config") {
                let typed = std::mem::take(beside).into_iter().map(|(kind, mut configuration)| {
                    configuration["@type"] = format!("{TYPES}{}", kind_of(&kind).1).into();
                    (format!("envoy.filters.http.{kind}"), configuration)
                });
                *beside = typed.collect();
            }
            members.values_mut().for_each(types_of_routes);
        }
        Value::Array(items) => items.iter_mut().for_each(types_of_routes),
        _ => {}
    }
}

/// The providers of a `jwt_authn`, which get their keys.
fn providers_of(name: &str, configuration: &mut Value, keys: &mut Keys) -> Vec<Provider> {
    let mut more: BTreeMap<String, Vec<String>> = BTreeMap::new();
    further_audiences(configuration, &mut more);
    let providers = configuration["providers"].as_object_mut().unwrap();
    let of_provider = |(own, provider): (&String, &mut Value)| {
        let remote = provider["remote_jwks"]["http_uri"].clone();
        let place = remote["uri"].as_str().map_or_else(|| format!("{name}/{own}"), str::to_owned);
        let jwks = keys.of(&place).jwks().to_string();
        if remote.is_null() {
            provider["local_jwks"] = json!({ "inline_string": jwks });
        }
        let texts = |list: &Value| -> Vec<String> {
            list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let mut audiences = texts(&provider["audiences"]);
        audiences.extend(more.remove(own).unwrap_or_default());
        let header = |header: &Value| {
            let text = |name: &str| header[name].as_str().unwrap_or_default().to_owned();
            (text("name"), text("value_prefix"))
        };
        Provider {
            keys: place,
            cluster: remote["cluster"].as_str().map(str::to_owned),
            issuer: provider["issuer"].as_str().map(str::to_owned),
            audiences,
            headers: provider["from_headers"].as_array().into_iter().flatten().map(header).collect(),
            parameters: texts(&provider["from_params"]),
            cookies: texts(&provider["from_cookies"]),
        }
    };
    providers.iter_mut().map(of_provider).collect()
}

/// The audiences that requirements add to providers.
fn further_audiences(value: &Value, found: &mut BTreeMap<String, Vec<String>>) {
    match value {
        Value::Object(members) => {
            if let Some(both) = members.get("provider_and_audiences") {
                let audiences = both["audiences"].as_array().into_iter().flatten();
                let own = found.entry(both["provider_name"].as_str().unwrap().to_owned()).or_default();
                own.extend(audiences.map(|text| text.as_str().unwrap().to_owned()));
            }
            members.values().for_each(|member| further_audiences(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| further_audiences(item, found)),
        _ => {}
    }
}

fn clusters(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("cluster").and_then(Value::as_str).map(str::to_owned));
            let weighted = members.get("weighted_clusters").and_then(|all| all["clusters"].as_array());
            found.extend(weighted.into_iter().flatten().filter_map(|one| one["name"].as_str()).map(str::to_owned));
            members.values().for_each(|member| clusters(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| clusters(item, found)),
        _ => {}
    }
}
