//! What issuers say of opaque tokens.

use super::VerifiedToken;
use crate::base::time::UnixSeconds;
use crate::policy::IssuerId;
use std::rc::Rc;

/// What an issuer says of an opaque token.
#[derive(Clone, Debug)]
pub enum Introspected {
    /// It is active, and this is what it says.
    Active(Rc<VerifiedToken>),
    /// It is not.
    Inactive,
}

/// What issuers have said of opaque tokens.
pub trait Introspections {
    /// What `issuer` has said of a token of exactly these bytes, if that still holds at `now`; `None` where it has to be
    /// asked.
    fn recall(&self, issuer: IssuerId, token: &[u8], now: UnixSeconds) -> Option<Introspected>;
}

/// No issuer has said anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NothingIntrospected;

impl Introspections for NothingIntrospected {
    fn recall(&self, _issuer: IssuerId, _token: &[u8], _now: UnixSeconds) -> Option<Introspected> {
        None
    }
}
