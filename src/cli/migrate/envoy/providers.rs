//! The providers of `jwt_authn`, as issuers.

use super::duration::{Duration, whole, written};
use super::headers::{can_be_removed, of_nobody};
use super::jwt::Uses;
use super::keys::jwks;
use super::known;
use super::places::{Places, places};
use super::stricter;
use crate::cli::migrate::findings::{Finding, Findings, Kind, Why};
use crate::cli::migrate::policy::{Accepted, Claim, Issuers, Test, Tokens};
use crate::cli::migrate::tree::{list, object, object_of, text, texts};
use crate::cli::source::{View, any_secret};
use crate::config::{self, Node, Tree};
use std::collections::BTreeSet;
use std::path::Path;

/// A provider.
#[derive(Debug)]
pub(super) struct Provider<'s> {
    pub(super) name: String,
    pub(super) view: View<'s>,
    /// Why no token of it can be accepted.
    pub(super) broken: Option<Why>,
    /// The number of its issuer.
    pub(super) issuer: usize,
    /// The value of `issuer`.
    pub(super) iss: String,
    /// Its audiences; nothing if any would do.
    pub(super) audiences: Option<BTreeSet<String>>,
    /// What it asks of `sub`.
    pub(super) claims: Vec<Claim>,
    pub(super) places: Places,
    /// `payload_in_metadata`.
    pub(super) payload: Option<String>,
    /// The claims that the metadata has as lists, where tokens have texts.
    pub(super) lists: BTreeSet<String>,
    /// The headers that are made of claims, in lower case.
    pub(super) headers: Vec<(String, Vec<String>)>,
    /// The members of the issuer beside names and audiences.
    members: Vec<(&'static str, Option<Node>)>,
}

/// All providers of a chain.
#[derive(Debug, Default)]
pub(super) struct Providers<'s>(pub(super) Vec<Provider<'s>>);

impl<'s> Providers<'s> {
    /// Reads the providers of a filter.
    pub(super) fn read(&mut self, file: &'s Path, filter: &View<'s>, findings: &mut Findings) {
        let members = filter.get("providers").map(|view| view.members()).unwrap_or_default();
        for (name, view) in members {
            let provider = self.provider(file, name, &view, findings);
            self.0.push(provider);
        }
    }

    fn provider(&self, file: &Path, name: &str, view: &View<'s>, findings: &mut Findings) -> Provider<'s> {
        let places = places(file, view, findings);
        let mut broken = None;
        let audiences = audiences(file, view).unwrap_or_else(|why| {
            broken = Some(why);
            None
        });
        let mut members = Vec::new();
        match jwks(file, view, findings) {
            Ok(jwks) => members.push(("jwks", Some(jwks))),
            Err(why) => broken = broken.or(Some(why)),
        }
        members.push(("token_header", places.token_header.clone()));
        match times(file, view, findings) {
            Ok(times) => members.extend(times),
            Err(why) => broken = broken.or(Some(why)),
        }
        let lists = view.at(&["normalize_payload_in_metadata", "space_delimited_claims"]);
        let lists: BTreeSet<String> = lists
            .map(|view| view.items())
            .unwrap_or_default()
            .iter()
            .filter_map(View::text)
            .map(str::to_owned)
            .collect();
        if let (1, Some(claim)) = (lists.len(), lists.first()) {
            members.push(("scope_claims", Some(texts([claim.clone()]))));
        }
        let iss = view.get("issuer").and_then(|view| view.text()).unwrap_or_default().to_owned();
        if iss.is_empty() {
            let what = "names no issuer, so that any would do: a token is accepted of a named one alone";
            broken = broken.or_else(|| Some(Why::or_write(file, view, what, "issuer: what `iss` of its tokens is")));
        }
        if let Some((member, what)) = known::unknown(view, known::PROVIDER) {
            broken = broken.or_else(|| Some(Why::new(file, &member, what)));
        }
        if places.is_nowhere {
            let what = "takes tokens only from places in which Scopegate accepts none";
            broken = broken.or_else(|| Some(Why::or_write(file, view, what, "token_header of the issuer")));
        }
        if let Some(header) = made_headers(view).into_iter().find(|header| !can_be_removed(&header.1)) {
            let what = format!(
                "makes the header `{}`, which Scopegate can neither make nor remove: the upstream would read what a client says",
                header.1
            );
            broken = broken.or_else(|| Some(Why::new(file, &header.0, what)));
        }
        let claims = subjects(file, view).unwrap_or_else(|why| {
            broken.get_or_insert(why);
            Vec::new()
        });
        let key = |member: &str| view.get(member).and_then(|view| view.text()).filter(|text| !text.is_empty());
        let mut provider = Provider {
            name: name.to_owned(),
            issuer: self.0.iter().map(|other| other.issuer.saturating_add(1)).max().unwrap_or_default(),
            audiences,
            payload: key("payload_in_metadata").map(str::to_owned),
            headers: headers(view),
            view: view.clone(),
            broken,
            iss,
            claims,
            places,
            lists,
            members,
        };
        self.join(file, &mut provider);
        if provider.broken.is_none()
            && let Err(what) = provider.loads()
        {
            provider.broken = Some(Why::new(file, view, what));
        }
        if provider.broken.is_none() {
            stricter::provider(file, &provider, findings);
        }
        provider
    }

    /// Two providers of one issuer become one issuer.
    fn join(&self, file: &Path, provider: &mut Provider<'s>) {
        let Some(first) = self.0.iter().find(|other| other.iss == provider.iss && !provider.iss.is_empty()) else {
            return;
        };
        if first.members == provider.members && first.places.header == provider.places.header && first.broken.is_none()
        {
            provider.issuer = first.issuer;
        } else {
            let what = format!(
                "has the issuer of the provider {}, and other keys, times or places: an issuer has one entry",
                first.name
            );
            provider.broken.get_or_insert_with(|| Why::new(file, &provider.view, what));
        }
    }

    /// The number of a provider of a filter, by its name.
    pub(super) fn find(&self, filter: &View<'_>, name: &str) -> Option<usize> {
        let view = filter.get("providers")?.members().into_iter().rev().find(|(own, _)| *own == name)?.1;
        self.0.iter().position(|provider| std::ptr::eq(provider.view.node, view.node))
    }

    /// Whether two providers have one issuer.
    pub(super) fn share_issuers(&self) -> bool {
        let earlier = |index: usize, issuer: usize| self.0.iter().take(index).any(|other| other.issuer == issuer);
        self.0.iter().enumerate().any(|(index, provider)| earlier(index, provider.issuer))
    }

    /// Whether a token of `wanted` may have been taken for one of another provider in `accepted` with the same issuer: the
    /// first that takes a token alone writes its metadata.
    pub(super) fn may_be_taken_for_another(&self, wanted: &Tokens, accepted: &Tokens) -> bool {
        let issuer = |number: &usize| self.0.get(*number).map(|provider| provider.issuer);
        let mut others = accepted.keys().filter(|number| !wanted.contains_key(number));
        others.any(|other| wanted.keys().any(|own| issuer(own) == issuer(other)))
    }

    /// What requirements need to know. `used` are the audiences that requirements name in place of a provider's own, and
    /// nothing where its own count.
    pub(super) fn issuers(&self, used: &Uses) -> Issuers {
        let mut issuers = Issuers::default();
        for provider in &self.0 {
            issuers.accepted.push(Accepted {
                issuer: provider.issuer,
                audiences: provider.audiences.clone(),
                claims: provider.claims.clone(),
                header: provider.places.header.clone(),
                refused: provider.places.refused.clone(),
                unseen: provider.places.unseen.clone(),
                may_pass_for_none: provider.places.has_other_scheme || !provider.places.removed.is_empty(),
            });
        }
        let good = || self.0.iter().filter(|provider| provider.broken.is_none());
        let is_read = |header: &String| good().any(|provider| provider.places.header == *header);
        let refused = good().flat_map(|provider| &provider.places.refused);
        issuers.refused = refused.filter(|header| !is_read(header)).cloned().collect();
        // Where any audience would do for one use, the issuer takes any.
        let count = self.0.iter().map(|provider| provider.issuer.saturating_add(1)).max().unwrap_or_default();
        for number in 0..count {
            let own = || self.0.iter().enumerate().filter(move |(_, provider)| provider.issuer == number);
            let name = own().next().map(|(_, provider)| provider.name.clone()).unwrap_or_default();
            let all_uses = || used.iter().filter(move |(index, _)| own().any(|(at, _)| at == *index));
            let mut all = Some(BTreeSet::new());
            let mut add = |more: Option<&BTreeSet<String>>| match (all.as_mut(), more) {
                (Some(all), Some(more)) => all.extend(more.iter().cloned()),
                _ => all = None,
            };
            for (index, instead) in all_uses() {
                let audiences = self.0.get(*index).and_then(|provider| provider.audiences.as_ref());
                add(instead.as_ref().or(audiences));
            }
            if all_uses().next().is_none() {
                own().for_each(|(_, provider)| add(provider.audiences.as_ref()));
            }
            issuers.issuers.push((name, all.filter(|all| !all.is_empty())));
        }
        issuers
    }

    /// `issuers` of the new configuration.
    pub(super) fn nodes(&self, issuers: &Issuers) -> Vec<Node> {
        let mut nodes = Vec::new();
        for (number, (name, audiences)) in issuers.issuers.iter().enumerate() {
            let first = self.0.iter().find(|provider| provider.issuer == number);
            let Some(provider) = first.filter(|provider| provider.broken.is_none()) else { continue };
            nodes.push(provider.node(name, audiences.as_ref()));
        }
        if !nodes.is_empty() {
            let of_set = |header: &String| issuers.sets.values().any(|own| own == header);
            nodes.extend(issuers.refused.iter().filter(|header| !of_set(header)).map(|header| of_nobody(header)));
        }
        nodes
    }
}

impl Provider<'_> {
    /// The issuer.
    fn node(&self, name: &str, audiences: Option<&BTreeSet<String>>) -> Node {
        let mut members = vec![("issuer", Some(text(&self.iss))), ("name", Some(text(name)))];
        match audiences {
            Some(audiences) => members.push(("audiences", Some(texts(audiences.iter().cloned())))),
            // Any audience would do: what every token has is taken for one.
            None => {
                members.push(("audiences", Some(texts([self.iss.clone()]))));
                members.push(("audience_claims", Some(texts(["iss"]))));
            }
        }
        members.extend(self.members.iter().cloned());
        object_of(members)
    }

    /// Whether the module accepts it as an issuer.
    fn loads(&self) -> Result<(), String> {
        let issuer = self.node(&self.name, self.audiences.as_ref());
        let root = object([("issuers", list([issuer])), ("default", object([("deny", Tree::Bool(true).into())]))]);
        config::compile(&root, &any_secret).map(drop).map_err(|error| {
            let told = error.0.iter().map(|problem| format!("`{}` {}; {}", problem.path, problem.what, problem.remedy));
            format!("is not accepted as an issuer: {}", told.collect::<Vec<_>>().join(", "))
        })
    }
}

/// The audiences in the list of this name; nothing if any would do.
///
/// # Errors
/// Why no token can have one of them.
pub(super) fn audiences(file: &Path, holder: &View<'_>) -> Result<Option<BTreeSet<String>>, Why> {
    let Some(list) = holder.get("audiences").filter(|list| list.node.value != Tree::Null) else { return Ok(None) };
    let all: Option<Vec<&str>> = list.items().iter().map(View::text).collect();
    let Some(all) = all.filter(|_| matches!(list.node.value, Tree::List(_))) else {
        return Err(Why::new(file, &list, "is no list of texts"));
    };
    let named: BTreeSet<String> = all.iter().filter(|text| !text.is_empty()).map(|text| (*text).to_owned()).collect();
    if named.is_empty() && !all.is_empty() {
        let what = "names the empty audience alone, which Scopegate accepts of no token";
        return Err(Why::or_write(file, &list, what, "audiences of the issuer"));
    }
    Ok((!named.is_empty()).then_some(named))
}

/// `leeway` and `max_lifetime`.
///
/// # Errors
/// Why a token might be good for longer than before.
fn times(file: &Path, provider: &View<'_>, findings: &mut Findings) -> Result<Vec<(&'static str, Option<Node>)>, Why> {
    /// The longest leeway, in seconds.
    const MOST: u64 = 300;
    let given = |name: &str| provider.get(name).filter(|view| view.node.value != Tree::Null);
    let (skew, lifetime) = (given("clock_skew_seconds"), given("max_lifetime"));
    let seconds = match &skew {
        Some(view) => whole(view).ok_or_else(|| Why::new(file, view, "is no number of seconds"))?,
        None => 0,
    };
    // Envoy takes zero for its default.
    let seconds = Some(seconds).filter(|seconds| *seconds > 0);
    let asked = match &lifetime {
        Some(view) => Some(Duration::of(view).ok_or_else(|| Why::new(file, view, "is no duration"))?),
        None => None,
    };
    let mut members = Vec::new();
    let mut leeway = seconds.map(|seconds| seconds.min(MOST));
    if let (Some(view), Some(Duration(limit))) = (&lifetime, asked) {
        // The time that is left is never more than the whole time, if the token was not issued in the future.
        leeway = Some(0);
        if limit < 1000 {
            let what = "is less than a second, which is the shortest lifetime that Scopegate can ask for";
            return Err(Why::or_write(file, view, what, "max_lifetime: 1s of the issuer, if that will do"));
        }
        let limit = limit.div_euclid(1000).saturating_mul(1000).min(315_360_000_000);
        members.push(("max_lifetime", Some(text(written(limit)))));
        let what = "bounded the time that is left; now it bounds the time from `iat` to `exp`, a token needs an `iat`, and \
                    no clocks may differ";
        findings.add(
            Finding::new(Kind::Stricter, file, view, what).restored_by("leeway of the issuer, for clocks that differ"),
        );
    } else if let (Some(view), Some(seconds)) = (&skew, seconds)
        && seconds > MOST
    {
        findings.tell(Kind::Stricter, file, view, "is more than five minutes, and becomes `leeway: 5m`");
    }
    members.push(("leeway", leeway.map(|seconds| text(written(seconds.saturating_mul(1000))))));
    Ok(members)
}

/// What a provider asks of `sub`.
fn subjects(file: &Path, provider: &View<'_>) -> Result<Vec<Claim>, Why> {
    let Some(subjects) = provider.get("subjects") else { return Ok(Vec::new()) };
    match super::matching::text_of(&subjects) {
        Some(super::matching::Text::Exact(text, false)) => {
            Ok(vec![Claim::new(vec!["sub".to_owned()], Test::Is, Tree::Text(text))])
        }
        _ => Err(Why::new(file, &subjects, "asks for subjects that fit a pattern; a claim is compared as a whole")),
    }
}

/// The headers that are made of a token, in lower case, each with where it is named.
pub(super) fn made_headers<'s>(provider: &View<'s>) -> Vec<(View<'s>, String)> {
    let of_claims = provider.list("claim_to_headers").into_iter().filter_map(|view| view.get("header_name"));
    let all = of_claims.chain(provider.get("forward_payload_header"));
    all.filter_map(|view| view.text().map(str::to_ascii_lowercase).map(|name| (view, name)))
        .filter(|(_, name)| !name.is_empty())
        .collect()
}

/// The headers that are made of claims.
fn headers(provider: &View<'_>) -> Vec<(String, Vec<String>)> {
    let header = |view: &View<'_>| {
        let name = view.get("header_name")?.text()?.to_ascii_lowercase();
        let path = match view.get("claim_path") {
            Some(path) => path.items().iter().filter_map(View::text).map(str::to_owned).collect(),
            None => view.get("claim_name")?.text()?.split('.').map(str::to_owned).collect::<Vec<_>>(),
        };
        (!path.is_empty()).then_some((name, path))
    };
    provider.list("claim_to_headers").iter().filter_map(header).collect()
}
