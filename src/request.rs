//! What the core is told of a request: borrowed bytes, nothing decoded, nothing trusted.

/// A request as Envoy hands it to an HTTP filter.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// All header lines in their order, pseudo-headers included; names are lower-case.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// The name of the route that Envoy matched, when it has one.
    pub route_name: Option<&'a str>,
    /// The name of the virtual host of that route.
    pub virtual_host: Option<&'a str>,
    /// Whether the headers end the request: no body and no trailers follow.
    pub ends_with_headers: bool,
}

/// A header has more than one line, where it may have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwoLines;

impl<'a> RequestView<'a> {
    /// The values of all lines of the header `name`, which is lower-case.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(other, _)| *other == name.as_bytes()).map(|(_, value)| *value)
    }

    /// Its `content-length`, if it has one that is a number.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.sole_value("content-length").and_then(|text| std::str::from_utf8(text).ok()?.parse().ok())
    }

    /// The value of the header `name` if there is exactly one line of it.
    #[must_use]
    pub fn sole_value(&self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.values(name);
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }

    /// The value of the header `name`; `None` where it is missing.
    ///
    /// # Errors
    /// [`TwoLines`] if there is more than one line of it.
    pub fn only_value(&self, name: &str) -> Result<Option<&'a [u8]>, TwoLines> {
        let mut values = self.values(name);
        let first = values.next();
        if values.next().is_some() { Err(TwoLines) } else { Ok(first) }
    }

    /// `:method`, empty when it is missing.
    #[must_use]
    pub fn method(&self) -> &'a [u8] {
        self.values(":method").next().unwrap_or_default()
    }

    /// `:path` as Envoy passes it on, with its query. `None` for CONNECT without a path.
    #[must_use]
    pub fn target(&self) -> Option<&'a [u8]> {
        self.values(":path").next()
    }

    /// `:authority`, or `host` in its place.
    #[must_use]
    pub fn authority(&self) -> Option<&'a [u8]> {
        self.values(":authority").next().or_else(|| self.values("host").next())
    }

    /// The part of `:path` before the first `?`.
    #[must_use]
    pub fn path(&self) -> Option<&'a [u8]> {
        self.target().and_then(|target| target.split(|&byte| byte == b'?').next())
    }

    /// The part of `:path` after the first `?`.
    #[must_use]
    pub fn query(&self) -> Option<&'a [u8]> {
        self.target().and_then(|target| target.splitn(2, |&byte| byte == b'?').nth(1))
    }

    /// Whether it asks for a WebSocket. Envoy shows a handshake over HTTP/2 (RFC 8441) as one over HTTP/1.1.
    #[must_use]
    pub fn is_websocket_handshake(&self) -> bool {
        let mut protocols = self.values("upgrade").flat_map(|line| line.split(|&byte| byte == b','));
        protocols.any(|protocol| protocol.trim_ascii().eq_ignore_ascii_case(b"websocket"))
    }

    /// Whether the client speaks gRPC, which gets its errors in trailers (`application/grpc` or `application/grpc+…`).
    #[must_use]
    pub fn is_grpc(&self) -> bool {
        let Some(value) = self.values("content-type").next() else { return false };
        value.strip_prefix(b"application/grpc").is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view<'a>(headers: &'a [(&'a [u8], &'a [u8])]) -> RequestView<'a> {
        RequestView { headers, route_name: None, virtual_host: None, ends_with_headers: true }
    }

    #[test]
    fn the_first_question_mark_ends_the_path() {
        let headers: [(&[u8], &[u8]); 1] = [(b":path", b"/a?b=1?c=2")];
        assert_eq!(view(&headers).path(), Some(&b"/a"[..]));
        assert_eq!(view(&headers).query(), Some(&b"b=1?c=2"[..]));
        let headers: [(&[u8], &[u8]); 1] = [(b":path", b"/a")];
        assert_eq!(view(&headers).query(), None);
        assert_eq!(view(&[]).path(), None);
    }

    #[test]
    fn a_repeated_header_is_never_read_as_its_first_line() {
        let headers: [(&[u8], &[u8]); 2] = [(b"x", b"1"), (b"x", b"2")];
        assert_eq!(view(&headers).sole_value("x"), None);
        assert_eq!(view(&headers).only_value("x"), Err(TwoLines));
        assert_eq!(view(&headers).only_value("y"), Ok(None));
        assert_eq!(view(&headers).values("x").count(), 2);
    }

    #[test]
    fn grpc_is_known_by_its_content_type() {
        for (value, wanted) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc-web", false),
            ("application/json", false),
        ] {
            let headers: [(&[u8], &[u8]); 1] = [(b"content-type", value.as_bytes())];
            assert_eq!(view(&headers).is_grpc(), wanted, "{value}");
        }
    }
}
