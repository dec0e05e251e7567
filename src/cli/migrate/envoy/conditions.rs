//! Conditions of `rbac` on headers, and on the metadata that `jwt_authn` wrote.

use super::jwt;
use super::matching::{Text, header_of, text_of};
use super::providers::{Provider, Providers};
use super::rbac::{both, where_matched, with_path};
use crate::cli::migrate::findings::Why;
use crate::cli::migrate::policy::{Access, Cases, Claim, Need, Test};
use crate::cli::source::View;
use crate::config::Tree;
use std::collections::BTreeMap;
use std::path::Path;

/// The name under which `jwt_authn` writes metadata.
pub(super) const NAMESPACE: &str = "envoy.filters.http.jwt_authn";

/// What a filter can read of the tokens that were judged before it.
pub(super) struct Reads<'p, 's> {
    pub(super) providers: &'p Providers<'s>,
    /// The filters that judged them; they stand before this one.
    pub(super) before: Vec<View<'s>>,
    /// Why the request may be another one by then.
    pub(super) edited: Option<Why>,
}

impl<'s> Reads<'_, 's> {
    /// The providers that were read before, with their numbers.
    fn all(&self) -> impl Iterator<Item = (usize, &Provider<'s>)> {
        let is_before = |provider: &Provider<'s>| {
            let holds = |filter: &View<'s>| {
                let own = filter.get("providers").and_then(|all| jwt::member(&all, &provider.name));
                own.is_some_and(|own| std::ptr::eq(own.node, provider.view.node))
            };
            self.before.iter().any(holds)
        };
        self.providers.0.iter().enumerate().filter(move |(_, provider)| is_before(provider))
    }

    /// A claim of the tokens whose payload the metadata has under `key`.
    pub(super) fn claim(&self, file: &Path, view: &View<'_>, key: &str, claim: Claim) -> Access {
        let own: Vec<(usize, &Provider<'s>)> =
            self.all().filter(|(_, provider)| provider.payload.as_deref() == Some(key)).collect();
        self.asked(file, view, &own, Some(claim))
    }

    /// A token whose payload the metadata has under `key`.
    pub(super) fn token(&self, file: &Path, view: &View<'_>, key: &str) -> Access {
        let own: Vec<(usize, &Provider<'s>)> =
            self.all().filter(|(_, provider)| provider.payload.as_deref() == Some(key)).collect();
        self.asked(file, view, &own, None)
    }

    fn asked(&self, file: &Path, view: &View<'_>, own: &[(usize, &Provider<'s>)], claim: Option<Claim>) -> Access {
        if self.all().any(|(_, other)| {
            other.view.get("header_in_metadata").is_some() || other.view.get("failed_status_in_metadata").is_some()
        }) && own.is_empty()
        {
            return Access::Unclear(vec![Why::new(file, view, "reads metadata that is not the payload of a token")]);
        }
        let good = own.iter().filter(|(_, provider)| provider.broken.is_none());
        let mut need = Need::token(good.map(|(number, _)| *number));
        if need.tokens.as_ref().is_none_or(BTreeMap::is_empty) {
            return match own.first().and_then(|(_, provider)| provider.broken.clone()) {
                Some(why) => Access::Unclear(vec![why]),
                // Nothing writes it, so it is never there.
                None => Access::No,
            };
        }
        let Some(claim) = claim else { return Access::Need(need) };
        // A claim of one name may be a list in the metadata and text in the token.
        let name = match claim.path.as_slice() {
            [one] => Some(one),
            _ => None,
        };
        let is_list = |provider: &Provider<'s>| name.is_some_and(|name| provider.lists.contains(name));
        let lists = own.iter().filter(|(_, provider)| is_list(provider)).count();
        need.claims = vec![match (lists, claim.test) {
            (0, _) => claim,
            (some, Test::Has) if some == own.len() && own.iter().all(|(_, provider)| provider.lists.len() == 1) => {
                Claim { path: Vec::new(), test: Test::Scope, ..claim }
            }
            // Only a text becomes a list: `true` stays what it is.
            (1.., Test::Is) if !claim.values.iter().all(|value| matches!(value, Tree::Text(_))) => {
                let what = "compares a claim of `space_delimited_claims` with something else than a text, which becomes no list";
                return Access::Unclear(vec![Why::new(file, view, what)]);
            }
            (some, Test::Is) if some == own.len() => return Access::No,
            _ => {
                let what = "compares a claim that `space_delimited_claims` makes a list of, beside others: an issuer has one claim \
                            with scopes";
                return Access::Unclear(vec![Why::or_write(
                    file,
                    view,
                    what,
                    "scopes, and scope_claims of the issuer",
                )]);
            }
        }];
        let is_scope = |value: &Tree| matches!(value, Tree::Text(text) if crate::policy::Scope::new(text).is_some());
        if need.claims.iter().any(|claim| claim.test == Test::Scope && !claim.values.iter().all(is_scope)) {
            return Access::Unclear(vec![Why::new(file, view, "looks for what is no scope in a list of scopes")]);
        }
        if need.claims.iter().any(|claim| claim.path.iter().any(|name| name.is_empty() || name == "[]")) {
            return Access::Unclear(vec![Why::new(file, view, "names a claim that no condition can name")]);
        }
        Access::Need(need)
    }
}

/// A `HeaderMatcher`.
pub(super) fn condition_of_header(file: &Path, view: &View<'_>, reads: &Reads<'_, '_>) -> Cases<Access> {
    let name = view.name().unwrap_or_default().to_ascii_lowercase();
    let makers: Vec<(usize, &Provider<'_>, &Vec<String>)> = reads
        .all()
        .flat_map(|(number, provider)| {
            provider.headers.iter().map(move |(header, path)| (number, provider, header, path))
        })
        .filter(|(_, _, header, _)| **header == name)
        .map(|(number, provider, _, path)| (number, provider, path))
        .collect();
    let Some((_, _, path)) = makers.first() else {
        let not = view.get("invert_match").is_some_and(|flag| flag.is_true());
        if !not {
            return where_matched(file, view, header_of(view));
        }
        // The opposite of what it would match, if that is known.
        let plain = without_inversion(view);
        let matched = header_of(&View { node: &plain, path: view.path.clone() });
        let why = Why::new(file, view, "inverts a condition");
        let opposite = where_matched(file, view, matched).map(|access| access.negated(&why));
        // A header that is not there never matches, inverted or not. CONNECT has no path.
        return if name == ":path" { both(&opposite, &with_path(), &why) } else { opposite };
    };
    // The header was made of a claim, and no client could set it.
    let exact = view.get("string_match").and_then(|matcher| text_of(&matcher));
    let exact = exact
        .or_else(|| view.get("exact_match").and_then(|own| own.text()).map(|text| Text::Exact(text.into(), false)));
    let is_inverted = view.get("invert_match").is_some_and(|flag| flag.is_true());
    let same = makers.iter().all(|(_, provider, other)| other == path && provider.broken.is_none());
    match exact {
        Some(Text::Exact(value, false)) if same && !is_inverted && !path.iter().any(|name| name == "[]") => {
            let mut need = Need::token(makers.iter().map(|(number, ..)| *number));
            need.claims = vec![Claim::new((*path).clone(), Test::Is, Tree::Text(value))];
            Cases::always(Access::Need(need))
        }
        _ => {
            let what = format!(
                "compares the header `{name}`, which is made of a claim, in a way in which no claim is compared"
            );
            Cases::always(Access::Unclear(vec![Why::new(file, view, what)]))
        }
    }
}

fn without_inversion(view: &View<'_>) -> crate::config::Node {
    let Tree::Object(members) = &view.node.value else { return view.node.clone() };
    let kept = members.iter().filter(|(name, _)| !crate::cli::source::is_same(name, "invert_match"));
    crate::config::Node { value: Tree::Object(kept.cloned().collect()), at: view.node.at }
}

/// A `MetadataMatcher`.
pub(super) fn metadata(file: &Path, view: &View<'_>, reads: &Reads<'_, '_>) -> Cases<Access> {
    let unclear = |what: &str| Access::Unclear(vec![Why::new(file, view, what)]);
    if view.get("filter").and_then(|filter| filter.text()) != Some(NAMESPACE) {
        return Cases::always(unclear("reads metadata that does not come from a token"));
    }
    let path: Option<Vec<String>> = view
        .list("path")
        .iter()
        .map(|segment| segment.get("key").and_then(|key| key.text()).map(str::to_owned))
        .collect();
    let access = match (path.as_deref(), view.get("value")) {
        (Some([key]), Some(value)) if value.get("present_match").is_some_and(|flag| flag.is_true()) => {
            reads.token(file, view, key)
        }
        (Some([key, claim @ ..]), Some(value)) if !claim.is_empty() => match value_of(&value) {
            Ok((test, values)) => reads.claim(file, view, key, Claim { path: claim.to_vec(), test, values }),
            Err(what) => {
                let scope = scope_in(claim, &value);
                Access::Unclear(vec![match scope {
                    Some(scope) => {
                        Why::or_write(file, view, what, format!("scopes: [{scope}], if its tokens have scopes as text"))
                    }
                    None => Why::new(file, view, what),
                }])
            }
        },
        _ => unclear("has no path and value that can be read"),
    };
    let is_inverted = view.get("invert").is_some_and(|flag| flag.is_true());
    let why = Why::new(file, view, "asks that a claim is not what it says: a requirement asks for claims alone");
    Cases::always(if is_inverted { access.negated(&why) } else { access })
}

/// The scope that an operator may have looked for as a part of a text.
fn scope_in(claim: &[String], value: &View<'_>) -> Option<String> {
    let is_scope = matches!(claim, [one] if one == "scope" || one == "scp");
    match text_of(&value.get("string_match")?)? {
        Text::Contains(text, false) if is_scope => {
            let scope = text.trim().to_owned();
            crate::policy::Scope::new(&scope).map(|_| scope)
        }
        _ => None,
    }
}

/// How a `ValueMatcher` compares, and with which values.
fn value_of(view: &View<'_>) -> Result<(Test, Vec<Tree>), String> {
    if let Some(text) = view.get("string_match") {
        return match text_of(&text) {
            Some(Text::Exact(text, false)) => Ok((Test::Is, vec![Tree::Text(text)])),
            Some(Text::Exact(_, true)) => Err("compares a claim without regard to letter case".to_owned()),
            Some(Text::Contains(..)) => Err("looks for a part of a claim: `a` is in `admin`, too".to_owned()),
            _ => Err("compares a part of a claim, or by a regular expression".to_owned()),
        };
    }
    if let Some(flag) = view.get("bool_match") {
        return Ok((Test::Is, vec![Tree::Bool(flag.is_true())]));
    }
    if let Some(number) = view.get("double_match") {
        let exact = number.get("exact").map(|exact| exact.node.value.clone());
        return match exact {
            Some(Tree::Whole(number)) => Ok((Test::Is, vec![Tree::Whole(number)])),
            _ => Err("compares a number with a range or a fraction".to_owned()),
        };
    }
    if let Some(item) = view.at(&["list_match", "one_of"]) {
        return match value_of(&item)? {
            (Test::Is, values) => Ok((Test::Has, values)),
            _ => Err("looks into a list of lists".to_owned()),
        };
    }
    if let Some(any) = view.get("or_match") {
        let all: Vec<(Test, Vec<Tree>)> =
            any.list("value_matchers").iter().map(value_of).collect::<Result<Vec<_>, _>>()?;
        let Some((test, _)) = all.first().cloned() else { return Err("is one of nothing".to_owned()) };
        if all.iter().any(|(other, _)| *other != test) {
            return Err("is a text or a list with it: a condition names one of the two".to_owned());
        }
        return Ok((test, all.into_iter().flat_map(|(_, values)| values).collect()));
    }
    Err("asks whether a claim is there, or is null: a condition compares a value".to_owned())
}
