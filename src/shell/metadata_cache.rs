//! Requirements in metadata, each distinct text parsed once.

use super::gate::NEEDS_FULL;
use crate::config::{Environment, metadata_requirement};
use crate::facts::{MetadataRequirement, MetadataSource};
use crate::policy::{Policy, Requirement};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Display;
use std::rc::Rc;

/// The most texts that are remembered. Metadata comes from the operator's configuration, so there are at most as many
/// as routes. A full cache starts anew.
const MAX_ENTRIES: usize = 16_384;

/// A parsed text.
#[derive(Clone, Debug)]
pub enum Parsed {
    /// No requirement.
    Nothing,
    /// A requirement.
    Given(Rc<Requirement>),
    /// A requirement that cannot be read.
    Unreadable,
}

/// The most bytes of such texts.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Parsed metadata by its bytes.
#[derive(Debug)]
pub struct MetadataCache {
    /// Whether the module is called for responses: what needs that is unreadable elsewhere.
    has_responses: bool,
    entries: RefCell<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    parsed: HashMap<Vec<u8>, Parsed>,
    bytes: usize,
}

impl MetadataCache {
    /// Nothing is remembered yet.
    pub fn new(has_responses: bool) -> Self {
        Self { has_responses, entries: RefCell::default() }
    }

    /// The requirement in `bytes`. `report` is called once for each text that cannot be read.
    pub fn parse(
        &self,
        bytes: Vec<u8>,
        policy: &Policy,
        environment: Environment<'_>,
        report: impl FnOnce(&dyn Display),
    ) -> Parsed {
        if let Some(parsed) = self.entries.borrow().parsed.get(&bytes) {
            return parsed.clone();
        }
        let parsed = match metadata_requirement(&bytes, policy, environment) {
            Ok(None) => Parsed::Nothing,
            Ok(Some(requirement)) if !self.has_responses && requirement.needs_responses().is_some() => {
                let field = requirement.needs_responses().unwrap_or_default();
                report(&format_args!("{field}: {NEEDS_FULL}"));
                Parsed::Unreadable
            }
            Ok(Some(requirement)) => Parsed::Given(Rc::new(requirement)),
            Err(error) => {
                report(&error);
                Parsed::Unreadable
            }
        };
        let mut cache = self.entries.borrow_mut();
        if cache.parsed.len() >= MAX_ENTRIES || cache.bytes.saturating_add(bytes.len()) > MAX_BYTES {
            *cache = Entries::default();
        }
        cache.bytes = cache.bytes.saturating_add(bytes.len());
        cache.parsed.insert(bytes, parsed.clone());
        parsed
    }
}

impl Parsed {
    /// The fact for the engine, with the source of the metadata.
    pub fn as_fact(&self, source: MetadataSource) -> MetadataRequirement<'_> {
        match self {
            Self::Nothing => MetadataRequirement::None,
            Self::Given(requirement) => MetadataRequirement::Given(source, requirement),
            Self::Unreadable => MetadataRequirement::Unreadable(source),
        }
    }
}
