//! `from.source` and `when` of an `AuthorizationPolicy`: what a request has to bring.

use super::jwt_rule::JwtRules;
use crate::cli::migrate::kubernetes::ask::{Ask, Claim, Terms};
use crate::cli::migrate::kubernetes::resource::{texts, unknown};
use crate::cli::source::View;
use std::collections::BTreeSet;

/// Claims that issuers write as lists.
const LISTS: [&str; 10] = [
    "groups",
    "roles",
    "role",
    "permissions",
    "entitlements",
    "amr",
    "cognito:groups",
    "authorities",
    "realm_roles",
    "wids",
];

/// A condition of a rule.
#[derive(Clone, Debug)]
pub(super) enum Condition<'s> {
    /// A request meets this; `is_whole` if it is all that the values said.
    Meets { ask: Ask, is_whole: bool },
    /// A request does not meet this.
    MeetsNot { ask: Ask, is_whole: bool },
    /// A requirement cannot say it.
    Unsaid(View<'s>),
}

/// Values that could not be read, and those that mean less now.
#[derive(Debug, Default)]
pub(super) struct Told<'s> {
    /// What is left out of a list of alternatives.
    pub left_out: Vec<View<'s>>,
    /// What is narrower than it was, and the field that restores the old meaning.
    pub narrower: Vec<(View<'s>, String, Option<String>)>,
}

/// The conditions of a source: all have to hold.
pub(super) fn of_source<'s>(from: &View<'s>, rules: &JwtRules, told: &mut Told<'s>) -> Vec<Condition<'s>> {
    let source = from.get("source").filter(|source| !source.members().is_empty());
    let Some(source) = source.filter(|_| from.members().len() == 1) else {
        return vec![Condition::Unsaid(from.clone())];
    };
    let mut conditions: Vec<Condition<'s>> = Vec::new();
    for view in unknown(&source, &["requestPrincipals", "notRequestPrincipals"]) {
        // An empty list says nothing.
        if texts(&view).is_none_or(|values| !values.is_empty()) {
            conditions.push(Condition::Unsaid(view));
        }
    }
    for (name, is_not) in [("requestPrincipals", false), ("notRequestPrincipals", true)] {
        let Some(list) = source.get(name) else { continue };
        conditions.extend(listed(&list, is_not, |value| principal(value, rules), told));
    }
    conditions
}

/// The conditions of an entry of `when`.
pub(super) fn of_when<'s>(when: &View<'s>, rules: &JwtRules, told: &mut Told<'s>) -> Vec<Condition<'s>> {
    let key = when.get("key").and_then(|view| view.text());
    let is_known = unknown(when, &["key", "values", "notValues"]).is_empty();
    let Some(kind) = key.filter(|_| is_known).and_then(Kind::of) else {
        return vec![Condition::Unsaid(when.clone())];
    };
    let mut conditions = Vec::new();
    for (name, is_not) in [("values", false), ("notValues", true)] {
        let Some(list) = when.get(name) else { continue };
        conditions.extend(listed(&list, is_not, |value| kind.ask(value, rules), told));
    }
    if let Kind::Claim(path) = &kind
        && !conditions.is_empty()
    {
        let (is_list, name) = (is_list(path), path.join("."));
        let (kind, other) =
            if is_list { ("a list", "one_of, for a text") } else { ("a text", "contains_any, for a list") };
        let what = format!("the claim `{name}` was compared as a text and as a list; it has to be {kind} now");
        told.narrower.push((when.clone(), what, Some(other.to_owned())));
    }
    // A condition without values is not one that Istio accepts.
    if conditions.is_empty() { vec![Condition::Unsaid(when.clone())] } else { conditions }
}

/// The condition of a list of values, of which one has to hold, or none. Of a value that is only met in part, the part
/// counts.
fn listed<'s>(
    list: &View<'s>,
    is_not: bool,
    read: impl Fn(&str) -> Value,
    told: &mut Told<'s>,
) -> Option<Condition<'s>> {
    let Some(values) = texts(list) else { return Some(Condition::Unsaid(list.clone())) };
    if values.is_empty() {
        return None;
    }
    let (mut ask, mut is_whole) = (Ask::never(), true);
    for value in values {
        let value = read(value);
        is_whole &= matches!(value, Value::Is(_));
        match value {
            Value::Is(one) => ask = ask.or(one),
            Value::Part(one, what) => {
                told.narrower.push((list.clone(), what, None));
                ask = ask.or(one);
            }
            Value::Unsaid => told.left_out.push(list.clone()),
        }
    }
    Some(if is_not { Condition::MeetsNot { ask, is_whole } } else { Condition::Meets { ask, is_whole } })
}

/// What a value asks for.
enum Value {
    /// This.
    Is(Ask),
    /// This and more, which cannot be said.
    Part(Ask, String),
    /// Something that a requirement cannot say.
    Unsaid,
}

/// A value as Istio compares it.
enum Pattern<'v> {
    /// `*`.
    Present,
    /// Begins with.
    Prefix(&'v str),
    /// Ends with.
    Suffix(&'v str),
    /// Equals.
    Exact(&'v str),
}

impl<'v> Pattern<'v> {
    fn of(value: &'v str) -> Self {
        if value == "*" {
            Self::Present
        } else if let Some(suffix) = value.strip_prefix('*') {
            Self::Suffix(suffix)
        } else if let Some(prefix) = value.strip_suffix('*') {
            Self::Prefix(prefix)
        } else {
            Self::Exact(value)
        }
    }
}

/// What a condition is on.
enum Kind {
    Principal,
    Issuer,
    Audience,
    Scope,
    Subject,
    Claim(Vec<String>),
}

impl Kind {
    fn of(key: &str) -> Option<Self> {
        match key {
            "request.auth.principal" => return Some(Self::Principal),
            "request.auth.audiences" => return Some(Self::Audience),
            "request.auth.presenter" => return Some(Self::Claim(vec!["azp".to_owned()])),
            _ => {}
        }
        let inner = key.strip_prefix("request.auth.claims[")?.strip_suffix(']')?;
        let path: Vec<String> = inner.split("][").map(str::to_owned).collect();
        if path.iter().any(|name| name.is_empty() || name.contains(['[', ']'])) {
            return None;
        }
        Some(match path.as_slice() {
            [name] if name == "iss" => Self::Issuer,
            [name] if name == "aud" => Self::Audience,
            [name] if name == "scope" => Self::Scope,
            [name] if name == "sub" => Self::Subject,
            _ => Self::Claim(path),
        })
    }

    fn ask(&self, value: &str, rules: &JwtRules) -> Value {
        if matches!(self, Self::Principal) {
            return principal(value, rules);
        }
        let Pattern::Exact(value) = Pattern::of(value) else {
            // Every token has an issuer and a subject.
            let is_there = value == "*" && matches!(self, Self::Issuer | Self::Subject);
            return if is_there { Value::Is(Ask::any_credential()) } else { Value::Unsaid };
        };
        let terms = Terms::any_credential();
        let one = || BTreeSet::from([value.to_owned()]);
        let claim = |path: &[String], is_list: bool| {
            // Istio makes a list of its words, none of which is this value.
            if !is_list && !is_word(value) && rules.splits(path) {
                return Value::Unsaid;
            }
            let claim = Claim { path: path.to_vec(), is_list, values: one() };
            Value::Is(Terms { claims: BTreeSet::from([claim]), ..Terms::any_credential() }.into())
        };
        match self {
            Self::Principal => principal(value, rules),
            Self::Issuer => match rules.usable().iter().find(|issuer| issuer.iss == value) {
                Some(issuer) => {
                    Value::Is(Terms { issuers: Some(BTreeSet::from([issuer.name.clone()])), ..terms }.into())
                }
                None => Value::Is(Ask::never()),
            },
            // Where an issuer has no audiences, its entry compares another claim for them.
            Self::Audience if rules.issuers.iter().any(|issuer| issuer.audiences.is_empty()) => {
                match claim(&["aud".to_owned()], false) {
                    Value::Is(ask) => Value::Part(
                        ask,
                        "an audience in a list does not count: write `audiences` for the issuers".to_owned(),
                    ),
                    other => other,
                }
            }
            Self::Audience => Value::Is(Terms { audiences: Some(one()), ..terms }.into()),
            Self::Scope if crate::policy::Scope::new(value).is_none() => Value::Unsaid,
            Self::Scope => Value::Is(Terms { scopes: BTreeSet::from([one()]), ..terms }.into()),
            Self::Subject => claim(&["sub".to_owned()], false),
            Self::Claim(path) => claim(path, is_list(path)),
        }
    }
}

/// Whether a value is one that is left when text is split at its spaces.
fn is_word(value: &str) -> bool {
    !value.is_empty() && !value.contains(' ')
}

/// Whether a claim is one that issuers write as a list.
fn is_list(path: &[String]) -> bool {
    path.last().is_some_and(|name| LISTS.contains(&name.as_str()))
}

/// A request principal: `iss/sub`.
fn principal(value: &str, rules: &JwtRules) -> Value {
    let usable = rules.usable();
    let of = |issuer: &str| Terms { issuers: Some(BTreeSet::from([issuer.to_owned()])), ..Terms::any_credential() };
    let with_subject = |terms: Terms, subject: &str| {
        let values = BTreeSet::from([subject.to_owned()]);
        let claim = Claim { path: vec!["sub".to_owned()], is_list: false, values };
        Ask::from(Terms { claims: BTreeSet::from([claim]), ..terms })
    };
    let mut ask = Ask::never();
    match Pattern::of(value) {
        Pattern::Present => ask = Ask::any_credential(),
        Pattern::Exact(value) => {
            for issuer in usable {
                let subject = value.strip_prefix(&issuer.iss).and_then(|rest| rest.strip_prefix('/'));
                if let Some(subject) = subject.filter(|subject| !subject.is_empty()) {
                    ask = ask.or(with_subject(of(&issuer.name), subject));
                }
            }
        }
        Pattern::Prefix(prefix) => {
            for issuer in usable {
                let whole = format!("{}/", issuer.iss);
                if whole.starts_with(prefix) {
                    ask = ask.or(of(&issuer.name).into());
                } else if prefix.starts_with(&whole) {
                    return Value::Unsaid;
                }
            }
        }
        Pattern::Suffix(suffix) => {
            return match suffix.strip_prefix('/').filter(|subject| !subject.is_empty()) {
                Some(subject) => {
                    let what = format!("`{value}` was met by a subject that ends with `/{subject}`, too");
                    Value::Part(with_subject(Terms::any_credential(), subject), what)
                }
                None => Value::Unsaid,
            };
        }
    }
    Value::Is(ask)
}
