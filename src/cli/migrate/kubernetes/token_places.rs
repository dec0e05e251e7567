//! Where requests have their tokens. Scopegate reads one header for each issuer, and no query.

use super::build::{object, text};
use super::unread::{Unread, can_be_read};
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
    pub(in crate::cli::migrate) fn choose(
        &self,
        unread: &mut Unread,
        findings: &mut Findings,
        file: &Path,
        of: &View<'_>,
    ) -> TokenPlace {
        self.tell_params(unread, findings, file);
        for cookie in &self.cookies {
            let name = cookie.text().unwrap_or("?");
            let what = format!(
                "a token in the cookie `{name}` was accepted, and a bad one refused; no requirement refuses by a cookie, so everything \
                 is refused. If nothing behind the gate reads it, take it out of the old policy, and migrate that"
            );
            let restore =
                "a set with `cookie: {name: __Host-…, origins: […]}` in `credentials`, named by the requirements";
            findings.add(Finding::new(Kind::Denied, file, cookie, what).restored_by(restore));
            unread.close();
        }
        if self.is_default() {
            let what = "a token in the query parameter `access_token` was accepted, where logs and histories have it; it is refused now";
            findings.tell(Kind::LetThrough, file, of, what);
            return TokenPlace::Bearer;
        }
        let places: Vec<TokenPlace> = self.headers.iter().map(|header| self.header(header)).collect();
        let bearer = places.iter().position(|place| *place == TokenPlace::Bearer);
        let chosen = bearer.or_else(|| places.iter().position(|place| *place != TokenPlace::None));
        for (_, header) in self.headers.iter().enumerate().filter(|(index, _)| Some(*index) != chosen) {
            let name = name_of(header).unwrap_or("?");
            if self.pass_over(header, unread) {
                let what = format!(
                    "a token in the header `{name}` was accepted, and is not read now: an issuer has one header. Whatever is in this one \
                     is refused"
                );
                findings.tell(Kind::Stricter, file, header, what);
            } else {
                let what = format!(
                    "a token in the header `{name}` was accepted, and a bad one refused; nothing is refused in such a header now, so \
                     everything is"
                );
                findings.tell(Kind::Denied, file, header, what);
            }
        }
        if chosen.is_none() {
            let what = "its tokens came where Scopegate reads none: they are refused";
            findings.tell(Kind::Denied, file, of, what);
        }
        chosen.and_then(|index| places.into_iter().nth(index)).unwrap_or(TokenPlace::None)
    }

    /// Adds all places of an issuer that is not written.
    pub(in crate::cli::migrate) fn pass_over_all(
        &self,
        unread: &mut Unread,
        findings: &mut Findings,
        file: &Path,
        of: &View<'_>,
    ) {
        self.tell_params(unread, findings, file);
        if self.is_default() {
            return unread.bearer();
        }
        let headers = self.headers.iter().filter(|header| !self.pass_over(header, unread)).count();
        if headers > 0 || !self.cookies.is_empty() {
            let what = "bad tokens were refused where Scopegate reads none, so everything is refused";
            findings.tell(Kind::Denied, file, of, what);
            unread.close();
        }
    }

    /// Whether no place is named.
    const fn is_default(&self) -> bool {
        self.headers.is_empty() && self.cookies.is_empty() && self.params.is_empty()
    }

    fn tell_params(&self, unread: &mut Unread, findings: &mut Findings, file: &Path) {
        for param in &self.params {
            let name = param.text().unwrap_or("?");
            let what = format!(
                "a token in the query parameter `{name}` was accepted, where logs and histories have it; it is refused now"
            );
            findings.tell(Kind::LetThrough, file, param, what);
            unread.param(name);
        }
    }

    /// Adds a header that is not read; false if nothing can be refused in it.
    fn pass_over(&self, header: &View<'_>, unread: &mut Unread) -> bool {
        let Some(name) = name_of(header).filter(|name| !name.is_empty()) else {
            unread.close();
            return false;
        };
        if !name.eq_ignore_ascii_case("authorization") {
            return unread.header(name);
        }
        let is_bearer = self.header(header) == TokenPlace::Bearer;
        if is_bearer {
            unread.bearer();
        } else {
            unread.close();
        }
        is_bearer
    }

    fn header(&self, header: &View<'_>) -> TokenPlace {
        let Some(name) = name_of(header) else { return TokenPlace::None };
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
        if !is_header_name(name) || !is_prefix || !can_be_read(name) {
            return TokenPlace::None;
        }
        let mut members = vec![("name", text(name.to_ascii_lowercase()))];
        if !prefix.is_empty() {
            members.push(("prefix", text(prefix)));
        }
        TokenPlace::Header(object(members))
    }
}

/// The name of a header, which stands alone or beside its prefix.
fn name_of<'s>(header: &View<'s>) -> Option<&'s str> {
    header.name().or_else(|| header.text())
}

/// Whether it is the name of a header.
pub(in crate::cli::migrate) fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
