//! The keys of a provider: `remote_jwks` or `local_jwks`.

use super::data::text_of_source;
use super::duration::{Duration, written};
use crate::cli::migrate::findings::{Finding, Findings, Kind, Why};
use crate::cli::migrate::tree::{object, object_of, text};
use crate::cli::source::View;
use crate::config::{Node, Tree, read_documents};
use std::path::Path;

/// `jwks` of the issuer.
///
/// # Errors
/// Why there are no keys that Scopegate could use.
pub(super) fn jwks(file: &Path, provider: &View<'_>, findings: &mut Findings) -> Result<Node, Why> {
    match (provider.get("remote_jwks"), provider.get("local_jwks")) {
        (Some(remote), _) => of_remote(file, &remote, findings),
        (None, Some(local)) => of_local(file, &local, findings),
        (None, None) => Err(Why::new(file, provider, "has neither `remote_jwks` nor `local_jwks`")),
    }
}

fn of_remote(file: &Path, remote: &View<'_>, findings: &mut Findings) -> Result<Node, Why> {
    let uri = remote.get("http_uri").unwrap_or_else(|| remote.clone());
    let member = |name: &str| {
        let found = uri.get(name).and_then(|view| view.text()).filter(|text| !text.is_empty());
        found.ok_or_else(|| Why::new(file, &uri, format!("has no `{name}`: there is nowhere to fetch keys from")))
    };
    let (address, cluster) = (member("uri")?, member("cluster")?);
    let mut time = |name: &'static str, view: Option<View<'_>>, least: u64, most: u64, whole: bool| {
        let view = view?;
        let Some(Duration(asked)) = Duration::of(&view) else {
            findings.tell(Kind::Changed, file, &view, format!("is no duration: `{name}` keeps its default"));
            return None;
        };
        let mut used = asked.clamp(least, most);
        if whole {
            used = used.div_euclid(1000).max(1).saturating_mul(1000);
        }
        if used != asked {
            let what = format!("becomes `{name}: {}`, which is the nearest that there is", written(used));
            findings.tell(Kind::Changed, file, &view, what);
        }
        Some(text(written(used)))
    };
    let refresh = time("refresh", remote.get("cache_duration"), 1000, 86_400_000, true);
    let timeout = time("timeout", uri.get("timeout"), 100, 60_000, false);
    Ok(object_of(vec![
        ("uri", Some(text(address))),
        ("cluster", Some(text(cluster))),
        ("refresh", refresh),
        ("timeout", timeout),
    ]))
}

fn of_local(file: &Path, local: &View<'_>, findings: &mut Findings) -> Result<Node, Why> {
    let given = text_of_source(file, local, "jwks: {inline: {keys: [...]}}")?;
    let read = read_documents(&given, true).ok().and_then(|mut read| read.pop()).map(|read| read.node);
    let Some(Node { value: Tree::Object(members), .. }) = read else {
        let wrong = serde_json::from_str::<serde::de::IgnoredAny>(&given).err();
        let place = wrong.map_or_else(|| " object".to_owned(), |error| format!(": {error}"));
        return Err(Why::new(file, local, format!("has a key set that is not JSON{place}")));
    };
    let keys = members.into_iter().find(|(name, _)| name == "keys").map(|(_, node)| node.value);
    let Some(Tree::List(keys)) = keys else {
        return Err(Why::new(file, local, "has a key set without `keys`"));
    };
    let all = keys.len();
    let keys: Vec<Node> = keys.into_iter().filter_map(public).collect();
    if keys.len() < all {
        let what = "has secret keys (`oct`) in its key set, with which anyone who reads the set can make tokens: they are left out";
        let field = "secrets: [{env: NAME}] and algorithms: [HS256] of the issuer";
        findings.add(Finding::new(Kind::Stricter, file, local, what).restored_by(field));
    }
    if keys.is_empty() {
        return Err(Why::or_write(
            file,
            local,
            "has no public key in its key set",
            "secrets: [{env: NAME}] and algorithms: [HS256] of the issuer",
        ));
    }
    Ok(object([("inline", object([("keys", Tree::List(keys).into())]))]))
}

/// A key without its private parts; nothing of a secret.
fn public(key: Node) -> Option<Node> {
    const PRIVATE: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];
    let Tree::Object(members) = key.value else { return None };
    let is_secret = members.iter().any(|(name, node)| {
        name == "k" || name == "kty" && matches!(&node.value, Tree::Text(kind) if kind.eq_ignore_ascii_case("oct"))
    });
    let kept = members
        .into_iter()
        .filter(|(name, _)| !PRIVATE.contains(&name.as_str()))
        .map(|(name, node)| (name, bare(node)));
    (!is_secret).then(|| Tree::Object(kept.collect()).into())
}

/// A value without its place, which was in another text.
fn bare(node: Node) -> Node {
    match node.value {
        Tree::List(items) => Tree::List(items.into_iter().map(bare).collect()).into(),
        Tree::Object(members) => {
            Tree::Object(members.into_iter().map(|(name, node)| (name, bare(node))).collect()).into()
        }
        other => other.into(),
    }
}
