//! An issuer of the written configuration, and what becomes stricter for its tokens.

use super::build::{list, object, text, texts};
use super::resource::texts as resource_texts;
use crate::cli::migrate::findings::{Finding, Findings, Kind};
use crate::cli::source::View;
use crate::config::Node;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// An issuer of the written configuration.
#[derive(Clone, Debug)]
pub(in crate::cli::migrate) struct Issuer {
    /// Its `iss`.
    pub iss: String,
    /// Its name in requirements.
    pub name: String,
    /// The audiences; none were checked if it is empty.
    pub audiences: Vec<String>,
    /// Where its keys come from.
    pub jwks: Node,
    /// The header of its tokens, if it is not that of bearer tokens.
    pub token_header: Option<Node>,
    /// Whether its tokens are accepted at all: whether all that held for them could be carried over.
    pub is_usable: bool,
    /// Whether Scopegate reads the place of its tokens. If so, those that are not accepted are refused there.
    pub is_read: bool,
}

/// The issuers that are written: those whose tokens are read, or all if there is none.
pub(in crate::cli::migrate) fn written(all: &[Issuer]) -> Vec<Issuer> {
    let read: Vec<Issuer> = all.iter().filter(|issuer| issuer.is_read).cloned().collect();
    if read.is_empty() { all.to_vec() } else { read }
}

/// The audiences of a rule without empty texts, which are those of no token. None if it has no list of texts, or if none is
/// left: any audience is another rule.
pub(in crate::cli::migrate) fn audiences(
    findings: &mut Findings,
    file: &Path,
    rule: &View<'_>,
    title: &str,
    issuer: &str,
) -> Option<Vec<String>> {
    let Some(list) = rule.get("audiences") else { return Some(Vec::new()) };
    let Some(all) = resource_texts(&list) else {
        let what = format!("{title}: `audiences` is no list of texts; tokens of {issuer} are refused");
        findings.tell(Kind::Denied, file, rule, what);
        return None;
    };
    let kept: Vec<String> = all.iter().filter(|text| !text.is_empty()).map(|text| (*text).to_owned()).collect();
    if kept.is_empty() && !all.is_empty() {
        let what =
            format!("{title}: `audiences` has empty text alone, which is no audience; tokens of {issuer} are refused");
        findings.tell(Kind::Denied, file, &list, what);
        return None;
    }
    if kept.len() < all.len() {
        let what = format!("{title}: an empty audience counted, and does not now");
        findings.tell(Kind::Stricter, file, &list, what);
    }
    Some(kept)
}

/// What goes upstream.
#[derive(Clone, Debug, Default)]
pub(in crate::cli::migrate) struct Forward {
    /// Whether the token does.
    pub keeps_token: bool,
    /// Headers, each with the claim that it has.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Headers that are removed.
    pub remove: BTreeSet<String>,
    /// Headers that are made of the tokens of an issuer, until all issuers are known.
    made: Vec<Made>,
}

/// A header that is made of the tokens of an issuer.
#[derive(Clone, Debug)]
struct Made {
    header: String,
    claim: Vec<String>,
    /// The name of the issuer; none if its tokens are not accepted.
    issuer: Option<String>,
    /// A finding about it, without words.
    at: Finding,
}

impl Issuer {
    /// The entry of `issuers`; `scope_claims` are those that hold scopes, if they are not the default.
    pub(in crate::cli::migrate) fn node(&self, scope_claims: Option<&str>) -> Node {
        let mut members = vec![("issuer", text(&self.iss))];
        if self.name != self.iss {
            members.push(("name", text(&self.name)));
        }
        if self.audiences.is_empty() {
            // The claim that is compared anyway: no audience is asked for.
            members.push(("audiences", texts([&self.iss])));
            members.push(("audience_claims", texts(["iss"])));
        } else {
            members.push(("audiences", texts(&self.audiences)));
        }
        members.push(("jwks", self.jwks.clone()));
        members.extend(self.token_header.clone().map(|header| ("token_header", header)));
        members.extend(scope_claims.map(|claim| ("scope_claims", texts([claim]))));
        object(members)
    }
}

impl Forward {
    /// The member of the configuration, if it says something.
    pub(in crate::cli::migrate) fn node(&self) -> Option<Node> {
        let mut members = Vec::new();
        if self.keeps_token {
            members.push(("token", text("keep")));
        }
        if !self.headers.is_empty() {
            let claim = |path: &Vec<String>| match path.as_slice() {
                [name] => text(name),
                names => texts(names),
            };
            members.push(("headers", object(self.headers.iter().map(|(header, path)| (header.clone(), claim(path))))));
        }
        if !self.remove.is_empty() {
            members.push(("remove", texts(&self.remove)));
        }
        (!members.is_empty()).then(|| object(members))
    }

    /// Adds a header that is made of a claim of the tokens of this issuer; none if they are not accepted.
    pub(in crate::cli::migrate) fn add(
        &mut self,
        header: &str,
        claim: Vec<String>,
        issuer: Option<&str>,
        (file, view): (&Path, &View<'_>),
    ) {
        let at = Finding::new(Kind::Changed, file, view, "");
        self.made.push(Made { header: header.to_ascii_lowercase(), claim, issuer: issuer.map(str::to_owned), at });
    }

    /// Sets the headers that the tokens of every issuer make of the same claim. Another one would say of an issuer what it was
    /// never asked for: it is removed, and nothing is put into it.
    pub(in crate::cli::migrate) fn settle(&mut self, issuers: &[Issuer], findings: &mut Findings) {
        let made = std::mem::take(&mut self.made);
        let usable: BTreeSet<&str> =
            issuers.iter().filter(|issuer| issuer.is_usable).map(|issuer| issuer.name.as_str()).collect();
        for own in &made {
            let header = &own.header;
            let all: Vec<&Made> = made.iter().filter(|other| other.header == *header).collect();
            let makers: BTreeSet<&str> =
                all.iter().filter_map(|made| made.issuer.as_deref()).filter(|name| usable.contains(name)).collect();
            let has_one_claim = all.iter().all(|other| other.claim == own.claim);
            if has_one_claim && makers == usable && !self.remove.contains(header) {
                self.headers.insert(header.clone(), own.claim.clone());
                continue;
            }
            if !self.remove.insert(header.clone()) {
                continue;
            }
            let (kind, what) = if makers.is_empty() {
                (Kind::Changed, format!("`{header}` was made of tokens that are not accepted now: it is removed"))
            } else if makers != usable {
                let names: Vec<String> = makers.iter().map(|name| format!("`{name}`")).collect();
                let what = format!(
                    "`{header}` was made of the tokens of {} alone; a header is set of every issuer's tokens or of none, so it is removed \
                     from requests, and is no longer sent",
                    names.join(", ")
                );
                (Kind::Denied, what)
            } else {
                let what = format!("`{header}` had another claim for each issuer: it is removed, and no longer set");
                (Kind::Changed, what)
            };
            findings.add(Finding { kind, what, ..own.at.clone() });
        }
    }
}

/// Tells what Scopegate refuses of tokens that Envoy's `jwt_authn` takes, for an issuer.
pub(in crate::cli::migrate) fn tell_issuer(
    findings: &mut Findings,
    file: &Path,
    view: &View<'_>,
    (issuer, has_audiences): (&str, bool),
) {
    let mut tell = |what: &str, restore: Option<&str>| {
        let finding = Finding::new(Kind::Stricter, file, view, format!("{issuer}: {what}"));
        findings.add(match restore {
            Some(field) => finding.restored_by(field),
            None => finding,
        });
    };
    if has_audiences {
        let what = "audiences were compared without their scheme and their last slash, and are compared exactly now";
        tell(what, Some("audiences of the issuer, in each spelling that its tokens have"));
    }
    let what = "tokens of every type were accepted, also ID tokens and logout tokens; now `typ` has to be `at+jwt`";
    tell(what, Some("token_types: [at+jwt, JWT, missing] of the issuer, for ID tokens id_tokens: true too"));
    tell("tokens without `sub` were accepted", Some("required_claims: [] of the issuer"));
    tell("tokens without `exp` were accepted, which never expire", None);
    let what = "clocks could differ by 60 seconds, and may by 10 now, and `iat` may not be in the future either";
    tell(what, Some("leeway: 1m of the issuer"));
    let what =
        "a token that names a `kid` could be signed with a key without one; now a key with that `kid` has to be there";
    tell(what, None);
    let what = "a token that is bound to a key or a certificate (`cnf`) was accepted from anyone; now its sender has to prove it";
    tell(what, Some("sender_constraint: ignore of the issuer"));
    if !has_audiences {
        let what = format!(
            "{issuer}: tokens for any other service were accepted, and still are; write the audience of this one into \
             `audiences` of the issuer, and take `audience_claims` out"
        );
        findings.tell(Kind::LetThrough, file, view, what);
    }
}

/// Tells what Scopegate refuses of requests, wherever a gate is.
pub(in crate::cli::migrate) fn tell_requests(findings: &mut Findings, file: &Path, view: &View<'_>) {
    for (what, restore) in [
        (
            "paths that readers read differently (`;`, `%2F`, dot segments) were judged as Envoy reads them; now they are refused \
             with 400",
            Some(
                "paths: {allow: [encoded_slash, semicolon]} for `;` and `%2F`, and for `//` and dot segments with normalize_path and \
                 merge_slashes of the connection manager",
            ),
        ),
        (
            "tokens in the query that no rule reads were passed over; now they are refused on every route",
            Some("query_tokens.jwt_allowed_in, for parameters with other JWTs"),
        ),
        ("a request with several credentials was accepted; now it may have one", None),
    ] {
        let finding = Finding::new(Kind::Stricter, file, view, what);
        findings.add(match restore {
            Some(field) => finding.restored_by(field),
            None => finding,
        });
    }
}

/// Tells that a key set has keys that are not public.
pub(in crate::cli::migrate) fn tell_secret_keys(findings: &mut Findings, file: &Path, view: &View<'_>, issuer: &str) {
    let what = format!(
        "{issuer}: its key set has keys that are not public, with which anyone who reads it can make tokens: they are left out"
    );
    let finding = Finding::new(Kind::Stricter, file, view, what);
    findings.add(finding.restored_by("secrets: [{env: NAME}] and algorithms: [HS256] of the issuer"));
}

/// The member `issuers` of a configuration.
pub(in crate::cli::migrate) fn node(issuers: &[Issuer], scope_claims: Option<&str>) -> Node {
    list(issuers.iter().map(|issuer| issuer.node(scope_claims)))
}
