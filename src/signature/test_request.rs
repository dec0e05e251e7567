//! Requests for the tests of this room.

use crate::request::RequestView;

/// A request that can be changed.
#[derive(Clone, Debug)]
pub(super) struct TestRequest {
    lines: Vec<(Vec<u8>, Vec<u8>)>,
}

impl TestRequest {
    /// `target` to `api.example.com`, with these headers.
    pub(super) fn new(method: &str, target: &str, headers: &[(&str, &str)]) -> Self {
        let pseudo = [(":method", method), (":path", target), (":authority", "api.example.com"), (":scheme", "https")];
        let lines = pseudo.iter().chain(headers).map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into()));
        Self { lines: lines.collect() }
    }

    /// With one line of this header, which replaces every other.
    pub(super) fn set(&self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.without(name).add(name, value)
    }

    /// With one more line.
    pub(super) fn add(&self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let mut request = self.clone();
        request.lines.push((name.as_bytes().into(), value.as_ref().into()));
        request
    }

    /// Without any line of this header.
    pub(super) fn without(&self, name: &str) -> Self {
        let mut request = self.clone();
        request.lines.retain(|(other, _)| other != name.as_bytes());
        request
    }

    /// With another text in place of one in the only line of a header.
    pub(super) fn replace(&self, name: &str, old: &str, new: &str) -> Self {
        let value =
            self.view(|request| String::from_utf8_lossy(request.sole_value(name).expect("one line")).into_owned());
        assert!(value.contains(old), "{value} has no {old}");
        self.set(name, value.replace(old, new))
    }

    /// As the core sees it.
    pub(super) fn view<T>(&self, read: impl FnOnce(&RequestView<'_>) -> T) -> T {
        let headers: Vec<(&[u8], &[u8])> = self.lines.iter().map(|(name, value)| (&**name, &**value)).collect();
        read(&RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true })
    }
}
