//! `scopegate matrix`.

use crate::policy_test::Folder;

const POLICY: &str = "
issuers:
- {issuer: 'https://idp.example.com/', name: idp, audiences: [api], jwks: {uri: 'https://idp/jwks', cluster: idp}}
rules:
- match: {path: /healthz}
  public: true
- match: {path_separated_prefix: /orders, methods: [GET]}
  scopes: [orders:read, {any_of: [admin, ops]}]
- match: {path_separated_prefix: /orders}
  scopes: [orders:write]
  methods: {DELETE: {deny: true}}
- match: {path: /orders/old}
  scopes: [old]
- match: {prefix: /news, ignore_case: true}
  allow_missing: true
- match: {template: '/t/{id}'}
  scopes: [t]
  report_only: true
  claims: [{claim: tenant, equals: acme}, {claim: [realm_access, roles], contains: admin}, {claim: t, equals_path: id}, {claim: t, equals_host: '*.a.com'}]
  issuers: [idp]
  audiences: [a, b]
  token_types: [at+jwt]
  max_token_age: 10m
  single_use: true
  sender_constraint: mtls
  acr_values: [phr, mfa]
  max_auth_age: 5m
";

/// The rows of a table that begin with `place`, their cells joined by one space.
fn rows(table: &str, place: &str) -> Vec<String> {
    let lines = table.lines().filter(|line| line.starts_with(place));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The rows of rules that match `text`, without the number of the rule.
fn rules(table: &str, text: &str) -> Vec<String> {
    let rows = rows(table, "rules[").into_iter().filter_map(|row| Some(row.split_once("] ")?.1.to_owned()));
    rows.filter(|row| row.starts_with(text)).collect()
}

fn table(text: &str) -> String {
    let folder = Folder::new();
    folder.write("a.yaml", text);
    let (status, said) = folder.say(&["matrix", "a.yaml"]);
    assert_eq!(status, 0, "{said}");
    said
}

/// The shipped Envoy configuration with a text in it replaced.
fn envoy_with(from: &str, to: &str) -> String {
    let folder = Folder::new().with_envoy();
    let text = folder.read("envoy.yaml");
    assert!(text.contains(from), "{from}");
    table(&text.replace(from, to))
}

#[test]
fn each_rule_shows_what_it_needs_for_which_methods() {
    let said = table(POLICY);
    for (place, wanted) in [
        ("rules[0]", &["rules[0] path /healthz any nothing public"][..]),
        ("rules[1]", &["rules[1] path_separated_prefix /orders GET, HEAD orders:read AND (admin OR ops)"]),
        (
            "rules[2]",
            &[
                "rules[2] path_separated_prefix /orders DELETE nobody passes denied",
                "rules[2] path_separated_prefix /orders any other orders:write",
            ],
        ),
        ("rules[3]", &["rules[3] path /orders/old any old rules[2] matches all of it before never"]),
        (
            "rules[4]",
            &["rules[4] prefix /news, in any letter case any no token, or a valid token any token, allow missing"],
        ),
        ("rules[5]", &["rules[5] template /t/{id} any t claim tenant = \"acme\" report only"]),
        ("default", &["default everything else any a valid token any token"]),
    ] {
        assert_eq!(rows(&said, place), wanted, "\n{said}");
    }
    let below: Vec<&str> = said.lines().filter(|line| line.starts_with("   ")).map(str::trim).collect();
    let claims = [
        "claim realm_access/roles contains \"admin\"",
        "claim t = {id} in the path",
        "claim t = * in the host *.a.com",
    ];
    let others = [
        "issuer idp",
        "audience a or b",
        "token type at+jwt",
        "issued at most 10m ago",
        "once",
        "bound to the client's certificate",
        "acr phr or mfa",
        "user authenticated at most 5m ago",
    ];
    assert_eq!(below, [&claims[..], &others].concat(), "\n{said}");
}

#[test]
fn a_rule_shows_when_it_closes_streams() {
    for (written, shown) in [
        ("expiry", Some("streams closed at expiry")),
        ("revocation", Some("streams closed at expiry and revocation")),
        ("never", None),
    ] {
        let rule = format!("rules:\n- {{match: {{path: /events}}, scopes: [e], close_streams: {written}}}");
        let said = table(&POLICY.replace("rules:", &rule));
        let row = rules(&said, "path /events").join("\n");
        let end = row.find("streams closed").and_then(|at| row.get(at..));
        assert_eq!(end, shown, "{said}");
    }
}

#[test]
fn routes_show_what_their_metadata_asks() {
    let said = envoy_with("admin:", "admin:");
    assert_eq!(
        rows(&said, "route orders"),
        [
            "route orders (api) path_separated_prefix /orders GET, HEAD orders:read",
            "route orders (api) path_separated_prefix /orders any other orders:write",
        ],
        "\n{said}"
    );
    assert_eq!(rows(&said, "route everything"), ["route everything (api) prefix / any what rules and default ask"]);
    let named = ["route internal any nobody passes denied", "route everything any a valid token any token"];
    assert_eq!(rules(&said, "route"), named);
}

#[test]
fn a_virtual_host_speaks_for_routes_without_metadata() {
    let said = envoy_with(
        "domains: [\"*\"]\n",
        "domains: [\"*\"]\n              metadata: {filter_metadata: {scopegate: {scopes: [api]}}}\n",
    );
    assert_eq!(rows(&said, "route everything"), ["route everything (api) prefix / any what virtual host api asks"]);
    assert_eq!(rows(&said, "virtual host"), ["virtual host api * any api"]);
    // The names of the routes are asked for by rules that no longer come up.
    let never = [
        "route internal any nobody passes the metadata of route internal decides before denied, never",
        "route everything any a valid token the metadata of route everything decides before any token, never",
    ];
    assert_eq!(rules(&said, "route"), never, "\n{said}");
}

#[test]
fn metadata_that_cannot_be_read_is_marked() {
    let said = envoy_with("{scopes: [orders:write]", "{scope: [orders:write]");
    let row = rows(&said, "route orders").join("\n");
    assert!(
        row.contains("cannot be read") && row.contains("scope: is not a field") && row.ends_with("unreadable"),
        "{row}"
    );
}

#[test]
fn metadata_that_only_adds_or_is_not_read_is_marked() {
    let said = envoy_with("default: {deny: true}", "route_metadata: ignore");
    assert_eq!(
        rows(&said, "route orders"),
        ["route orders (api) path_separated_prefix /orders any what rules and default ask ignored"]
    );
    let said = envoy_with("default: {deny: true}", "route_metadata: restrict");
    assert!(rows(&said, "route orders")[0].ends_with("orders:read and what rules and default ask"), "{said}");
    let folder = Folder::new().with_envoy();
    let text = folder.read("envoy.yaml").replace("default: {deny: true}", "route_metadata: restrict");
    let said =
        table(&text.replace("{scopes: [orders:write], methods: {GET: {scopes: [orders:read]}}}", "{public: true}"));
    let row = rows(&said, "route orders").join("\n");
    assert!(row.ends_with("nothing more and what rules and default ask ignored"), "public opens nothing here: {row}");
}

#[test]
fn rules_that_no_request_can_reach_are_marked() {
    for (rules, place) in [
        ("[{match: {prefix: /}, public: true}, {match: {path: /a}, deny: true}]", "rules[1]"),
        ("[{match: {path: /a, methods: [GET]}, methods: {POST: {deny: true}}}]", "rules[0]"),
        ("[{match: {path: /a, methods: [GET]}, methods: {GET: {scopes: [a]}}}]", "rules[0] path /a any other"),
    ] {
        let (issuers, _) = POLICY.split_once("rules:").unwrap();
        let said = table(&format!("{issuers}rules: {rules}\n"));
        assert!(
            rows(&said, "rules").iter().any(|row| row.starts_with(place) && row.ends_with("never")),
            "{rules}\n{said}"
        );
    }
    let said = envoy_with("{route: internal}", "{route: gone}");
    assert!(rules(&said, "route")[0].ends_with("no route is called gone denied, never"), "{said}");
}

#[test]
fn report_only_for_all_is_marked_everywhere() {
    let said = table(&format!("{POLICY}report_only: true\n"));
    assert!(said.contains("report_only: nothing is refused"), "{said}");
    for place in ["rules", "default"] {
        assert!(rows(&said, place).iter().all(|row| row.contains("report only")), "{said}");
    }
}

#[test]
fn a_configuration_as_json_in_text_is_shown_too() {
    let folder = Folder::new().with_envoy();
    let text = folder.read("envoy.yaml");
    let (before, rest) = text.split_once("\"@type\": type.googleapis.com/google.protobuf.Struct").unwrap();
    let (_, after) = rest.split_once("          - name: envoy.filters.http.router").unwrap();
    let json = "'{\"issuers\": [{\"issuer\": \"https://a/\", \"audiences\": [\"a\"], \"jwks\": {\"uri\": \"https://a/k\", \
                \"cluster\": \"a\"}}], \"default\": {\"deny\": true}, \"rules\": [{\"match\": {\"path\": \"/a\"}, \"public\": true}]}'";
    let said = table(&format!(
        "{before}\"@type\": type.googleapis.com/google.protobuf.StringValue\n                  value: {json}\n          \
         - name: envoy.filters.http.router{after}"
    ));
    assert_eq!(rows(&said, "rules[0]"), ["rules[0] path /a any nothing public"], "\n{said}");
    assert_eq!(rows(&said, "default"), ["default everything else any nobody passes denied"]);
}

#[test]
fn nothing_of_the_configuration_becomes_markup() {
    let folder = Folder::new();
    let (issuers, _) = POLICY.split_once("rules:").unwrap();
    let evil = r#"<script>alert(1)</script>|`*\"'&\u001b[31m\u202e"#;
    folder.write("a.yaml", &format!("{issuers}rules: [{{match: {{route: \"{evil}\"}}, scopes: ['a<b>']}}]\n"));
    let (status, html) = folder.say(&["matrix", "--format", "html", "a.yaml"]);
    assert_eq!(status, 0, "{html}");
    assert!(!html.contains("<script") && !html.contains("a<b>"), "{html}");
    assert!(
        html.contains("route &lt;script&gt;alert(1)&lt;/script&gt;|`*&quot;&#39;&amp;\u{fffd}[31m\u{fffd}"),
        "{html}"
    );
    let (_, markdown) = folder.say(&["matrix", "--format", "markdown", "a.yaml"]);
    assert!(markdown.contains(r#"route &lt;script&gt;alert(1)&lt;/script&gt;\|\`\*"'&amp;"#), "{markdown}");
    for format in ["table", "markdown", "html"] {
        let (_, said) = folder.say(&["matrix", "--format", format, "a.yaml"]);
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said}");
    }
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let folder = Folder::new().with_envoy();
    let (status, html) = folder.say(&["matrix", "--format", "html", "envoy.yaml"]);
    assert_eq!(status, 0, "{html}");
    for word in ["<script", "<link", "<img", "@import", "url(", "src=", "href="] {
        assert!(!html.contains(word), "{word}");
    }
    assert!(html.contains("@media print") && html.contains("default-src 'none'"), "{html}");
    assert!(html.contains("<span class=\"mark public\">public</span>"), "{html}");
}

#[test]
fn markdown_is_one_table_for_each_configuration() {
    let folder = Folder::new();
    let (issuers, _) = POLICY.split_once("rules:").unwrap();
    folder.write("a.yaml", &format!("{POLICY}---{issuers}default: {{deny: true}}\n"));
    let (status, said) = folder.say(&["matrix", "--format", "markdown", "a.yaml"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(said.matches("| where | match | methods | needs | conditions | marks |").count(), 2, "{said}");
    assert!(
        said.lines().filter(|line| line.starts_with('|')).all(|line| line.replace("\\|", "").matches('|').count() == 7)
    );
    assert!(said.contains("| default | everything else | any | nobody passes |  | denied |"), "{said}");
}

#[test]
fn what_cannot_be_shown_is_said() {
    let folder = Folder::new();
    folder.write("bad.yaml", "rulse: []\ndefault: {deny: true}\n");
    folder.write("other.yaml", "kind: Deployment\n");
    for (file, wanted) in [
        ("none.yaml", "cannot read none.yaml"),
        ("other.yaml", "other.yaml: holds no configuration of Scopegate"),
        ("bad.yaml", "bad.yaml:1:1: this configuration cannot be used\nbad.yaml:1:1: rulse: is not a field"),
    ] {
        let (status, said) = folder.say(&["matrix", file]);
        assert_eq!(status, 2, "{said}");
        assert!(said.contains(wanted), "no {wanted:?} in\n{said}");
    }
}

#[test]
fn a_log_says_beside_each_row_who_called_it() {
    let folder = Folder::new().with_envoy();
    let record = |route: &str, requirement: &str, decision: &str, client: &str| {
        format!(
            "{{\"scopegate\":{{\"decision\":\"{decision}\",\"reason\":\"x\",\"route\":\"{route}\",\"requirement\":\"{requirement}\",\"client_id\":\"{client}\"}}}}\n"
        )
    };
    let log = [
        record("orders", "route metadata.methods.GET", "allow", "web").repeat(2),
        record("orders", "route metadata.methods.GET", "deny", "cron"),
        record("orders", "route metadata", "would_deny", "<b>|\u{202e}"),
        record("everything", "default", "allow", "web"),
        record("everything", "default", "allow", ""),
        record("elsewhere", "route metadata", "allow", "web"),
    ]
    .concat();
    folder.write("access.log", &log);
    let (status, said) = folder.say(&["matrix", "envoy.yaml", "--used", "access.log"]);
    assert_eq!(status, 0, "{said}");
    let heads = said.lines().find(|line| line.contains("WHERE")).unwrap();
    assert!(heads.ends_with("CALLED BY"), "{heads}");
    let orders = rows(&said, "route orders");
    assert!(orders[0].ends_with("orders:read 3 requests, 1 refused: web 2, cron 1"), "{orders:?}");
    assert!(orders[1].ends_with("orders:write 1 request, 1 let pass by report-only: <b>|\u{fffd} 1"), "{orders:?}");
    assert!(
        rows(&said, "route everything")[0].ends_with("what rules and default ask 2 requests: unnamed 1, web 1"),
        "{said}"
    );
    assert!(rows(&said, "route internal")[0].ends_with("no request"), "{said}");
    let (_, html) = folder.say(&["matrix", "envoy.yaml", "--used", "access.log", "--format", "html"]);
    assert!(html.contains("<td>1 request, 1 let pass by report-only: &lt;b&gt;|\u{fffd} 1</td>"), "{html}");
    let (_, markdown) = folder.say(&["matrix", "envoy.yaml", "--used", "access.log", "--format", "markdown"]);
    assert!(markdown.contains("| marks | called by |\n") && markdown.contains("&lt;b&gt;\\|"), "{markdown}");
    assert!(!table(POLICY).contains("CALLED BY"), "without a log there is no such column");
}
