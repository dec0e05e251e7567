//! Protected resources ([RFC 9728](https://www.rfc-editor.org/rfc/rfc9728)).

use super::{IssuerId, Scope, TargetUri};

/// The place of a resource in the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId(pub usize);

/// A resource that clients find the issuers of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its identifier.
    pub identifier: ResourceIdentifier,
    /// The issuers whose tokens it accepts. Never empty.
    pub authorization_servers: Vec<IssuerId>,
    /// The scopes that its metadata names; not published if empty.
    pub scopes_supported: Vec<Scope>,
    /// A token must name one of these. Never empty.
    pub audiences: Vec<String>,
}

/// The identifier of a resource: an address without query and fragment, in the spelling to which clients normalise it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceIdentifier {
    origin: String,
    path: String,
    address: TargetUri,
}

/// Why a text is not the identifier of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoIdentifier {
    /// It is no address, or not spelt as clients spell it.
    Spelling,
    /// It has a query or a fragment.
    Query,
    /// It is an `http` address of another machine.
    PlainText,
}

/// What stands before the path of a resource in the address of its metadata (RFC 9728 section 3.1).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

impl ResourceIdentifier {
    /// Reads an identifier. `is_origin` tells whether a text is an origin as browsers write it.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str, is_origin: impl Fn(&str) -> bool) -> Result<Self, NoIdentifier> {
        if text.contains(['?', '#']) {
            return Err(NoIdentifier::Query);
        }
        let (scheme, rest) = text.split_once("://").ok_or(NoIdentifier::Spelling)?;
        let (host, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
        let origin = [scheme, "://", host].concat();
        let address = TargetUri::parse(text.as_bytes()).ok_or(NoIdentifier::Spelling)?;
        if !is_origin(&origin) || !path.is_empty() && address.path() != path.as_bytes() {
            return Err(NoIdentifier::Spelling);
        }
        if scheme != "https" && !is_loopback(host) {
            return Err(NoIdentifier::PlainText);
        }
        Ok(Self { origin, path: path.to_owned(), address })
    }

    /// The whole identifier.
    #[must_use]
    pub fn text(&self) -> String {
        [self.origin.as_str(), &self.path].concat()
    }

    /// Its origin, as browsers write it.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The address of its metadata.
    #[must_use]
    pub fn metadata_url(&self) -> String {
        [self.origin.as_str(), WELL_KNOWN, self.path_of_metadata()].concat()
    }

    /// Its path as it is in the address of its metadata: without the slash that follows the host alone.
    fn path_of_metadata(&self) -> &str {
        if self.path == "/" { "" } else { &self.path }
    }

    /// What follows in a path that is an address of metadata, or below one; `None` for other paths.
    #[must_use]
    pub fn below_metadata(path: &[u8]) -> Option<&[u8]> {
        path.strip_prefix(WELL_KNOWN.as_bytes()).filter(|rest| rest.first().is_none_or(|byte| *byte == b'/'))
    }

    /// Whether clients look for its metadata at this host, and there below the well-known path at this one. Some clients
    /// leave out the slash at the end.
    #[must_use]
    pub fn has_metadata_at(&self, authority: Option<&[u8]>, below: &[u8]) -> bool {
        let own = self.path_of_metadata();
        let is_path = below == own.as_bytes() || own.strip_suffix('/').is_some_and(|own| below == own.as_bytes());
        is_path && authority.is_some_and(|authority| self.address.is_at(authority))
    }

    /// Whether the metadata of both has one address, or one that differs in what clients leave out: the scheme, and a slash
    /// at the end.
    #[must_use]
    pub fn shares_metadata_with(&self, other: &Self) -> bool {
        let host = |of: &Self| of.origin.split_once("://").map(|(_, host)| host.to_owned());
        let path = |of: &Self| of.path.strip_suffix('/').unwrap_or(&of.path).to_owned();
        host(self) == host(other) && path(self) == path(other)
    }
}

/// Whether a host, perhaps with a port, is this machine.
fn is_loopback(host: &str) -> bool {
    let without_port = match host.split_once(']') {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or(host),
    };
    let of_ipv4 = without_port.strip_prefix("127.");
    matches!(without_port, "localhost" | "[::1")
        || of_ipv4.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ResourceIdentifier, NoIdentifier> {
        ResourceIdentifier::parse(text, |_| true)
    }

    #[test]
    fn the_address_of_the_metadata_has_the_path_of_the_resource_at_its_end() {
        for (resource, url) in [
            ("https://a", "https://a/.well-known/oauth-protected-resource"),
            ("https://a/", "https://a/.well-known/oauth-protected-resource"),
            ("https://a:8443/mcp", "https://a:8443/.well-known/oauth-protected-resource/mcp"),
            ("https://a/mcp/", "https://a/.well-known/oauth-protected-resource/mcp/"),
            ("https://a/x/y", "https://a/.well-known/oauth-protected-resource/x/y"),
        ] {
            let identifier = read(resource).expect(resource);
            assert_eq!(identifier.metadata_url(), url);
            assert_eq!(identifier.text(), resource);
        }
    }

    #[test]
    fn plain_text_is_for_this_machine() {
        for good in ["http://localhost", "http://localhost:8080/mcp", "http://127.0.0.1/", "http://[::1]:8080"] {
            assert!(read(good).is_ok(), "{good}");
        }
        for bad in ["http://a", "http://127.evil.com", "http://localhost.a", "http://[::2]", "http://a127.0.0.1"] {
            assert_eq!(read(bad), Err(NoIdentifier::PlainText), "{bad}");
        }
    }

    #[test]
    fn resources_that_clients_ask_for_at_one_address_are_told() {
        for (one, other, shared) in [
            ("https://a", "https://a/", true),
            ("https://a/mcp", "https://a/mcp/", true),
            ("http://localhost/x", "https://localhost/x", true),
            ("https://a/x", "https://a/y", false),
            ("https://a/x", "https://a:8443/x", false),
            ("https://a/x", "https://b/x", false),
        ] {
            let (one, other) = (read(one).expect(one), read(other).expect(other));
            assert_eq!(one.shares_metadata_with(&other), shared, "{one:?} {other:?}");
        }
    }
}
