//! What a record says of an event that was taken.

use crate::base::text::escaped;
use crate::decision::Decision;
use crate::policy::{EventKeys, Policy};
use std::borrow::Cow;

/// An event that was taken.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Taken<'d> {
    /// The name of the issuer that sent it.
    pub issuer: Option<&'d str>,
    /// The name of the operator who sent it.
    pub operator: Option<&'d str>,
    /// Its `jti`, escaped.
    pub id: Cow<'d, str>,
    /// How many entries it revokes by.
    pub entries: i64,
    /// How many of its events revoke nothing here.
    pub without_effect: i64,
}

impl<'d> Taken<'d> {
    /// That of a decision, if it has taken one. It is in a box, since almost no record has one.
    pub(super) fn of(decision: &'d Decision, policy: &'d Policy) -> Option<Box<Self>> {
        let Decision::Receive(event) = decision else { return None };
        let source = policy.events.as_ref()?.sources.get(event.source)?;
        let (issuer, operator) = match source.keys {
            EventKeys::Issuer(_) => (Some(source.name.as_str()), None),
            EventKeys::Operator(_) => (None, Some(source.name.as_str())),
        };
        Some(Box::new(Self {
            issuer,
            operator,
            id: escaped(event.id.as_bytes()),
            entries: i64::try_from(event.entries.len()).unwrap_or(i64::MAX),
            without_effect: event.without_effect.into(),
        }))
    }
}
