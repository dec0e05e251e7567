//! The new filter, with its configuration.

use super::chain::{Chain, FilterKind};
use super::credentials::FORWARDING;
use super::headers::{can_be_removed, can_be_sent};
use super::makers::{CLIENT, Fault, Makers};
use super::providers::{Providers, made_headers};
use crate::cli::gates::{ROOT_ID, WASM_FILTER};
use crate::cli::migrate::findings::{Finding, Findings, Kind};
use crate::cli::migrate::policy::{Issuers, denied};
use crate::cli::migrate::tree::{flag, list, object, object_of, text, texts};
use crate::cli::source::View;
use crate::config::{Node, Tree};
use crate::policy::same_header;
use std::collections::{BTreeMap, BTreeSet};

/// The configuration of a gate.
pub(super) fn plugin(
    chain: &Chain<'_>,
    makers: &Makers<'_, '_>,
    issuers: &Issuers,
    rules: Vec<Node>,
    findings: &mut Findings,
) -> Node {
    let Makers { providers, sets, .. } = makers;
    let of_tokens = providers.0.iter().flat_map(|provider| &provider.places.parameters);
    let parameters: BTreeSet<&String> = of_tokens.chain(sets.parameters()).collect();
    let sets = sets.nodes();
    let parameters = parameters.into_iter().filter(|name| !["access_token", "id_token"].contains(&name.as_str()));
    let parameters: Vec<String> = parameters.cloned().collect();
    object_of(vec![
        ("issuers", Some(providers.nodes(issuers)).filter(|all| !all.is_empty()).map(list)),
        ("credentials", (!sets.is_empty()).then(|| list(sets))),
        ("default", Some(denied())),
        ("rules", (!rules.is_empty()).then(|| list(rules))),
        ("query_tokens", (!parameters.is_empty()).then(|| object([("names", texts(parameters))]))),
        ("forward", forward(chain, makers, findings)),
        ("bypass_cors_preflight", preflights(chain, findings)),
    ])
}

/// The configuration of a gate that only reports, in front of the filters that it is to replace: they need the token, and what
/// is in the other places of tokens.
pub(super) fn reporting(mut plugin: Node, providers: &Providers<'_>) -> Node {
    let is_place = |header: &Node| {
        let Tree::Text(name) = &header.value else { return false };
        providers.0.iter().any(|provider| provider.places.removed.contains(name))
    };
    if let Tree::Object(members) = &mut plugin.value {
        let keep = || ("token".to_owned(), text("keep"));
        match members.iter_mut().find(|(name, _)| name == "forward").map(|(_, forward)| &mut forward.value) {
            Some(Tree::Object(forward)) => {
                for (_, removed) in forward.iter_mut().filter(|(name, _)| name == "remove") {
                    if let Tree::List(headers) = &mut removed.value {
                        headers.retain(|header| !is_place(header));
                    }
                }
                let is_empty = |node: &Node| matches!(&node.value, Tree::List(items) if items.is_empty());
                forward.retain(|(name, own)| name != "token" && !is_empty(own));
                forward.insert(0, keep());
            }
            _ => members.push(("forward".to_owned(), Tree::Object(vec![keep()]).into())),
        }
        members.push(("report_only".to_owned(), flag(true)));
    }
    plugin
}

/// `forward`: what goes upstream.
fn forward(chain: &Chain<'_>, makers: &Makers<'_, '_>, findings: &mut Findings) -> Option<Node> {
    let providers = makers.providers;
    let mut headers: BTreeMap<String, Node> = BTreeMap::new();
    let mut remove: BTreeSet<String> = BTreeSet::new();
    for provider in &providers.0 {
        if let Some(view) = provider.view.get("claim_to_headers").filter(|_| !provider.headers.is_empty()) {
            let what = "sent claims that are no text, number or boolean as base64 of their JSON; now a list of texts is joined by \
                        commas, and of another claim there is no header";
            findings.tell(Kind::Changed, chain.file, &view, what);
        }
        for (header, path) in &provider.headers {
            let claim = match path.as_slice() {
                [one] => text(one),
                more => texts(more.to_vec()),
            };
            let at = provider.view.get("claim_to_headers").unwrap_or_else(|| provider.view.clone());
            if let Err(why) = can_be_sent(header, &claim) {
                let what =
                    format!("makes the header `{header}`, which {why}; now the header is removed from every request");
                findings.add(
                    Finding::new(Kind::Changed, chain.file, &at, what)
                        .restored_by("forward.headers, under another name"),
                );
            } else if let Some(fault) = makers.fault(header, path) {
                let what = format!(
                    "makes the header `{header}` {}; now the header is removed from every request",
                    fault.what()
                );
                let restore = match fault {
                    Fault::OneProvider => "forward.headers, if no other issuer has the claim",
                    Fault::OtherClaim | Fault::OtherCredential => "forward.headers, if every credential may have it",
                };
                findings.add(Finding::new(Kind::Denied, chain.file, &at, what).restored_by(restore));
            } else {
                headers.insert(header.clone(), claim);
            }
        }
        let payload = provider.view.get("forward_payload_header");
        if let Some((view, name)) = payload.and_then(|view| view.text().map(|name| (view.clone(), name))) {
            let what = format!(
                "sent the payload of the token in `{name}`; now the header is removed from every request, and the claims that \
                 an upstream needs go into `forward.headers`"
            );
            findings.add(
                Finding::new(Kind::Changed, chain.file, &view, what)
                    .restored_by("forward.headers, a header for each claim"),
            );
        }
        remove.extend(made_headers(&provider.view).into_iter().map(|(_, name)| name));
        remove.extend(provider.places.removed.iter().cloned());
    }
    clients(chain, makers, &mut headers, &mut remove, findings);
    let is_set = |name: &String| headers.keys().any(|own| same_header(own.as_bytes(), name.as_bytes()));
    remove.retain(|name| !is_set(name) && can_be_removed(name));
    let kept =
        providers.0.iter().filter(|provider| provider.view.get("forward").is_some_and(|flag| flag.is_true())).count();
    let keep = kept > 0 && kept == providers.0.len();
    for provider in providers.0.iter().filter(|_| kept > 0 && !keep) {
        if let Some(view) = provider.view.get("forward").filter(View::is_true) {
            let what = "sent the token upstream, which other providers did not; now no token goes upstream";
            findings.add(
                Finding::new(Kind::Stricter, chain.file, &view, what)
                    .restored_by("forward: {token: keep}, for all issuers"),
            );
        }
    }
    let headers = (!headers.is_empty()).then(|| Tree::Object(headers.into_iter().collect()).into());
    let remove = (!remove.is_empty()).then(|| texts(remove));
    let token = keep.then(|| text("keep"));
    (headers.is_some() || remove.is_some() || token.is_some())
        .then(|| object_of(vec![("token", token), ("headers", headers), ("remove", remove)]))
}

/// The headers with the client of a key or the user of a password, who is `sub`. No client may set one that nothing sets.
fn clients(
    chain: &Chain<'_>,
    makers: &Makers<'_, '_>,
    headers: &mut BTreeMap<String, Node>,
    remove: &mut BTreeSet<String>,
    findings: &mut Findings,
) {
    let claim = text(CLIENT);
    let mut sent = BTreeSet::new();
    for (kind, path) in [(FilterKind::Keys, FORWARDING), (FilterKind::Basic, &["forward_username_header"][..])] {
        for (_, file, view) in chain.of_kind(kind) {
            let Some(own) = view.at(path) else { continue };
            let Some(name) = own.text().filter(|name| !name.is_empty()).map(str::to_ascii_lowercase) else { continue };
            let (kind_of_finding, how) = match makers.fault(&name, &[CLIENT.to_owned()]) {
                Some(fault) => (Kind::Denied, format!(", made {}", fault.what())),
                None if can_be_sent(&name, &claim).is_err() => (Kind::Changed, String::new()),
                None => {
                    if kind == FilterKind::Keys {
                        sent.insert(name.clone());
                    }
                    headers.insert(name, claim.clone());
                    continue;
                }
            };
            let what = format!("sent who came in `{name}`{how}; now the header is removed from every request");
            findings.add(Finding::new(kind_of_finding, file, &own, what).restored_by("forward.headers, from `sub`"));
            remove.insert(name);
        }
    }
    for (file, config) in &chain.route_configs {
        config.visit(&mut |inner| {
            if inner.type_name() == Some(FilterKind::Keys.per_route()) {
                let own = inner.at(FORWARDING).and_then(|own| own.text().map(str::to_ascii_lowercase));
                for name in sent.iter().filter(|name| own.as_ref() != Some(name)) {
                    let what = format!("did not send the client in `{name}` on this route; now it is sent on all");
                    findings.tell(Kind::Changed, file, inner, what);
                }
            }
            let Some(name) = inner.text().filter(|_| inner.path.ends_with(".forwarding.header")) else { return };
            let name = name.to_ascii_lowercase();
            if !name.is_empty() && !headers.contains_key(&name) {
                let what =
                    format!("sent the client in `{name}` on some routes; now the header is removed from every request");
                findings.tell(Kind::Denied, file, inner, what);
                remove.insert(name);
            }
        });
    }
}

/// `bypass_cors_preflight`: what other filters would have judged is judged still.
fn preflights(chain: &Chain<'_>, findings: &mut Findings) -> Option<Node> {
    let mut bypass = None;
    for (_, file, view) in chain.jwts() {
        let Some(own) = view.get("bypass_cors_preflight").filter(View::is_true) else { continue };
        if chain.filters.iter().any(|filter| filter.kind != FilterKind::Jwt) || chain.jwts().count() > 1 {
            let what = "let preflight requests pass, which the filters after it judged still; now they need what other requests do: \
                        put `envoy.filters.http.cors` before Scopegate";
            findings.add(Finding::new(Kind::Stricter, file, &own, what).restored_by("bypass_cors_preflight: true"));
        } else {
            let what = "lets CORS preflight requests pass without a token: `envoy.filters.http.cors` before Scopegate answers them";
            findings.tell(Kind::LetThrough, file, &own, what);
            bypass = Some(flag(true));
        }
    }
    bypass
}

/// The filter in the chain.
pub(super) fn filter(plugin: Node, module: &str) -> Node {
    let local = object([("local", object([("filename", text(module))]))]);
    let vm = object([("vm_id", text(ROOT_ID)), ("runtime", text("envoy.wasm.runtime.v8")), ("code", local)]);
    let configuration = object([("@type", text("type.googleapis.com/google.protobuf.Struct")), ("value", plugin)]);
    let config = object([
        ("name", text(ROOT_ID)),
        ("root_id", text(ROOT_ID)),
        ("failure_policy", text("FAIL_RELOAD")),
        ("vm_config", vm),
        ("configuration", configuration),
    ]);
    let typed = object([("@type", text(format!("type.googleapis.com/{WASM_FILTER}"))), ("config", config)]);
    object([("name", text(ROOT_ID)), ("typed_config", typed)])
}
