//! The endpoint of a document: its address, and the Envoy cluster that the request is sent to.

/// The address of a document, and the cluster that serves it. The cluster decides on the machine and on TLS; the
/// address only names the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The whole address.
    pub uri: String,
    /// `http` or `https`, as the request names it.
    pub scheme: &'static str,
    /// The authority, as the request names it.
    pub authority: String,
    /// The path with its query, as the request names it.
    pub path: String,
    /// The Envoy cluster that the request is sent to.
    pub cluster: String,
}

impl Endpoint {
    /// The pseudo-header fields of a request to it (RFC 9113 section 8.3.1).
    #[must_use]
    pub fn request(&self, method: &'static str) -> Vec<(&str, &str)> {
        vec![
            (":method", method),
            (":scheme", self.scheme),
            (":authority", self.authority.as_str()),
            (":path", self.path.as_str()),
        ]
    }

    /// The endpoint of an absolute http or https URI without user information and fragment; `None` of any other.
    #[must_use]
    pub fn parse(uri: &str, cluster: &str) -> Option<Self> {
        let (scheme, rest) = match (uri.strip_prefix("https://"), uri.strip_prefix("http://")) {
            (Some(rest), _) => ("https", rest),
            (None, Some(rest)) => ("http", rest),
            (None, None) => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let plain = uri.bytes().all(|byte| byte.is_ascii_graphic()) && !uri.contains('#') && !authority.contains('@');
        let path = match path {
            _ if authority.is_empty() || !plain => return None,
            "" => "/",
            path if path.starts_with('/') => path,
            _ => return None,
        };
        Some(Self {
            uri: uri.to_owned(),
            scheme,
            authority: authority.to_owned(),
            path: path.to_owned(),
            cluster: cluster.to_owned(),
        })
    }

    /// Where the metadata of `issuer` may be, in the order of lookup: the place of OpenID Connect Discovery 1.0 section
    /// 4 (after the issuer's path), that of RFC 8414 section 3.1 (before it), and that of RFC 8414 section 5 for the
    /// OpenID document of an issuer with a path. `None` if the issuer is not an http or https address, or has a query.
    #[must_use]
    pub fn of_metadata(issuer: &str, cluster: &str) -> Option<Vec<Self>> {
        let parsed = Self::parse(issuer, cluster)?;
        if parsed.path.contains('?') {
            return None;
        }
        let path = parsed.path.trim_end_matches('/');
        let mut paths = vec![
            format!("{path}/.well-known/openid-configuration"),
            format!("/.well-known/oauth-authorization-server{path}"),
        ];
        if !path.is_empty() {
            paths.push(format!("/.well-known/openid-configuration{path}"));
        }
        let Self { scheme, authority, cluster, .. } = parsed;
        let endpoint = |path: String| Self {
            uri: format!("{scheme}://{authority}{path}"),
            scheme,
            authority: authority.clone(),
            path,
            cluster: cluster.clone(),
        };
        Some(paths.into_iter().map(endpoint).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_as_a_request_needs_it() {
        let endpoint = Endpoint::parse("https://idp.example.com:8443/a/b?x=1", "idp").unwrap();
        assert_eq!((endpoint.scheme, endpoint.authority.as_str()), ("https", "idp.example.com:8443"));
        assert_eq!((endpoint.path.as_str(), endpoint.cluster.as_str()), ("/a/b?x=1", "idp"));
        assert_eq!(Endpoint::parse("http://a", "c").unwrap().path, "/");
        for uri in [
            "",
            "a/b",
            "ftp://a/",
            "https://",
            "https:///x",
            "https://a?x",
            "https://u@a/",
            "https://a/#f",
            "https://a/ b",
        ] {
            assert_eq!(Endpoint::parse(uri, "c"), None, "{uri}");
        }
    }

    #[test]
    fn metadata_is_looked_for_where_both_standards_put_it() {
        let addresses = |issuer: &str| -> Vec<String> {
            Endpoint::of_metadata(issuer, "c").unwrap().into_iter().map(|endpoint| endpoint.uri).collect()
        };
        for issuer in ["https://a.example", "https://a.example/"] {
            assert_eq!(
                addresses(issuer),
                [
                    "https://a.example/.well-known/openid-configuration",
                    "https://a.example/.well-known/oauth-authorization-server",
                ]
            );
        }
        for issuer in ["https://a.example/realms/x", "https://a.example/realms/x/"] {
            assert_eq!(
                addresses(issuer),
                [
                    "https://a.example/realms/x/.well-known/openid-configuration",
                    "https://a.example/.well-known/oauth-authorization-server/realms/x",
                    "https://a.example/.well-known/openid-configuration/realms/x",
                ]
            );
        }
        for issuer in ["legacy", "https://a.example/?tenant=1", "https://a.example/#x"] {
            assert_eq!(Endpoint::of_metadata(issuer, "c"), None, "{issuer}");
        }
    }
}
