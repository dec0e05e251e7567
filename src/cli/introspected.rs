//! What an issuer would say of the opaque token of a request, as the user gives it. Offline no issuer is asked.

use crate::base::time::UnixSeconds;
use crate::facts::{Introspected, Introspections, VerifiedToken};
use crate::jose::{IntrospectionAnswer, Malformed};
use crate::policy::IssuerId;
use std::rc::Rc;

/// The answer of an issuer, whichever is asked; without one nothing is known.
#[derive(Debug, Default)]
pub(super) struct Answer(Option<IntrospectionAnswer>);

impl Answer {
    /// Reads an answer as an introspection endpoint gives it.
    ///
    /// # Errors
    /// Why the gate could not use it.
    pub(super) fn read(text: Vec<u8>) -> Result<Self, &'static str> {
        IntrospectionAnswer::parse(text).map(|answer| Self(Some(answer))).map_err(|Malformed(why)| why)
    }
}

impl Introspections for Answer {
    fn recall(&self, issuer: IssuerId, _token: &[u8], _now: UnixSeconds) -> Option<Introspected> {
        Some(match self.0.as_ref()? {
            IntrospectionAnswer::Inactive => Introspected::Inactive,
            IntrospectionAnswer::Active(claims) => {
                let (since, until) = (UnixSeconds(i64::MIN), UnixSeconds(i64::MAX));
                let token = VerifiedToken::introspected(issuer, (**claims).clone(), since, until);
                Introspected::Active(Rc::new(token))
            }
        })
    }
}
