//! Which query parameters are refused.

/// The query parameters that are refused. [`crate::credential`] has the names built in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryPolicy {
    /// Further names of parameters that carry tokens, in lower case.
    pub names: Vec<String>,
    /// Names of parameters whose value may have the shape of a JWT. Compared exactly.
    pub jwt_allowed_in: Vec<String>,
}
