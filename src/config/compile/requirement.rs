//! Requirements.

use super::credentials::{self, Sources};
use super::csrf;
use super::issuer::{MAX_AGE, SENDER_CONSTRAINTS, checkable, claim_path_through_lists, token_types};
use super::matching::host_name;
use super::mcp::{self, Around};
use super::{IssuerNames, introspection, jwt_parameters, optional, resources, reuse, texts};
use crate::base::json::Value;
use crate::config::cursor::{Cursor, Object};
use crate::config::tree::Tree;
use crate::config::{Environment, fields};
use crate::policy::{
    Access, ClaimCondition, CloseStreams, Condition, CredentialRule, Csrf, HostPattern, IssuerId, RequestPart,
    Requirement, Resource, Reuse, Scope, ScopeRule, SenderConstraint, Source, Template, TokenRequirement,
};
use std::rc::Rc;

/// The fields that a requirement may have beside `public` and `deny`. All others concern a token.
const NOT_OF_TOKENS: [&str; 3] = ["public", "deny", "jwt_allowed_in"];

/// What a requirement refers to.
#[derive(Clone, Copy)]
pub(super) struct Context<'c> {
    pub(super) issuers: &'c IssuerNames,
    /// What the opaque tokens of issuers begin with.
    pub(super) prefixes: &'c [(IssuerId, String)],
    /// The resources, if they can be read.
    pub(super) resources: Option<&'c [Resource]>,
    /// The credentials that there are.
    pub(super) sources: Sources<'c>,
    pub(super) variables: Variables<'c>,
    /// What the requirement around this one asks of senders: that of a method does not ask less.
    pub(super) sender_constraint: SenderConstraint,
    /// Whether proofs of possession can be checked.
    pub(super) has_dpop: bool,
    /// Which pages may send what the requirement around this one judges: that of a method does not admit more.
    pub(super) csrf: Option<&'c Csrf>,
    /// Where secrets are.
    pub(super) environment: Environment<'c>,
    /// How clients are counted around this one.
    pub(super) reuse: Option<&'c Rc<Reuse>>,
    /// When streams are closed around this one.
    pub(super) close_streams: CloseStreams,
}

impl<'c> Context<'c> {
    /// That of a requirement which stands in no other, and in no rule.
    pub(super) const fn new(
        issuers: &'c IssuerNames,
        prefixes: &'c [(IssuerId, String)],
        resources: Option<&'c [Resource]>,
        sources: Sources<'c>,
        has_dpop: bool,
        environment: Environment<'c>,
        reuse: Option<&'c Rc<Reuse>>,
    ) -> Self {
        Self {
            issuers,
            prefixes,
            resources,
            sources,
            variables: Variables::None,
            sender_constraint: SenderConstraint::NOTHING,
            has_dpop,
            csrf: None,
            environment,
            reuse,
            close_streams: CloseStreams::Never,
        }
    }
}

/// The variables that a condition can name.
#[derive(Clone, Copy)]
pub(super) enum Variables<'c> {
    /// The variables of the template in the `match` of this rule.
    Of(&'c Template),
    /// There is no template.
    None,
    /// The `match` cannot be read, and the problem is noted there.
    Unknown,
}

/// A requirement in an object. A rule has further members.
pub(super) fn read(object: &Object<'_>, context: Context<'_>) -> Option<Requirement> {
    let public = optional(object, "public", false, Cursor::flag);
    let deny = optional(object, "deny", false, Cursor::flag);
    let jwt_allowed_in = optional(object, "jwt_allowed_in", Vec::new(), jwt_parameters);
    // An unreadable flag has been noted; the other fields are read even so.
    let access = match (public.unwrap_or_default(), deny.unwrap_or_default()) {
        (true, true) => return object.cursor().wrong("has both `public` and `deny`", "keep one"),
        (true, false) => alone(object, "public").map(|()| Access::Public),
        (false, true) => alone(object, "deny").map(|()| Access::Deny),
        (false, false) => return token(object, context, jwt_allowed_in),
    };
    public.and(deny)?;
    Some(Requirement { access: access?, jwt_allowed_in: jwt_allowed_in?, methods: Vec::new() })
}

fn alone(object: &Object<'_>, word: &str) -> Option<()> {
    let of_tokens = fields::REQUIREMENT.fields.iter().copied().filter(|name| !NOT_OF_TOKENS.contains(name));
    let beside: Vec<&str> = of_tokens.filter(|name| object.has(name)).collect();
    if beside.is_empty() {
        return Some(());
    }
    object.cursor().wrong(
        format!("has {} beside `{word}`", beside.join(", ")),
        format!("`{word}: true` stands alone; keep it or the others"),
    )
}

fn token(object: &Object<'_>, context: Context<'_>, jwt_allowed_in: Option<Vec<String>>) -> Option<Requirement> {
    let credentials = credentials::read_rule(object, context.sources);
    let scopes = optional(object, "scopes", ScopeRule::default(), scope_rule);
    let claims = optional(object, "claims", Vec::new(), |c| conditions(c, context));
    let issuers = optional(object, "issuers", None, |c| issuer_ids(c, context).map(Some));
    let audiences = optional(object, "audiences", None, |c| texts(c, "audience").map(Some));
    let resource = optional(object, "resource", None, |c| resources::named(c, context.resources).map(Some));
    let of_resource = resource.flatten().and_then(|id| context.resources?.get(id.0));
    let own_origin = of_resource.map(|resource| resource.identifier.origin());
    let servers = of_resource.map(|resource| &resource.authorization_servers);
    let issuers = issuers.and_then(|mut own| resources::narrow(object, "issuers", &mut own, servers).map(|()| own));
    let of_resource = of_resource.map(|resource| &resource.audiences);
    let audiences =
        audiences.and_then(|mut own| resources::narrow(object, "audiences", &mut own, of_resource).map(|()| own));
    if let (Some(issuers), Some(rule)) = (&issuers, &credentials)
        && rule.sources().contains(&Source::Tokens)
    {
        introspection::told_apart(object.cursor(), issuers.as_deref(), context);
    }
    let token_types = optional(object, "token_types", None, |c| token_types(c).map(Some));
    let max_lifetime = optional(object, "max_lifetime", None, |c| c.seconds(1..=MAX_AGE).map(Some));
    let max_token_age = optional(object, "max_token_age", None, |c| c.seconds(1..=MAX_AGE).map(Some));
    let single_use = optional(object, "single_use", false, Cursor::flag);
    let acr_values = optional(object, "acr_values", None, |c| acr_values(c).map(Some));
    let max_auth_age = optional(object, "max_auth_age", None, |c| c.seconds(1..=MAX_AGE).map(Some));
    let allow_missing = optional(object, "allow_missing", false, Cursor::flag);
    let report_only = optional(object, "report_only", false, Cursor::flag);
    let sender_constraint =
        optional(object, "sender_constraint", SenderConstraint::NOTHING, |c| sender_constraint(c, context.has_dpop));
    if context.sender_constraint != SenderConstraint::NOTHING
        && credentials.as_ref().is_some_and(|rule| !context.sources.always_has_token(rule))
    {
        object.cursor().wrong::<()>(
            "accepts a credential without a token, and the requirement around it has a `sender_constraint`",
            "name bearer in each alternative of `credentials`, or write the constraint for the other methods",
        );
    }
    let sender_constraint = sender_constraint.map(|constraint| constraint.and(context.sender_constraint));
    if sender_constraint.is_some_and(|asked| asked.includes(SenderConstraint::DPOP))
        && credentials.as_ref().is_some_and(|rule| context.sources.admits_cookie(rule))
    {
        object.get("sender_constraint").unwrap_or_else(|| object.cursor().clone()).wrong::<()>(
            "asks for a proof of a key, which no token in a cookie is good with, and `credentials` accepts a cookie",
            "leave the cookie out of `credentials`, or ask for `mtls`",
        );
    }
    let csrf = optional(object, "csrf", None, |c| csrf::read(c).map(Some)).map(|own| match (own, context.csrf) {
        (Some(own), Some(around)) => Some(own.and(around)),
        (own, around) => own.or_else(|| around.cloned()),
    });
    let reuse = optional(object, "reuse", context.reuse.cloned(), |c| reuse::read(c).map(|own| Some(Rc::new(own))));
    if let (Some(Some(reuse)), Some(rule)) = (&reuse, &credentials) {
        reuse::refuse_endless(object, reuse, rule, context.sources);
    }
    let close_streams = optional(object, "close_streams", context.close_streams, |cursor| {
        cursor.word(&CloseStreams::ALL.map(|when| (when.name(), when)))
    });
    let of_methods = Context {
        close_streams: close_streams.unwrap_or_default(),
        reuse: reuse.as_ref().and_then(Option::as_ref),
        sender_constraint: sender_constraint.unwrap_or_default(),
        csrf: csrf.as_ref().and_then(Option::as_ref),
        ..context
    };
    let methods = optional(object, "methods", Vec::new(), |c| methods(c, of_methods));
    let credentials = credentials.map(|rule| Some(rule).filter(|rule| *rule != CredentialRule::default()));
    let around = Around { context, credentials: credentials.as_ref().and_then(Option::as_ref), own_origin };
    let mcp = optional(object, "mcp", None, |c| mcp::read(c, around).map(|mcp| Some(Rc::new(mcp))));
    let ask = TokenRequirement {
        credentials: credentials?,
        scopes: scopes?,
        claims: claims?,
        issuers: issuers?,
        audiences: audiences?,
        resource: resource?,
        token_types: token_types?,
        max_lifetime: max_lifetime?,
        max_token_age: max_token_age?,
        single_use: single_use?,
        sender_constraint: sender_constraint?,
        acr_values: acr_values?,
        max_auth_age: max_auth_age?,
        csrf: csrf?,
        mcp: mcp?,
        reuse: reuse?,
        close_streams: close_streams?,
        allow_missing: allow_missing?,
        report_only: report_only?,
    };
    Some(Requirement { access: Access::Token(Rc::new(ask)), jwt_allowed_in: jwt_allowed_in?, methods: methods? })
}

/// What is asked of those who name an item of an MCP server.
pub(super) fn of_item(object: &Object<'_>, context: Context<'_>) -> Option<TokenRequirement> {
    let scopes = optional(object, "scopes", ScopeRule::default(), scope_rule);
    let claims = optional(object, "claims", Vec::new(), |c| conditions(c, context));
    let issuers = optional(object, "issuers", None, |c| issuer_ids(c, context).map(Some));
    let max_token_age = optional(object, "max_token_age", None, |c| c.seconds(1..=MAX_AGE).map(Some));
    let acr_values = optional(object, "acr_values", None, |c| acr_values(c).map(Some));
    let max_auth_age = optional(object, "max_auth_age", None, |c| c.seconds(1..=MAX_AGE).map(Some));
    Some(TokenRequirement {
        scopes: scopes?,
        claims: claims?,
        issuers: issuers?,
        max_token_age: max_token_age?,
        acr_values: acr_values?,
        max_auth_age: max_auth_age?,
        ..TokenRequirement::default()
    })
}

fn conditions(cursor: &Cursor<'_>, context: Context<'_>) -> Option<Vec<ClaimCondition>> {
    cursor.list_of("condition", |item| condition(item, context))
}

fn issuer_ids(cursor: &Cursor<'_>, context: Context<'_>) -> Option<Vec<IssuerId>> {
    cursor.list_of("issuer", |item| issuer_id(item, context.issuers))
}

fn acr_values(cursor: &Cursor<'_>) -> Option<Vec<String>> {
    cursor.list_of("value of acr", acr_value)
}

/// A list, of which all are needed, or `{any_of: […]}` or `{all_of: […]}`, nested to any depth.
fn scope_rule(cursor: &Cursor<'_>) -> Option<ScopeRule> {
    match cursor.value() {
        Tree::List(_) => scope_list(cursor).map(ScopeRule::All),
        Tree::Object(_) => scope_object(cursor),
        other => cursor.wrong(
            format!("is {}", other.kind()),
            "write a list of scopes, of which all are needed, or any_of or all_of with a list",
        ),
    }
}

fn scope_object(cursor: &Cursor<'_>) -> Option<ScopeRule> {
    let object = cursor.object(&fields::SCOPES)?;
    match (object.get("any_of"), object.get("all_of")) {
        (Some(list), None) => {
            let rules = scope_list(&list)?;
            if rules.is_empty() {
                return list.wrong("is an empty list, which nothing can meet", "name the alternatives");
            }
            Some(ScopeRule::Any(rules))
        }
        (None, Some(list)) => {
            let rules = scope_list(&list)?;
            if rules.is_empty() {
                return list.wrong("is an empty list", "name the scopes, or write `scopes: []` for any valid token");
            }
            Some(ScopeRule::All(rules))
        }
        _ => cursor.wrong("does not have exactly one of any_of and all_of", "write one of them"),
    }
}

fn scope_list(cursor: &Cursor<'_>) -> Option<Vec<ScopeRule>> {
    let rules: Vec<Option<ScopeRule>> = cursor
        .list()?
        .iter()
        .map(|item| match item.value() {
            Tree::Object(_) => scope_object(item),
            _ => scope(item).map(ScopeRule::One),
        })
        .collect();
    rules.into_iter().collect()
}

pub(super) fn scope(cursor: &Cursor<'_>) -> Option<Scope> {
    let text = cursor.text()?;
    match Scope::new(text) {
        Some(scope) => Some(scope),
        None => cursor.wrong(
            "is not a scope",
            "a scope is visible ASCII without spaces, \" and \\; several scopes are several items",
        ),
    }
}

fn sender_constraint(cursor: &Cursor<'_>, has_dpop: bool) -> Option<SenderConstraint> {
    if matches!(cursor.value(), Tree::Text(text) if text == "ignore") {
        return cursor
            .wrong("can be ignored for an issuer only", "write it in the entry of the issuer, or leave it out");
    }
    cursor.word(&SENDER_CONSTRAINTS).and_then(|constraint| checkable(cursor, constraint, has_dpop))
}

/// A value of `acr`: a challenge lists several with spaces between them (RFC 9470 section 3).
fn acr_value(cursor: &Cursor<'_>) -> Option<String> {
    let text = cursor.text()?;
    if Scope::new(text).is_some() {
        return Some(text.to_owned());
    }
    cursor.wrong(
        "is not a value of acr",
        "it is visible ASCII without spaces, \" and \\; several values are several items",
    )
}

pub(super) fn issuer_id(cursor: &Cursor<'_>, names: &IssuerNames) -> Option<IssuerId> {
    let wanted = cursor.text()?;
    match names.iter().position(|name| name == wanted) {
        Some(index) => Some(IssuerId(index)),
        None => cursor.wrong("is not the name of an issuer", format!("the issuers are {}", names.join(", "))),
    }
}

fn condition(cursor: &Cursor<'_>, context: Context<'_>) -> Option<ClaimCondition> {
    let object = cursor.object(&fields::CLAIM)?;
    let claim = object.need("claim", "name the claim").and_then(|cursor| claim_path_through_lists(&cursor));
    let equals = object.get("equals").map(|cursor| scalar(&cursor).map(Condition::Equals));
    let contains = object.get("contains").map(|cursor| match cursor.value() {
        Tree::List(_) => cursor.wrong(
            "is a list",
            "write one value; for one of several write `contains_any`, or name the claim in scope_claims and ask with \
             scopes: {any_of: [...]}; for all of them write several conditions",
        ),
        _ => scalar(&cursor).map(Condition::Contains),
    });
    let contains_any =
        object.get("contains_any").map(|cursor| cursor.list_of("value", scalar).map(Condition::ContainsAny));
    let one_of = object.get("one_of").map(|cursor| cursor.list_of("value", scalar).map(Condition::OneOf));
    let has_member =
        object.get("has_member").map(|cursor| cursor.text().map(|name| Condition::HasMember(vec![name.to_owned()])));
    let has_any_member = object.get("has_any_member").map(|cursor| texts(&cursor, "name").map(Condition::HasMember));
    let part = |part: Option<RequestPart>| part.map(Condition::EqualsPartOf);
    let equals_path = object.get("equals_path").map(|cursor| part(path_variable(&cursor, context.variables)));
    let equals_host = object.get("equals_host").map(|cursor| part(host_pattern(&cursor)));
    let all = [equals, contains, contains_any, one_of, has_member, has_any_member, equals_path, equals_host];
    let mut conditions = all.into_iter().flatten();
    let (Some(condition), None) = (conditions.next(), conditions.next()) else {
        return cursor.wrong(
            "does not have exactly one of equals, contains, contains_any, one_of, has_member, has_any_member, equals_path \
             and equals_host",
            "write one of them",
        );
    };
    Some(ClaimCondition { claim: claim?, condition: condition? })
}

fn path_variable(cursor: &Cursor<'_>, variables: Variables<'_>) -> Option<RequestPart> {
    let name = cursor.text()?;
    let template = match variables {
        Variables::Of(template) => template,
        Variables::None => {
            return cursor.wrong(
                "names a variable where there is no template",
                "write the condition in a rule with a template, such as match: {template: \"/tenants/{tenant}/**\"}",
            );
        }
        Variables::Unknown => return None,
    };
    match template.variable(name) {
        Some(variable) => Some(RequestPart::Path(variable)),
        None => {
            let names: Vec<&str> = template.names().collect();
            let hint = match names.as_slice() {
                [] => "the template has none: write {tenant} in it for one segment".to_owned(),
                names => format!("its variables are: {}", names.join(", ")),
            };
            cursor.wrong("is not a variable of the template of this rule", hint)
        }
    }
}

/// `*`, or `*.` and a domain.
fn host_pattern(cursor: &Cursor<'_>) -> Option<RequestPart> {
    let text = cursor.text()?;
    let pattern = if text == "*" {
        Some(HostPattern::Whole)
    } else {
        let rest = text.strip_prefix("*.").and_then(host_name);
        rest.map(|domain| HostPattern::LabelBefore(format!(".{domain}")))
    };
    match pattern {
        Some(pattern) => Some(RequestPart::Host(pattern)),
        None => cursor.wrong(
            "is not a pattern of a host",
            "write *. and a domain for the label before it, or * for the whole host",
        ),
    }
}

fn scalar(cursor: &Cursor<'_>) -> Option<Value> {
    match cursor.value() {
        Tree::Text(_) | Tree::Bool(_) | Tree::Whole(_) => Some(cursor.value().to_json()),
        other => cursor.wrong(format!("is {}", other.kind()), "write text, a whole number, true or false"),
    }
}

fn methods(cursor: &Cursor<'_>, context: Context<'_>) -> Option<Vec<(String, Requirement)>> {
    let object = cursor.any_object()?;
    let entries: Vec<Option<(String, Requirement)>> = object
        .members()
        .map(|(name, cursor)| {
            let method = method_name(&cursor, name);
            let inner = cursor.object(&fields::REQUIREMENT)?;
            if let Some(nested) = inner.get("methods") {
                return nested.wrong("stands inside a requirement of a method", "leave it out");
            }
            let requirement = read(&inner, context);
            Some((method?, requirement?))
        })
        .collect();
    entries.into_iter().collect()
}

/// A method as requests spell it. Methods are case-sensitive, and those in use are upper case.
pub(super) fn method_name(cursor: &Cursor<'_>, name: &str) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_')) {
        return cursor.wrong(format!("{name:?} is not a method"), "write a method such as GET");
    }
    if name == upper {
        Some(upper)
    } else {
        cursor.wrong(format!("{name:?} is not in upper case"), format!("methods are case-sensitive: write {upper}"))
    }
}
