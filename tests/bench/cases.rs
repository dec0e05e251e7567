//! The cases: what is asked of both contenders, and the requests that are sent.

use super::calls::{self, Posted};
use super::contenders::{
    api_key_auth, basic_auth, native_client_policy, native_policy, native_route_policy, native_rule,
    native_rule_for_all, one_route,
};
use super::load;
use super::opaque;
use super::settings::Settings;
use super::signed;
use super::support::issuer::now;
use super::tokens::{Mint, with_changed_signature};
use base64::Engine as _;
use scopegate::crypto::{Algorithm, sha256};
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The tokens of the case with many of them.
const MANY: usize = 5_000;
/// The caches that hold all of them.
const LARGE_CACHE: usize = 10_000;
/// The tokens that are signed of an algorithm: as many as a large cache holds.
const SIGNED: usize = LARGE_CACHE;
/// The caches that hold next to none of them.
const SMALL_CACHE: usize = 100;
pub const SCOPE: &str = "orders:read";
/// Of the password `correct horse`, by `htpasswd -B -C 5` and `htpasswd -s`.
const BCRYPT: [&str; 2] = [
    "$2y$05$clZPD3xmR61V/JskdPtxTOClEuCMGI3Yllb1waoy7vrkKnchyP0b2",
    "$2y$05$tlF/29sbJz9MwcVqSlSc4OTTSkzdj7Awc1Bm9ETflhx4rs78gIkCq",
];
const SHA1: &str = "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=";

/// What the caches have to do with the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caches {
    /// They are not asked, or it does not matter.
    Apart,
    /// All are found.
    Hit,
    /// Practically none is found.
    Missed,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: &'static str,
    /// What it is, for the table.
    pub what: &'static str,
    /// The least ratio of Scopegate's throughput to the native filters'.
    pub target: Option<f64>,
    /// Whether the latency at a fixed rate is measured, and has a target.
    pub is_paced: bool,
    pub settings: Settings,
    pub mint: Rc<Mint>,
    pub cache_entries: usize,
    pub caches: Caches,
    /// The plugin configuration, without its issuer.
    pub scopegate: Value,
    /// What the issuer's entry has besides.
    pub issuer: Value,
    /// What the configuration of the Wasm plugin has besides.
    pub plugin: Value,
    pub scopegate_routes: Vec<Value>,
    pub native_rules: Vec<Value>,
    pub native_policies: Value,
    /// The filter in the place of `jwt_authn`.
    pub native_authentication: Option<Value>,
    /// The filters between it and `rbac`.
    pub native_between: Vec<Value>,
    /// What both refuse beside what is measured, where that is no token: what is sent in `authorization`, and the status.
    pub refused: Vec<(&'static str, String, u16)>,
    /// The message that is posted; a request without a body where there is none.
    pub posted: Option<Posted>,
    /// Messages that both refuse, and the status.
    pub refused_messages: Vec<(&'static str, Posted, u16)>,
    pub native_routes: Vec<Value>,
    pub path: String,
    pub scope: String,
    /// What is sent in `authorization`, in turn.
    pub credentials: Vec<Option<String>>,
    /// Whether both send the same upstream.
    pub forwards_alike: bool,
    /// What both answer.
    pub status: u16,
}

impl Case {
    /// The bytes of a request with this `authorization`.
    pub fn request(&self, credential: Option<&str>) -> Vec<u8> {
        match &self.posted {
            None => load::request(&self.path, credential),
            Some(posted) => posted.request(&self.path, credential),
        }
    }

    /// All requests, one after the other.
    pub fn requests(&self) -> Vec<Vec<u8>> {
        self.credentials.iter().map(|credential| self.request(credential.as_deref())).collect()
    }
}

/// The names of all cases, in the order of the table.
pub const NAMES: [&str; 25] = [
    "hit-rules",
    "hit-default",
    "hit-metadata",
    "hit-many",
    "hit-key",
    "hit-basic",
    "hit-opaque",
    "hit-signed",
    "miss-rs256",
    "miss-es256",
    "miss-eddsa",
    "reject-expired",
    "reject-scope",
    "reject-signature",
    "reject-none",
    "reject-garbage",
    "reject-signed",
    "rules-1000",
    "rules-10000",
    "routes-10000",
    "routes-10000-keep",
    "mcp-400",
    "mcp-4k",
    "mcp-40k",
    "mcp-1000-rules",
];

/// Makes cases, and the tokens that they need.
pub struct Cases {
    settings: Settings,
    mints: RefCell<BTreeMap<&'static str, Rc<Mint>>>,
}

impl Cases {
    pub const fn new(settings: Settings) -> Self {
        Self { settings, mints: RefCell::new(BTreeMap::new()) }
    }

    /// The issuer with keys and tokens of this algorithm.
    pub fn mint(&self, algorithm: Algorithm) -> Rc<Mint> {
        let mut mints = self.mints.borrow_mut();
        Rc::clone(mints.entry(algorithm.name()).or_insert_with(|| Rc::new(Mint::open(algorithm, SIGNED))))
    }

    /// The case of that name.
    pub fn make(&self, name: &str) -> Option<Case> {
        let name = NAMES.into_iter().find(|known| *known == name)?;
        let case = match name {
            "hit-default" => Case {
                what: "the same with every default, the audit object included",
                target: Some(0.93),
                scopegate: without(self.base().scopegate, &["route_metadata", "audit"]),
                ..self.base()
            },
            "hit-metadata" => Case {
                what: "as `hit-rules`, the policy in route metadata",
                target: Some(0.97),
                scopegate: without(self.base().scopegate, &["route_metadata", "rules"]),
                scopegate_routes: vec![with_metadata(one_route().remove(0), SCOPE)],
                ..self.base()
            },
            "hit-many" => Case {
                what: "5 000 tokens in turn, both caches large enough",
                target: Some(1.0),
                cache_entries: LARGE_CACHE,
                credentials: bearers(&self.mint(Algorithm::Rs256).tokens[..MANY]),
                ..self.base()
            },
            "hit-key" => self.key(),
            "hit-basic" => self.basic(),
            "hit-opaque" => opaque::hit(self.base()),
            "hit-signed" => signed::hit(self.base()),
            "reject-signed" => signed::unknown(self.base()),
            "miss-rs256" => Case { what: "RS256, every token new", ..self.miss(Algorithm::Rs256, 1.0) },
            "miss-es256" => Case { what: "ES256, every token new", ..self.miss(Algorithm::Es256, 1.0) },
            "miss-eddsa" => Case { what: "EdDSA, every token new", ..self.miss(Algorithm::EdDsa, 0.7) },
            name if name.starts_with("reject-") => self.reject(name),
            "rules-1000" => self.rules(1_000, "1 000 rules, a request for the last", 2.0),
            "rules-10000" => self.rules(10_000, "10 000 rules, a request for the last", 10.0),
            "routes-10000" => self.routes("10 000 Envoy routes with metadata, a request for the last", "strip"),
            "routes-10000-keep" => self.routes("the same, no header edited (`forward: {token: keep}`)", "keep"),
            "mcp-400" => calls::case(self.base(), "a tool call of 400 bytes, ten tools with rules", 10, 400, Some(1.3)),
            "mcp-4k" => calls::case(self.base(), "the same of 4 KB", 10, 4_000, Some(1.2)),
            "mcp-40k" => calls::case(self.base(), "the same of 40 KB", 10, 40_000, Some(1.0)),
            "mcp-1000-rules" => calls::case(self.base(), "400 bytes, 1 000 tools with rules", 1_000, 400, None),
            _ => self.base(),
        };
        Some(Case { name, ..case })
    }

    /// `hit-rules`: one token over and over, one Envoy route, the work that the native filters do.
    fn base(&self) -> Case {
        let mint = self.mint(Algorithm::Rs256);
        Case {
            name: "hit-rules",
            what: "one RS256 token over and over, one Envoy route, the policy in `rules`",
            target: Some(1.0),
            is_paced: true,
            settings: self.settings.clone(),
            cache_entries: LARGE_CACHE,
            caches: Caches::Hit,
            scopegate: json!({
                "rules": [{ "match": { "path_separated_prefix": "/orders" }, "scopes": [SCOPE] }],
                "default": { "deny": true },
                "route_metadata": "ignore",
                "forward": { "headers": { "x-auth-subject": "sub" } },
                "audit": { "filter_state": "none" },
            }),
            issuer: json!({}),
            plugin: json!({}),
            scopegate_routes: one_route(),
            native_rules: vec![native_rule("/orders")],
            native_policies: json!({ "scope": native_policy(None, SCOPE) }),
            native_authentication: None,
            native_between: Vec::new(),
            refused: Vec::new(),
            posted: None,
            refused_messages: Vec::new(),
            native_routes: one_route(),
            path: "/orders/1".to_owned(),
            scope: SCOPE.to_owned(),
            credentials: bearers(&mint.tokens[..1]),
            forwards_alike: true,
            status: 200,
            mint,
        }
    }

    /// As `hit-rules`, with one of a thousand API keys, against `api_key_auth` and a policy of `rbac` for its client.
    fn key(&self) -> Case {
        const KEYS: usize = 1_000;
        let base = self.base();
        let key = |number: usize| format!("sk-{number:03}-0123456789abcdefghijklmnop");
        let digest =
            |key: &str| sha256(key.as_bytes()).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let client = |number: usize| format!("client-{number}");
        let identities: Vec<Value> = (0..KEYS)
            .map(|number| {
                let scope = if number == 0 { SCOPE } else { "another" };
                json!({ "id": client(number), "scopes": [scope], "secrets": [{ "sha256": digest(&key(number)) }] })
            })
            .collect();
        let native_keys: Vec<Value> =
            (0..KEYS).map(|number| json!({ "key": key(number), "client": client(number) })).collect();
        let mut scopegate = base.scopegate.clone();
        scopegate["credentials"] = json!([{
            "name": "partners", "api_key": { "scheme": "Bearer", "prefix": "sk-" }, "identities": identities,
        }]);
        scopegate["rules"][0]["credentials"] = json!("partners");
        Case {
            what: "one API key of 1 000, against `api_key_auth`",
            target: Some(0.9),
            is_paced: false,
            scopegate,
            native_authentication: Some(api_key_auth(&native_keys)),
            refused: vec![
                ("the key of another client", format!("Bearer {}", key(1)), 403),
                ("the key of no client", format!("Bearer {}", key(KEYS)), 401),
            ],
            native_policies: json!({ "client": native_client_policy(&client(0)) }),
            credentials: bearers(&[key(0)]),
            caches: Caches::Apart,
            ..base
        }
    }

    /// As `hit-rules`, with a password that is remembered, against `basic_auth`, which knows SHA-1 alone, and a policy of
    /// `rbac` for its user.
    fn basic(&self) -> Case {
        let base = self.base();
        let sent = |text: &str| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text));
        let identity =
            |id: &str, scope: &str, hash: &str| json!({ "id": id, "scopes": [scope], "secrets": [{ "bcrypt": hash }] });
        let mut scopegate = base.scopegate.clone();
        scopegate["credentials"] = json!([{
            "name": "staff", "basic": {}, "identities": [identity("ann", SCOPE, BCRYPT[0]), identity("bob", "another", BCRYPT[1])],
        }]);
        scopegate["rules"][0]["credentials"] = json!("staff");
        Case {
            what: "a remembered password, against `basic_auth`",
            target: Some(0.9),
            is_paced: false,
            scopegate,
            native_authentication: Some(basic_auth(&format!("ann:{SHA1}\nbob:{SHA1}"))),
            native_policies: json!({ "client": native_client_policy("ann") }),
            credentials: vec![Some(sent("ann:correct horse"))],
            refused: vec![
                ("another user", sent("bob:correct horse"), 403),
                ("a wrong password", sent("ann:wrong"), 401),
                ("an unknown user", sent("eve:correct horse"), 401),
            ],
            caches: Caches::Apart,
            forwards_alike: false,
            ..base
        }
    }

    fn miss(&self, algorithm: Algorithm, target: f64) -> Case {
        let mint = self.mint(algorithm);
        Case {
            target: Some(target),
            is_paced: false,
            cache_entries: SMALL_CACHE,
            caches: Caches::Missed,
            credentials: bearers(&mint.tokens),
            mint,
            ..self.base()
        }
    }

    fn reject(&self, name: &str) -> Case {
        let mint = self.mint(Algorithm::Rs256);
        let expired = || mint.token().claim("iat", now() - 600).claim("exp", now() - 300).sign();
        let (what, target, status, credentials) = match name {
            "reject-expired" => ("an expired token", 1.0, 401, bearers(&[expired()])),
            "reject-scope" => ("a good token without the scope", 0.95, 403, bearers(&[mint.token().scope("x").sign()])),
            "reject-signature" => {
                let changed: Vec<_> = mint.tokens.iter().map(|token| with_changed_signature(token)).collect();
                ("RS256, one bit of the signature changed, every token new", 0.95, 401, bearers(&changed))
            }
            "reject-none" => ("no token", 0.83, 401, vec![None]),
            _ => ("`Bearer` and what is no token", 0.83, 401, bearers(&["garbage".to_owned()])),
        };
        let caches = if status == 403 { Caches::Hit } else { Caches::Apart };
        Case { what, target: Some(target), is_paced: false, status, credentials, caches, ..self.base() }
    }

    /// `count` rules in the policy and one Envoy route, against as many rules and policies of the native filters.
    fn rules(&self, count: usize, what: &'static str, target: f64) -> Case {
        let base = self.base();
        let (mut rules, mut native_rules, mut policies) = (Vec::new(), Vec::new(), Map::new());
        for number in 0..count {
            let (path, scope) = numbered(number);
            rules.push(json!({ "match": { "path_separated_prefix": path }, "scopes": [scope] }));
            native_rules.push(native_rule(&path));
            policies.insert(scope.clone(), native_policy(Some(&path), &scope));
        }
        let mut scopegate = base.scopegate.clone();
        scopegate["rules"] = Value::Array(rules);
        let native_policies = Value::Object(policies);
        Case { what, target: Some(target), scopegate, native_rules, native_policies, ..last(base, count) }
    }

    /// 10 000 Envoy routes, each with its requirement.
    fn routes(&self, what: &'static str, token: &str) -> Case {
        const COUNT: usize = 10_000;
        let base = self.base();
        let mut scopegate = without(base.scopegate.clone(), &["route_metadata", "rules"]);
        if token == "keep" {
            scopegate["forward"] = json!({ "token": "keep" });
        }
        let (mut scopegate_routes, mut native_routes) = (Vec::new(), Vec::new());
        for number in 0..COUNT {
            let (path, scope) = numbered(number);
            let route = json!({ "name": scope, "match": { "prefix": format!("{path}/") } });
            scopegate_routes.push(with_metadata(route.clone(), &scope));
            let mut route = route;
            route["typed_per_filter_config"] = native_route_policy(&scope);
            native_routes.push(route);
        }
        let native_rules = vec![native_rule_for_all()];
        let forwards_alike = token == "strip";
        let base = Case { what, target: None, forwards_alike, ..last(base, COUNT) };
        Case { scopegate, scopegate_routes, native_rules, native_routes, ..base }
    }
}

/// A case of numbered paths, with requests for the last.
fn last(base: Case, count: usize) -> Case {
    let (path, scope) = numbered(count - 1);
    let credentials = bearers(&[base.mint.token().scope(&scope).sign()]);
    Case { path: format!("{path}/1"), scope, credentials, is_paced: false, ..base }
}

fn numbered(number: usize) -> (String, String) {
    (format!("/service-{number:05}"), format!("service-{number:05}:read"))
}

fn with_metadata(mut route: Value, scope: &str) -> Value {
    route["metadata"] = json!({ "filter_metadata": { "scopegate": { "scopes": [scope] } } });
    route
}

fn without(mut object: Value, names: &[&str]) -> Value {
    for name in names {
        object.as_object_mut().unwrap().remove(*name);
    }
    object
}

pub fn bearers(tokens: &[String]) -> Vec<Option<String>> {
    tokens.iter().map(|token| Some(format!("Bearer {token}"))).collect()
}
