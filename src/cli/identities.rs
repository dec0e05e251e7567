//! Documents of identities from files, read as a gate reads fetched ones.

use crate::base::time::UnixSeconds;
use crate::config::IdentityLoader;
use crate::crypto::PureVerifier;
use crate::facts::FetchedIdentities;
use crate::policy::{CredentialSet, FetchedSet, IdentityTerms, Policy};
use crate::revocation::{Chunks, ListError};
use std::path::Path;
use std::rc::Rc;

/// The identities of sets that are fetched, as files have them.
#[derive(Debug, Default)]
pub(super) struct Documents {
    /// What the engine is told.
    pub(super) fetched: FetchedIdentities,
    /// The sets whose document has been read, and what is in it.
    read: Vec<(String, Rc<FetchedSet>)>,
}

impl Documents {
    /// Reads the document of the set of this name.
    ///
    /// # Errors
    /// When there is no such set, when it has been read, and when a gate would refuse the document.
    pub(super) fn add(&mut self, policy: &Policy, name: &str, file: &Path, now: UnixSeconds) -> Result<(), String> {
        let Some(set) = policy.remote_sets().find(|set| &*set.name == name) else {
            let names: Vec<&str> = policy.remote_sets().map(|set| &*set.name).collect();
            return Err(match names.as_slice() {
                [] => "this configuration fetches no identities".to_owned(),
                names => format!("{name} is no set whose identities are fetched; one of {}", names.join(", ")),
            });
        };
        if self.has(name) {
            return Err(format!("the identities of {name} are given twice"));
        }
        let bytes = std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let refused = |error| format!("{}: a gate refuses these identities: {error}", file.display());
        let fetched = self.load(set, &bytes, now).map_err(refused)?;
        if let Some(remote) = &set.remote {
            self.fetched.set(remote.terms.set, Some(Rc::clone(&fetched)));
        }
        self.read.push((name.to_owned(), fetched));
        Ok(())
    }

    /// Reads what an option has: a file, or NAME=FILE if the configuration fetches the identities of several sets.
    ///
    /// # Errors
    /// As [`Documents::add`].
    pub(super) fn add_option(&mut self, policy: &Policy, text: &str, now: UnixSeconds) -> Result<(), String> {
        let names: Vec<&str> = policy.remote_sets().map(|set| &*set.name).collect();
        let found = names.iter().find_map(|name| Some((*name, text.strip_prefix(name)?.strip_prefix('=')?)));
        let (name, file) = match (found, names.as_slice()) {
            (Some(found), _) => found,
            (None, [name]) => (*name, text),
            (None, []) => ("", text),
            (None, names) => {
                return Err(format!("say whose identities these are, as NAME=FILE; one of {}", names.join(", ")));
            }
        };
        self.add(policy, name, Path::new(file), now)
    }

    /// Whether the document of this set has been read.
    pub(super) fn has(&self, name: &str) -> bool {
        self.read.iter().any(|(read, _)| read == name)
    }

    fn load(&self, set: &CredentialSet, bytes: &[u8], now: UnixSeconds) -> Result<Rc<FetchedSet>, ListError> {
        let Some(remote) = &set.remote else { return Err(ListError::Empty) };
        let others = self.read.iter().map(|(_, fetched)| Rc::clone(fetched)).collect();
        let terms = IdentityTerms { others, ..remote.terms.clone() };
        let mut loader = IdentityLoader::begin(&Chunks::from(bytes), terms, None, &PureVerifier, now)?;
        loop {
            if let Some(fetched) = loader.step()? {
                return Ok(fetched);
            }
        }
    }
}
