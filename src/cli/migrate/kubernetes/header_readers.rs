//! What looks at headers that a written gate removes or sets: routes, limits, and filters that stay.

use super::resource::Resource;
use crate::cli::gates::kubernetes::is_image;
use crate::cli::gates::our_plugin;
use crate::cli::migrate::changed::{Fate, Header};
use crate::cli::migrate::envoy::{in_texts, is_closed};
use crate::cli::migrate::findings::{Finding, Findings, Kind};
use crate::cli::source::{View, is_same};
use crate::config::Node;
use crate::policy::{AUTHORIZATION, same_header};

/// A written gate, and what may be beside it.
pub(in crate::cli::migrate) struct Gate<'g, 's> {
    /// Its configuration.
    pub plugin: &'g Node,
    /// Whether the old policies removed each credential that they had judged.
    pub was_removed: bool,
    /// All resources, with their groups.
    pub resources: &'g [(&'s str, Resource<'s>)],
    /// Whether a resource may be for what the gate is for, and stays.
    pub meets: &'g dyn Fn(&Resource<'s>) -> bool,
}

/// Where something looks at a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where the route is chosen, again once the gate has changed a header; or between the gate and the old filters.
    Between,
    /// Before the gate, where headers of clients may be removed early.
    Before,
    /// Before the old filters or behind them: these files do not say.
    Unknown,
    /// Behind the old filters.
    Behind,
}

/// How something names headers.
#[derive(Clone, Copy)]
enum Words {
    /// In members for headers.
    Fields,
    /// In text of any kind: code, and Envoy's own configuration.
    Texts,
    /// Nowhere: it is code that is not in these files.
    Code,
}

/// Members that change headers, balance load by them, or name those of responses: they refuse nothing. What injects is told on its own.
const NOT_READ: [&str; 10] = [
    "set",
    "add",
    "remove",
    "response",
    "requestHeaderModifier",
    "responseHeaderModifier",
    "cors",
    "corsPolicy",
    "loadBalancer",
    "credentialInjection",
];
/// How code looks that is not in these files.
const CLOSED: &str = "runs code that is not in these files, and may look";
/// A filter that puts a credential into requests.
const INJECTOR: &str = "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector";

impl Gate<'_, '_> {
    /// Tells what looks at a header that is another one now.
    pub(in crate::cli::migrate) fn tell(&self, findings: &mut Findings) {
        let headers = Header::all(self.plugin, false);
        for (group, resource) in self.resources {
            let Some((words, place)) = look(group, resource).filter(|_| (self.meets)(resource)) else { continue };
            let parts = parts(resource);
            for (header, part) in headers.iter().flat_map(|header| parts.iter().map(move |part| (header, part))) {
                if self.is_other(header, place) {
                    self.tell_of_header(header, words, resource, part, findings);
                }
                if header.fate != Fate::Set && self.is_other(header, Place::Behind) {
                    self.tell_of_injection(header, resource, part, findings);
                }
            }
        }
    }

    /// Whether a header is another one at this place than it was.
    fn is_other(&self, header: &Header, place: Place) -> bool {
        match (header.fate, place) {
            (_, Place::Between) | (Fate::Removed, _) => true,
            (Fate::Set, place) => place != Place::Behind,
            (Fate::Credential(_), Place::Before) => false,
            (Fate::Credential(_), _) => !self.was_removed,
        }
    }

    /// Tells the first place where a resource looks at the header.
    fn tell_of_header<'v>(
        &self,
        header: &Header,
        words: Words,
        resource: &Resource<'_>,
        spec: &View<'v>,
        findings: &mut Findings,
    ) {
        let mut found: Option<(View<'v>, String)> = None;
        let mut see = |view: &View<'v>, looks: &str| {
            if found.is_none() {
                found = Some((view.clone(), format!("it {looks}")));
            }
        };
        match words {
            Words::Fields => in_fields(header, spec, false, &mut see),
            Words::Code => see(spec, CLOSED),
            Words::Texts => {
                in_texts(header, resource.file, spec, &mut see);
                // What the old filters and the gate make of each token alike is read as before.
                if header.fate != Fate::Set {
                    spec.visit(&mut |inner| {
                        let is_filter = inner.type_name().is_some() || inner.get("config_discovery").is_some();
                        if is_filter && is_closed(inner) && our_plugin(inner).is_none() {
                            see(inner, CLOSED);
                        }
                    });
                }
            }
        }
        let Some((view, looks)) = found else { return };
        let what = format!("{}: {}", resource.title(), header.looked_at(&looks));
        self.tell_loss(header, resource, &view, what, findings);
    }

    /// Tells what puts a credential of its own where the gate has removed that of the client.
    fn tell_of_injection(&self, header: &Header, resource: &Resource<'_>, spec: &View<'_>, findings: &mut Findings) {
        let mut injections: Vec<(View<'_>, Option<View<'_>>)> = Vec::new();
        for holder in spec.holders("credentialInjection") {
            injections.extend(holder.get("credentialInjection").map(|own| (own.clone(), own.get("header"))));
        }
        spec.visit(&mut |inner| {
            if inner.type_name() == Some(INJECTOR) {
                injections.push((inner.clone(), inner.at(&["credential", "typed_config", "header"])));
            }
        });
        for (view, name) in injections {
            let name = name.and_then(|name| name.text()).unwrap_or(AUTHORIZATION);
            let overwrites = view.get("overwrite").is_some_and(|flag| flag.is_true());
            if overwrites || !same_header(name.as_bytes(), header.name.as_bytes()) {
                continue;
            }
            let what = format!(
                "{}: it puts a credential of its own into the header `{}` of a request that has none there, and the gate before it removes \
                 that of the client: to the upstream whoever passes is the service",
                resource.title(),
                header.name
            );
            self.tell_loss(header, resource, &view, what, findings);
        }
    }

    fn tell_loss(
        &self,
        header: &Header,
        resource: &Resource<'_>,
        view: &View<'_>,
        what: String,
        findings: &mut Findings,
    ) {
        let finding = Finding::new(Kind::Denied, resource.file, view, what);
        findings.add(match header.fate {
            Fate::Credential(true) if !self.was_removed => finding.restored_by("forward: {token: keep}"),
            _ => finding,
        });
    }
}

/// The parts of a resource that may look at headers: those that are no gate.
fn parts<'s>(resource: &Resource<'s>) -> Vec<View<'s>> {
    let spec = resource.spec();
    match resource.kind {
        "SecurityPolicy" => spec.get("authorization").into_iter().collect(),
        "EnvoyExtensionPolicy" => {
            let address =
                |entry: &View<'_>, kind| entry.at(&["code", kind, "url"]).and_then(|view| view.text().map(is_image));
            let is_gate = |entry: &View<'_>| ["image", "http"].iter().any(|kind| address(entry, kind) == Some(true));
            let members = spec.members().into_iter().filter(|(name, _)| *name != "wasm").map(|(_, member)| member);
            members.chain(spec.list("wasm").into_iter().filter(|entry| !is_gate(entry))).collect()
        }
        _ => vec![spec],
    }
}

/// How and where a resource looks at headers; none if it does not, or decides nothing by them.
fn look(group: &str, resource: &Resource<'_>) -> Option<(Words, Place)> {
    let spec = resource.spec();
    let text = |name: &str| spec.get(name).and_then(|view| view.text());
    let place_of_phase = || if text("phase") == Some("AUTHN") { Place::Between } else { Place::Behind };
    match (group, resource.kind) {
        ("security.istio.io", "AuthorizationPolicy") if text("action") == Some("CUSTOM") => {
            Some((Words::Fields, Place::Before))
        }
        ("extensions.istio.io", "WasmPlugin") => {
            let is_gate = text("url").is_some_and(is_image);
            (!is_gate).then(|| (Words::Code, place_of_phase()))
        }
        ("extensions.istio.io", _) if spec.get("wasm").is_some() => {
            let is_gate = spec.at(&["wasm", "url"]).and_then(|view| view.text()).is_some_and(is_image);
            (!is_gate).then(|| (Words::Code, place_of_phase()))
        }
        ("extensions.istio.io", _)
        | ("networking.istio.io", "EnvoyFilter")
        | ("gateway.envoyproxy.io", "EnvoyPatchPolicy" | "EnvoyExtensionPolicy") => {
            Some((Words::Texts, Place::Unknown))
        }
        ("networking.istio.io", "VirtualService") | ("gateway.networking.k8s.io", _) => {
            Some((Words::Fields, Place::Between))
        }
        // These see a request before all filters, or write logs.
        ("gateway.envoyproxy.io", "ClientTrafficPolicy" | "EnvoyProxy") => None,
        ("security.istio.io", "AuthorizationPolicy") | ("networking.istio.io" | "gateway.envoyproxy.io", _) => {
            Some((Words::Fields, Place::Behind))
        }
        _ => None,
    }
}

/// Sees each member that is named as the header, and each text that is its name or an expression with it.
fn in_fields<'s>(header: &Header, view: &View<'s>, is_of_headers: bool, see: &mut dyn FnMut(&View<'s>, &str)) {
    let is_it = |name: &str| same_header(name.as_bytes(), header.name.as_bytes());
    if let Some(text) = view.text() {
        let lower = text.to_ascii_lowercase();
        let is_expression = lower.contains("header") || lower.contains("%req");
        if is_of_headers && is_it(text) || is_expression && header.is_named_in(text) {
            see(view, "looks");
        }
    }
    for (name, member) in view.members() {
        if is_of_headers && is_it(name) {
            see(&member, "looks");
        } else if !NOT_READ.iter().any(|other| is_same(name, other)) {
            let is_within = is_of_headers || name.to_ascii_lowercase().contains("header");
            in_fields(header, &member, is_within, see);
        }
    }
    for item in view.items() {
        in_fields(header, &item, is_of_headers, see);
    }
}
