//! Requirements in metadata, each distinct text parsed once.

use crate::config::{ConfigError, metadata_requirement};
use crate::facts::{MetadataRequirement, MetadataSource};
use crate::policy::{Policy, Requirement};
use std::cell::RefCell;
use std::collections::HashMap;
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
#[derive(Debug, Default)]
pub struct MetadataCache(RefCell<Entries>);

#[derive(Debug, Default)]
struct Entries {
    parsed: HashMap<Vec<u8>, Parsed>,
    bytes: usize,
}

impl MetadataCache {
    /// The requirement in `bytes`. `report` is called once for each text that cannot be read.
    pub fn parse(&self, bytes: Vec<u8>, policy: &Policy, report: impl FnOnce(&ConfigError)) -> Parsed {
        if let Some(parsed) = self.0.borrow().parsed.get(&bytes) {
            return parsed.clone();
        }
        let parsed = match metadata_requirement(&bytes, policy) {
            Ok(None) => Parsed::Nothing,
            Ok(Some(requirement)) => Parsed::Given(Rc::new(requirement)),
            Err(error) => {
                report(&error);
                Parsed::Unreadable
            }
        };
        let mut cache = self.0.borrow_mut();
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
