//! From a tree to a [`Policy`] and its [`Settings`]. Each function reads all its fields before it gives up, so that
//! every problem is noted.

mod audit;
pub(in crate::config) mod credentials;
mod csrf;
mod dpop;
mod events;
mod forward;
mod implies;
mod introspection;
mod issuer;
mod matching;
mod mcp;
mod mtls;
mod remote;
mod replay;
mod requirement;
mod resources;
mod reuse;
mod revocation;
mod router;
mod status_list;
mod token_header;

use self::credentials::Sources;
use self::requirement::{Context, Variables};
use super::cursor::{Cursor, Object};
use super::{Environment, Loaded, fields};
use crate::credential::TOKEN_PARAMETERS;
use crate::policy::{
    Access, AuditSettings, CacheLimits, CredentialSet, CryptoPlace, DEFAULT_TOKEN_BYTES, Forward, ForwardBy, Issuer,
    Limits, Match, PathMatch, PathPolicy, Policy, QueryPolicy, ReplayPlace, ReplaySettings, Requirement, Reuse,
    RevocationSettings, RouteMetadata, Rule, Rules, Settings, SharedKeys, TokenPlaces, TokenRequirement, Uses,
    WhenFull,
};
use std::rc::Rc;

/// The names of the issuers, by which requirements refer to them.
pub(super) type IssuerNames = Vec<String>;

/// The whole configuration.
pub(super) fn policy(root: &Cursor<'_>, environment: Environment<'_>) -> Option<Loaded> {
    let object = root.object(&fields::POLICY)?;
    let mut warnings = Vec::new();
    let limits = optional(&object, "limits", (DEFAULT_TOKEN_BYTES, Limits::default()), read_limits);
    let crypto = optional(&object, "crypto", CryptoPlace::default(), |cursor| {
        cursor.word(&[("auto", CryptoPlace::Auto), ("host", CryptoPlace::Host), ("wasm", CryptoPlace::Wasm)])
    });
    let ((token_bytes, limits), has_dpop) = (limits.unzip(), object.has("dpop"));
    let bounds = issuer::Bounds { limits: limits.unwrap_or_default(), crypto: crypto.unwrap_or_default(), has_dpop };
    let sets = optional(&object, "credentials", vec![], |c| credentials::read(c, environment, bounds, &mut warnings));
    let issuers = if object.has("credentials") && !object.has("issuers") {
        Some(Vec::new())
    } else {
        object
            .need("issuers", "list whose tokens are accepted, and where their keys are")
            .and_then(|list| issuer::list(&list, bounds, environment, &mut warnings))
    };
    // Requirements name issuers. If the issuers cannot be read, checking the names would only add noise.
    let names = issuer::names(&object);
    let sources = Sources { sets: sets.as_deref(), has_issuers: object.has("issuers") };
    let prefixes = introspection::prefixes(issuers.as_deref().unwrap_or_default());
    let resources =
        optional(&object, "resources", Vec::new(), |cursor| resources::read(cursor, &names, issuers.as_deref()));
    let reuse = optional(&object, "reuse", None, |cursor| reuse::read(cursor).map(|reuse| Some(Rc::new(reuse))));
    let counted = reuse.as_ref().and_then(Option::as_ref);
    let context = Context::new(&names, &prefixes, resources.as_deref(), sources, has_dpop, environment, counted);
    introspection::apart(&object, issuers.as_deref(), sets.as_deref(), context);
    if !object.has("default") && !sources.has_issuers {
        object.need("default", "say what holds where no rule matches, such as default: {credentials: NAME}");
    }
    let paths = optional(&object, "paths", PathPolicy::default(), read_paths);
    let default = optional(&object, "default", strict(counted), |cursor| requirement(cursor, context));
    let rules =
        optional(&object, "rules", Rules::default(), |cursor| read_rules(cursor, context, paths.unwrap_or_default()));
    let route_metadata = optional(&object, "route_metadata", RouteMetadata::default(), read_route_metadata);
    let query = optional(&object, "query_tokens", QueryPolicy::default(), read_query).map(|mut query| {
        credentials::refuse_in_query(&mut query, sets.as_deref().unwrap_or_default());
        query
    });
    let forward = optional(&object, "forward", Forward::default(), forward::read);
    places_apart(&object, issuers.as_deref(), sets.as_deref(), forward.as_ref());
    let seal = optional(&object, "seal", false, Cursor::flag);
    let has_service = object.get("replay").is_some_and(|cursor| cursor.member("service").is_some());
    let dpop = optional(&object, "dpop", (None, ReplayPlace::default()), |cursor| {
        let (dpop, proofs) = dpop::read(cursor, bounds.crypto, has_service, environment)?;
        Some((Some(dpop), proofs))
    });
    let (dpop, proofs) = dpop.unzip();
    let forwarded_certificate = optional(&object, "mtls", None, |c| mtls::read(c, forward.as_ref()).map(Some));
    let realm = optional(&object, "challenge", "api".to_owned(), |c| read_realm(c, object.has("resources")));
    let bypass_cors_preflight = optional(&object, "bypass_cors_preflight", false, Cursor::flag);
    let report_only = optional(&object, "report_only", false, Cursor::flag);
    let cache = optional(&object, "cache", CacheLimits::default(), read_cache);
    let revocation = optional(&object, "revocation", RevocationSettings::default(), |cursor| {
        revocation::read(cursor, issuers.as_deref(), sets.as_deref(), limits.unwrap_or_default(), &mut warnings)
    });
    let replay = optional(&object, "replay", ReplaySettings::default(), |cursor| {
        replay::read(cursor, proofs.unwrap_or_default(), environment)
    });
    let around = (issuers.as_deref(), bounds.limits, environment);
    let events = optional(&object, "events", None, |c| events::read(c, around, &mut warnings).map(Some));
    let shared_keys = optional(&object, "shared_keys", SharedKeys::default(), |cursor| {
        cursor.word(&[("auto", SharedKeys::Auto), ("always", SharedKeys::Always), ("never", SharedKeys::Never)])
    });
    let audit = optional(&object, "audit", AuditSettings::default(), |cursor| audit::read(cursor, environment));
    check_router(root, forward.as_ref());
    let mut policy = Policy {
        uses: Uses::default(),
        token_places: TokenPlaces::of(issuers.as_deref().unwrap_or_default()),
        issuers: issuers?,
        credentials: sets?,
        resources: resources?,
        rules: rules?,
        default: default?,
        route_metadata: route_metadata?,
        query: query?,
        forward: forward?,
        seal: seal?,
        dpop: dpop?,
        forwarded_certificate: forwarded_certificate?,
        bypass_cors_preflight: bypass_cors_preflight?,
        paths: paths?,
        reuse: reuse?,
        events: events?,
        report_only: report_only?,
        token_bytes: token_bytes?,
        signed_body_bytes: limits?.signed_body_bytes,
    };
    policy.uses = uses(&policy, &object);
    warnings.extend(mtls::proxies_that_are_identities(&policy));
    let settings = Settings {
        realm: realm?,
        crypto: crypto?,
        cache: cache?,
        revocation: revocation?,
        replay: replay?,
        shared_keys: shared_keys?,
        limits: limits?,
        audit: audit?,
    };
    Some(Loaded { policy, settings, warnings })
}

/// Notes what the router does not do.
fn check_router(root: &Cursor<'_>, forward: Option<&Forward>) {
    if forward.is_some_and(|forward| forward.by == ForwardBy::Router) {
        router::check_policy(root);
    }
}

/// What is asked where nothing is written: a valid token.
fn strict(reuse: Option<&Rc<Reuse>>) -> Requirement {
    let ask = TokenRequirement { reuse: reuse.cloned(), ..TokenRequirement::default() };
    Requirement { access: Access::Token(Rc::new(ask)), ..Requirement::default() }
}

/// What a policy uses. What route metadata asks is not known before requests come, so `replay` alone asks for the store, and
/// `limits.reuse_pairs` for the counts, `limits.event_entries` for what is revoked.
fn uses(policy: &Policy, root: &Object<'_>) -> Uses {
    let has_limit = |name| root.get("limits").is_some_and(|limits| limits.member(name).is_some());
    let asked = [
        (root.has("replay"), Uses::SINGLE_USE),
        (has_limit("reuse_pairs"), Uses::REUSE),
        (has_limit("event_entries"), Uses::EVENTS),
    ];
    asked.into_iter().filter(|(is_asked, _)| *is_asked).fold(Uses::of(policy), |all, (_, part)| all.with(part))
}

/// Notes places of credentials that are those of something else.
fn places_apart(
    root: &Object<'_>,
    issuers: Option<&[Issuer]>,
    sets: Option<&[CredentialSet]>,
    forward: Option<&Forward>,
) -> Option<()> {
    let (sets, forward) = (sets?, forward?);
    credentials::apart_from_identity_headers(root, sets, forward);
    token_header::apart(root, issuers?, sets, forward);
    Some(())
}

/// The value of the environment variable that is named here.
fn variable_of(cursor: &Cursor<'_>, environment: Environment<'_>) -> Option<String> {
    environment(cursor.text()?).or_else(|| {
        cursor.wrong(
            "names an environment variable that is not set",
            "name it in vm_config.environment_variables; the native module reads those of Envoy itself",
        )
    })
}

/// The requirement in route metadata, under a policy.
pub(super) fn metadata(cursor: &Cursor<'_>, policy: &Policy, environment: Environment<'_>) -> Option<Requirement> {
    let names = policy.issuers.iter().map(|issuer| issuer.name.clone()).collect();
    if policy.forward.by == ForwardBy::Router {
        router::check_requirement(cursor);
    }
    let sources = Sources { sets: Some(&policy.credentials), has_issuers: !policy.issuers.is_empty() };
    let prefixes = introspection::prefixes(&policy.issuers);
    let (resources, reuse) = (Some(policy.resources.as_slice()), policy.reuse.as_ref());
    let context = Context::new(&names, &prefixes, resources, sources, policy.dpop.is_some(), environment, reuse);
    let requirement = requirement(cursor, context)?;
    if requirement.asks_single_use() && !policy.uses.has(Uses::SINGLE_USE) {
        return cursor.wrong(
            "asks single_use, and there is no store: it has to be there before the first request comes",
            "write replay: {} at the top of the configuration",
        );
    }
    if requirement.counts_clients() && !policy.uses.has(Uses::REUSE) {
        return cursor.wrong(
            "has reuse, and there is no room to count: it has to be there before the first request comes",
            "write limits: {reuse_pairs: 100000} at the top of the configuration",
        );
    }
    if requirement.revokes_reused() && !policy.uses.has(Uses::EVENTS) {
        return cursor.wrong(
            "has a reuse that revokes, and there is no store: it has to be there before the first request comes",
            "write limits: {event_entries: 100000} at the top of the configuration",
        );
    }
    Some(requirement)
}

/// A requirement outside of a rule: the default, or route metadata.
fn requirement(cursor: &Cursor<'_>, context: Context<'_>) -> Option<Requirement> {
    requirement::read(&cursor.object(&fields::REQUIREMENT)?, context)
}

/// The member `name` read by `read`, or `default` if it is missing.
fn optional<'n, T>(
    object: &Object<'n>,
    name: &str,
    default: T,
    read: impl FnOnce(&Cursor<'n>) -> Option<T>,
) -> Option<T> {
    if !object.has(name) {
        return Some(default);
    }
    object.get(name).and_then(|cursor| read(&cursor))
}

/// A non-empty list of texts.
fn texts(cursor: &Cursor<'_>, what: &str) -> Option<Vec<String>> {
    cursor.list_of(what, |item| item.text().map(str::to_owned))
}

fn read_rules(cursor: &Cursor<'_>, context: Context<'_>, paths: PathPolicy) -> Option<Rules> {
    let rules: Vec<Option<Rule>> = cursor
        .list()?
        .iter()
        .map(|item| {
            let object = item.object(&fields::RULE)?;
            let matching = object
                .need("match", "say when the rule applies; what holds for everything else is `default`")
                .and_then(|cursor| matching::read(&cursor, paths));
            let variables = match &matching {
                Some(Match { path: Some(PathMatch::Template(template)), .. }) => Variables::Of(template),
                Some(_) => Variables::None,
                None => Variables::Unknown,
            };
            let requirement = requirement::read(&object, Context { variables, ..context });
            Some(Rule { matching: matching?, requirement: requirement? })
        })
        .collect();
    rules.into_iter().collect::<Option<Vec<_>>>().map(Rules::new)
}

fn read_route_metadata(cursor: &Cursor<'_>) -> Option<RouteMetadata> {
    cursor.word(&[
        ("replace", RouteMetadata::Replace),
        ("restrict", RouteMetadata::Restrict),
        ("ignore", RouteMetadata::Ignore),
    ])
}

fn read_query(cursor: &Cursor<'_>) -> Option<QueryPolicy> {
    let object = cursor.object(&fields::QUERY_TOKENS)?;
    let names = optional(&object, "names", Vec::new(), |cursor| {
        let names: Option<Vec<String>> =
            cursor.list()?.iter().map(|item| item.text().map(str::to_ascii_lowercase)).collect();
        names
    });
    let jwt_allowed_in = optional(&object, "jwt_allowed_in", Vec::new(), jwt_parameters);
    Some(QueryPolicy { names: names?, jwt_allowed_in: jwt_allowed_in? })
}

/// Names of parameters that may hold a JWT; those that carry tokens cannot be among them.
fn jwt_parameters(cursor: &Cursor<'_>) -> Option<Vec<String>> {
    let names: Vec<Option<String>> = cursor
        .list()?
        .iter()
        .map(|item| {
            let name = item.text()?;
            if TOKEN_PARAMETERS.contains(&name.to_ascii_lowercase().as_str()) {
                return item.wrong("always carries a token, and is refused on every route", "leave it out");
            }
            Some(name.to_owned())
        })
        .collect();
    names.into_iter().collect()
}

/// The realm of challenges. Clients that find `resource_metadata` by its name would find other names in it, too.
fn read_realm(cursor: &Cursor<'_>, has_resources: bool) -> Option<String> {
    let object = cursor.object(&fields::CHALLENGE)?;
    optional(&object, "realm", "api".to_owned(), |cursor| {
        let text = cursor.text()?;
        let plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\');
        if has_resources && text.contains('=') {
            return cursor.wrong(
                "has a = in it, and clients of `resources` look for parameters such as scope= in the whole challenge",
                "leave it out",
            );
        }
        if plain && text.len() <= 128 {
            Some(text.to_owned())
        } else {
            cursor.wrong("cannot stand in a header", "write up to 128 printable ASCII characters without \" and \\")
        }
    })
}

/// What a path may contain only if it is listed.
#[derive(Clone, Copy)]
enum Admitted {
    EncodedSlash,
    Semicolon,
}

fn read_paths(cursor: &Cursor<'_>) -> Option<PathPolicy> {
    let object = cursor.object(&fields::PATHS)?;
    let mut policy = PathPolicy::default();
    if let Some(list) = object.get("allow") {
        for item in list.list()? {
            match item.word(&[("encoded_slash", Admitted::EncodedSlash), ("semicolon", Admitted::Semicolon)])? {
                Admitted::EncodedSlash => policy.encoded_slash = true,
                Admitted::Semicolon => policy.semicolon = true,
            }
        }
    }
    Some(policy)
}

/// The longest token, in bytes, and the limits of the shell.
fn read_limits(cursor: &Cursor<'_>) -> Option<(usize, Limits)> {
    let object = cursor.object(&fields::LIMITS)?;
    let defaults = Limits::default();
    let token_bytes = optional(&object, "token_bytes", DEFAULT_TOKEN_BYTES, |c| c.whole(256..=65_536));
    let jwks_bytes = optional(&object, "jwks_bytes", defaults.jwks_bytes, |c| c.whole(1024..=16_777_216));
    let jwks_keys = optional(&object, "jwks_keys", defaults.jwks_keys, |c| c.whole(1..=1000));
    let waiting_requests = optional(&object, "waiting_requests", defaults.waiting_requests, |c| c.whole(0..=100_000));
    let denial_logs_per_second =
        optional(&object, "denial_logs_per_second", defaults.denial_logs_per_second, |c| c.whole(0..=1000));
    let wasm_crypto_percent =
        optional(&object, "wasm_crypto_percent", defaults.wasm_crypto_percent, |c| c.whole(1..=100));
    let reuse_pairs = optional(&object, "reuse_pairs", defaults.reuse_pairs, |c| c.whole(1000..=1_000_000));
    let signed_body_bytes =
        optional(&object, "signed_body_bytes", defaults.signed_body_bytes, |c| c.whole(1024..=67_108_864));
    let body_timeout_ms =
        optional(&object, "body_timeout", defaults.body_timeout_ms, |c| c.milliseconds(100..=300_000));
    let open_streams = optional(&object, "open_streams", defaults.open_streams, |c| c.whole(0..=100_000));
    let event_entries = optional(&object, "event_entries", defaults.event_entries, |c| c.whole(1000..=1_000_000));
    let events_per_second = optional(&object, "events_per_second", defaults.events_per_second, |c| c.whole(1..=10_000));
    let open_streams_when_full =
        optional(&object, "open_streams_when_full", defaults.open_streams_when_full, |cursor| {
            cursor.word(&[WhenFull::Refuse, WhenFull::Unwatched].map(|when| (when.name(), when)))
        });
    let limits = Limits {
        event_entries: event_entries?,
        events_per_second: events_per_second?,
        open_streams: open_streams?,
        open_streams_when_full: open_streams_when_full?,
        signed_body_bytes: signed_body_bytes?,
        body_timeout_ms: body_timeout_ms?,
        reuse_pairs: reuse_pairs?,
        jwks_bytes: jwks_bytes?,
        jwks_keys: jwks_keys?,
        waiting_requests: waiting_requests?,
        denial_logs_per_second: denial_logs_per_second?,
        wasm_crypto_percent: wasm_crypto_percent?,
    };
    Some((token_bytes?, limits))
}

fn read_cache(cursor: &Cursor<'_>) -> Option<CacheLimits> {
    let object = cursor.object(&fields::CACHE)?;
    let defaults = CacheLimits::default();
    let entries = optional(&object, "entries", defaults.entries, |c| c.whole(0..=1_000_000));
    let bytes = optional(&object, "bytes", defaults.bytes, |c| c.whole(65_536..=268_435_456));
    Some(CacheLimits { entries: entries?, bytes: bytes? })
}
