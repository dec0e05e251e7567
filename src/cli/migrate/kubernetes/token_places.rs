//! Where requests have their tokens. Scopegate reads one header for each issuer, and no query.

use super::build::{object, text};
use crate::cli::migrate::findings::{Finding, Findings, Kind};
use crate::cli::source::View;
use crate::config::Node;
use std::path::Path;

/// The longest prefix, as in the configuration.
const MOST_PREFIX: usize = 32;

/// Where the old configuration reads the tokens of an issuer.
#[derive(Debug, Default)]
pub(in crate::cli::migrate) struct TokenPlaces<'s> {
    /// Headers, each with its name and what stands before the token.
    pub headers: Vec<View<'s>>,
    /// The member with that prefix.
    pub prefix: &'static str,
    /// Cookies.
    pub cookies: Vec<View<'s>>,
    /// Query parameters.
    pub params: Vec<View<'s>>,
}

/// The place that Scopegate reads.
#[derive(Debug, PartialEq)]
pub(in crate::cli::migrate) enum TokenPlace {
    /// `Authorization`, after `Bearer`.
    Bearer,
    /// Another header, as `token_header` has it.
    Header(Node),
    /// None of those that the old configuration reads.
    None,
}

impl TokenPlaces<'_> {
    /// The place that Scopegate reads, and what is told of the others; `of` is the issuer.
    pub(in crate::cli::migrate) fn choose(&self, findings: &mut Findings, file: &Path, of: &View<'_>) -> TokenPlace {
        for param in &self.params {
            let name = param.text().unwrap_or("?");
            let what = format!(
                "a token in the query parameter `{name}` was accepted, where logs and histories have it; it is refused now"
            );
            findings.tell(Kind::LetThrough, file, param, what);
        }
        for cookie in &self.cookies {
            let name = cookie.text().unwrap_or("?");
            let what = format!(
                "a token in the cookie `{name}` was accepted, and is not read now: which pages may send it is not known"
            );
            let restore =
                "a set with `cookie: {name: __Host-…, origins: […]}` in `credentials`, named by the requirements";
            findings.add(Finding::new(Kind::Stricter, file, cookie, what).restored_by(restore));
        }
        if self.headers.is_empty() && self.cookies.is_empty() && self.params.is_empty() {
            let what = "a token in the query parameter `access_token` was accepted, where logs and histories have it; it is refused now";
            findings.tell(Kind::LetThrough, file, of, what);
            return TokenPlace::Bearer;
        }
        let mut chosen = TokenPlace::None;
        for header in &self.headers {
            let place = self.header(header);
            if chosen == TokenPlace::None && place != TokenPlace::None {
                chosen = place;
                continue;
            }
            let name = header.name().unwrap_or("?");
            let what =
                format!("a token in the header `{name}` was accepted, and is not read now: an issuer has one header");
            findings.tell(Kind::Stricter, file, header, what);
        }
        if chosen == TokenPlace::None {
            let what = "its tokens came where Scopegate reads none: they are refused";
            findings.tell(Kind::Denied, file, of, what);
        }
        chosen
    }

    fn header(&self, header: &View<'_>) -> TokenPlace {
        let Some(name) = header.name().or_else(|| header.text()) else { return TokenPlace::None };
        let prefix = match header.get(self.prefix) {
            Some(prefix) => prefix.text(),
            None => Some(""),
        };
        let Some(prefix) = prefix else { return TokenPlace::None };
        if name.eq_ignore_ascii_case("authorization") {
            return if prefix == "Bearer " { TokenPlace::Bearer } else { TokenPlace::None };
        }
        let is_prefix = prefix.len() <= MOST_PREFIX
            && prefix.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic() && byte != b',');
        if !is_header_name(name) || !is_prefix {
            return TokenPlace::None;
        }
        let mut members = vec![("name", text(name.to_ascii_lowercase()))];
        if !prefix.is_empty() {
            members.push(("prefix", text(prefix)));
        }
        TokenPlace::Header(object(members))
    }
}

/// Whether it is the name of a header.
pub(in crate::cli::migrate) fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
