//! What the native filters let through, a row for each thing: as tests/README.md says it, and as it is sent.

use super::{SHARED, World, bearer, request, with_trailer};
use scopegate::base::base64url;
use serde_json::{Value, json};

/// One thing that the native filters let through.
pub(super) struct Row {
    /// As the table says it.
    pub(super) sent: &'static str,
    /// The setting of Envoy's that closes it.
    pub(super) closed_by: Option<&'static str>,
    pub(super) verdict: Verdict,
    /// All of them are let through there, and none here.
    pub(super) requests: fn(&World) -> Vec<Vec<u8>>,
}

/// What Scopegate makes of it.
#[derive(Clone, Copy)]
pub(super) enum Verdict {
    /// A refusal, with its reason.
    Refused(u16, &'static str),
    /// The request goes on without what it says of its sender.
    Removed,
}

fn refused(sent: &'static str, status: u16, reason: &'static str, requests: fn(&World) -> Vec<Vec<u8>>) -> Row {
    Row { sent, closed_by: None, verdict: Verdict::Refused(status, reason), requests }
}

fn removed(sent: &'static str, requests: fn(&World) -> Vec<Vec<u8>>) -> Row {
    Row { sent, closed_by: None, verdict: Verdict::Removed, requests }
}

impl Row {
    fn closed_by(self, setting: &'static str) -> Self {
        Self { closed_by: Some(setting), ..self }
    }
}

pub(super) fn rows() -> Vec<Row> {
    [about_signatures_and_keys(), about_what_a_token_says(), about_where_tokens_are(), about_identity(), about_paths()]
        .into_iter()
        .flatten()
        .collect()
}

fn about_signatures_and_keys() -> Vec<Row> {
    vec![
        refused("An ES256 signature with one byte after it", 401, "bad_signature", |world| {
            vec![bearer(&world.with_signature(|signature| [signature, &[0]].concat()))]
        }),
        refused("An ES256 signature of 66 bytes, a zero before each half", 401, "bad_signature", |world| {
            vec![bearer(&world.with_signature(|both| [&[0], &both[..32], &[0], &both[32..]].concat()))]
        }),
        refused("A second spelling of a token: stray bits in its last character", 401, "malformed_token", |world| {
            let mut token = world.token().sign();
            // The last of 86 characters holds four bits of which the encoding leaves two unused: A, Q, g or w.
            let last = token.pop().unwrap();
            token.push(char::from(u8::try_from(last).unwrap() + 1));
            vec![bearer(&token)]
        }),
        refused("A second spelling of a token: `==` after it", 401, "malformed_token", |world| {
            vec![bearer(&format!("{}==", world.token().sign()))]
        }),
        refused(
            "A second spelling of a token: dots before it, after it, or doubled in it",
            401,
            "malformed_token",
            |world| {
                let token = world.token().sign();
                [format!(".{token}"), format!("{token}."), token.replacen('.', "..", 1)]
                    .map(|token| bearer(&token))
                    .into()
            },
        ),
        refused("A token signed with a key of 1024 bits in the key set", 401, "unknown_key", |world| {
            vec![bearer(&world.sign_with_small_rsa())]
        }),
        refused("An HS256 token signed with a secret (`oct`) in the key set", 401, "algorithm_not_allowed", |world| {
            let shared = |header: Value| {
                let input = world.signing_input(&header);
                bearer(&format!("{input}.{}", base64url::encode(&hmac_sha256::HMAC::mac(input.as_bytes(), SHARED))))
            };
            vec![
                shared(json!({ "alg": "HS256", "kid": "shared", "typ": "at+jwt" })),
                shared(json!({ "alg": "HS256", "typ": "at+jwt" })),
            ]
        }),
        refused("A token signed with a key whose `use` is `enc`", 401, "unknown_key", |world| {
            vec![bearer(&world.encryption.token(world.now).sign())]
        }),
        refused("A token signed with a key whose `key_ops` lack `verify`", 401, "unknown_key", |world| {
            vec![bearer(&world.signing_only.token(world.now).sign())]
        }),
        refused("A `kid` that no key has, in a set with a key without `kid`", 401, "unknown_key", |world| {
            vec![bearer(&world.nameless.token(world.now).sign())]
        }),
    ]
}

fn about_what_a_token_says() -> Vec<Row> {
    vec![
        refused("A critical header parameter (`crit`) that neither of them knows", 401, "malformed_token", |world| {
            let token = || world.token().header("x", 1);
            vec![
                bearer(&token().header("crit", json!(["x"])).sign()),
                bearer(&token().header("crit", json!([])).sign()),
                bearer(&token().header("crit", json!(["b64"])).header("b64", false).sign()),
            ]
        }),
        refused("`b64: false`, which a JWT must not have", 401, "malformed_token", |world| {
            vec![bearer(&world.token().header("b64", false).sign())]
        }),
        refused("An ID token, a logout token, a JWT without `typ`", 401, "wrong_type", |world| {
            vec![
                bearer(&world.token().header("typ", "JWT").claim("nonce", "n").claim("at_hash", "h").sign()),
                bearer(&world.token().header("typ", "logout+jwt").sign()),
                bearer(&world.token().header("typ", Value::Null).sign()),
            ]
        }),
        refused("A `typ` that is a number", 401, "malformed_token", |world| {
            vec![bearer(&world.token().header("typ", 5).sign())]
        }),
        refused(
            "Claims that are not JSON: `'`, a name without quotes, `,}`, a bare line feed",
            401,
            "malformed_token",
            |world| {
                vec![
                    bearer(&world.sign_claims(|claims| claims.replace('"', "'"))),
                    bearer(&world.sign_claims(|claims| claims.replace("\"sub\"", "sub"))),
                    bearer(&world.sign_claims(|claims| claims.replace('}', ",}"))),
                    bearer(&world.sign_claims(|claims| claims.replace('}', ",\"x\":\"a\nb\"}"))),
                ]
            },
        ),
        refused("A header that is not JSON: `'`, `,}`", 401, "malformed_token", |world| {
            vec![
                bearer(&world.sign_header(|header| header.replace('"', "'"))),
                bearer(&world.sign_header(|header| header.replace('}', ",}"))),
            ]
        }),
        refused(
            "An audience with another scheme, without one, or with a slash after it",
            401,
            "wrong_audience",
            |world| {
                ["http://api.example.com", "api.example.com", "https://api.example.com/"]
                    .map(|audience| bearer(&world.token().claim("aud", audience).sign()))
                    .into()
            },
        ),
        refused("A token without `sub`", 401, "missing_claim", |world| {
            vec![bearer(&world.token().claim("sub", Value::Null).sign())]
        })
        .closed_by("subjects"),
        refused("A token issued in the future", 401, "issued_in_future", |world| {
            vec![bearer(&world.token().claim("iat", world.now + 100).sign())]
        }),
        refused(
            "A token with a lifetime of ten years in its last hour, with `max_lifetime` of one hour",
            401,
            "lifetime_too_long",
            |world| vec![bearer(&world.token().claim("iat", world.now - 315_360_000).sign())],
        ),
        refused(
            "A token that does not say when it was issued, with `max_lifetime`",
            401,
            "lifetime_too_long",
            |world| vec![bearer(&world.token().claim("iat", Value::Null).sign())],
        ),
        refused("A list of scopes in which not all are strings", 403, "insufficient_scope", |world| {
            vec![bearer(&world.token().claim("scope", json!(["orders:read", 1])).sign())]
        }),
        refused("A token of 20 kB", 401, "token_too_large", |world| {
            vec![bearer(&world.token().claim("x", "x".repeat(15_000)).sign())]
        }),
        refused("A token bound to a key (`cnf.jkt`), without a proof", 401, "proof_missing", |world| {
            vec![bearer(&world.token().claim("cnf", json!({ "jkt": base64url::encode(&[7; 32]) })).sign())]
        }),
        refused(
            "A token bound to a client certificate (`cnf.x5t#S256`), without it",
            401,
            "certificate_mismatch",
            |world| {
                vec![bearer(&world.token().claim("cnf", json!({ "x5t#S256": base64url::encode(&[7; 32]) })).sign())]
            },
        ),
    ]
}

fn about_where_tokens_are() -> Vec<Row> {
    vec![
        refused("A token in the query: `?access_token=`, once or twice", 400, "token_in_query", |world| {
            let token = world.token().sign();
            vec![
                request(&format!("/orders?access_token={token}"), &[]),
                request(&format!("/orders?access_token={token}&access_token={token}"), &[]),
            ]
        })
        .closed_by("from_headers"),
        refused("The same token in the header and in the query", 400, "token_in_query", |world| {
            let token = world.token().sign();
            vec![request(&format!("/orders?access_token={token}"), &[("authorization", &format!("Bearer {token}"))])]
        }),
        refused("A token in the header, and a JWT in any parameter", 400, "token_in_query", |world| {
            let token = world.token().sign();
            vec![request(&format!("/orders?state={token}"), &[("authorization", &format!("Bearer {token}"))])]
        }),
        refused(
            "A token in the header, and `?id_token=`, `?refresh_token=` or `?ACCESS_TOKEN=`",
            400,
            "token_in_query",
            |world| {
                let header = format!("Bearer {}", world.token().sign());
                ["id_token", "refresh_token", "ACCESS_TOKEN"]
                    .map(|name| request(&format!("/orders?{name}=opaque"), &[("authorization", &header)]))
                    .into()
            },
        ),
        refused("A token in the query of a public route", 400, "token_in_query", |world| {
            vec![request(&format!("/open/a?access_token={}", world.token().sign()), &[])]
        }),
        refused(
            "`Basic` credentials and a token, in two lines or with a comma between them",
            400,
            "multiple_credentials",
            |world| {
                let header = format!("Bearer {}", world.token().sign());
                vec![
                    request("/orders", &[("authorization", "Basic dTpw"), ("authorization", &header)]),
                    request("/orders", &[("authorization", &format!("Basic dTpw, {header}"))]),
                ]
            },
        ),
        refused(
            "A token under another scheme: `NotBearer …`, `Basic dTpw Bearer …`",
            401,
            "no_credential",
            |world| {
                let token = world.token().sign();
                ["NotBearer", "Basic dTpw Bearer"]
                    .map(|scheme| request("/orders", &[("authorization", &format!("{scheme} {token}"))]))
                    .into()
            },
        ),
        refused("Other text between `Bearer` and the token", 400, "malformed_header", |world| {
            vec![bearer(&format!("!!! {}", world.token().sign()))]
        }),
    ]
}

fn about_identity() -> Vec<Row> {
    vec![
        removed("`x_auth_subject: admin`, with a token or on a public route", |world| {
            let header = format!("Bearer {}", world.token().sign());
            vec![
                request("/orders", &[("authorization", &header), ("x_auth_subject", "admin")]),
                request("/orders", &[("authorization", &header), ("x-auth_subject", "admin")]),
                request("/open/a", &[("x_auth_subject", "admin")]),
            ]
        })
        .closed_by("headers_with_underscores_action"),
        removed("`x-auth-subject: admin` as a trailer", |world| {
            let header = format!("Bearer {}", world.token().sign());
            vec![with_trailer("/orders", &[("authorization", &header)]), with_trailer("/open/a", &[])]
        }),
    ]
}

fn about_paths() -> Vec<Row> {
    fn under_open(rest: &[&str]) -> Vec<Vec<u8>> {
        rest.iter().map(|rest| request(&format!("/open/{rest}"), &[])).collect()
    }
    vec![
        refused(
            "No token: `/open/%252e%252e/orders`, `/open/..%252forders`, `/open/..%255corders`",
            400,
            "ambiguous_path",
            |_| under_open(&["%252e%252e/orders", "%252e%252e%252forders", "..%252forders", "..%255corders"]),
        ),
        refused("No token: `/open/%c0%ae%c0%ae/orders` (overlong UTF-8)", 400, "ambiguous_path", |_| {
            under_open(&["%c0%ae%c0%ae/orders", "..%c0%aforders", "%e0%80%ae%e0%80%ae/orders"])
        }),
        refused("No token: `/open/%u002e%u002e/orders`, `/open/..%2500/orders`", 400, "ambiguous_path", |_| {
            under_open(&["%u002e%u002e/orders", "..%2500/orders", "a%"])
        }),
    ]
}
