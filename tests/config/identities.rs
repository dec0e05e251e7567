//! Sets whose identities are in a document that is fetched.

use super::{KEY, problems, read, with};
use scopegate::policy::HolderKind;

const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn set(identities: &str) -> String {
    with(&format!("credentials: [{{name: partners, api_key: {{header: x-api-key}}, identities: {identities}}}]"))
}

fn document(members: &str) -> String {
    set(&format!("{{uri: 'https://ids.example.com/partners.json', cluster: ids, {members}}}"))
}

#[test]
fn what_is_wrong_with_fetched_identities_is_said() {
    snapshot!(problems(&[
        ("no address", set("{cluster: ids}")),
        ("no cluster", set("{uri: 'https://ids.example.com/'}")),
        ("an address that is none", set("{uri: ids.example.com, cluster: ids}")),
        ("a text", set("'https://ids.example.com/'")),
        ("null", set("null")),
        ("a field of lists that may be stale", document("when_stale: allow")),
        ("a field that is misspelt", document("max_stales: 1h")),
        ("too often", document("refresh: 0s")),
        ("kept for too long", document("max_stale: 721h")),
        ("a short wait", document("timeout: 10ms")),
        ("too long a document", document("max_bytes: 4194305")),
        ("it has no keys", document("signed_by: {keys: []}")),
        (
            "htpasswd beside it",
            with(
                "credentials: [{name: staff, basic: {}, htpasswd: 'a:b', identities: {uri: 'https://i/', cluster: ids}}]"
            )
        ),
        (
            "a cookie's",
            with("credentials: [{name: web, cookie: {name: __Host-t}, identities: {uri: 'https://i/', cluster: ids}}]")
        ),
    ]));
}

#[test]
fn a_set_of_each_kind_may_have_its_identities_in_a_document() {
    let kinds = [
        ("api_key: {header: x-a}", HolderKind::Keys),
        ("basic: {}", HolderKind::Users),
        ("mtls: {}", HolderKind::Certificates),
    ];
    for (place, kind) in kinds {
        let text = with(&format!(
            "credentials:
- {{name: inline, api_key: {{header: x-b}}, identities: [{{id: i, secrets: [{{sha256: {HASH}}}]}}]}}
- {{name: s, {place}, scopes: [a, b], identities: {{uri: 'https://i/l', cluster: ids, refresh: 5s, timeout: 1s, max_bytes: 2048, max_stale: 5m, signed_by: {{keys: [{KEY}]}}}}}}"
        ));
        let sets = read(&text).expect("a configuration").policy.credentials;
        assert!(sets[0].remote.is_none());
        let remote = sets[1].remote.as_ref().expect("a document");
        assert_eq!(sets[1].identities.len(), 0);
        assert_eq!((remote.endpoint.uri.as_str(), remote.endpoint.cluster.as_str()), ("https://i/l", "ids"));
        assert_eq!((remote.refresh.0, remote.timeout_ms, remote.max_stale.0), (5, 1000, 300));
        let terms = &remote.terms;
        assert_eq!((terms.set.0, &*terms.name, terms.kind, terms.max_bytes), (1, "s", kind, 2048));
        assert_eq!(terms.scopes.len(), 2);
        assert_eq!(terms.signed_by.as_ref().map(|keys| keys.keys().len()), Some(1));
        assert_eq!(terms.configured.len(), 1, "the secret of the set in the configuration");
    }
    let unsaid = read(&document("")).expect("a configuration").policy.credentials;
    let remote = unsaid[0].remote.as_ref().expect("a document");
    assert_eq!((remote.refresh.0, remote.timeout_ms, remote.max_stale.0), (10, 2000, 3600));
    assert_eq!((remote.terms.max_bytes, remote.terms.signed_by.is_none()), (1 << 20, true));
}

#[test]
fn what_a_document_has_may_be_revoked_before_it_is_there() {
    let revoked = |id: &str| document("") + &format!("\nrevocation: {{entries: [{{credential: partners, id: {id}}}]}}");
    assert_eq!(read(&revoked("acme-1")).map(|_| ()), Ok(()));
}
