//! `scopegate test`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder, removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("scopegate-cli-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// Runs the command in the folder.
    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_scopegate")).args(arguments).current_dir(&self.0).output().unwrap()
    }

    /// Runs the command in the folder and gives its exit status and what it said on either stream.
    pub fn say(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    }

    /// With the shipped Envoy configuration as `envoy.yaml`.
    pub fn with_envoy(self) -> Self {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy/envoy.yaml");
        self.write("envoy.yaml", &std::fs::read_to_string(shipped).unwrap());
        self
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const POLICY: &str = "
  issuers:
  - issuer: https://idp.example.com/
    name: idp
    audiences: [https://api.example.com]
    jwks: {uri: 'https://idp.example.com/jwks.json', cluster: idp}
  - issuer: https://partner.example.com/
    name: partner
    audiences: [https://api.example.com]
    algorithms: [EdDSA]
    token_types: [JWT]
    max_lifetime: 1m
    jwks: {uri: 'https://partner.example.com/jwks.json', cluster: idp}
  rules:
  - match: {path: /healthz}
    public: true
  - match: {path_separated_prefix: /orders, methods: [GET]}
    scopes: [orders:read]
  - match: {path_separated_prefix: /orders}
    scopes: {any_of: [orders:write, {all_of: [ops, oncall]}]}
  - match: {path: /new}
    scopes: [new]
    report_only: true
  forward:
    headers: {x-auth-subject: sub}
";

/// One file with these cases for [`POLICY`].
fn test(cases: &str) -> (i32, String) {
    let folder = Folder::new();
    folder.write("a.yaml", &format!("inline:{POLICY}\nnow: 2026-11-21T10:00:00Z\ncases:\n{cases}"));
    folder.say(&["test", "a.yaml"])
}

/// A case of which only these members matter.
fn one(members: &str) -> (i32, String) {
    test(&format!("- {{name: one, {members}}}\n"))
}

#[test]
fn the_file_of_cases_in_the_help_holds() {
    let folder = Folder::new().with_envoy();
    folder.write("orders.test.yaml", &crate::help::cases());
    let (status, said) = folder.say(&["test", "orders.test.yaml", "--junit", "report.xml"]);
    assert_eq!((status, said.ends_with("4 cases: 4 passed, 0 failed\n")), (0, true), "{said}");
    assert!(folder.read("report.xml").contains("tests=\"4\" failures=\"0\" errors=\"0\""));
}

#[test]
fn cases_that_hold_pass() {
    for case in [
        "request: GET /healthz, expect: {status: 200, reason: null}",
        "request: GET /orders/1, token: {sub: a, scope: orders:read}, expect: {status: 200, headers: {x-auth-subject: a}}",
        "request: GET /orders/1, token: {sub: a, scope: orders:read}, expect: {headers: {authorization: null}}",
        "request: GET /orders/1, expect: {status: 401, reason: no_credential, scope: orders:read}",
        "request: HEAD /orders/1, token: {sub: a, scope: x}, expect: {status: 403, scope: orders:read}",
        "request: POST /orders, token: {sub: a, scope: oncall}, expect: {status: 403, scope: orders:write}",
        "request: POST /orders, token: {sub: a, scope: ops oncall}, expect: {status: 200}",
        "request: GET /x, token: {sub: a, issuer: partner}, expect: {status: 200}",
        "request: GET /x, token: {sub: a, issuer: partner, exp: +2m}, expect: {reason: lifetime_too_long}",
        "request: GET /x, token: {claims: {sub: a}, header: {typ: application/at+jwt}}, expect: {status: 200}",
        "request: GET /x, token: {claims: {sub: a}, header: {alg: ES384}}, expect: {reason: unknown_key}",
        "request: GET /x, token: {claims: {sub: a}, header: {typ: JWT}}, expect: {status: 401, reason: wrong_type}",
        "request: GET /x, token: {claims: {sub: a}, header: {kid: null}}, expect: {status: 200}",
        "request: GET /x, token: {sub: null}, expect: {status: 401, reason: missing_claim}",
        "request: GET /x, token: {sub: a, iss: https://other.example.com/}, expect: {reason: unknown_issuer}",
        "request: GET /x, token: {sub: a, iss: https://partner.example.com/}, expect: {reason: algorithm_not_allowed}",
        "request: GET /x, token: {sub: a, aud: other}, expect: {reason: wrong_audience}",
        "request: GET /x, token: {sub: a, exp: -1h, iat: -2h}, expect: {reason: expired}",
        "request: GET /x, token: {sub: a, exp: '2026-11-21T09:59:00Z'}, expect: {reason: expired}",
        "request: GET /x, token: {sub: a, nbf: +1h}, expect: {reason: not_yet_valid}",
        "request: GET /x, token: {sub: a, exp: soon}, expect: {reason: malformed_token}",
        "request: GET /x, token: no-token, expect: {status: 401, reason: malformed_token}",
        "request: GET /x?access_token=1, expect: {status: 400, reason: token_in_query}",
        "request: {path: /x, headers: {authorization: Basic YTpi}}, token: {sub: a}, expect: {status: 400}",
        "request: {path: /healthz, headers: {X-Auth-Subject: root}}, expect: {headers: {x-auth-subject: null}}",
        "request: {path: /healthz, headers: {x-other: [a, b]}}, expect: {headers: {X-Other: 'a, b'}}",
        "request: GET /new, token: {sub: a}, expect: {status: 200, reason: insufficient_scope, scope: new}",
        // The token where the case puts it.
        "request: 'GET /x?state={token}', token: {sub: a}, expect: {status: 400, reason: token_in_query}",
        "request: {path: /x, headers: {authorization: 'bEaReR  {token}'}}, token: {sub: a}, expect: {status: 200}",
        "request: {path: /x, headers: {x-token: '{token}'}}, token: {sub: a}, expect: {status: 401, reason: no_credential}",
        // A requirement in metadata where there is no file of Envoy's.
        "request: {path: /healthz, metadata: {scopes: [m]}}, expect: {status: 401, scope: m}",
        "request: {path: /healthz, metadata: {scope: [m]}}, expect: {status: 500, reason: policy_unreadable}",
        "request: {path: /x, metadata: {public: true}}, expect: {status: 200}",
    ] {
        let (status, said) = one(case);
        assert_eq!(status, 0, "{case}\n{said}");
    }
}

#[test]
fn a_case_that_fails_says_what_was_expected_and_what_came() {
    for (case, lines) in [
        (
            "request: POST /orders, token: {sub: a, scope: orders:read}, expect: {status: 200}",
            &["FAILED one (a.yaml:", "status: expected 200, got 403 (insufficient_scope)"][..],
        ),
        (
            "request: GET /orders, expect: {reason: expired, scope: a}",
            &["reason: expected expired, got no_credential", "scope: expected a, got orders:read"],
        ),
        (
            "request: GET /x, token: {sub: a}, expect: {headers: {x-auth-subject: b, x-none: c}}",
            &["header x-auth-subject: expected b, got a", "header x-none: expected c, got none"],
        ),
        (
            "request: GET /x, expect: {headers: {x-auth-subject: a}}",
            &["header x-auth-subject: expected a, got no request upstream (no_credential)"],
        ),
        ("request: GET /healthz, expect: {reason: denied}", &["reason: expected denied, got none"]),
        ("request: GET /orders, expect: {scope: null}", &["scope: expected none, got orders:read"]),
    ] {
        let (status, said) = one(case);
        assert_eq!(status, 1, "{case}\n{said}");
        for line in lines.iter().copied().chain(["1 case: 0 passed, 1 failed"]) {
            assert!(said.contains(line), "{case}: no {line:?} in\n{said}");
        }
    }
}

#[test]
fn a_token_is_never_printed() {
    let folder = Folder::new();
    let policy = POLICY.replace("headers: {x-auth-subject: sub}", "{token: keep, headers: {x-auth-subject: sub}}");
    let cases = "
cases:
- name: kept
  request: GET /x
  token: {sub: a}
  expect: {status: 403, headers: {authorization: Bearer x}}
- name: text
  request: {path: /healthz, headers: {x-copy: secret.token.text}}
  token: secret.token.text
  expect: {headers: {x-copy: other, authorization: null}}
";
    folder.write("a.yaml", &format!("inline:{policy}{cases}"));
    let (status, said) = folder.say(&["test", "--junit", "r.xml", "a.yaml"]);
    assert_eq!(status, 1, "{said}");
    let all = said + &folder.read("r.xml");
    assert!(!all.contains("secret.token") && !all.contains("eyJ"), "{all}");
    assert!(all.contains("expected a value that is not shown, got a value that is not shown"), "{all}");
    assert!(all.contains("header x-copy: expected other, got (the token)"), "{all}");
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_place() {
    for (members, wanted) in [
        ("request: GET /, expect: {status: 200}, tokn: x", "cases[0].tokn: is not a field; the fields here are name,"),
        ("request: GET /, expect: {stats: 200}", "cases[0].expect.stats: is not a field"),
        ("request: GET /, expect: {}", "cases[0].expect: expects nothing"),
        ("request: GET /, expect: {status: many}", "cases[0].expect.status: is not a status"),
        ("request: GET /, expect: {reason: bad}", "cases[0].expect.reason: is not a reason; write null or one of"),
        ("request: GET, expect: {status: 200}", "cases[0].request: is not a request; write METHOD /path"),
        ("request: {method: GET}, expect: {status: 200}", "cases[0].request: `path` is missing"),
        ("request: {path: /, rout: x}, expect: {status: 200}", "cases[0].request.rout: is not a field"),
        ("request: {path: /, body: 1}, expect: {status: 200}", "cases[0].request.body: is a whole number; write true"),
        ("request: 'GET /{token}', expect: {status: 200}", "{token} stands for the token, and the case has none"),
        ("request: GET /", "cases[0]: `expect` is missing"),
        ("request: GET /, token: [a], expect: {status: 200}", "cases[0].token: is a list; write claims"),
        ("request: GET /, token: {claims: {}, sub: a}, expect: {status: 200}", "cases[0].token.sub: is not a field"),
        ("request: GET /, token: {sub: a, sub: b}, expect: {status: 200}", "cases[0].token.sub: is there twice"),
        (
            "request: GET /, token: {issuer: nobody}, expect: {status: 200}",
            "there is no such issuer; the issuers are: idp,",
        ),
    ] {
        let (status, said) = one(members);
        assert_eq!(status, 2, "{members}\n{said}");
        assert!(said.contains("a.yaml:"), "{said}");
        assert!(said.contains(wanted), "{members}: no {wanted:?} in\n{said}");
    }
    let (status, said) = test(
        "- {name: a, request: GET /, expect: {status: 401}}\n- {name: a, request: GET /, expect: {status: 401}}\n",
    );
    assert!(status == 2 && said.contains("cases[1]: has the name of another case"), "{said}");
    let (status, said) = test("  []\n");
    assert!(status == 2 && said.contains("cases: holds no case"), "{said}");
}

#[test]
fn what_is_wrong_with_the_policy_is_said_with_its_place() {
    let folder = Folder::new();
    let cases = "cases: [{name: a, request: GET /, expect: {status: 401}}]";
    for (text, wanted) in [
        (format!("config: none.yaml\n{cases}"), "cannot read none.yaml"),
        (format!("config: other.yaml\n{cases}"), "other.yaml: holds no configuration of Scopegate"),
        (cases.to_owned(), "a.yaml:1:1: names no policy"),
        (format!("inline: {{}}\nconfig: a.yaml\n{cases}"), "inline: stands beside `config`"),
        (format!("inline:\n  isuers: []\n{cases}"), "a.yaml:2:3: inline.isuers: is not a field; did you mean"),
        (format!("config: bad.yaml\n{cases}"), "bad.yaml:1:1: rulse: is not a field"),
        (format!("inline: {{}}\nnow: yesterday\n{cases}"), "a.yaml:2:1: now: is not an instant"),
    ] {
        folder.write("other.yaml", "kind: Deployment\n");
        folder.write("bad.yaml", "rulse: []\ndefault: {deny: true}\n");
        folder.write("a.yaml", &text);
        let (status, said) = folder.say(&["test", "a.yaml"]);
        assert_eq!(status, 2, "{text}\n{said}");
        assert!(said.contains(wanted), "{text}: no {wanted:?} in\n{said}");
    }
}

#[test]
fn the_metadata_of_the_named_route_counts() {
    let folder = Folder::new().with_envoy();
    let case = |request: &str, expect: &str| {
        let text = format!(
            "config: envoy.yaml\ncases:\n- {{name: a, request: {request}, token: {{sub: a}}, expect: {expect}}}\n"
        );
        folder.write("a.yaml", &text);
        folder.say(&["test", "a.yaml"])
    };
    for (request, expect) in [
        ("{path: /orders, route: orders}", "{status: 403, scope: orders:read}"),
        ("{path: /orders, method: POST, route: orders, virtual_host: api}", "{status: 403, scope: orders:write}"),
        ("{path: /orders}", "{status: 403, scope: orders:read}"),
        ("{path: /orders, route: everything}", "{status: 200}"),
        ("{path: /internal}", "{status: 403, reason: denied}"),
        ("{path: /internal, route: internal}", "{status: 403, reason: denied}"),
    ] {
        let (status, said) = case(request, expect);
        assert_eq!(status, 0, "{request}\n{said}");
    }
    let (status, said) = case("{path: /, route: none}", "{status: 200}");
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("no route is called none; there are orders, internal, everything"), "{said}");
    let (status, said) = case("{path: /, virtual_host: none}", "{status: 200}");
    assert!(status == 2 && said.contains("no virtual host is called none"), "{said}");
}

#[test]
fn a_preflight_with_a_body_is_none() {
    let folder = Folder::new();
    let request = "{method: OPTIONS, path: /x, headers: {origin: 'https://a', access-control-request-method: GET}";
    folder.write(
        "a.yaml",
        &format!(
            "inline:{POLICY}  bypass_cors_preflight: true\ncases:\n- {{name: a, request: {request}}}, expect: {{status: 200}}}}\n- \
             {{name: b, request: {request}, body: true}}, expect: {{status: 401, reason: no_credential}}}}\n"
        ),
    );
    let (status, said) = folder.say(&["test", "a.yaml"]);
    assert_eq!((status, said.contains("2 passed")), (0, true), "{said}");
}

#[test]
fn several_documents_have_a_policy_each() {
    let folder = Folder::new();
    let case =
        |name: &str, status: u16| format!("cases: [{{name: {name}, request: GET /, expect: {{status: {status}}}}}]\n");
    let open = format!("inline:{POLICY}  default: {{public: true}}\n{}", case("open", 200));
    let closed = format!("inline:{POLICY}  default: {{deny: true}}\n{}", case("closed", 403));
    folder.write("a.yaml", &format!("{open}---\n{closed}"));
    let (status, said) = folder.say(&["test", "a.yaml"]);
    assert_eq!((status, said.contains("2 passed")), (0, true), "{said}");
    folder.write("a.yaml", &format!("{open}---\n{}", closed.replace("name: closed", "name: open")));
    let (status, said) = folder.say(&["test", "a.yaml"]);
    assert!(status == 2 && said.contains("cases[0]: has the name of another case"), "{said}");
}

#[test]
fn paths_are_normalised_as_the_connection_manager_does_it() {
    let folder = Folder::new().with_envoy();
    let shipped = folder.read("envoy.yaml");
    let raw = shipped.replace("normalize_path: true", "normalize_path: false").replace(
        "path_with_escaped_slashes_action: REJECT_REQUEST",
        "path_with_escaped_slashes_action: KEEP_UNCHANGED",
    );
    let redirecting = shipped.replace("action: REJECT_REQUEST", "action: UNESCAPE_AND_REDIRECT");
    for (file, path, expect) in [
        (&shipped, "/x/..//healthz", "{status: 200}"),
        (&shipped, "/%68ealthz", "{status: 200}"),
        (&shipped, "/healthz%2f", "{status: 400, reason: null}"),
        (&raw, "/x/../healthz", "{status: 400, reason: ambiguous_path}"),
        (&raw, "/healthz%2f", "{status: 400, reason: ambiguous_path}"),
        (&redirecting, "/healthz%2f", "{status: 307, reason: null}"),
    ] {
        folder.write("envoy.yaml", file);
        folder.write(
            "a.yaml",
            &format!("config: envoy.yaml\ncases: [{{name: a, request: GET {path}, expect: {expect}}}]"),
        );
        let (status, said) = folder.say(&["test", "a.yaml"]);
        assert_eq!(status, 0, "{path}\n{said}");
        folder.write(
            "a.yaml",
            &format!("config: envoy.yaml\ncases: [{{name: a, request: GET {path}, expect: {{status: 599}}}}]"),
        );
        let (_, said) = folder.say(&["test", "a.yaml"]);
        assert_eq!(said.contains("Envoy answers before the gate"), expect.contains("reason: null"), "{path}\n{said}");
    }
}

#[test]
fn metadata_that_cannot_be_read_refuses_with_500() {
    let folder = Folder::new().with_envoy();
    folder.write("envoy.yaml", &folder.read("envoy.yaml").replace("{scopes: [orders:write]", "{scope: [orders:write]"));
    folder.write(
        "a.yaml",
        "config: envoy.yaml\ncases: [{name: a, request: {path: /, route: orders}, expect: {status: 500, reason: policy_unreadable}}]",
    );
    let (status, said) = folder.say(&["test", "a.yaml"]);
    assert_eq!(status, 0, "{said}");
}

#[test]
fn one_file_that_cannot_be_read_keeps_no_other_from_running() {
    let folder = Folder::new();
    let cases = "cases:\n- {name: 'a <b> & \"c\"', request: GET /, expect: {status: 200}}\n- {name: d, request: GET /, expect: {status: 401}}\n";
    folder.write("a.yaml", &format!("inline:{POLICY}{cases}"));
    folder.write("b.yaml", "cases: [");
    let (status, said) = folder.say(&["test", "a.yaml", "b.yaml", "c.yaml", "--junit", "r.xml"]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("error  b.yaml:") && said.contains("cannot read c.yaml"), "{said}");
    assert!(said.contains("2 cases: 1 passed, 1 failed; 2 files could not be read"), "{said}");
    let report = folder.read("r.xml");
    for part in [
        "<testsuite name=\"a.yaml\" tests=\"2\" failures=\"1\" errors=\"0\">",
        "<testcase name=\"a &lt;b&gt; &amp; &quot;c&quot;\" classname=\"a.yaml\">",
        "<failure message=\"status: expected 200, got 401 (no_credential)\">",
        "<testcase name=\"d\" classname=\"a.yaml\"/>",
        "<testsuite name=\"b.yaml\" tests=\"1\" failures=\"0\" errors=\"1\">",
        "<error message=\"cannot read c.yaml",
    ] {
        assert!(report.contains(part), "no {part} in\n{report}");
    }
}

#[test]
fn a_revocation_list_that_is_fetched_is_said_not_to_be_known() {
    let folder = Folder::new();
    let lists = "  revocation: {lists: [{name: stolen, uri: 'https://lists.example.com/r', cluster: lists}]}\n";
    let cases = "cases:\n- {name: a, request: GET /, expect: {status: 401}}\n";
    folder.write("a.yaml", &format!("inline:{}\n{lists}{cases}", POLICY.trim_end()));
    let (status, said) = folder.say(&["test", "a.yaml", "--junit", "r.xml"]);
    let words = "the revocation list stolen cannot be looked at here";
    assert!(status == 0 && said.contains(&format!("note   {words}")), "{said}");
    assert!(folder.read("r.xml").contains(&format!("<system-out>{words}")), "{}", folder.read("r.xml"));
}
