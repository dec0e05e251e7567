//! The request of a case.

use super::{CaseBody, CaseRequest, Reader};
use crate::cli::certificate;
use crate::cli::source::View;
use crate::config::Tree;
use std::path::Path;

/// The fields of a request.
const FIELDS: [&str; 11] = [
    "method",
    "path",
    "headers",
    "body",
    "sign",
    "route",
    "virtual_host",
    "metadata",
    "client_certificate",
    "client_uri",
    "client_dns",
];

impl Reader<'_> {
    pub(super) fn request(&mut self, view: &View<'_>) -> Option<CaseRequest> {
        const WANTED: &str = "METHOD /path, or an object with method and path";
        if let Some(text) = view.text() {
            return match text.split_once(' ') {
                Some((method, path)) if !method.is_empty() && !path.is_empty() && !path.contains(' ') => {
                    Some(CaseRequest {
                        method: method.to_owned(),
                        path: Some(path.to_owned()),
                        ..CaseRequest::default()
                    })
                }
                _ => self.wrong(view, &format!("is not a request; write {WANTED}")),
            };
        }
        self.object(view, &FIELDS, WANTED)?;
        let method = view.written("method").map_or_else(|| Some("GET".to_owned()), |method| self.text(&method))?;
        let path = self.optional_text(view, "path");
        if view.written("path").is_none() && method != "CONNECT" {
            return self.wrong(view, "`path` is missing");
        }
        let mut headers = match view.written("headers") {
            Some(headers) => self.headers(&headers)?,
            None => Vec::new(),
        };
        let body = match view.written("body") {
            None => CaseBody::None,
            Some(body) => match &body.node.value {
                Tree::Bool(false) => CaseBody::None,
                Tree::Bool(true) => CaseBody::Any,
                Tree::Text(text) => CaseBody::Text(text.clone()),
                Tree::Object(_) => {
                    if headers.iter().all(|(name, _)| name != "content-type") {
                        headers.push(("content-type".to_owned(), "application/json".to_owned()));
                    }
                    CaseBody::Text(body.node.value.to_json().to_string())
                }
                _ => {
                    return self.wrong_kind(&body, "true where a body follows the headers, its text, or a JSON object");
                }
            },
        };
        let sign = self.optional_text(view, "sign");
        let route = self.optional_text(view, "route");
        let virtual_host = self.optional_text(view, "virtual_host");
        let metadata = view.written("metadata").map(|metadata| metadata.node.clone());
        let client_certificate = match view.written("client_certificate") {
            None => None,
            Some(given) => {
                let text = self.text(&given)?;
                match certificate::digest(&text, self.file.parent().unwrap_or(Path::new(""))) {
                    Ok(digest) => Some(digest),
                    Err(error) => return self.wrong(&given, &error),
                }
            }
        };
        let client_uri = self.optional_text(view, "client_uri");
        let client_dns = self.optional_text(view, "client_dns");
        Some(CaseRequest {
            method,
            path,
            headers,
            body,
            sign,
            route,
            virtual_host,
            metadata,
            client_certificate,
            client_uri,
            client_dns,
        })
    }

    /// Header lines: a list of values is several lines.
    fn headers(&mut self, view: &View<'_>) -> Option<Vec<(String, String)>> {
        let mut lines = Vec::new();
        for (name, member) in self.any_object(view, "header names and their values")? {
            let values = if matches!(member.node.value, Tree::List(_)) { member.items() } else { vec![member] };
            for value in values {
                if let Some(text) = self.scalar(&value) {
                    lines.push((name.to_ascii_lowercase(), text));
                }
            }
        }
        Some(lines)
    }

    /// A header value: YAML takes some for numbers or booleans.
    pub(super) fn scalar(&mut self, view: &View<'_>) -> Option<String> {
        match &view.node.value {
            Tree::Text(text) => Some(text.clone()),
            Tree::Whole(number) => Some(number.to_string()),
            Tree::Bool(flag) => Some(flag.to_string()),
            _ => self.wrong_kind(view, "text"),
        }
    }
}
