//! How a user has to authenticate anew.

use crate::base::time::Seconds;

/// What the requirements ask of the authentication of the user, all of it, whichever part is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepUp {
    /// The claim that does not meet them: `acr`, else `auth_time`.
    pub claim: &'static str,
    /// The values of `acr` that meet them, in the order of preference; `None` where every value does. Two requirements may
    /// have none in common: then no authentication helps.
    pub acr_values: Option<Vec<String>>,
    /// The longest time since the user authenticated.
    pub max_age: Option<Seconds>,
}
