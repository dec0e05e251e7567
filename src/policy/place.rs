//! Where in the configuration a requirement is.

use crate::base::text::push_number;
use std::borrow::Cow;
use std::fmt;

/// The place of a requirement, as records, metrics and `explain` name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequirementPlace {
    /// The source of the requirement.
    pub source: RequirementSource,
    /// Which part of it holds for the method of the request.
    pub part: MethodPart,
}

/// The source of a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequirementSource {
    /// Metadata of the route.
    RouteMetadata,
    /// Metadata of the virtual host.
    VirtualHostMetadata,
    /// The rule at this place in `rules`, from 0.
    Rule(usize),
    /// `default`.
    Default,
}

/// Which part of a requirement holds for a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MethodPart {
    /// The requirement itself.
    Enclosing,
    /// The one in `methods` for the method of the request.
    Own,
    /// The one in `methods` for GET, since the request is HEAD.
    Get,
}

impl RequirementSource {
    /// Whether metadata gives it, as opposed to the configuration of the filter.
    #[must_use]
    pub const fn is_metadata(self) -> bool {
        matches!(self, Self::RouteMetadata | Self::VirtualHostMetadata)
    }

    /// Its path in the configuration. Every record has one, so it is not made by a formatter.
    fn path(self) -> Cow<'static, str> {
        match self {
            Self::RouteMetadata => "route metadata".into(),
            Self::VirtualHostMetadata => "virtual host metadata".into(),
            Self::Rule(index) => {
                let mut path = String::with_capacity(16);
                path.push_str("rules[");
                push_number(&mut path, i64::try_from(index).unwrap_or(i64::MAX));
                path.push(']');
                path.into()
            }
            Self::Default => "default".into(),
        }
    }
}

impl fmt::Display for RequirementSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.path())
    }
}

impl MethodPart {
    /// The name of the member of `methods`, for a request of this method.
    #[must_use]
    pub const fn member(self, method: &str) -> Option<&str> {
        match self {
            Self::Enclosing => None,
            Self::Own => Some(method),
            Self::Get => Some("GET"),
        }
    }
}

impl RequirementPlace {
    /// The place in words, such as `rules[3].methods.GET`, for a request of this method.
    #[must_use]
    pub fn path(self, method: &str) -> Cow<'static, str> {
        let source = self.source.path();
        match self.part.member(method) {
            Some(name) => [&source, ".methods.", name].concat().into(),
            None => source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_its_path_in_the_configuration() {
        let path = |source, part, method| RequirementPlace { source, part }.path(method);
        assert_eq!(path(RequirementSource::Rule(3), MethodPart::Enclosing, "POST"), "rules[3]");
        assert_eq!(path(RequirementSource::Rule(0), MethodPart::Get, "HEAD"), "rules[0].methods.GET");
        assert_eq!(path(RequirementSource::Default, MethodPart::Own, "PUT"), "default.methods.PUT");
        assert_eq!(path(RequirementSource::RouteMetadata, MethodPart::Enclosing, "GET"), "route metadata");
        let of_host = path(RequirementSource::VirtualHostMetadata, MethodPart::Own, "GET");
        assert_eq!(of_host, "virtual host metadata.methods.GET");
    }
}
