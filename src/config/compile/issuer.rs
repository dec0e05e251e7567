//! Issuers and their keys.

use super::{IssuerNames, implies, introspection, optional, remote, status_list, texts, token_header, variable_of};
use crate::base::base64url;
use crate::base::json::Value;
use crate::base::time::Seconds;
use crate::config::cursor::{Cursor, Object};
use crate::config::tree::Tree;
use crate::config::{Environment, fields};
use crate::crypto::{Algorithm, AlgorithmSet, KeyFamily, VerificationKey};
use crate::jose::{ClaimPath, Key, KeySet};
use crate::policy::{CryptoPlace, ImpliedScopes, Issuer, KeySource, Limits, RemoteKeys, SenderConstraint, TokenTypes};
use std::rc::Rc;

/// The most leeway: five minutes ("no more than a few minutes", RFC 7519 section 4.1.4).
const MAX_LEEWAY: u32 = 300;
/// The longest lifetime or age that a rule can name: ten years.
pub(super) const MAX_AGE: u32 = 315_360_000;

/// The words of `sender_constraint` in a requirement. An issuer has one more.
pub(super) const SENDER_CONSTRAINTS: [(&str, SenderConstraint); 4] = [
    ("if_bound", SenderConstraint::IF_BOUND),
    ("required", SenderConstraint::REQUIRED),
    ("dpop", SenderConstraint::DPOP),
    ("mtls", SenderConstraint::MTLS),
];

/// What bounds every issuer from elsewhere in the configuration.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) limits: Limits,
    pub(super) crypto: CryptoPlace,
    /// Whether proofs of possession can be checked.
    pub(super) has_dpop: bool,
}

/// All issuers.
pub(super) fn list(
    cursor: &Cursor<'_>,
    bounds: Bounds,
    environment: Environment<'_>,
    warnings: &mut Vec<String>,
) -> Option<Vec<Issuer>> {
    let items = cursor.list()?;
    if items.is_empty() {
        return cursor.wrong("is an empty list", "name at least one issuer");
    }
    let issuers: Vec<Option<Issuer>> = items.iter().map(|item| read(item, bounds, environment, warnings)).collect();
    for (index, item) in items.iter().enumerate() {
        let earlier = || issuers.iter().take(index).flatten();
        if let Some(Some(issuer)) = issuers.get(index) {
            if earlier().any(|other| other.issuer == issuer.issuer) {
                item.wrong::<()>("has the same `issuer` as an entry before it", "make one entry of them");
            } else if earlier().any(|other| other.name == issuer.name) {
                item.wrong::<()>("has the same `name` as an entry before it", "give it a name of its own");
            }
        }
    }
    issuers.into_iter().collect()
}

/// The names of the issuers, as far as they can be read.
pub(super) fn names(policy: &Object<'_>) -> IssuerNames {
    let Some(Tree::List(items)) = policy.get("issuers").map(|issuers| issuers.value().clone()) else {
        return IssuerNames::new();
    };
    items
        .iter()
        .filter_map(|item| {
            let Tree::Object(members) = &item.value else { return None };
            let text = |wanted: &str| {
                members.iter().find_map(|(name, node)| match &node.value {
                    Tree::Text(text) if name == wanted => Some(text.clone()),
                    _ => None,
                })
            };
            text("name").or_else(|| text("issuer"))
        })
        .collect()
}

fn read(
    cursor: &Cursor<'_>,
    bounds: Bounds,
    environment: Environment<'_>,
    warnings: &mut Vec<String>,
) -> Option<Issuer> {
    let object = cursor.object(&fields::ISSUER)?;
    let issuer = object.need("issuer", "write the exact `iss` of its tokens").and_then(|c| c.text().map(str::to_owned));
    let name = optional(&object, "name", None, |c| c.text().map(|name| Some(name.to_owned())));
    let audiences = object
        .need(
            "audiences",
            "name the audiences of which a token must have one; without it every token of the issuer would do",
        )
        .and_then(|c| texts(&c, "audience"));
    let claim_list = |name: &str, default: &[&str]| {
        let default = default.iter().map(|&claim| ClaimPath::top(claim)).collect();
        optional(&object, name, default, |c| c.list()?.iter().map(claim_path).collect())
    };
    let audience_claims = claim_list("audience_claims", &["aud"]);
    let required_claims = claim_list("required_claims", &["sub"]);
    let scope_claims = claim_list("scope_claims", &["scope", "scp"]);
    let implies = optional(&object, "implies", ImpliedScopes::default(), implies::read);
    let algorithms = optional(&object, "algorithms", default_algorithms(bounds.crypto), |c| {
        c.list_of("algorithm", |item| algorithm(item, bounds.crypto)).map(|list| list.into_iter().collect())
    });
    let token_types = optional(&object, "token_types", TokenTypes::new(["at+jwt"]), token_types);
    let id_tokens = optional(&object, "id_tokens", false, Cursor::flag);
    let leeway = optional(&object, "leeway", Seconds(10), |c| c.seconds(0..=MAX_LEEWAY));
    let max_lifetime = optional(&object, "max_lifetime", None, |c| c.seconds(1..=MAX_AGE).map(Some));
    let sender_constraint = optional(&object, "sender_constraint", SenderConstraint::IF_BOUND, |c| {
        let constraint = c.word(&[&[("ignore", SenderConstraint::NOTHING)], &SENDER_CONSTRAINTS[..]].concat());
        if constraint == Some(SenderConstraint::NOTHING) {
            warnings.push(format!(
                "{}: ignore: anyone who has a bound token can use it: write it only where a gate before this one has proven \
                 the sender",
                c.path()
            ));
        }
        checkable(c, constraint?, bounds.has_dpop)
    });
    let secrets = optional(&object, "secrets", Vec::new(), |c| secrets(c, algorithms.unwrap_or_default(), environment));
    let has_secrets = object.has("secrets");
    if let Some(algorithms) = algorithms {
        let lists_hmac = algorithms.iter().any(|algorithm| algorithm.family() == KeyFamily::Secret);
        match (lists_hmac, has_secrets) {
            (true, false) => {
                cursor.wrong("lists an HS algorithm without `secrets`", "add the secrets, or drop the algorithm")
            }
            (false, true) => cursor
                .wrong("has `secrets` and lists no HS algorithm", "list HS256, HS384 or HS512, or drop the secrets"),
            _ => Some(()),
        };
    }
    let label = name.clone().flatten().or_else(|| issuer.clone()).unwrap_or_default();
    let keys = if object.has("jwks") {
        object
            .get("jwks")
            .and_then(|c| key_source(&c, issuer.as_deref(), bounds.limits, algorithms, has_secrets, &label, warnings))
    } else if has_secrets || object.has("introspection") {
        Some(Keys::None)
    } else {
        cursor.wrong(
            "`jwks` is missing",
            "say where the keys are: inline, uri and cluster, or discovery; only an issuer with `introspection` needs none",
        )
    };
    let status_list = optional(&object, "status_list", None, |c| {
        status_list::read(c, issuer.as_deref(), algorithms.unwrap_or_default()).map(Some)
    });
    let token_header = optional(&object, "token_header", None, |c| token_header::read(c).map(Some));
    let websocket_protocol = optional(&object, "websocket_protocol", false, Cursor::flag);
    token_header::no_proofs(&object, sender_constraint, "token_header");
    if websocket_protocol == Some(true) {
        token_header::no_proofs(&object, sender_constraint, "websocket_protocol");
    }
    let introspection =
        optional(&object, "introspection", None, |c| introspection::read(c, environment, warnings).map(Some));
    let issuer = issuer?;
    let name = name?.unwrap_or_else(|| issuer.clone());
    Some(Issuer {
        name,
        issuer,
        audiences: audiences?,
        audience_claims: audience_claims?,
        keys: keys?.with(secrets?),
        algorithms: algorithms?,
        token_types: token_types?,
        id_tokens: id_tokens?,
        leeway: leeway?,
        max_lifetime: max_lifetime?,
        required_claims: required_claims?,
        scope_claims: scope_claims?,
        implies: implies?,
        sender_constraint: sender_constraint?,
        status_list: status_list?,
        token_header: token_header?,
        websocket_protocol: websocket_protocol?,
        introspection: introspection?,
    })
}

/// A constraint that can be met: no token is bound to a key where no proof can be checked.
pub(super) fn checkable(cursor: &Cursor<'_>, constraint: SenderConstraint, has_dpop: bool) -> Option<SenderConstraint> {
    if constraint.includes(SenderConstraint::DPOP) && !has_dpop {
        return cursor.wrong(
            "asks for proofs, and the configuration has no `dpop`",
            "add dpop: {origins: [...]} at the top, with the address at which clients reach the gate",
        );
    }
    Some(constraint)
}

/// A claim: a name, which may hold dots, or a list of names that leads into nested objects.
pub(super) fn claim_path(cursor: &Cursor<'_>) -> Option<ClaimPath> {
    let path = claim_path_through_lists(cursor)?;
    if path.has_each_item() {
        return cursor.wrong(
            "leads through the items of a list",
            "a path with [] can be asked for in conditions on claims only",
        );
    }
    Some(path)
}

/// The path of a claim, in which `[]` means each item of a list.
pub(super) fn claim_path_through_lists(cursor: &Cursor<'_>) -> Option<ClaimPath> {
    match cursor.value() {
        Tree::List(_) => ClaimPath::from_names(texts(cursor, "name")?),
        Tree::Text(_) => cursor.text().map(ClaimPath::top),
        other => cursor
            .wrong(format!("is {}", other.kind()), "write the name of a claim, or a list of names for a nested one"),
    }
}

/// Accepted `typ` values.
pub(super) fn token_types(cursor: &Cursor<'_>) -> Option<TokenTypes> {
    let names = texts(cursor, "type")?;
    Some(TokenTypes::new(names.iter().map(String::as_str)))
}

fn default_algorithms(crypto: CryptoPlace) -> AlgorithmSet {
    let all = AlgorithmSet::default_for_issuer();
    match crypto {
        CryptoPlace::Wasm => all.iter().filter(|algorithm| algorithm.runs_in_vm()).collect(),
        CryptoPlace::Auto | CryptoPlace::Host => all,
    }
}

pub(super) fn algorithm(cursor: &Cursor<'_>, crypto: CryptoPlace) -> Option<Algorithm> {
    let name = cursor.text()?;
    if let Some(algorithm) = Algorithm::from_name(name) {
        if crypto == CryptoPlace::Wasm && !algorithm.runs_in_vm() {
            return cursor.wrong("is checked by the host only", "leave it out, or leave out `crypto: wasm`");
        }
        return Some(algorithm);
    }
    if name.eq_ignore_ascii_case("none") {
        return cursor.wrong("is no signature", "name an algorithm");
    }
    let known: Vec<&str> = Algorithm::ALL.into_iter().map(Algorithm::name).collect();
    cursor.wrong("is not an algorithm", format!("the algorithms are {}", known.join(", ")))
}

/// Keys as they are configured, before secrets are added.
enum Keys {
    None,
    Inline(KeySet),
    Remote(RemoteKeys),
}

impl Keys {
    fn with(self, secrets: Vec<Key>) -> KeySource {
        let mut set = match self {
            Self::Remote(remote) => return KeySource::Remote(remote),
            Self::Inline(set) => set,
            Self::None => KeySet::default(),
        };
        for key in secrets {
            set.push(key);
        }
        KeySource::Configured(Rc::new(set))
    }
}

fn key_source(
    cursor: &Cursor<'_>,
    issuer: Option<&str>,
    limits: Limits,
    algorithms: Option<AlgorithmSet>,
    has_secrets: bool,
    label: &str,
    warnings: &mut Vec<String>,
) -> Option<Keys> {
    let object = cursor.object(&fields::JWKS)?;
    let sources: Vec<&str> = ["inline", "uri", "discovery"].into_iter().filter(|name| object.has(name)).collect();
    match sources.as_slice() {
        ["inline"] => {
            for name in ["cluster", "refresh", "timeout", "max_stale", "unknown_kid_interval"] {
                if let Some(extra) = object.get(name) {
                    extra.wrong::<()>("has no meaning beside `inline`", "leave it out");
                }
            }
            inline(&object.get("inline")?, limits, algorithms?, label, warnings).map(Keys::Inline)
        }
        [_] if has_secrets => cursor
            .wrong("stands beside `secrets`", "make two entries of them: an issuer signs with keys or with secrets"),
        [_] => remote::read(&object, issuer).map(Keys::Remote),
        [] => cursor.wrong("has neither `inline` nor `uri` nor `discovery`", "write one of them"),
        [first, second, ..] => cursor.wrong(format!("has both `{first}` and `{second}`"), "keep one"),
    }
}

fn inline(
    cursor: &Cursor<'_>,
    limits: Limits,
    algorithms: AlgorithmSet,
    label: &str,
    warnings: &mut Vec<String>,
) -> Option<KeySet> {
    let set = key_set(cursor, limits, warnings)?;
    let usable = |key: &Key| {
        algorithms.iter().any(|algorithm| key.algorithm.is_none_or(|only| only == algorithm) && key.key.fits(algorithm))
    };
    if !set.keys().iter().any(usable) {
        return cursor.wrong(
            "has no key for the algorithms of the issuer",
            format!("add one, or list its algorithm for {label}"),
        );
    }
    Some(set)
}

/// A key set that is written out, as an object or as JSON text.
#[inline(never)]
pub(super) fn key_set(cursor: &Cursor<'_>, limits: Limits, warnings: &mut Vec<String>) -> Option<KeySet> {
    let remedy = "write the JSON Web Key Set with its list `keys`, as an object or as JSON text";
    let set = match cursor.value() {
        Tree::Object(_) => match cursor.value().to_json() {
            Value::Object(members) => KeySet::from_members(&members, limits.jwks_keys),
            _ => return cursor.wrong("is not an object", remedy),
        },
        Tree::Text(text) => KeySet::parse(text.as_bytes(), limits.jwks_bytes, limits.jwks_keys),
        other => return cursor.wrong(format!("is {}", other.kind()), remedy),
    };
    let set = match set {
        Ok(set) => set,
        Err(error) => return cursor.wrong(error.to_string(), remedy),
    };
    for skipped in set.skipped() {
        warnings.push(format!("{}.keys[{}] is left out: {}", cursor.path(), skipped.index, skipped.why));
    }
    Some(set)
}

fn secrets(cursor: &Cursor<'_>, algorithms: AlgorithmSet, environment: Environment<'_>) -> Option<Vec<Key>> {
    let lists = cursor.list_of("secret", |item| {
        let object = item.object(&fields::SECRET)?;
        let kid = optional(&object, "kid", None, |c| c.text().map(|kid| Some(kid.to_owned())));
        let bytes = object
            .need("env", "name the environment variable that holds it")
            .and_then(|cursor| secret_bytes(&cursor, environment));
        let (kid, bytes) = (kid?, bytes?);
        let hmacs = algorithms.iter().filter(|algorithm| algorithm.min_secret_bytes().is_some());
        let keys = hmacs.map(|algorithm| match VerificationKey::from_secret(algorithm, &bytes) {
            Ok(key) => Some(Key { kid: kid.clone(), algorithm: Some(algorithm), key }),
            Err(error) => item.wrong(
                format!("cannot be used with {}: {}", algorithm.name(), error.0),
                "make it of at least 32 random bytes for HS256, 48 for HS384, 64 for HS512",
            ),
        });
        let keys: Vec<Option<Key>> = keys.collect();
        keys.into_iter().collect::<Option<Vec<_>>>()
    })?;
    Some(lists.into_iter().flatten().collect())
}

pub(super) fn secret_bytes(cursor: &Cursor<'_>, environment: Environment<'_>) -> Option<Vec<u8>> {
    let text = variable_of(cursor, environment)?;
    match base64url::decode(text.trim().as_bytes()) {
        Some(bytes) => Some(bytes),
        None => cursor.wrong(
            "names an environment variable whose value is not base64url without padding",
            "encode the secret so",
        ),
    }
}
