//! A key set that a policy has as text.

use super::build::object;
use crate::config::{Node, Tree, read_documents};

/// The members of a key that are public.
const PUBLIC: [&str; 10] = ["kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", "pub"];

/// The public keys of a key set, and whether there are others in it. None if it is no key set, or has no public key.
pub(in crate::cli::migrate) fn public_keys(set: &str) -> Option<(Node, bool)> {
    let root = read_documents(set, true).ok()?.into_iter().next()?.node;
    let Tree::Object(members) = root.value else { return None };
    let keys = members.into_iter().find(|(name, _)| name == "keys").map(|(_, keys)| keys.value)?;
    let Tree::List(keys) = keys else { return None };
    let all = keys.len();
    let public: Vec<Node> = keys.into_iter().filter_map(public).collect();
    let has_others = public.len() < all;
    (!public.is_empty()).then(|| (object([("keys", Tree::List(public).into())]), has_others))
}

/// What is public of a key; nothing of a secret.
fn public(key: Node) -> Option<Node> {
    let Tree::Object(members) = key.value else { return None };
    let kind = members.iter().find(|(name, _)| name == "kty").map(|(_, kind)| &kind.value);
    let is_public = matches!(kind, Some(Tree::Text(kind)) if !kind.eq_ignore_ascii_case("oct"));
    let kept = members
        .into_iter()
        .filter(|(name, node)| PUBLIC.contains(&name.as_str()) && matches!(node.value, Tree::Text(_)));
    // The places are those in another text.
    is_public.then(|| object(kept.map(|(name, node)| (name, node.value.into()))))
}

#[cfg(test)]
mod tests {
    use super::public_keys;

    #[test]
    fn of_a_key_set_only_what_is_public_is_left() {
        let set =
            r#"{"keys": [{"kty": "EC", "x": "a", "d": "secret"}, {"kty": "OCT", "k": "secret"}, {"k": "secret"}, 5]}"#;
        let (keys, has_others) = public_keys(set).unwrap();
        assert!(has_others);
        assert_eq!(keys.value.to_json().to_string(), r#"{"keys":[{"kty":"EC","x":"a"}]}"#);
        for none in ["", "[]", "{}", r#"{"keys": 5}"#, r#"{"keys": [{"kty": "oct", "k": "secret"}]}"#] {
            assert_eq!(public_keys(none), None, "{none}");
        }
    }
}
