//! Where the status lists of an issuer's tokens are.

use super::path::{PathPolicy, is_unambiguous};
use super::{Endpoint, RemoteList, WhenStale};
use crate::base::time::Seconds;
use crate::revocation::StatusTerms;

/// How the `status` claim of an issuer's tokens is honoured.
#[derive(Clone, Debug)]
pub struct StatusListPolicy {
    /// Which lists may be fetched, and from which cluster: the first prefix that fits decides.
    pub clusters: Vec<ListCluster>,
    /// How long a list is used before it is fetched again.
    pub refresh: Seconds,
    /// How long an answer is waited for, in milliseconds.
    pub timeout_ms: u32,
    /// How long a list outlives a server that cannot be reached.
    pub max_stale: Seconds,
    /// What becomes of tokens when their list is older than that.
    pub when_stale: WhenStale,
    /// How many lists one worker holds.
    pub max_lists: usize,
    /// What a list must be to be used, but for its address and keys.
    pub terms: StatusTerms,
}

/// Addresses of status lists, and the Envoy cluster that they are asked of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListCluster {
    /// How the addresses begin: up to a `/`.
    pub uri_prefix: String,
    /// The cluster.
    pub cluster: String,
}

impl StatusListPolicy {
    /// Where the list at `uri` is fetched; `None` unless a prefix fits. A path that servers may read in more than one way,
    /// such as one with dot segments, leads out of its prefix: none fits it.
    #[must_use]
    pub fn endpoint(&self, uri: &str) -> Option<Endpoint> {
        let place = self.clusters.iter().find(|place| uri.starts_with(&place.uri_prefix))?;
        let endpoint = Endpoint::parse(uri, &place.cluster)?;
        let path = endpoint.path.split('?').next().unwrap_or_default();
        is_unambiguous(path.as_bytes(), PathPolicy::default()).then_some(endpoint)
    }

    /// The list at an endpoint, as it is fetched and kept fresh.
    #[must_use]
    pub fn list_at(&self, endpoint: Endpoint) -> RemoteList<StatusTerms> {
        let terms = StatusTerms { uri: endpoint.uri.clone(), ..self.terms.clone() };
        let (refresh, max_stale) = (self.refresh, self.max_stale);
        RemoteList { endpoint, refresh, timeout_ms: self.timeout_ms, max_stale, when_stale: self.when_stale, terms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::AlgorithmSet;

    fn policy(prefixes: &[&str]) -> StatusListPolicy {
        let cluster = |(index, prefix): (usize, &&str)| ListCluster {
            uri_prefix: (*prefix).to_owned(),
            cluster: index.to_string(),
        };
        StatusListPolicy {
            clusters: prefixes.iter().enumerate().map(cluster).collect(),
            refresh: Seconds(60),
            timeout_ms: 2000,
            max_stale: Seconds(60),
            when_stale: WhenStale::Deny,
            max_lists: 1,
            terms: StatusTerms {
                issuer: String::new(),
                uri: String::new(),
                max_bytes: 1024,
                algorithms: AlgorithmSet::default(),
                keys: None,
            },
        }
    }

    #[test]
    fn the_first_prefix_that_fits_names_the_cluster() {
        let policy = policy(&["https://a.example/lists/eu/", "https://a.example/lists/", "http://b.example:81/"]);
        for (uri, cluster) in [
            ("https://a.example/lists/eu/1", Some("0")),
            ("https://a.example/lists/us/1?page=..", Some("1")),
            ("https://a.example/lists/", Some("1")),
            ("http://b.example:81/1", Some("2")),
            ("https://a.example/list/1", None),
            ("https://a.example/lists", None),
            ("http://a.example/lists/1", None),
            ("https://A.example/lists/1", None),
            ("https://a.example.evil/lists/1", None),
            ("https://b.example:81/1", None),
            ("http://b.example:8181/1", None),
            ("", None),
        ] {
            let endpoint = policy.endpoint(uri);
            assert_eq!(endpoint.as_ref().map(|endpoint| endpoint.cluster.as_str()), cluster, "{uri}");
            assert!(endpoint.is_none_or(|endpoint| policy.list_at(endpoint).terms.uri == uri));
        }
    }

    #[test]
    fn no_path_leads_out_of_its_prefix() {
        let policy = policy(&["https://a.example/lists/"]);
        for rest in [
            "..",
            "../x",
            "./1",
            "1/..",
            "%2e%2e/x",
            "%2E./x",
            ".%2e",
            "%252e%252e/x",
            "..%2fx",
            "1%2f..%2f..%2fx",
            "..\\x",
            "%5c..%5cx",
            "..;/x",
            "1;x",
            "//x",
            "%00",
            "%c0%ae%c0%ae/x",
            "%",
            "1#x",
            "1 x",
            "@b.example/",
        ] {
            let uri = format!("https://a.example/lists/{rest}");
            let is_plain = rest == "@b.example/";
            assert_eq!(policy.endpoint(&uri).is_some(), is_plain, "{uri}");
        }
        for uri in ["https://a.example@b.example/lists/1", "https://a.example:80@b.example/lists/1"] {
            assert_eq!(policy.endpoint(uri), None, "{uri}");
        }
    }
}
