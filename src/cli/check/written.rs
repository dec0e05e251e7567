//! Text that is compared exactly but looks like a pattern: `{tenantid}`, `*`, `${X}`, `<TENANT>`, a regular expression,
//! or a claim with a dotted path. Such text matches nothing, and a rule that never matches leaves the decision to
//! `default`.

use super::Findings;
use crate::cli::gates::{Gate, InEnvoy};
use crate::cli::source::View;
use crate::policy::Template;
use std::path::Path;

/// The meaning of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    /// `iss`.
    Issuer,
    /// An address.
    Uri,
    /// A whole path, or a prefix.
    Path { whole: bool },
    /// A scope.
    Scope,
    /// Other text that a token or a request must contain exactly.
    Value,
    /// What a claim must be.
    Equals,
    /// The name of a route, a virtual host or an issuer, which may contain a star.
    Name,
}

/// What a text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pattern {
    /// `${X}`, `$(X)`, `{{ X }}`.
    Variable,
    /// `{x}`.
    Braces,
    /// `<X>`.
    Angle,
    /// `*`.
    Star,
    /// `/:x`.
    Colon,
    /// A regular expression.
    Regex,
}

/// Checks the configuration of a gate, and the requirements in the metadata of its routes.
pub(super) fn check(gate: &Gate<'_>, findings: &mut Findings) {
    Reader { file: gate.file, findings }.policy(&gate.values);
    if let Some(envoy) = &gate.envoy {
        check_routes(envoy, findings);
    }
}

/// Checks the requirements in the metadata of virtual hosts and routes.
pub(super) fn check_routes(envoy: &InEnvoy<'_>, findings: &mut Findings) {
    for host in &envoy.virtual_hosts {
        let mut reader = Reader { file: host.file, findings };
        for beside in host.routes.iter().map(|route| &route.beside).chain([&host.beside]).flatten() {
            reader.requirement(&beside.view);
        }
    }
}

struct Reader<'s, 'f> {
    file: &'s Path,
    findings: &'f mut Findings,
}

impl Reader<'_, '_> {
    fn policy(&mut self, policy: &View<'_>) {
        for issuer in policy.list("issuers") {
            self.issuer(&issuer);
        }
        if let Some(requirement) = policy.get("default") {
            self.requirement(&requirement);
        }
        for rule in policy.list("rules") {
            self.requirement(&rule);
            let matching = |name| rule.at(&["match", name]);
            self.one(matching("path"), Slot::Path { whole: true });
            self.one(matching("prefix"), Slot::Path { whole: false });
            self.one(matching("path_separated_prefix"), Slot::Path { whole: false });
            self.one(matching("route"), Slot::Name);
            self.one(matching("virtual_host"), Slot::Name);
        }
        let headers = policy.at(&["forward", "headers"]).map(|view| view.members()).unwrap_or_default();
        headers.iter().for_each(|(_, claim)| self.claim(claim));
        for list in policy.at(&["revocation", "lists"]).map(|view| view.items()).unwrap_or_default() {
            self.one(list.get("uri"), Slot::Uri);
        }
        for entry in policy.at(&["revocation", "entries"]).map(|view| view.items()).unwrap_or_default() {
            for name in ["iss", "jti", "fingerprint", "sub", "sid", "client_id", "kid"] {
                self.one(entry.get(name), if name == "iss" { Slot::Issuer } else { Slot::Value });
            }
        }
        for resource in policy.list("resources") {
            self.one(resource.get("resource"), Slot::Uri);
            self.all(resource.get("scopes_supported"), Slot::Scope);
            self.all(resource.get("audiences"), Slot::Value);
        }
        self.all(policy.at(&["mtls", "forwarded", "from"]), Slot::Value);
        for name in ["names", "jwt_allowed_in"] {
            self.all(policy.at(&["query_tokens", name]), Slot::Value);
        }
    }

    fn issuer(&mut self, issuer: &View<'_>) {
        self.one(issuer.get("issuer"), Slot::Issuer);
        self.shared_issuer(issuer.get("issuer"));
        self.all(issuer.get("audiences"), Slot::Value);
        self.all(issuer.get("token_types"), Slot::Value);
        self.one(issuer.at(&["jwks", "uri"]), Slot::Uri);
        for place in issuer.at(&["status_list", "clusters"]).map(|view| view.items()).unwrap_or_default() {
            self.one(place.get("uri_prefix"), Slot::Uri);
        }
        for name in ["audience_claims", "required_claims", "scope_claims"] {
            issuer.list(name).iter().for_each(|claim| self.claim(claim));
        }
    }

    fn requirement(&mut self, requirement: &View<'_>) {
        self.all(requirement.get("scopes"), Slot::Scope);
        for name in ["audiences", "token_types", "acr_values", "jwt_allowed_in"] {
            self.all(requirement.get(name), Slot::Value);
        }
        self.all(requirement.get("issuers"), Slot::Name);
        for condition in requirement.list("claims") {
            condition.get("claim").iter().for_each(|claim| self.claim(claim));
            self.all(condition.get("equals"), Slot::Equals);
            for name in ["contains", "one_of"] {
                self.all(condition.get(name), Slot::Value);
            }
        }
        for (_, inner) in requirement.get("methods").map(|view| view.members()).unwrap_or_default() {
            self.requirement(&inner);
        }
    }

    /// Everything in it that is text.
    fn all(&mut self, view: Option<View<'_>>, slot: Slot) {
        let Some(view) = view else { return };
        let mut texts = Vec::new();
        view.visit(&mut |inner| {
            if inner.text().is_some() {
                texts.push(inner.clone());
            }
        });
        texts.into_iter().for_each(|text| self.one(Some(text), slot));
    }

    fn one(&mut self, view: Option<View<'_>>, slot: Slot) {
        let Some(view) = view else { return };
        let Some(text) = view.text() else { return };
        let Some(pattern) = Pattern::of(text, slot) else { return };
        let what = format!("{text:?} is compared as it is: {} has no meaning here", pattern.words());
        let remedy = remedy(text, pattern, slot);
        if pattern.is_never_right(slot) {
            self.findings.error("compared-as-it-is", self.file, &view, what, &remedy);
        } else {
            self.findings.warn("compared-as-it-is", self.file, &view, what, &remedy);
        }
    }

    /// Entra's addresses for several tenants are no issuer of any token.
    fn shared_issuer(&mut self, view: Option<View<'_>>) {
        let Some(view) = view else { return };
        let text = view.text().unwrap_or_default();
        let tenant = text.strip_prefix("https://login.microsoftonline.com/").and_then(|rest| rest.split('/').next());
        if let Some(name @ ("common" | "organizations" | "consumers")) = tenant {
            let what = format!("is the issuer of no token: Entra ID puts the id of the tenant where {name} is");
            self.findings.warn("compared-as-it-is", self.file, &view, what, TENANTS);
        }
    }

    /// The name of a claim, or a list of names that leads into nested objects.
    fn claim(&mut self, view: &View<'_>) {
        self.all(Some(view.clone()), Slot::Value);
        let Some(text) = view.text().filter(|text| is_dotted_path(text)) else { return };
        self.findings.warn(
            "dotted-claim",
            self.file,
            view,
            format!("{text:?} is one name with dots in it: it does not lead into nested claims"),
            &format!("for a nested claim write [{}]", text.split('.').collect::<Vec<_>>().join(", ")),
        );
    }
}

const TENANTS: &str =
    "write the issuer as its tokens carry it; of an issuer with many tenants, an entry for each tenant";

impl Pattern {
    fn of(text: &str, slot: Slot) -> Option<Self> {
        let between = |start: &str, end: &str| text.split_once(start).is_some_and(|(_, rest)| rest.contains(end));
        let regex = ["\\d", "\\w", "\\.", ".+", ".*", "[^", "(?"].iter().any(|part| text.contains(part));
        if between("${", "}") || between("$(", ")") || between("{{", "}}") {
            return Some(Self::Variable);
        }
        let starred = slot != Slot::Name;
        if starred && (text.starts_with('^') || text.ends_with('$') || regex) {
            Some(Self::Regex)
        } else if between("{", "}") {
            Some(Self::Braces)
        } else if between("<", ">") {
            Some(Self::Angle)
        } else if starred && text.contains('*') {
            Some(Self::Star)
        } else if matches!(slot, Slot::Path { .. }) && text.contains("/:") {
            Some(Self::Colon)
        } else {
            None
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Variable => "a variable",
            Self::Braces | Self::Angle => "a placeholder",
            Self::Star => "*",
            Self::Colon => "a parameter after a colon",
            Self::Regex => "a regular expression",
        }
    }

    /// Neither an incoming path nor an address or an issuer contains such characters.
    const fn is_never_right(self, slot: Slot) -> bool {
        matches!(self, Self::Variable | Self::Braces | Self::Angle)
            && matches!(slot, Slot::Path { .. } | Slot::Issuer | Slot::Uri)
    }
}

fn remedy(text: &str, pattern: Pattern, slot: Slot) -> String {
    match (slot, pattern) {
        (_, Pattern::Variable) => "fill it in before the file is used".to_owned(),
        (Slot::Issuer, _) => TENANTS.to_owned(),
        (Slot::Uri, _) => "write the address as it is fetched".to_owned(),
        (Slot::Path { .. }, Pattern::Regex) => {
            "there are no regular expressions: write template, such as template: /users/{id}".to_owned()
        }
        (Slot::Path { whole }, _) => match (text.strip_suffix('*').filter(|_| !whole), template(text)) {
            (Some(before), _) => format!("write {before:?}: a prefix takes everything that begins with it"),
            (None, Some(template)) => format!("write template: {template:?}"),
            (None, None) => "write template, such as template: /users/{id}".to_owned(),
        },
        (Slot::Scope, _) => "name each scope; any_of takes one of several".to_owned(),
        (Slot::Equals, Pattern::Braces) => {
            "for a variable of the template in the same rule write equals_path with its name".to_owned()
        }
        (Slot::Equals, Pattern::Star) if text.starts_with("*.") => {
            "name each value with one_of; for a label of the host write equals_host".to_owned()
        }
        (Slot::Equals | Slot::Value, _) => "name each value; a list takes any of them".to_owned(),
        (Slot::Name, _) => "write the whole name".to_owned(),
    }
}

/// The template that a path with placeholders means.
fn template(path: &str) -> Option<String> {
    let segments = path.split('/').map(|segment| {
        let angle = || segment.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
        let name = segment.strip_prefix(':').or_else(angle);
        name.map_or_else(|| segment.to_owned(), |name| format!("{{{name}}}"))
    });
    let template = segments.collect::<Vec<_>>().join("/");
    Template::parse(&template).is_ok().then_some(template)
}

/// Whether a text is likely a path such as `realm_access.roles`. Some names contain dots: a URL or the name of a host
/// counts as a plain name.
fn is_dotted_path(text: &str) -> bool {
    const DOMAINS: [&str; 8] = ["com", "org", "net", "io", "dev", "gov", "edu", "cloud"];
    let parts: Vec<&str> = text.split('.').collect();
    let is_name = |part: &&str| {
        part.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    let is_host = [parts.first(), parts.last()].iter().flatten().any(|part| DOMAINS.contains(part));
    parts.len() > 1 && parts.iter().all(is_name) && !is_host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_dots_is_a_path_only_where_that_is_plausible() {
        for text in ["realm_access.roles", "resource_access.my-client.roles", "a.b"] {
            assert!(is_dotted_path(text), "{text}");
        }
        for text in [
            "https://example.com/roles",
            "kubernetes.io",
            "com.example.roles",
            "roles",
            "a..b",
            "example.com/roles",
            "1.2",
            "urn:a.b",
        ] {
            assert!(!is_dotted_path(text), "{text}");
        }
    }
}
