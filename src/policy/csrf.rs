//! Which pages may have a browser send what the browser adds a credential to.

/// The pages that may send requests, beside those of the site itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csrf {
    /// Origins as browsers write them ([RFC 6454 section 6.2](https://www.rfc-editor.org/rfc/rfc6454#section-6.2)).
    pub origins: Vec<String>,
}

impl Csrf {
    /// Whether an origin is listed.
    #[must_use]
    pub fn lists(&self, origin: &[u8]) -> bool {
        self.origins.iter().any(|listed| listed.as_bytes() == origin)
    }

    /// What both list.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let both = self.origins.iter().filter(|origin| other.lists(origin.as_bytes()));
        Self { origins: both.cloned().collect() }
    }
}
