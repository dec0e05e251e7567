//! What the core is told beside the request: the time, the keys, who checks signatures, what the route asks.

use crate::base::time::UnixSeconds;
use crate::crypto::Verifier;
use crate::jose::KeySet;
use crate::policy::{IssuerId, Requirement};
use std::rc::Rc;

/// The facts of one decision. The core asks for nothing: the caller puts everything here.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The time.
    pub now: UnixSeconds,
    /// The keys that are there.
    pub keys: &'a KeyRing,
    /// Who checks signatures.
    pub verifier: &'a dyn Verifier,
    /// What route and virtual host metadata ask.
    pub metadata: MetadataRequirement<'a>,
    /// Whether keys have been awaited for this request: then they are not awaited again.
    pub awaited_keys: bool,
}

/// What route and virtual host metadata ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetadataRequirement<'a> {
    /// Nothing.
    None,
    /// This.
    Asks(&'a Requirement),
    /// Something, but it cannot be read. It never means anything weaker than a refusal.
    Unreadable,
}

/// The keys of each issuer, as far as they are there.
#[derive(Clone, Debug, Default)]
pub struct KeyRing(Vec<Option<Rc<KeySet>>>);

impl KeyRing {
    /// The keys of `issuer`, unless they have never been there or have become too old to use.
    #[must_use]
    pub fn get(&self, issuer: IssuerId) -> Option<&KeySet> {
        self.0.get(issuer.0)?.as_deref()
    }

    /// Puts the keys of `issuer` in, or takes them away.
    pub fn set(&mut self, issuer: IssuerId, keys: Option<Rc<KeySet>>) {
        if self.0.len() <= issuer.0 {
            self.0.resize_with(issuer.0.saturating_add(1), || None);
        }
        if let Some(place) = self.0.get_mut(issuer.0) {
            *place = keys;
        }
    }
}
