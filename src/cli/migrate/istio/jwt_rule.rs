//! The `jwtRules` of a `RequestAuthentication`, as issuers.

use crate::cli::migrate::findings::{Finding, Findings, Kind};
use crate::cli::migrate::kubernetes::address::Address;
use crate::cli::migrate::kubernetes::build::{object, text};
use crate::cli::migrate::kubernetes::issuer::{Forward, Issuer, audiences, tell_issuer, tell_secret_keys, written};
use crate::cli::migrate::kubernetes::keys::public_keys;
use crate::cli::migrate::kubernetes::resource::{Resource, texts, unknown};
use crate::cli::migrate::kubernetes::token_places::{TokenPlace, TokenPlaces, is_header_name};
use crate::cli::migrate::kubernetes::unread::Unread;
use crate::cli::source::View;
use crate::config::Node;
use std::collections::BTreeSet;
use std::path::Path;

/// The fields of a rule.
const FIELDS: [&str; 12] = [
    "issuer",
    "audiences",
    "jwksUri",
    "jwks_uri",
    "jwks",
    "fromHeaders",
    "fromParams",
    "fromCookies",
    "outputPayloadToHeader",
    "outputClaimToHeaders",
    "forwardOriginalToken",
    "timeout",
];
/// What Istio reads in another way for policies alone: each scope of a text counts there, too.
const OF_POLICIES: &str = "spaceDelimitedClaims";
/// The claims that Istio reads so in every token.
const SPLIT: [&str; 2] = ["scope", "permission"];

/// What the rules of a workload say.
#[derive(Debug, Default)]
pub(super) struct JwtRules {
    /// Its issuers.
    pub issuers: Vec<Issuer>,
    /// What goes upstream.
    pub forward: Forward,
    /// The servers of keys.
    pub servers: BTreeSet<Address>,
    /// Where tokens are that Scopegate does not read.
    pub unread: Unread,
    /// The claims that a rule has Istio split at spaces.
    split: BTreeSet<String>,
    /// Whether a rule keeps the token.
    keeps: bool,
    /// Whether a rule takes the token away.
    strips: bool,
}

impl JwtRules {
    /// Adds the rules of a resource.
    pub(super) fn add(&mut self, resource: &Resource<'_>, findings: &mut Findings) {
        let spec = resource.spec();
        let rules = spec.list("jwtRules");
        if rules.is_empty() {
            findings.tell(Kind::Note, resource.file, &spec, format!("{}: it has no jwtRules", resource.title()));
        }
        for rule in rules {
            self.add_rule(resource, &rule, findings);
        }
        self.forward.keeps_token = self.keeps && !self.strips;
        if self.keeps && self.strips {
            let what =
                format!("{}: some rules kept the token for the upstream; it is removed for all", resource.title());
            let finding = Finding::new(Kind::Changed, resource.file, &spec, what);
            findings.add(finding.restored_by("forward: {token: keep}"));
        }
    }

    /// Whether Istio splits the text of a claim at its spaces.
    pub(super) fn splits(&self, path: &[String]) -> bool {
        matches!(path, [name] if SPLIT.contains(&name.as_str()) || self.split.contains(name))
    }

    /// Whether everything has to be refused.
    pub(super) fn is_closed(&self) -> bool {
        self.usable().is_empty() || self.unread.is_closed(&written(&self.issuers))
    }

    /// Whether each token was taken away once it was judged.
    pub(super) const fn strips_all(&self) -> bool {
        self.strips && !self.keeps
    }

    /// The names of the issuers whose tokens are accepted.
    pub(super) fn usable(&self) -> Vec<&Issuer> {
        self.issuers.iter().filter(|issuer| issuer.is_usable).collect()
    }

    fn add_rule(&mut self, resource: &Resource<'_>, rule: &View<'_>, findings: &mut Findings) {
        let (file, title) = (resource.file, resource.title());
        let denied =
            |findings: &mut Findings, view: &View<'_>, what: String| findings.tell(Kind::Denied, file, view, what);
        let places = TokenPlaces {
            headers: rule.list("fromHeaders"),
            prefix: "prefix",
            cookies: rule.list("fromCookies"),
            params: rule.list("fromParams"),
        };
        let known = match self.known(resource, rule, findings) {
            Ok(known) => known,
            Err(what) => {
                denied(findings, rule, format!("{title}: {what}"));
                self.add_headers(resource, rule, None, findings);
                return places.pass_over_all(&mut self.unread, findings, file, rule);
            }
        };
        let (issuer, jwks) = known;
        let mut is_usable = true;
        for view in unknown(rule, &FIELDS) {
            if let Some(claims) = texts(&view).filter(|_| view.path.ends_with(OF_POLICIES)) {
                self.split.extend(claims.into_iter().map(str::to_owned));
                let what = format!("{title}: a claim that holds several words counts as one text in conditions");
                findings.tell(Kind::Stricter, file, &view, what);
                continue;
            }
            is_usable = false;
            denied(findings, &view, format!("{title}: a field that is not known here; tokens of {issuer} are refused"));
        }
        let audiences = audiences(findings, file, rule, &title, issuer);
        is_usable &= audiences.is_some();
        let audiences = audiences.unwrap_or_default();
        let place = places.choose(&mut self.unread, findings, file, rule);
        let is_read = place != TokenPlace::None;
        is_usable &= is_read;
        let token_header = if let TokenPlace::Header(header) = place { Some(header) } else { None };
        tell_issuer(findings, file, rule, (issuer, !audiences.is_empty()));
        let keeps = rule.get("forwardOriginalToken").is_some_and(|view| view.is_true());
        self.keeps |= keeps;
        self.strips |= !keeps;
        self.add_headers(resource, rule, Some(issuer), findings);
        let issuer = issuer.to_owned();
        let name = issuer.clone();
        self.issuers.push(Issuer { name, iss: issuer, audiences, jwks, token_header, is_usable, is_read });
    }

    /// The issuer of a rule and its keys; or why there are none.
    fn known<'s>(
        &mut self,
        resource: &Resource<'_>,
        rule: &View<'s>,
        findings: &mut Findings,
    ) -> Result<(&'s str, Node), String> {
        let issuer = rule.get("issuer").and_then(|view| view.text()).filter(|issuer| !issuer.is_empty());
        let issuer = issuer.ok_or("a rule without `issuer` accepts tokens of any; its tokens are refused")?;
        if self.issuers.iter().any(|other| other.iss == issuer) {
            return Err(format!("{issuer} has another rule before, and that alone is carried over"));
        }
        let jwks = self.jwks(resource.file, rule, issuer, findings);
        let jwks =
            jwks.ok_or_else(|| format!("the keys of {issuer} cannot be found by this rule; its tokens are refused"))?;
        Ok((issuer, jwks))
    }

    /// Where the keys of an issuer come from.
    fn jwks(&mut self, file: &Path, rule: &View<'_>, issuer: &str, findings: &mut Findings) -> Option<Node> {
        if let Some(inline) = rule.get("jwks") {
            let (keys, has_others) = public_keys(inline.text()?)?;
            if has_others {
                tell_secret_keys(findings, file, &inline, issuer);
            }
            return Some(object([("inline", keys)]));
        }
        let uri = rule.get("jwks_uri").or_else(|| rule.get("jwksUri"));
        let address = Address::of(uri.as_ref().map_or(Some(issuer), View::text)?)?;
        let cluster = text(cluster(&address));
        let mut members = match uri.as_ref().and_then(View::text) {
            Some(uri) => vec![("uri", text(uri)), ("cluster", cluster)],
            None => vec![("discovery", object([("cluster", cluster)]))],
        };
        if let Some(timeout) = rule.get("timeout").and_then(|view| view.text()).and_then(duration) {
            members.push(("timeout", text(timeout)));
        }
        self.servers.insert(address);
        Some(object(members))
    }

    /// Adds the headers of a rule, whose tokens are those of this issuer; none if they are not accepted.
    fn add_headers(&mut self, resource: &Resource<'_>, rule: &View<'_>, issuer: Option<&str>, findings: &mut Findings) {
        let file = resource.file;
        if let Some(header) = rule.get("outputPayloadToHeader") {
            let name = header.text().unwrap_or_default().to_ascii_lowercase();
            let what = format!(
                "{}: the payload of the token is not put into `{name}`; the header is removed",
                resource.title()
            );
            findings.add(
                Finding::new(Kind::Changed, file, &header, what).restored_by("forward: {headers: {…}} for each claim"),
            );
            if is_header_name(&name) {
                self.forward.remove.insert(name);
            }
        }
        for entry in rule.list("outputClaimToHeaders") {
            let both =
                entry.get("header").and_then(|view| view.text()).zip(entry.get("claim").and_then(|view| view.text()));
            match both {
                Some((header, claim)) if is_header_name(header) && !claim.is_empty() => {
                    let path = claim.split('.').map(str::to_owned).collect();
                    self.forward.add(header, path, issuer, (file, &entry));
                }
                _ => findings.tell(Kind::Changed, file, &entry, "it names no header and claim, and is left out"),
            }
        }
    }
}

/// The name of the cluster that Istio makes for a server.
pub(super) fn cluster(address: &Address) -> String {
    format!("outbound|{}||{}", address.port, address.host)
}

/// A duration such as `5s` or `0.5s`, as the configuration has it, within its limits.
fn duration(text: &str) -> Option<String> {
    let (whole, part) = text.strip_suffix('s').map(|number| number.split_once('.').unwrap_or((number, "")))?;
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    let milliseconds = whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(part.parse().ok()?)?;
    let milliseconds = milliseconds.clamp(100, 60_000);
    Some(if milliseconds % 1000 == 0 { format!("{}s", milliseconds / 1000) } else { format!("{milliseconds}ms") })
}
