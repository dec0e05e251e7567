//! Which credentials a requirement accepts.

use crate::config::cursor::{Cursor, Object};
use crate::config::fields;
use crate::config::tree::Tree;
use crate::policy::{AUTHORIZATION, BEARER, CredentialRule, CredentialSet, SetId, SetKind, Source};

/// What a requirement can name.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'s> {
    /// The sets; `None` where they cannot be read, and the problem is noted there.
    pub(crate) sets: Option<&'s [CredentialSet]>,
    /// Whether there are issuers, whose tokens `bearer` names.
    pub(crate) has_issuers: bool,
}

impl Sources<'_> {
    /// Whether a source is one of tokens. What cannot be read is taken for one, since the problem is noted there.
    fn is_token(self, source: &Source) -> bool {
        let Source::Set(id) = source else { return true };
        let set = self.sets.and_then(|sets| sets.get(id.0));
        set.is_none_or(|set| set.cookie().is_some())
    }

    /// Whether a cookie is one of what is accepted.
    pub(crate) fn admits_cookie(self, rule: &CredentialRule) -> bool {
        let is_cookie = |source: &Source| *source != Source::Tokens && self.is_token(source);
        self.sets.is_some() && rule.sources().iter().any(is_cookie)
    }

    /// Whether every alternative has a token.
    pub(crate) fn always_has_token(self, rule: &CredentialRule) -> bool {
        rule.alternatives().iter().all(|alternative| alternative.iter().any(|source| self.is_token(source)))
    }
}

/// Fields that narrow tokens, whatever else is accepted.
const OF_TOKENS: [&str; 6] = ["resource", "issuers", "audiences", "token_types", "max_lifetime", "max_token_age"];
/// Fields that ask for something that only a token can have.
const MET_BY_TOKENS: [&str; 4] = ["single_use", "sender_constraint", "acr_values", "max_auth_age"];

/// The credentials that a requirement accepts.
pub(crate) fn read(object: &Object<'_>, sources: Sources<'_>) -> Option<CredentialRule> {
    if !object.has("credentials") {
        if !sources.has_issuers {
            return object.cursor().wrong(
                "asks for a token, as every requirement without `credentials`, and there are no `issuers`",
                "write credentials: NAME, of a set",
            );
        }
        return Some(CredentialRule::default());
    }
    let rule = object.get("credentials").and_then(|cursor| expression(&cursor, sources))?;
    check_of_tokens(object, &rule, sources);
    Some(rule)
}

/// Notes what these fields ask of tokens where this rule accepts what is none.
pub(crate) fn check_of_tokens(object: &Object<'_>, rule: &CredentialRule, sources: Sources<'_>) {
    if !rule.sources().iter().any(|source| sources.is_token(source)) {
        for name in OF_TOKENS {
            note(
                object,
                name,
                "is about tokens, which are no credential here",
                "name bearer in `credentials`, or leave it out",
            );
        }
    }
    if !sources.always_has_token(rule) {
        for name in MET_BY_TOKENS {
            note(
                object,
                name,
                "can be met by tokens only, and not every alternative of `credentials` has one",
                "leave it out, or name bearer in each alternative",
            );
        }
    }
}

fn note(object: &Object<'_>, name: &str, what: &str, remedy: &str) {
    if let Some(member) = object.get(name) {
        member.wrong::<()>(what, remedy);
    }
}

fn expression(cursor: &Cursor<'_>, sources: Sources<'_>) -> Option<CredentialRule> {
    let alternatives = match cursor.value() {
        Tree::Text(_) => vec![vec![source(cursor, sources)?]],
        Tree::Object(_) => alternatives(cursor, sources)?,
        Tree::List(_) => {
            return cursor.wrong(
                "is a list, which does not say whether one of them or all are needed",
                "write any_of: [...] for one of them, or all_of: [...] for all",
            );
        }
        other => {
            return cursor.wrong(
                format!("is {}", other.kind()),
                "write bearer, the name of a set, or any_of or all_of with a list",
            );
        }
    };
    let rule = CredentialRule::new(alternatives.iter().cloned());
    if rule.alternatives().len() < alternatives.len() {
        return cursor.wrong("has the same alternative twice", "keep one");
    }
    let sets = sources.sets?;
    told_apart(cursor, &rule, sets)?;
    if rule.has_rivals(&|source| is_ambient(source, sets)) {
        return cursor.wrong(
            "has alternatives that differ in a certificate alone, which a request does not choose",
            "keep one of them",
        );
    }
    Some(rule)
}

fn alternatives(cursor: &Cursor<'_>, sources: Sources<'_>) -> Option<Vec<Vec<Source>>> {
    let object = cursor.object(&fields::CREDENTIALS)?;
    match (object.get("any_of"), object.get("all_of")) {
        (Some(list), None) => list.list_of("credential", |item| match item.value() {
            Tree::Object(_) => {
                let inner = item.object(&fields::CREDENTIALS)?;
                if inner.has("any_of") {
                    return item.wrong("has an any_of inside another", "write its alternatives in the outer one");
                }
                let all = inner.need("all_of", "write the names of which all are needed")?;
                all_of(&all, sources)
            }
            _ => source(item, sources).map(|source| vec![source]),
        }),
        (None, Some(list)) => all_of(&list, sources).map(|all| vec![all]),
        _ => cursor.wrong("does not have exactly one of any_of and all_of", "write one of them"),
    }
}

fn all_of(cursor: &Cursor<'_>, sources: Sources<'_>) -> Option<Vec<Source>> {
    let all = cursor.list_of("credential", |item| match item.value() {
        Tree::Object(_) => item.wrong("is an expression inside an all_of", "write names in it, and any_of around it"),
        _ => source(item, sources),
    })?;
    let sets = sources.sets?;
    if all.iter().filter(|source| sources.is_token(source)).count() > 1 {
        return cursor.wrong("needs two tokens, and a request has one", "name one of bearer and the sets of cookies");
    }
    for (index, one) in all.iter().enumerate() {
        for earlier in all.iter().take(index) {
            if one == earlier {
                return cursor.wrong("names a credential twice", "keep one");
            }
            if is_ambient(*one, sets) && is_ambient(*earlier, sets) {
                return cursor.wrong(
                    "needs two identities of one certificate",
                    "keep one, or let one set name all certificates",
                );
            }
            let (here, there) = (headers(*one, sets), headers(*earlier, sets));
            if let ([header], [same]) = (here.as_slice(), there.as_slice())
                && header == same
            {
                return cursor.wrong(
                    format!("needs two credentials in {header}, which holds one"),
                    "let one of the sets have a header of its own",
                );
            }
        }
    }
    Some(all)
}

fn source(cursor: &Cursor<'_>, sources: Sources<'_>) -> Option<Source> {
    let name = cursor.text()?;
    if name == BEARER {
        if !sources.has_issuers {
            return cursor
                .wrong("names the tokens of all issuers, and there are none", "list `issuers`, or name a set");
        }
        return Some(Source::Tokens);
    }
    let sets = sources.sets?;
    match sets.iter().position(|set| &*set.name == name) {
        Some(index) if !sources.has_issuers && sources.is_token(&Source::Set(SetId(index))) => {
            cursor.wrong("holds tokens of the issuers, and there are none", "list `issuers`")
        }
        Some(index) => Some(Source::Set(SetId(index))),
        None => {
            let names: Vec<&str> = [BEARER].into_iter().chain(sets.iter().map(|set| &*set.name)).collect();
            cursor.wrong("is not the name of a set", format!("the credentials are {}", names.join(", ")))
        }
    }
}

/// Whether a credential comes with the connection.
fn is_ambient(source: Source, sets: &[CredentialSet]) -> bool {
    matches!(source, Source::Set(id) if sets.get(id.0).is_some_and(CredentialSet::is_ambient))
}

/// The headers that a credential can be in, once each.
fn headers(source: Source, sets: &[CredentialSet]) -> Vec<&str> {
    let Source::Set(id) = source else { return vec![AUTHORIZATION] };
    let mut headers: Vec<&str> = Vec::new();
    for header in sets.get(id.0).into_iter().flat_map(CredentialSet::headers) {
        if !headers.contains(&header) {
            headers.push(header);
        }
    }
    headers
}

/// Whether each value of a header is of one set at most.
fn told_apart(cursor: &Cursor<'_>, rule: &CredentialRule, sets: &[CredentialSet]) -> Option<()> {
    let all = rule.sources();
    let named = || {
        all.iter().filter_map(|source| match source {
            Source::Set(id) => sets.get(id.0),
            Source::Tokens => None,
        })
    };
    for (index, set) in named().enumerate() {
        for earlier in named().take(index) {
            if let (SetKind::Passwords(_), SetKind::Passwords(_)) = (&set.kind, &earlier.kind) {
                return cursor.wrong(
                    format!("names {} and {}, whose users cannot be told apart", earlier.name, set.name),
                    "make one set of them",
                );
            }
            if set.signatures().is_some() && earlier.signatures().is_some() {
                return cursor.wrong(
                    format!("names {} and {}, and one request has one signature", earlier.name, set.name),
                    "make one set of them, or name them in requirements of different routes",
                );
            }
            let overlap =
                set.key_places().iter().find(|own| earlier.key_places().iter().any(|other| own.overlaps(other)));
            if let Some(place) = overlap {
                return cursor.wrong(
                    format!(
                        "names {} and {}, whose keys in {} cannot be told apart",
                        earlier.name, set.name, place.header
                    ),
                    "give each a `prefix` or a header of its own",
                );
            }
        }
    }
    Some(())
}
