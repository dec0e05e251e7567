//! The headers that are other ones behind a gate.

use crate::cli::source::any_secret;
use crate::config::{self, Node};
use crate::policy::TokenForwarding;

/// A header that is another one behind the gate.
pub(super) struct Header {
    /// In lower case.
    pub name: String,
    /// What the gate does with it.
    pub fate: Fate,
}

/// What the gate does with a header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It removes that of a client, and makes it of a claim.
    Set,
    /// It removes that of a client.
    Removed,
    /// It removes it with the credential in it, once that is judged. Whether it is the only header with one.
    Credential(bool),
}

impl Header {
    /// Those of a gate with this configuration.
    pub(super) fn all(plugin: &Node, report_only: bool) -> Vec<Self> {
        // What does not load is told elsewhere.
        let Ok(loaded) = config::compile(plugin, &any_secret) else { return Vec::new() };
        let policy = loaded.policy;
        let made = |name: &str, fate| Self { name: name.to_ascii_lowercase(), fate };
        let mut headers: Vec<Self> =
            policy.forward.headers.iter().map(|header| made(&header.name, Fate::Set)).collect();
        headers.extend(policy.forward.remove.iter().map(|name| made(name, Fate::Removed)));
        let places = policy.credential_headers();
        let is_only = places.len() == 1;
        let is_kept = is_only && policy.forward.token == TokenForwarding::Keep;
        if !report_only && !is_kept {
            headers.extend(places.into_iter().map(|name| made(name, Fate::Credential(is_only))));
        }
        headers
    }

    /// What is told of something that looks at it.
    pub(super) fn looked_at(&self, looks: &str) -> String {
        let removes = match self.fate {
            Fate::Set | Fate::Removed => "removes from every request of a client",
            Fate::Credential(_) => "removes once it has judged what is in it",
        };
        format!(
            "{looks} at the header `{}`, which the gate before it {removes}: what is refused, limited or led elsewhere by it passes",
            self.name
        )
    }

    /// Whether a text has it as a word, in a spelling that the gate takes for it.
    pub(super) fn is_named_in(&self, text: &str) -> bool {
        let folded = |text: &str| text.to_ascii_lowercase().replace('_', "-");
        let (text, header) = (folded(text), folded(&self.name));
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '-';
        text.match_indices(&header).any(|(at, _)| {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let after = text.get(at.saturating_add(header.len())..).and_then(|after| after.chars().next());
            !before.is_some_and(is_part) && !after.is_some_and(is_part)
        })
    }
}
