//! Generated policies of Istio, judged by Istio's rules as its documentation has them, and by the rules that they become:
//! nothing passes that was refused, and where nothing is told to be stricter, nothing is refused that passed.

use crate::migrate_kubernetes::{ALWAYS, migrate_text};
use crate::support::random::{Random, from_environment};
use scopegate::policy::Template;
use serde_json::{Value, json};

/// A request, with what its token says.
struct Sent {
    path: &'static str,
    method: &'static str,
    host: &'static str,
    /// The namespace and the port.
    namespace: &'static str,
    port: &'static str,
    token: Option<Value>,
}

const PATHS: [&str; 10] = ["/a", "/ab", "/a/", "/a/b", "/a/x/c", "/a/x/y/c", "/z.css", "/a/b.css", "/b", "/"];
const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "PUT"];
const HOSTS: [&str; 4] = ["h.example.com", "example.com", "evilexample.com", "k.h.example.com"];

fn requests() -> Vec<Sent> {
    let tokens = [
        None,
        Some(json!({"iss": "https://a", "sub": "u", "aud": ["x", "z"], "scope": "r s", "groups": ["staff"], "t": "v"})),
        Some(json!({"iss": "https://a", "sub": "v", "aud": ["x"], "scope": "s"})),
        Some(json!({"iss": "https://b", "sub": "u", "aud": ["x"], "groups": ["x", "admins"], "t": "w"})),
        Some(json!({"iss": "https://b", "sub": "w", "aud": ["x", "k"], "scope": "r"})),
    ];
    let mut sent = Vec::new();
    for path in PATHS {
        for method in METHODS {
            for (index, token) in tokens.iter().enumerate() {
                let host = HOSTS[(path.len() + method.len() + index) % HOSTS.len()];
                let (namespace, port) = ([["m", "m"], ["n", "o"]][index % 2][path.len() % 2], ["80", "81"][index % 2]);
                sent.push(Sent { path, method, host, namespace, port, token: token.clone() });
            }
        }
    }
    sent
}

/// Whether a value is as Istio's patterns have it.
fn matches(pattern: &str, value: &str) -> bool {
    if pattern == "*" {
        !value.is_empty()
    } else if let Some(end) = pattern.strip_prefix('*') {
        value.ends_with(end)
    } else if let Some(start) = pattern.strip_suffix('*') {
        value.starts_with(start)
    } else {
        pattern == value
    }
}

/// Whether a field and its negation hold for values, of which one has to match.
fn holds(object: &Value, names: [&str; 2], values: &[String], is_match: impl Fn(&str, &str) -> bool) -> bool {
    let list = |name: &str| object.get(name).and_then(Value::as_array).filter(|list| !list.is_empty());
    let any = |list: &Vec<Value>| {
        list.iter().any(|pattern| values.iter().any(|value| is_match(pattern.as_str().unwrap(), value)))
    };
    list(names[0]).is_none_or(any) && !list(names[1]).is_some_and(any)
}

fn is_path(pattern: &str, path: &str) -> bool {
    if !pattern.contains('{') {
        return matches(pattern, path);
    }
    let template = pattern.replace("{**}", "**").replace("{*}", "*");
    Template::parse(&template).unwrap().matches(path.as_bytes())
}

/// The texts of a claim: those of a list, the words of `scope`, or the one.
fn words(claim: &Value, is_scope: bool) -> Vec<String> {
    match claim {
        Value::String(text) if is_scope => text.split(' ').map(str::to_owned).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().map(|item| item.as_str().unwrap().to_owned()).collect(),
        _ => Vec::new(),
    }
}

impl Sent {
    fn claim(&self, name: &str) -> Vec<String> {
        self.token.as_ref().map(|token| words(&token[name], name == "scope")).unwrap_or_default()
    }

    fn principal(&self) -> Vec<String> {
        let token = self.token.iter();
        token.map(|token| format!("{}/{}", token["iss"].as_str().unwrap(), token["sub"].as_str().unwrap())).collect()
    }

    fn is_from(&self, source: &Value) -> bool {
        holds(source, ["requestPrincipals", "notRequestPrincipals"], &self.principal(), matches)
            && holds(source, ["namespaces", "notNamespaces"], &[self.namespace.to_owned()], matches)
    }

    fn is_to(&self, operation: &Value) -> bool {
        let own = |value: &str| [value.to_owned()];
        holds(operation, ["paths", "notPaths"], &own(self.path), is_path)
            && holds(operation, ["methods", "notMethods"], &own(self.method), matches)
            // The port in a host is not generated: it is told to be left out.
            && holds(operation, ["hosts", "notHosts"], &own(self.host), |pattern, host| matches(pattern.trim_end_matches(":*"), host))
            && holds(operation, ["ports", "notPorts"], &own(self.port), matches)
    }

    fn is_when(&self, when: &Value) -> bool {
        let key = when["key"].as_str().unwrap();
        let values = match key.strip_prefix("request.auth.claims[") {
            Some(name) => self.claim(name.trim_end_matches(']')),
            None if key == "request.auth.audiences" => self.claim("aud"),
            None if key == "request.auth.principal" => self.principal(),
            None => vec![self.namespace.to_owned()],
        };
        holds(when, ["values", "notValues"], &values, matches)
    }

    fn meets(&self, rule: &Value) -> bool {
        let one = |name: &str, inner: &str, is: &dyn Fn(&Value) -> bool| {
            rule.get(name).and_then(Value::as_array).is_none_or(|list| list.iter().any(|entry| is(&entry[inner])))
        };
        one("from", "source", &|source| self.is_from(source))
            && one("to", "operation", &|operation| self.is_to(operation))
            && rule.get("when").and_then(Value::as_array).is_none_or(|list| list.iter().all(|when| self.is_when(when)))
    }

    /// Whether Istio lets it pass.
    fn passed(&self, policies: &[Value]) -> bool {
        let met = |action: &str| {
            let of = policies.iter().filter(move |policy| policy["action"] == action);
            of.clone().any(|policy| policy["rules"].as_array().unwrap().iter().any(|rule| self.meets(rule)))
        };
        !met("DENY") && (!policies.iter().any(|policy| policy["action"] == "ALLOW") || met("ALLOW"))
    }

    /// Whether a rule of Scopegate is about it.
    fn is_in(&self, matching: &Value) -> bool {
        let text = |name: &str| matching.get(name).and_then(Value::as_str);
        text("path").is_none_or(|path| path == self.path)
            && text("prefix").is_none_or(|prefix| self.path.starts_with(prefix))
            && text("template").is_none_or(|template| Template::parse(template).unwrap().matches(self.path.as_bytes()))
            && text("host").is_none_or(|host| match host.strip_prefix('*') {
                Some(end) => self.host.len() > end.len() && self.host.ends_with(end),
                None => host == self.host,
            })
            && matching.get("methods").and_then(Value::as_array).is_none_or(|methods| {
                methods.iter().any(|method| method == self.method || method == "GET" && self.method == "HEAD")
            })
    }

    /// Whether a gate lets it pass.
    fn passes(&self, plugin: &Value) -> bool {
        let rules = plugin.get("rules").and_then(Value::as_array);
        let rule = rules.into_iter().flatten().find(|rule| self.is_in(&rule["match"]));
        let asked = rule.unwrap_or(&plugin["default"]);
        if asked.get("deny").is_some() {
            return false;
        }
        let Some(token) = &self.token else { return asked.get("allow_missing").is_some() };
        let list = |name: &str| asked.get(name).and_then(Value::as_array);
        let is_one =
            |list: &Vec<Value>, values: &[String]| list.iter().any(|one| values.iter().any(|value| one == value));
        list("issuers").is_none_or(|issuers| issuers.contains(&token["iss"]))
            && list("audiences").is_none_or(|audiences| is_one(audiences, &self.claim("aud")))
            && asked.get("scopes").is_none_or(|scopes| self.grants(scopes))
            && list("claims").is_none_or(|claims| claims.iter().all(|claim| self.has(claim)))
    }

    fn grants(&self, scopes: &Value) -> bool {
        let granted = self.claim("scope");
        match scopes {
            Value::String(scope) => granted.contains(scope),
            Value::Array(all) => all.iter().all(|scope| self.grants(scope)),
            _ => match scopes.get("any_of") {
                Some(any) => any.as_array().unwrap().iter().any(|scope| self.grants(scope)),
                None => self.grants(&scopes["all_of"]),
            },
        }
    }

    fn has(&self, condition: &Value) -> bool {
        let claim = &self.token.as_ref().unwrap()[condition["claim"].as_str().unwrap()];
        let wanted = |name: &str| condition.get(name).and_then(Value::as_array);
        let contains = |wanted: &Value| claim.as_array().is_some_and(|items| items.contains(wanted));
        condition.get("equals").is_none_or(|wanted| claim == wanted)
            && wanted("one_of").is_none_or(|wanted| wanted.contains(claim))
            && condition.get("contains").is_none_or(contains)
            && wanted("contains_any").is_none_or(|wanted| wanted.iter().any(contains))
    }
}

/// One of these.
fn one(random: &mut Random, of: &[Value]) -> Value {
    random.of(of)
}

/// An object with some of these members, at least one.
fn some(random: &mut Random, members: &[(&str, &[Value])]) -> Value {
    let mut object = serde_json::Map::new();
    while object.is_empty() {
        for (name, values) in members {
            if random.below(members.len()) == 0 {
                object.insert((*name).to_owned(), one(random, values));
            }
        }
    }
    Value::Object(object)
}

fn generated(random: &mut Random) -> Vec<Value> {
    let principals = [
        json!(["*"]),
        json!(["https://a/*"]),
        json!(["https://a/u", "https://b/*"]),
        json!(["*/u"]),
        json!(["https://c/*"]),
        json!(["*w"]),
    ];
    let paths = [
        "/a", "/a*", "/a/*", "/a/b", "*.css", "*/c", "/a/{*}/c", "/a/{*}", "/a/{**}", "/{*}", "/{**}", "*", "/*",
        "/a/x*", "*x/c",
    ];
    let paths = paths.map(|path| json!([path]));
    let methods = [json!(["GET"]), json!(["GET", "HEAD"]), json!(["POST"]), json!(["*"]), json!(["HEAD", "PUT"])];
    let hosts =
        [json!(["h.example.com", "h.example.com:*"]), json!(["*.example.com"]), json!(["*example.com"]), json!(["*"])];
    let (names, ports) = ([json!(["n"])], [json!(["80"])]);
    let keys = [
        "request.auth.claims[scope]",
        "request.auth.claims[groups]",
        "request.auth.claims[iss]",
        "request.auth.claims[t]",
    ];
    let keys: Vec<Value> = keys
        .iter()
        .chain(&["request.auth.audiences", "request.auth.principal", "source.namespace"])
        .map(|key| json!(key))
        .collect();
    let values =
        [json!(["r"]), json!(["s", "v"]), json!(["staff", "x"]), json!(["https://a"]), json!(["z", "n"]), json!(["*"])];
    let mut policies = Vec::new();
    for _ in 0..=random.below(2) {
        let mut rules = Vec::new();
        for _ in 0..=random.below(2) {
            let mut rule = serde_json::Map::new();
            if random.below(3) > 0 {
                let mut source = || json!({"source": some(random, &[("requestPrincipals", &principals), ("notRequestPrincipals", &principals), ("namespaces", &names)])});
                let sources = [source(), source()];
                rule.insert("from".to_owned(), json!(sources[..=random.below(2)]));
            }
            if random.below(3) > 0 {
                let members: [(&str, &[Value]); 7] = [
                    ("paths", &paths),
                    ("paths", &paths),
                    ("notPaths", &paths),
                    ("methods", &methods),
                    ("notMethods", &methods),
                    ("hosts", &hosts),
                    ("ports", &ports),
                ];
                let mut operation = || json!({"operation": some(random, &members)});
                let operations = [operation(), operation()];
                rule.insert("to".to_owned(), json!(operations[..=random.below(2)]));
            }
            if random.below(3) == 0 {
                let mut when = some(random, &[("values", &values), ("notValues", &values)]);
                when["key"] = one(random, &keys);
                rule.insert("when".to_owned(), json!([when]));
            }
            rules.push(Value::Object(rule));
        }
        let action = random.of(&["ALLOW", "ALLOW", "DENY"]);
        policies.push(json!({"action": action, "rules": rules}));
    }
    policies
}

fn written(policies: &[Value]) -> String {
    let rule = |issuer: &str| json!({"issuer": format!("https://{issuer}"), "audiences": ["x"], "jwksUri": format!("http://{issuer}.n.svc/keys")});
    let selector = json!({"matchLabels": {"istio": "ingressgateway"}});
    let mut documents = vec![json!({
        "apiVersion": "security.istio.io/v1", "kind": "RequestAuthentication", "metadata": {"name": "a", "namespace": "n"},
        "spec": {"selector": selector, "jwtRules": [rule("a"), rule("b")]},
    })];
    for (index, policy) in policies.iter().enumerate() {
        documents.push(json!({
            "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
            "metadata": {"name": format!("p{index}"), "namespace": "n"},
            "spec": {"selector": selector, "action": policy["action"], "rules": policy["rules"]},
        }));
    }
    documents.iter().map(Value::to_string).collect::<Vec<_>>().join("\n---\n")
}

#[test]
fn nothing_passes_that_istio_refused_and_what_is_not_told_to_be_stricter_passes_as_before() {
    let count = from_environment("CASES", 100);
    let first = Random::seed(0);
    let sent = requests();
    let (mut exact, mut passed) = (0, 0);
    for seed in first..first + count {
        let policies = generated(&mut Random::new(seed));
        let made = migrate_text(&written(&policies));
        let plugin = &made.plugins[0];
        let is_exact = made.run.status == 0
            && !made.findings.iter().any(|[kind, _, what]| {
                kind == "stricter"
                    && !ALWAYS.iter().any(|always| what.contains(always))
                    && !what.contains("as a text and as a list")
            });
        exact += u64::from(is_exact);
        for request in &sent {
            let (before, now) = (request.passed(&policies), request.passes(plugin));
            passed += u64::from(now);
            let told = || {
                let Sent { path, method, host, token, .. } = request;
                format!(
                    "{seed}: {method} {host}{path} {token:?}\n{}\n{plugin:#}\n{:#?}",
                    json!(policies),
                    made.findings
                )
            };
            assert!(before || !now, "it was refused, and passes: {}", told());
            assert!(!is_exact || before == now, "it passed, and is refused, and nothing says so: {}", told());
        }
    }
    assert!(
        exact > count / 20 && passed > count * 8,
        "{exact} of {count} are carried over whole, {passed} requests pass"
    );
}
