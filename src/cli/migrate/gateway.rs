//! Envoy Gateway: `SecurityPolicy`, as an `EnvoyExtensionPolicy` for the same Gateways and routes.

mod authorization;
mod documents;
mod given;
mod overrides;
mod provider;
mod rest;
mod rivals;
mod sets;
mod targets;

use super::findings::{Finding, Findings, Kind};
use super::kubernetes::ask::Ask;
use super::kubernetes::build::{list, object, text, texts};
use super::kubernetes::header_readers;
use super::kubernetes::issuer::{self, Forward, Issuer};
use super::kubernetes::resource::{Resource, unknown};
use super::kubernetes::rules::{self, Accepted, Cells, Place};
use super::kubernetes::token_places::is_header_name;
use super::kubernetes::{Writing, closed, refused};
use crate::cli::source::{Source, View};
use crate::config::Node;
use documents::Server;
use given::Given;
use provider::Providers;
use rivals::Rivals;
use sets::Sets;

/// The group of Envoy Gateway.
const GROUP: &str = "gateway.envoyproxy.io";
/// The members of a policy that a gate takes the place of.
const OURS: [&str; 4] = ["jwt", "apiKeyAuth", "basicAuth", "authorization"];
/// The members that say what a policy is for.
const TARGETS: [&str; 4] = ["targetRef", "targetRefs", "targetSelectors", "mergeType"];

/// Reads the policies of Envoy Gateway, and writes a gate for each that asks for credentials.
pub(super) fn migrate(sources: &[Source], migrated: &mut Writing) {
    let given = Given::of(sources);
    let mut servers: Vec<Server> = Vec::new();
    for policy in given.all(GROUP, "SecurityPolicy") {
        if !asks(policy) {
            let what = format!("{}: it asks for no token, key or password, and is left as it is", policy.title());
            migrated.findings.tell(Kind::Note, policy.file, &policy.spec(), what);
            continue;
        }
        let rivals = Rivals::of(policy, &given);
        if let Some(older) = &rivals.older {
            let what = format!(
                "{}: {older} is older and for the same target, where it alone counts: nothing is written there for this one. Take it \
                 away with the other",
                policy.title()
            );
            migrated.findings.tell(Kind::Note, policy.file, &policy.spec(), what);
        }
        if rivals.have_all(policy) {
            continue;
        }
        let own = Gate { policy, given: &given, rivals: &rivals }.write(migrated);
        for server in own {
            if !servers.contains(&server) {
                servers.push(server);
            }
        }
    }
    if !servers.is_empty() {
        migrated.documents.push(documents::proxy(&servers));
        if let Some(policy) = given.all(GROUP, "SecurityPolicy").next() {
            let what = "the keys are fetched through clusters of the EnvoyProxy `scopegate`; name it in the `parametersRef` of the \
                        GatewayClass, or put its patches into the EnvoyProxy that is there";
            migrated.findings.tell(Kind::Note, policy.file, &policy.spec(), what);
        }
    }
    overrides::tell(&given, &mut migrated.findings);
}

/// Whether a policy asks for credentials, its own or those of the policy that it is merged with.
fn asks(policy: &Resource<'_>) -> bool {
    let spec = policy.spec();
    ["jwt", "apiKeyAuth", "basicAuth"].iter().any(|name| spec.get(name).is_some())
        || spec.get("authorization").is_some_and(|view| authorization::looks_at_tokens(&view))
}

/// A gate to be written.
struct Gate<'a, 's> {
    policy: &'a Resource<'s>,
    given: &'a Given<'s>,
    rivals: &'a Rivals,
}

impl Gate<'_, '_> {
    fn tell(&self, kind: Kind, view: &View<'_>, what: &str, findings: &mut Findings) {
        findings.tell(kind, self.policy.file, view, format!("{}: {what}", self.policy.title()));
    }

    /// Writes the gate, and returns the servers of its keys.
    fn write(&self, migrated: &mut Writing) -> Vec<Server> {
        let spec = self.policy.spec();
        let findings = &mut migrated.findings;
        let providers = self.providers(&spec, findings);
        let mut forward = providers.forward.clone();
        let is_optional = spec.at(&["jwt", "optional"]).is_some_and(|view| view.is_true());
        let mut names = Vec::new();
        let mut unread = providers.unread.clone();
        let issuers = issuer::written(&providers.issuers);
        let mut is_closed = unread.is_closed(&issuers);
        if let Some([other, target]) = &self.rivals.unsure {
            is_closed = true;
            let what = format!(
                "{other} is, or may be, for {target}, too, and of two the older counts alone, which is not known here: everything is \
                 refused. Give both with their `creationTimestamp`, or the one that counts"
            );
            self.tell(Kind::Denied, &spec, &what, findings);
        }
        if unread.has_unread_bearer(&issuers) {
            let what = "bad tokens in `Authorization` were refused, and no provider that is carried over has its tokens there: everything \
                        is refused";
            self.tell(Kind::Denied, &spec, what, findings);
        }
        if spec.get("jwt").is_some() {
            names.push("bearer");
            is_closed |= !providers.has_usable() || self.is_rerouted(&spec, findings);
            let what = format!("{}: the token went on to the upstream, and is removed now", self.policy.title());
            findings
                .add(Finding::new(Kind::Changed, self.policy.file, &spec, what).restored_by("forward: {token: keep}"));
        }
        let mut written = Vec::new();
        let mut sets = Sets { policy: self.policy, given: self.given, findings, unread: &mut unread };
        let keys = spec.get("apiKeyAuth").map(|view| (sets::KEYS, sets.keys(&view), view.get("forwardClientIDHeader")));
        let users =
            spec.get("basicAuth").map(|view| (sets::USERS, sets.users(&view), view.get("forwardUsernameHeader")));
        for (name, set, header) in keys.into_iter().chain(users) {
            is_closed |= set.is_none();
            self.add_identity_header(header.as_ref(), names.is_empty(), &mut forward, findings);
            names.push(name);
            written.extend(set);
        }
        is_closed |= self.is_merged(&spec, &names, findings);
        if is_optional && names.len() > 1 {
            self.tell(
                Kind::Stricter,
                &spec,
                "the token was optional beside the other credentials, and is needed now",
                findings,
            );
        }
        let is_open = is_optional && names.len() == 1;
        let everywhere = match (is_closed, is_open) {
            (true, _) => Ask::never(),
            (false, true) => Ask::nothing(),
            (false, false) => Ask::any_credential(),
        };
        let authorization = spec.get("authorization").filter(|_| !names.is_empty());
        let allow = authorization.as_ref().map(|view| authorization::cells(self.policy, view, &providers, findings));
        let places = Cells { everywhere, allow, refuse: Vec::new() }.places();
        let places = places.unwrap_or_default();
        self.tell_places(&places, &spec, findings);
        let has_scopes = places.iter().any(rules::has_scopes);
        if let Some(view) = authorization.filter(|_| has_scopes) {
            authorization::tell_scopes(self.policy, &view, findings);
        }
        let issuers = if names.is_empty() { self.lent() } else { issuers };
        let unread_set = unread.set(&issuers);
        let accepted =
            Accepted { credentials: credentials(&names), has_unread: unread_set.is_some(), ..Accepted::of(&issuers) };
        written.extend(unread_set);
        let mut members = configuration(
            &issuers,
            has_scopes.then_some(authorization::SCOPE),
            written,
            rules::members(&places, &accepted),
        );
        members.extend(unread.query().map(|query| ("query_tokens".to_owned(), query)));
        members.extend(forward.node().map(|forward| ("forward".to_owned(), forward)));
        self.write_documents(&members, migrated);
        if !forward.headers.is_empty() {
            let headers = forward.headers.keys().cloned().collect::<Vec<_>>().join(", ");
            let what = format!(
                "let a ClientTrafficPolicy remove {headers} early (`headers.earlyRequestHeaders.remove`), so that no route is chosen by what a client writes"
            );
            self.tell(Kind::Note, &spec, &what, &mut migrated.findings);
        }
        providers.servers
    }

    /// Whether it depends on the policy of the Gateway, with which Envoy Gateway merges it; `names` are its own credentials.
    fn is_merged(&self, spec: &View<'_>, names: &[&str], findings: &mut Findings) -> bool {
        let what = if spec.get("mergeType").is_some() {
            "it is merged with the policy of the Gateway (mergeType), which is not done here: everything is refused"
        } else if names.is_empty() {
            "its `authorization` is about tokens, and it has no `jwt`: everything is refused"
        } else {
            return false;
        };
        self.tell(Kind::Denied, spec, what, findings);
        true
    }

    /// Whether the route is chosen anew after the token is judged, and may be one at which another policy looks at tokens.
    fn is_rerouted(&self, spec: &View<'_>, findings: &mut Findings) -> bool {
        let providers = spec.get("jwt").map(|jwt| jwt.list("providers")).unwrap_or_default();
        let Some(view) = providers.iter().find_map(|one| one.get("recomputeRoute").filter(View::is_true)) else {
            return false;
        };
        let is_own = |other: &Resource<'_>| std::ptr::eq(other.root.node, self.policy.root.node);
        let judges = |other: &&Resource<'_>| {
            let authorization = other.spec().get("authorization");
            !is_own(other) && asks(other) && authorization.is_some()
        };
        let anew = "the route is chosen anew once the headers are set, and the gate has judged by the one before";
        let Some(other) = self.given.all(GROUP, "SecurityPolicy").find(judges) else {
            let what = format!(
                "{}: {anew}: `authorization` of a policy that is not in these files is not asked for; `seal: true` refuses a request that \
                 another route would serve",
                self.policy.title()
            );
            let finding = Finding::new(Kind::Changed, self.policy.file, &view, what);
            findings.add(finding.restored_by("seal: true"));
            return false;
        };
        let what = format!(
            "{anew}: at another route the `authorization` of {} was judged still, and is not now. Everything is refused until \
             `recomputeRoute` is taken out",
            other.title()
        );
        self.tell(Kind::Denied, &view, &what, findings);
        true
    }

    /// Issuers of another policy, for a gate that accepts nothing: it has to know one.
    fn lent(&self) -> Vec<Issuer> {
        let others = self.given.all(GROUP, "SecurityPolicy");
        let issuers =
            others.map(|policy| Gate { policy, ..*self }.providers(&policy.spec(), &mut Findings::default()).issuers);
        issuers.into_iter().find(|issuers| !issuers.is_empty()).unwrap_or_default()
    }

    fn providers(&self, spec: &View<'_>, findings: &mut Findings) -> Providers {
        let mut providers = Providers::default();
        let Some(jwt) = spec.get("jwt") else { return providers };
        for provider in jwt.list("providers") {
            providers.add(self.policy, &provider, self.given, findings);
        }
        for view in unknown(&jwt, &["providers", "optional"]) {
            self.tell(Kind::Denied, &view, "a field that is not known here: tokens are refused", findings);
            providers.issuers.iter_mut().for_each(|issuer| issuer.is_usable = false);
        }
        providers.forward.settle(&providers.issuers, findings);
        if !providers.has_usable() {
            self.tell(Kind::Denied, &jwt, "no provider could be carried over: everything is refused", findings);
        }
        providers
    }

    /// Puts the name of a key or a user into a header, if it is that of the credential that counts.
    fn add_identity_header(
        &self,
        header: Option<&View<'_>>,
        is_first: bool,
        forward: &mut Forward,
        findings: &mut Findings,
    ) {
        let Some(view) = header else { return };
        let Some(name) = view.text().filter(|name| is_header_name(name)) else {
            return self.tell(Kind::Changed, view, "it names no header, and is left out", findings);
        };
        if is_first {
            forward.headers.insert(name.to_ascii_lowercase(), vec!["sub".to_owned()]);
            return;
        }
        self.tell(
            Kind::Changed,
            view,
            "beside a token, its subject counts: the header is removed, and not set",
            findings,
        );
        forward.headers.remove(&name.to_ascii_lowercase());
        forward.remove.insert(name.to_ascii_lowercase());
    }

    fn tell_places(&self, places: &[Place], spec: &View<'_>, findings: &mut Findings) {
        for place in places.iter().filter(|place| place.is_unsayable) {
            let at = place.region.words();
            let what = format!("at {at} several rules allow for different reasons, which one requirement cannot say");
            self.tell(Kind::Denied, spec, &what, findings);
        }
        if let Some(heads) = rules::closed_heads(places) {
            let what = format!(
                "{heads} is refused on its own, since a match of GET takes HEAD too, and the old policy did not"
            );
            self.tell(Kind::Note, spec, &what, findings);
        }
        for at in rules::open_places(places).into_values() {
            let what = format!("a request without a token passes at {at} (jwt.optional)");
            self.tell(Kind::LetThrough, spec, &what, findings);
        }
    }

    /// Tells what looks at headers that the gate removes or sets.
    fn tell_header_readers(&self, plugin: &Node, findings: &mut Findings) {
        let spec = self.policy.spec();
        let was_removed = spec.get("jwt").is_none()
            && spec.get("basicAuth").is_none()
            && spec.at(&["apiKeyAuth", "sanitize"]).is_some_and(|view| view.is_true());
        let meets = |resource: &Resource<'_>| match resource.kind {
            "SecurityPolicy" => !asks(resource),
            kind => kind != "AuthorizationPolicy",
        };
        header_readers::Gate { plugin, was_removed, resources: self.given.everything(), meets: &meets }.tell(findings);
    }

    fn write_documents(&self, members: &[(String, Node)], migrated: &mut Writing) {
        let spec = self.policy.spec();
        let mut configuration = object(members.iter().cloned());
        if let Some(why) = refused(&configuration) {
            let Some(closed) = closed(members) else {
                let what = format!("what was written would not load ({why})");
                self.tell(Kind::Denied, &spec, &what, &mut migrated.findings);
                let what = "no issuer, user or key of it is left, so no gate is written: keep the policy until there is one, and that of \
                            its Gateway";
                return self.tell(Kind::Denied, &spec, what, &mut migrated.findings);
            };
            let what = format!("what was written would not load ({why}): everything is refused");
            self.tell(Kind::Denied, &spec, &what, &mut migrated.findings);
            configuration = closed;
        }
        self.tell_header_readers(&configuration, &mut migrated.findings);
        migrated.plugins.push(configuration.clone());
        migrated.documents.push(documents::gate(self.policy, &self.rivals.lost, configuration));
        issuer::tell_requests(&mut migrated.findings, self.policy.file, &spec);
        rest::write(self.policy, self.given, migrated);
    }
}

/// The `credentials` of requirements; none for tokens alone.
fn credentials(names: &[&str]) -> Option<Node> {
    match names {
        [] | ["bearer"] => None,
        [one] => Some(text(*one)),
        several => Some(object([("all_of", texts(several.iter().copied()))])),
    }
}

/// The members of the configuration before those for what goes upstream.
fn configuration(
    issuers: &[Issuer],
    scope_claims: Option<&str>,
    sets: Vec<Node>,
    requirements: Vec<(String, Node)>,
) -> Vec<(String, Node)> {
    let mut members = Vec::new();
    if !issuers.is_empty() {
        members.push(("issuers".to_owned(), issuer::node(issuers, scope_claims)));
    }
    if !sets.is_empty() {
        members.push(("credentials".to_owned(), list(sets)));
    }
    members.extend(requirements);
    members.push(("route_metadata".to_owned(), text("ignore")));
    members
}
