//! Places of tokens that Scopegate does not read. The old configuration refused what was bad in them, so nothing may come
//! through in them: what can be refused there is, and where nothing can be, everything is.

use super::build::{flag, list, object, text, texts};
use super::issuer::Issuer;
use super::refused;
use crate::config::{Node, Tree};
use crate::credential::TOKEN_PARAMETERS;
use std::collections::BTreeSet;

/// The set of which no request has a credential: whatever is in its headers is refused.
pub(in crate::cli::migrate) const UNREAD: &str = "unread-headers";
/// The digest of its secret, which is that of none that anyone knows.
const NO_SECRET: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The places that the rules of a policy read, and no written issuer.
#[derive(Clone, Debug, Default)]
pub(in crate::cli::migrate) struct Unread {
    headers: BTreeSet<String>,
    params: BTreeSet<String>,
    /// Whether bearer tokens of an issuer that is not written are among them.
    has_bearer: bool,
    /// Whether there is a place in which nothing can be refused.
    is_closed: bool,
}

impl Unread {
    /// Adds a header other than `Authorization`. False if nothing can be refused in it: then everything is.
    pub(in crate::cli::migrate) fn header(&mut self, name: &str) -> bool {
        let is_readable = can_be_read(name);
        self.is_closed |= !is_readable;
        if is_readable {
            self.headers.insert(name.to_ascii_lowercase());
        }
        is_readable
    }

    /// Adds bearer tokens.
    pub(in crate::cli::migrate) const fn bearer(&mut self) {
        self.has_bearer = true;
    }

    /// Adds a query parameter.
    pub(in crate::cli::migrate) fn param(&mut self, name: &str) {
        self.params.insert(name.to_ascii_lowercase());
    }

    /// Adds a place in which nothing can be refused.
    pub(in crate::cli::migrate) const fn close(&mut self) {
        self.is_closed = true;
    }

    /// Whether everything has to be refused.
    pub(in crate::cli::migrate) fn is_closed(&self, written: &[Issuer]) -> bool {
        self.is_closed || self.has_unread_bearer(written)
    }

    /// Whether bearer tokens are read by no written issuer.
    pub(in crate::cli::migrate) fn has_unread_bearer(&self, written: &[Issuer]) -> bool {
        self.has_bearer && written.iter().all(|issuer| issuer.token_header.is_some())
    }

    /// The set that refuses what is in the headers which no written issuer reads.
    pub(in crate::cli::migrate) fn set(&self, written: &[Issuer]) -> Option<Node> {
        let is_read = |name: &&String| written.iter().filter_map(Issuer::header).any(|own| own == name.as_str());
        let headers: Vec<&str> = self.headers.iter().filter(|name| !is_read(name)).map(String::as_str).collect();
        (!headers.is_empty()).then(|| set(&headers))
    }

    /// `query_tokens`, but for parameters that are refused anyway.
    pub(in crate::cli::migrate) fn query(&self) -> Option<Node> {
        let names: Vec<&String> =
            self.params.iter().filter(|name| !TOKEN_PARAMETERS.contains(&name.as_str())).collect();
        (!names.is_empty()).then(|| object([("names", texts(names))]))
    }
}

/// `credentials` that accept what `wanted` says, and look into the headers of the set beside it.
pub(in crate::cli::migrate) fn beside_unread(wanted: Option<Node>) -> Node {
    let wanted = wanted.unwrap_or_else(|| text("bearer"));
    object([("any_of", list([wanted, text(UNREAD)]))])
}

fn set(headers: &[&str]) -> Node {
    let mut places: Vec<Node> = headers.iter().map(|name| object([("header", text(*name))])).collect();
    let places = if places.len() > 1 { list(places) } else { places.pop().unwrap_or_else(|| list([])) };
    let secret = object([("sha256", text(NO_SECRET))]);
    let nobody = object([("id", text("nobody")), ("secrets", list([secret])), ("disabled", flag(true))]);
    object([("name", text(UNREAD)), ("api_key", places), ("identities", list([nobody]))])
}

/// Whether a set can read this header, tried with the module's own reader.
pub(in crate::cli::migrate) fn can_be_read(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let default = object([("credentials", text(UNREAD))]);
    refused(&object([("credentials", list([set(&[&lower])])), ("default", default)])).is_none()
}

impl Issuer {
    /// The header of its tokens, if it is not `Authorization`.
    fn header(&self) -> Option<&str> {
        let Tree::Object(members) = &self.token_header.as_ref()?.value else { return None };
        members.iter().find_map(|(name, node)| match &node.value {
            Tree::Text(own) if name == "name" => Some(own.as_str()),
            _ => None,
        })
    }
}
