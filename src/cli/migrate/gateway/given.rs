//! What the files have beside policies: Secrets and `ConfigMap`s that policies name.

use crate::cli::migrate::kubernetes::resource::{self, Resource};
use crate::cli::source::Source;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// The resources of these files.
#[derive(Debug)]
pub(super) struct Given<'s>(Vec<(&'s str, Resource<'s>)>);

impl<'s> Given<'s> {
    /// Those of these files.
    pub(super) fn of(sources: &'s [Source]) -> Self {
        Self(resource::all(sources))
    }

    /// All of them, with their groups.
    pub(super) fn everything(&self) -> &[(&'s str, Resource<'s>)] {
        &self.0
    }

    /// The resources of a kind in a group.
    pub(super) fn all<'a>(&'a self, group: &'a str, kind: &'a str) -> impl Iterator<Item = &'a Resource<'s>> {
        self.0.iter().filter(move |(of, resource)| *of == group && resource.kind == kind).map(|(_, resource)| resource)
    }

    fn named(&self, kind: &str, namespace: &str, name: &str) -> Option<&Resource<'s>> {
        let is_it = |of: &str, resource: &Resource<'_>| {
            of.is_empty() && resource.kind == kind && resource.namespace == namespace && resource.name == name
        };
        self.0.iter().find(|(of, resource)| is_it(of, resource)).map(|(_, resource)| resource)
    }

    /// A member of a `ConfigMap`, or its first one.
    pub(super) fn config_map(&self, namespace: &str, name: &str, member: &str) -> Option<String> {
        let members = self.named("ConfigMap", namespace, name)?.root.get("data")?.members();
        let own = members.iter().find(|(name, _)| *name == member).or_else(|| members.first());
        own.and_then(|(_, value)| value.text()).map(str::to_owned)
    }

    /// The members of a Secret, in clear; those that cannot be read are `None`. Never print them.
    pub(super) fn secret(&self, namespace: &str, name: &str) -> Option<Vec<(String, Option<String>)>> {
        let root = &self.named("Secret", namespace, name)?.root;
        let plain = root.get("stringData").map(|data| data.members()).unwrap_or_default();
        let coded = root.get("data").map(|data| data.members()).unwrap_or_default();
        let decode =
            |text: &str| BASE64_STANDARD.decode(text.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let plain = plain.into_iter().map(|(name, value)| (name.to_owned(), value.text().map(str::to_owned)));
        let coded = coded.into_iter().map(|(name, value)| (name.to_owned(), value.text().and_then(decode)));
        // Of two, Kubernetes takes what is plain.
        let mut members: Vec<(String, Option<String>)> = Vec::new();
        for (name, value) in plain.chain(coded) {
            if !members.iter().any(|(other, _)| *other == name) {
                members.push((name, value));
            }
        }
        Some(members)
    }
}
