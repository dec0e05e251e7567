//! Which of several credentials is judged, and what comes of it.

use crate::credentials::{ACME, DISABLED, MESH, OPENAI, accepting, challenges, gate, key};
use crate::support::signer::{EXAMPLE, KEY_ID, Signer, Unsigned};
use crate::world::{Ask, NOW, extend, get, policy, token};
use scopegate::config::{self, Node};
use scopegate::decision::{Basis, Grant, Reason};
use scopegate::policy::Requirement;
use serde_json::{Value, json};

#[test]
fn what_is_presented_chooses_the_alternative_that_is_judged() {
    let good = || token().sign();
    let bad = || token().claim("exp", NOW - 900).sign();
    let mesh = |ask: Ask| ask.header("x-mesh", MESH);
    let any = json!({ "any_of": ["bearer", "partners", { "all_of": ["openai", "mesh"] }] });
    let both = json!({ "all_of": ["partners", "bearer"] });
    let openai = || get("/").bearer(OPENAI);
    for (rule, ask, wanted) in [
        (&any, get("/"), Some(Reason::NoCredential)),
        (&any, get("/").bearer(good()), None),
        (&any, get("/").bearer(bad()), Some(Reason::Expired)),
        (&any, key(ACME), None),
        (&any, key("bad"), Some(Reason::UnknownIdentity)),
        // Neither saves the other.
        (&any, key(ACME).bearer(good()), Some(Reason::MultipleCredentials)),
        (&any, key(ACME).bearer(bad()), Some(Reason::MultipleCredentials)),
        (&any, key("bad").bearer(good()), Some(Reason::MultipleCredentials)),
        (&any, openai(), Some(Reason::NoCredential)),
        (&any, mesh(get("/")), Some(Reason::NoCredential)),
        (&any, mesh(openai()), None),
        (&any, get("/").bearer(OPENAI).header("x-mesh", "bad"), Some(Reason::UnknownIdentity)),
        (&any, mesh(get("/").bearer("sk-bad")), Some(Reason::UnknownIdentity)),
        (&any, mesh(get("/").bearer(good())), Some(Reason::MultipleCredentials)),
        (&any, mesh(key(ACME)), Some(Reason::MultipleCredentials)),
        (&both, get("/"), Some(Reason::NoCredential)),
        (&both, key(ACME), Some(Reason::NoCredential)),
        (&both, get("/").bearer(good()), Some(Reason::NoCredential)),
        (&both, key(ACME).bearer(good()), None),
        (&both, key(ACME).bearer(bad()), Some(Reason::Expired)),
        (&both, key("bad").bearer(good()), Some(Reason::UnknownIdentity)),
        (&both, key(DISABLED).bearer(good()), Some(Reason::Revoked)),
        (&both, mesh(key(ACME).bearer(good())), None),
    ] {
        assert_eq!(ask.refused(&accepting(rule.clone(), json!({}))), wanted, "{rule} {ask:?}");
    }
}

#[test]
fn only_a_request_that_presents_nothing_passes_without_a_credential() {
    let config = accepting(
        json!({ "any_of": ["partners", { "all_of": ["openai", "mesh"] }] }),
        json!({ "allow_missing": true }),
    );
    assert_eq!(get("/").granted(&config).basis, Basis::Missing);
    for (ask, wanted) in [
        (key("bad"), Reason::UnknownIdentity),
        (key(""), Reason::MalformedCredential),
        (get("/").header("x-mesh", MESH), Reason::NoCredential),
        (get("/").bearer("sk-bad"), Reason::NoCredential),
    ] {
        assert_eq!(ask.refused(&config), Some(wanted), "{ask:?}");
    }
}

#[test]
fn the_first_of_a_combination_gives_subject_scopes_and_claims() {
    let more = json!({ "scopes": ["orders:read"], "claims": [{ "claim": "tenant", "equals": "acme" }] });
    let signed = || token().claim("sub", "alice").claim("scope", "orders:write").claim("tenant", "acme").sign();
    let ask = || key(ACME).bearer(signed());
    let subject = |rule: Value, asks: Value| {
        let mut config = accepting(rule, asks);
        extend(
            &mut config,
            json!({ "forward": { "headers": { "x-sub": "sub", "x-scope": "scope", "x-from": "credential" } } }),
        );
        let Grant { set, trace, .. } = ask().granted(&config);
        (set.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "), trace.credential)
    };
    let (told, credential) = subject(json!({ "all_of": ["partners", "bearer"] }), more.clone());
    assert_eq!((&*told, credential.unwrap().name()), ("x-from=partners x-scope=orders:read x-sub=acme", "api_key"));
    let token_first = json!({ "all_of": ["bearer", "partners"] });
    let (told, credential) = subject(token_first.clone(), json!({ "scopes": ["orders:write"] }));
    assert_eq!((&*told, credential.unwrap().name()), ("x-from=bearer x-scope=orders:write x-sub=alice", "bearer"));
    assert_eq!(
        ask().refused(&accepting(token_first, more)),
        Some(Reason::InsufficientScope),
        "scopes are not added up"
    );
}

#[test]
fn what_restricts_asks_for_its_own_credentials_too() {
    let restrict = |default: Value| gate(json!({ "route_metadata": "restrict", "default": default }));
    let base = restrict(json!({ "credentials": { "any_of": ["bearer", "partners"] } }));
    let read = |metadata: Value| -> Requirement {
        config::requirement(&Node::from(metadata), &policy(&base), &|_| None).unwrap_or_else(|error| panic!("{error}"))
    };
    let (partners, mesh, bearer) =
        (json!({ "credentials": "partners" }), json!({ "credentials": "mesh" }), json!({ "scopes": [] }));
    let good = || token().sign();
    for (metadata, ask, wanted) in [
        (&partners, key(ACME), None),
        (&partners, get("/").bearer(good()), Some(Reason::NoCredential)),
        (&partners, key(ACME).bearer(good()), None),
        (&mesh, key(ACME), Some(Reason::NoCredential)),
        (&mesh, key(ACME).header("x-mesh", MESH), None),
        (&mesh, key(ACME).header("x-mesh", "bad"), Some(Reason::UnknownIdentity)),
        (&mesh, get("/").header("x-mesh", MESH), Some(Reason::NoCredential)),
        // Without `credentials` metadata asks for a token, as every requirement does.
        (&bearer, key(ACME), Some(Reason::NoCredential)),
        (&bearer, get("/").bearer(good()), None),
        (&bearer, key(ACME).bearer(good()), None),
    ] {
        assert_eq!(ask.clone().under(read(metadata.clone())).refused(&base), wanted, "{metadata} {ask:?}");
    }
}

#[test]
fn what_restricts_is_met_by_its_own_credential_too() {
    let with = |default: Value| gate(json!({ "route_metadata": "restrict", "default": default }));
    let (keys, tokens) = (with(json!({ "credentials": "partners" })), with(json!({})));
    let scope = json!({ "scopes": ["orders:read"] });
    let tenant =
        |credentials: &str| json!({ "credentials": credentials, "claims": [{ "claim": "tenant", "equals": "acme" }] });
    let two = |claim: &str, value: &str| key(ACME).bearer(token().claim("scope", "").claim(claim, value).sign());
    let mesh = |ask: Ask| ask.header("x-mesh", MESH);
    for (base, metadata, ask, wanted) in [
        (&keys, &scope, two("scope", "orders:read"), None),
        (&keys, &scope, two("scope", "orders:write"), Some(Reason::InsufficientScope)),
        (&keys, &tenant("bearer"), two("tenant", "acme"), None),
        (&keys, &tenant("bearer"), two("tenant", "other"), Some(Reason::ClaimMismatch)),
        (&tokens, &tenant("partners"), two("tenant", "acme"), None),
        (&keys, &tenant("mesh"), mesh(key(ACME)), Some(Reason::ClaimMismatch)),
        (
            &tokens,
            &tenant("mesh"),
            mesh(get("/").bearer(token().claim("tenant", "acme").sign())),
            Some(Reason::ClaimMismatch),
        ),
    ] {
        let added = config::requirement(&Node::from(metadata.clone()), &policy(base), &|_| None).unwrap();
        assert_eq!(ask.clone().under(added).refused(base), wanted, "{metadata} {ask:?}");
    }
}

#[test]
fn a_challenge_names_each_scheme_in_the_order_of_the_requirement() {
    let rule = json!({ "any_of": ["partners", "bearer", { "all_of": ["openai", "mesh"] }] });
    let config = accepting(rule, json!({ "scopes": ["orders:admin"] }));
    let [partners, openai, mesh] =
        ["x-api-key", "x-openai-key", "x-mesh"].map(|name| format!("ApiKey realm=\"api\", header=\"{name}\""));
    let bearer = "Bearer realm=\"api\"".to_owned();
    let (status, lines, body) = challenges(&get("/"), &config);
    let with_scope = format!("{bearer}, scope=\"orders:admin\"");
    assert_eq!((status, lines), (401, vec![partners.clone(), with_scope, openai.clone(), mesh.clone()]));
    assert!(body.contains("This resource needs a credential, as the challenges say"), "{body}");
    let (status, lines, _) = challenges(&key(ACME), &config);
    let lacking = "error=\"insufficient_scope\", error_description=\"The API key lacks a scope that this resource needs\", \
                   scope=\"orders:admin\"";
    assert_eq!(
        (status, lines),
        (403, vec![format!("{partners}, {lacking}"), bearer.clone(), openai.clone(), mesh.clone()])
    );
    let (status, lines, _) = challenges(&key("bad"), &config);
    let unknown = "error=\"invalid_key\", error_description=\"The API key is not one that this resource accepts\"";
    assert_eq!((status, lines), (401, vec![format!("{partners}, {unknown}"), bearer, openai.clone(), mesh.clone()]));
    let (status, lines, _) = challenges(&get("/").bearer("a.b.c"), &config);
    assert_eq!((status, lines.len(), lines[0] == partners), (401, 4, true));
    assert!(lines[1].starts_with("Bearer realm=\"api\", error=\"invalid_token\""), "{lines:?}");
    let (status, lines, _) = challenges(&key(ACME).bearer("a.b.c"), &config);
    assert_eq!(status, 400);
    assert!(lines[0].contains("error=\"invalid_request\""), "{lines:?}");
    let (_, lines, _) = challenges(&get("/"), &accepting(json!("openai"), json!({})));
    assert_eq!(lines, ["Bearer realm=\"api\"".to_owned(), openai]);
}

#[test]
fn a_signature_is_chosen_as_every_other_credential_is() {
    let request = Unsigned { target: "/", at: NOW, ..Unsigned::default() };
    let with = |ask: Ask, signer: Signer<'_>| {
        let headers = signer.message(&request, &format!(";created={NOW};nonce=\"1\""));
        headers.into_iter().fold(ask, |ask, (name, value)| ask.header(&name, value))
    };
    let signed = |ask: Ask| with(ask, EXAMPLE);
    let forged = |ask: Ask| with(ask, Signer { secret: "another secret of twenty", ..EXAMPLE });
    let good = || token().sign();
    let any = json!({ "any_of": ["bearer", "partners", "banks"] });
    let both = json!({ "all_of": ["bearer", "banks"] });
    for (rule, ask, wanted) in [
        (&any, signed(get("/")), None),
        (&any, forged(get("/")), Some(Reason::BadSignature)),
        // Neither saves the other.
        (&any, signed(key(ACME)), Some(Reason::MultipleCredentials)),
        (&any, forged(key(ACME)), Some(Reason::MultipleCredentials)),
        (&any, signed(get("/").bearer(good())), Some(Reason::MultipleCredentials)),
        (&both, signed(get("/")), Some(Reason::NoCredential)),
        (&both, get("/").bearer(good()), Some(Reason::NoCredential)),
        (&both, signed(get("/").bearer(good())), None),
        (&both, forged(get("/").bearer(good())), Some(Reason::BadSignature)),
        (&both, signed(get("/").bearer("a.b.c")), Some(Reason::MalformedToken)),
    ] {
        let mut config = accepting(rule.clone(), json!({}));
        config["credentials"].as_array_mut().unwrap().push(json!({
            "name": "banks", "signature": {}, "identities": [{ "id": KEY_ID, "secrets": [{ "env": "SIGNING" }] }],
        }));
        assert_eq!(ask.refused(&config), wanted, "{rule} {ask:?}");
    }
}
