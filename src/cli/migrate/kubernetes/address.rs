//! The address of an issuer's keys, and the cluster that leads there.

/// Scheme, host and port of an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli::migrate) struct Address {
    /// Whether it is `https`.
    pub is_https: bool,
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Address {
    /// That of an `http` or `https` address.
    pub(in crate::cli::migrate) fn of(uri: &str) -> Option<Self> {
        let (is_https, rest) = match uri.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, uri.strip_prefix("http://")?),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, if is_https { 443 } else { 80 }),
        };
        let is_host =
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        is_host.then(|| Self { is_https, host: host.to_ascii_lowercase(), port })
    }

    /// Whether it is a service in the cluster.
    pub(in crate::cli::migrate) fn is_in_cluster(&self) -> bool {
        let host = self.host.strip_suffix(".cluster.local").unwrap_or(&self.host);
        host.rsplit_once('.').is_none_or(|(_, last)| last == "svc")
    }

    /// Its host as a name of a resource.
    pub(in crate::cli::migrate) fn name(&self) -> String {
        self.host.replace(['.', '_'], "-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port_and_nothing_else_counts() {
        for (uri, wanted, in_cluster) in [
            ("https://IdP.example.com/a?b", Some((true, "idp.example.com", 443)), false),
            ("http://dex.auth.svc.cluster.local:5556/keys", Some((false, "dex.auth.svc.cluster.local", 5556)), true),
            ("http://dex.auth.svc", Some((false, "dex.auth.svc", 80)), true),
            ("http://dex", Some((false, "dex", 80)), true),
            ("https://svc.example.com", Some((true, "svc.example.com", 443)), false),
            ("testing@secure.istio.io", None, false),
            ("https://", None, false),
            ("https://a:b", None, false),
            ("https://u@a", None, false),
            ("https://a:99999", None, false),
        ] {
            let read = Address::of(uri);
            let own = read.as_ref().map(|own| (own.is_https, own.host.as_str(), own.port));
            assert_eq!(own, wanted, "{uri}");
            assert_eq!(read.is_some_and(|own| own.is_in_cluster()), in_cluster, "{uri}");
        }
    }
}
