//! Policies of Envoy Gateway beside others of the same Gateways and routes: of two it takes one, and nothing passes for it.

use crate::migrate_kubernetes::{Made, migrate_text};

/// A `SecurityPolicy` that asks for a token.
fn security(name: &str, target: &str) -> String {
    format!(
        "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {{name: {name}, namespace: shop}}
spec:
  {target}
  jwt: {{providers: [{{name: a, issuer: https://a, audiences: [x], remoteJWKS: {{uri: 'https://a/keys'}}}}]}}
---
"
    )
}

/// A policy of the kind of gates.
fn extension(name: &str, target: &str) -> String {
    format!(
        "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyExtensionPolicy
metadata: {{name: {name}, namespace: shop}}
spec:
  {target}
  lua: [{{type: Inline, inline: 'function envoy_on_response(h) end'}}]
---
"
    )
}

fn route(name: &str, labels: &str, parent: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: shop, labels: {labels}}}
spec: {{parentRefs: [{parent}]}}
---
"
    )
}

fn of(kind: &str, name: &str) -> String {
    format!("targetRefs: [{{group: gateway.networking.k8s.io, kind: {kind}, name: {name}}}]")
}

fn section(kind: &str, name: &str, section: &str) -> String {
    of(kind, &format!("{name}, sectionName: {section}"))
}

fn selected(kind: &str, labels: &str) -> String {
    format!("targetSelectors: [{{group: gateway.networking.k8s.io, kind: {kind}, matchLabels: {labels}}}]")
}

/// What is told with this kind.
fn told<'m>(made: &'m Made, kind: &str) -> Vec<&'m str> {
    made.findings.iter().filter(|[own, _, _]| own == kind).map(|[_, _, what]| what.as_str()).collect()
}

#[test]
fn another_policy_that_takes_the_place_of_a_gate_is_told_as_a_loss() {
    let (gateway, http) = (of("Gateway", "g"), of("HTTPRoute", "r"));
    let over = "at HTTPRoute r it takes the place of the gate `scopegate-p`, so that nothing is judged there";
    let each = "at each HTTPRoute that a selector selects it takes the place of the gate `scopegate-p`";
    let same = "and of two the older counts alone, so that nothing is judged there";
    let under = "at HTTPRoute r the gate `scopegate-p` takes its place, and what it did there is not done";
    let given = |parent: &str| route("r", "{app: a}", parent);
    for (gate, other, more, wanted) in [
        (&gateway, &http, String::new(), Some(over)),
        (&gateway, &http, given("{name: g}"), Some(over)),
        (&gateway, &http, given("{name: other}, {name: g, namespace: shop}"), Some(over)),
        (&gateway, &selected("HTTPRoute", "{app: a}"), String::new(), Some(each)),
        (&gateway, &section("Gateway", "g", "https"), String::new(), Some("at Gateway g (https) it takes the place")),
        (&http, &section("HTTPRoute", "r", "first"), String::new(), Some("at HTTPRoute r (first) it takes the place")),
        (&gateway, &gateway, String::new(), Some(same)),
        (&http, &http, String::new(), Some(same)),
        (&http, &selected("HTTPRoute", "{app: a}"), String::new(), Some(same)),
        (&http, &selected("HTTPRoute", "{app: a}"), given("{name: g}"), Some(same)),
        (&selected("HTTPRoute", "{app: a}"), &selected("HTTPRoute", "{team: b}"), String::new(), Some(same)),
        (&http, &gateway, String::new(), Some(under)),
        // These have nothing in common.
        (&gateway, &http, given("{name: other}"), None),
        (&gateway, &http, given("{name: g, namespace: other}"), None),
        (&gateway, &of("Gateway", "h"), String::new(), None),
        (&gateway, &of("TCPRoute", "t"), String::new(), None),
        (&http, &of("HTTPRoute", "s"), String::new(), None),
        (&http, &of("GRPCRoute", "r"), String::new(), None),
        (&http, &selected("HTTPRoute", "{app: b}"), given("{name: g}"), None),
        (&selected("HTTPRoute", "{app: a}"), &selected("HTTPRoute", "{app: b}"), String::new(), None),
        (&section("Gateway", "g", "a"), &section("Gateway", "g", "b"), String::new(), None),
    ] {
        let text = security("p", gate) + &extension("lua", other) + &more;
        let made = migrate_text(&text);
        let told = told(&made, "denied");
        let is_told =
            |part: &str| told.len() == 1 && told[0].contains("EnvoyExtensionPolicy shop/lua") && told[0].contains(part);
        assert!(wanted.map_or(told.is_empty(), is_told), "{text}: {told:#?}");
        assert_eq!(made.run.status, if wanted.is_some() { 2 } else { 0 }, "{text}: {:#?}", made.findings);
    }
}

/// A `SecurityPolicy` with these members beside its targets.
fn with_members(name: &str, target: &str, members: &str) -> String {
    format!(
        "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {{name: {name}, namespace: shop}}
spec:
  {target}
  {members}
---
"
    )
}

#[test]
fn a_policy_without_rest_stays_where_another_one_would_take_its_place() {
    const CORS: &str = "cors: {allowOrigins: ['*'], allowCredentials: true}";
    const JWT: &str =
        "jwt: {providers: [{name: a, issuer: https://a, audiences: [x], remoteJWKS: {uri: 'https://a/keys'}}]}";
    let (gateway, http) = (of("Gateway", "g"), of("HTTPRoute", "r"));
    let (listener, rule) = (section("Gateway", "g", "https"), section("HTTPRoute", "r", "first"));
    let both = format!("{CORS}\n  {JWT}");
    let merged = format!("mergeType: StrategicMerge\n  {JWT}");
    let address = "authorization: {rules: [{action: Allow, principal: {clientCIDRs: [10.0.0.0/8]}}]}";
    let given = |parent: &str| route("r", "{app: a}", parent);
    let wide = |target: &str, members: &str| with_members("wide", target, members);
    for (own, members, others, wanted) in [
        // The rest of a policy that asks for credentials, and one that is left as it is.
        (&http, JWT, wide(&gateway, &both), Some("`cors` of SecurityPolicy shop/wide")),
        (&http, JWT, wide(&gateway, CORS), Some("`cors` of SecurityPolicy shop/wide")),
        (&http, JWT, wide(&gateway, CORS) + &given("{name: g}"), Some("`cors` of SecurityPolicy shop/wide")),
        (&http, JWT, wide(&gateway, address), Some("`authorization` of SecurityPolicy shop/wide")),
        (
            &http,
            JWT,
            wide(&gateway, &format!("{CORS}\n  extAuth: {{http: {{backendRef: {{name: a, port: 1}}}}}}")),
            Some("`cors` and `extAuth` of SecurityPolicy shop/wide"),
        ),
        (&http, JWT, wide(&selected("Gateway", "{app: a}"), CORS), Some("`cors` of SecurityPolicy shop/wide")),
        (
            &selected("HTTPRoute", "{app: a}"),
            JWT,
            wide(&gateway, CORS),
            Some("would hold for each HTTPRoute that a selector selects"),
        ),
        // The levels between.
        (&http, JWT, wide(&listener, CORS), Some("would hold for HTTPRoute r")),
        (&listener, JWT, wide(&gateway, CORS), Some("would hold for Gateway g (https)")),
        (&rule, JWT, wide(&http, CORS), Some("would hold for HTTPRoute r (first)")),
        (&rule, JWT, wide(&listener, CORS), Some("would hold for HTTPRoute r (first)")),
        (&of("GRPCRoute", "r"), JWT, wide(&gateway, CORS), Some("would hold for GRPCRoute r")),
        (&http, &merged, wide(&gateway, CORS), Some("would hold for HTTPRoute r")),
        // Of two for one target the older one counts, as long as it is there.
        (&http, JWT, wide(&http, CORS), Some("would hold for HTTPRoute r")),
        // Nothing would hold in its place, or it has a rest of its own.
        (&http, JWT, wide(&gateway, JWT), None),
        (&http, JWT, wide(&gateway, CORS) + &given("{name: other}"), None),
        (&http, JWT, wide(&of("Gateway", "g"), "cors: {}").replace("cors: {}", ""), None),
        (&gateway, JWT, wide(&http, CORS), None),
        (&http, JWT, wide(&rule, CORS), None),
        (&http, JWT, wide(&of("HTTPRoute", "s"), CORS), None),
        (&http, JWT, String::new(), None),
    ] {
        let text = with_members("p", own, members) + &others;
        let made = migrate_text(&text);
        let stays = made.documents.iter().find(|one| one["kind"] == "SecurityPolicy" && one["metadata"]["name"] == "p");
        let before = crate::migrate_kubernetes::documents(&text).remove(0);
        let mut bare = before.clone();
        bare["spec"].as_object_mut().unwrap().remove("jwt");
        assert_eq!(stays, wanted.map(|_| &bare), "{text}: {:#?}", made.findings);
        let told: Vec<&str> =
            told(&made, "note").into_iter().filter(|what| what.contains("its targets alone")).collect();
        let is_told =
            |part: &str| told.len() == 1 && told[0].contains("SecurityPolicy shop/p") && told[0].contains(part);
        assert!(wanted.map_or(told.is_empty(), is_told), "{text}: {told:#?}");
    }
}

#[test]
fn the_rest_of_a_merged_policy_is_still_merged() {
    let members = "mergeType: JSONMerge
  cors: {allowOrigins: ['*']}
  jwt: {providers: [{name: a, issuer: https://a, audiences: [x], remoteJWKS: {uri: 'https://a/keys'}}]}";
    let made = migrate_text(&with_members("p", &of("HTTPRoute", "r"), members));
    let rest = made.documents.iter().find(|one| one["kind"] == "SecurityPolicy").unwrap();
    assert_eq!((&rest["spec"]["mergeType"], rest["spec"].get("jwt")), (&serde_json::json!("JSONMerge"), None));
    assert_eq!(made.plugins[0]["default"], serde_json::json!({"deny": true}));
}

#[test]
fn what_runs_before_every_gate_is_told_with_the_order_that_mends_it() {
    let (gateway, http) = (of("Gateway", "g"), of("HTTPRoute", "r"));
    let lua = "lua: [{type: Inline, inline: 'function envoy_on_request(h) end'}]";
    let processor = "extProc: [{backendRefs: [{name: a, port: 1}]}]";
    let wasm = "wasm: [{name: a, code: {type: HTTP, http: {url: 'https://a/a.wasm'}}}]";
    let order = |filter: &str| {
        format!(
            "`filterOrder: [{{name: envoy.filters.http.wasm, before: envoy.filters.http.{filter}}}]` of the EnvoyProxy"
        )
    };
    for (gate, other) in [(&gateway, &http), (&gateway, &gateway), (&http, &gateway)] {
        for (members, wanted) in [
            (lua.to_owned(), Some(("`lua` runs before every `wasm`", order("lua")))),
            (processor.to_owned(), Some(("`extProc` runs before every `wasm`", order("ext_proc")))),
            (format!("{lua}\n  {processor}"), Some(("`lua` and `extProc` run before every `wasm`", order("lua")))),
            (wasm.to_owned(), None),
        ] {
            let other =
                with_members("other", other, &members).replace("kind: SecurityPolicy", "kind: EnvoyExtensionPolicy");
            let text = security("p", gate) + &other;
            let made = migrate_text(&text);
            let told = told(&made, "denied");
            let [told] = told[..] else { panic!("{text}: {told:#?}") };
            let is_told = wanted.as_ref().map_or(!told.contains("before every"), |(runs, order)| {
                told.contains(runs) && told.contains(order.as_str()) && told.contains("headers that clients write")
            });
            assert!(is_told && made.run.status == 2, "{text}: {told}");
        }
    }
}

#[test]
fn a_gate_of_an_earlier_run_is_no_other_policy() {
    let gateway = of("Gateway", "g");
    let made = migrate_text(&(security("p", &gateway) + &extension("scopegate-p", &gateway)));
    assert_eq!(made.run.status, 0, "{:#?}", made.findings);
    assert!(told(&made, "note").iter().any(|what| what.contains("has this name, and takes its place")));
}

#[test]
fn where_the_route_is_chosen_anew_no_authorization_of_another_route_is_left_out() {
    let again = |text: String, value: &str| {
        text.replace("audiences: [x],", &format!("audiences: [x], recomputeRoute: {value},"))
    };
    let with = |text: String, more: &str| text.replace("---\n", &format!("{more}\n---\n"));
    let of_token = "  authorization: {rules: [{action: Allow, principal: {jwt: {provider: a, scopes: [admin]}}}]}";
    let of_address = "  authorization: {rules: [{action: Allow, principal: {clientCIDRs: [10.0.0.0/8]}}]}";
    let own = || security("p", &of("HTTPRoute", "r"));
    let other = || security("q", &of("HTTPRoute", "s"));
    let lost = "at another route the `authorization` of SecurityPolicy shop/q was judged still, and is not now. Everything is refused";
    for (text, is_closed, kind, what) in [
        (again(own(), "true") + &with(other(), of_token), true, "denied", lost),
        (with(again(own(), "true"), of_token) + &with(other(), of_token), true, "denied", lost),
        (again(own(), "true") + &with(other(), of_address), true, "denied", lost),
        // What is left out is nothing that the other route asked for after the token.
        (again(own(), "true") + &other(), false, "changed", "is not in these files"),
        (with(again(own(), "true"), of_token), false, "changed", "is not in these files"),
        (again(own(), "false") + &with(other(), of_token), false, "", ""),
    ] {
        let made = migrate_text(&text);
        let is_denied = made.plugins[0]["default"] == serde_json::json!({"deny": true});
        assert_eq!(is_denied, is_closed, "{text}: {:#?}", made.findings);
        assert!(
            kind.is_empty() || told(&made, kind).iter().any(|own| own.contains(what)),
            "{text}: {:#?}",
            made.findings
        );
    }
}

/// A `SecurityPolicy` that was made at a time.
fn aged(name: &str, target: &str, created: &str) -> String {
    let named = format!("name: {name}, namespace: shop");
    security(name, target).replace(&named, &format!("{named}, creationTimestamp: '{created}'"))
}

#[test]
fn of_two_policies_for_one_target_the_older_is_written() {
    const OLD: &str = "2024-01-01T00:00:00Z";
    const NEW: &str = "2025-01-01T00:00:00Z";
    let r = of("HTTPRoute", "r");
    let both = "targetRefs: [{kind: HTTPRoute, name: r}, {kind: HTTPRoute, name: s}]";
    let labels = |labels: &str| selected("HTTPRoute", labels);
    for (text, gates, is_closed) in [
        (aged("p", &r, OLD) + &aged("q", &r, NEW), vec![("scopegate-p", vec!["r"])], false),
        (aged("p", &r, NEW) + &aged("q", &r, OLD), vec![("scopegate-q", vec!["r"])], false),
        // Of the same age, by name.
        (aged("q", &r, OLD) + &aged("p", &r, OLD), vec![("scopegate-p", vec!["r"])], false),
        // For some of its targets.
        (
            aged("p", &r, OLD) + &aged("q", both, NEW),
            vec![("scopegate-p", vec!["r"]), ("scopegate-q", vec!["s"])],
            false,
        ),
        // Their order is not known.
        (security("p", &r) + &aged("q", &r, NEW), vec![("scopegate-p", vec!["r"]), ("scopegate-q", vec!["r"])], true),
        (aged("p", &r, "x") + &aged("q", &r, NEW), vec![("scopegate-p", vec!["r"]), ("scopegate-q", vec!["r"])], true),
        (
            aged("p", &r, OLD) + &aged("q", &labels("{app: a}"), NEW),
            vec![("scopegate-p", vec!["r"]), ("scopegate-q", vec![])],
            true,
        ),
        // These are for other targets.
        (
            security("p", &r) + &security("q", &of("HTTPRoute", "s")),
            vec![("scopegate-p", vec!["r"]), ("scopegate-q", vec!["s"])],
            false,
        ),
        (
            security("p", &r) + &security("q", &of("Gateway", "g")),
            vec![("scopegate-p", vec!["r"]), ("scopegate-q", vec!["g"])],
            false,
        ),
        (
            aged("p", &r, OLD) + &aged("q", &labels("{app: a}"), NEW) + &route("r", "{app: b}", "{name: g}"),
            vec![("scopegate-p", vec!["r"]), ("scopegate-q", vec![])],
            false,
        ),
    ] {
        let made = migrate_text(&text);
        let written: Vec<(&str, Vec<&str>)> = made
            .documents
            .iter()
            .filter(|document| document["kind"] == "EnvoyExtensionPolicy")
            .map(|gate| {
                let targets = gate["spec"]["targetRefs"].as_array().map(Vec::as_slice).unwrap_or_default();
                (
                    gate["metadata"]["name"].as_str().unwrap(),
                    targets.iter().map(|one| one["name"].as_str().unwrap()).collect(),
                )
            })
            .collect();
        assert_eq!(written, gates, "{text}: {:#?}", made.findings);
        let closed = serde_json::json!({"deny": true});
        assert!(made.plugins.iter().all(|plugin| (plugin["default"] == closed) == is_closed), "{text}");
        let is_told = told(&made, "denied")
            .iter()
            .any(|what| what.contains("of two the older counts alone, which is not known here"));
        assert_eq!(
            (is_told, made.run.status),
            (is_closed, if is_closed { 2 } else { 0 }),
            "{text}: {:#?}",
            made.findings
        );
        let is_noted = told(&made, "note")
            .iter()
            .any(|what| what.contains("is older and for the same target, where it alone counts"));
        let named: usize =
            ["HTTPRoute", "Gateway"].map(|kind| text.matches(&format!("kind: {kind}, name")).count()).iter().sum();
        let kept: usize = written.iter().map(|(_, targets)| targets.len()).sum();
        assert_eq!(is_noted, kept < named, "{text}: {:#?}", made.findings);
    }
}
