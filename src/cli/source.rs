//! What an operator hands to the command: a plugin configuration, an Envoy YAML, an Istio or Envoy Gateway resource.
//! Read into one model, with the position of everything.

use crate::config::{self, ConfigError, JsonText, METADATA_NAMESPACE, Node, Position, Tree, read_yaml_with_texts};
use crate::policy::Requirement;
use std::error::Error;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// A value in a file, with its path in the document.
#[derive(Clone, Debug)]
pub struct View<'n> {
    /// The value.
    pub node: &'n Node,
    /// Its path, such as `static_resources.listeners[0]`.
    pub path: String,
}

/// A file and its documents.
#[derive(Debug)]
pub struct Source {
    /// The file.
    pub file: PathBuf,
    /// Its YAML or JSON documents.
    pub documents: Vec<Node>,
    /// The texts that hold JSON, read as configurations.
    embedded: Vec<(JsonText, Result<Node, ConfigError>)>,
}

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A plugin configuration.
    Plugin,
    /// A whole Envoy bootstrap, or resources that Envoy fetches: listeners, routes, clusters, filters.
    Envoy,
    /// An Istio `WasmPlugin`.
    WasmPlugin,
    /// An Istio `TrafficExtension`.
    TrafficExtension,
    /// An Envoy Gateway `EnvoyExtensionPolicy`.
    EnvoyExtensionPolicy,
    /// Something else.
    Unknown,
}

impl Source {
    /// Reads a file; `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be read, or is not YAML or JSON; the text names the file and the place.
    pub fn read(file: &Path) -> Result<Self, Box<dyn Error>> {
        let mut text = String::new();
        let most = MAX_FILE.saturating_add(1);
        let read = if file.as_os_str() == "-" {
            std::io::stdin().lock().take(most).read_to_string(&mut text)
        } else {
            std::fs::File::open(file).and_then(|opened| opened.take(most).read_to_string(&mut text))
        };
        read.map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        if u64::try_from(text.len())? > MAX_FILE {
            return Err(format!("{} is larger than {} MB", file.display(), MAX_FILE >> 20).into());
        }
        let (documents, texts) = read_yaml_with_texts(&text).map_err(|error| format!("{}:{error}", file.display()))?;
        if documents.is_empty() {
            return Err(format!("{} is empty", file.display()).into());
        }
        let embedded =
            texts.into_iter().map(|json| (json.read(&text), json)).map(|(read, json)| (json, read)).collect();
        Ok(Self { file: file.to_owned(), documents, embedded })
    }

    /// Reads files.
    ///
    /// # Errors
    /// As [`Self::read`], for the first that cannot be read.
    pub fn read_all(files: &[PathBuf]) -> Result<Vec<Self>, Box<dyn Error>> {
        files.iter().map(|file| Self::read(file)).collect()
    }

    /// The names of files, for messages.
    #[must_use]
    pub fn names(sources: &[Self]) -> String {
        sources.iter().map(|source| source.file.display().to_string()).collect::<Vec<_>>().join(", ")
    }
}

impl Kind {
    /// What `document` is, told by its members.
    #[must_use]
    pub fn of(document: &Node) -> Self {
        let root = View::root(document);
        let text = |name| root.get(name).and_then(|view| view.text());
        match text("kind") {
            Some("WasmPlugin") => return Self::WasmPlugin,
            Some("TrafficExtension") => return Self::TrafficExtension,
            Some("EnvoyExtensionPolicy") => return Self::EnvoyExtensionPolicy,
            Some(_) => return Self::Unknown,
            None => {}
        }
        let has = |names: &[&str]| names.iter().any(|name| root.get(name).is_some());
        let is_message = root.type_name().is_some_and(|name| name.starts_with("envoy."));
        let parts = ["static_resources", "dynamic_resources", "resources", "filter_chains", "virtual_hosts", "admin"];
        if is_message || has(&parts) {
            Self::Envoy
        } else if has(config::fields::POLICY.fields) {
            Self::Plugin
        } else {
            Self::Unknown
        }
    }
}

impl<'n> View<'n> {
    /// The whole document.
    #[must_use]
    pub const fn root(node: &'n Node) -> Self {
        Self { node, path: String::new() }
    }

    /// The member `name`, which protobuf's JSON form may spell in camel case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Self> {
        let Tree::Object(members) = &self.node.value else { return None };
        let (name, node) = members.iter().rev().find(|(other, _)| is_same(other, name))?;
        Some(Self { node, path: self.path_of(name) })
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The value behind several names.
    #[must_use]
    pub fn at(&self, names: &[&str]) -> Option<Self> {
        names.iter().try_fold(self.clone(), |view, name| view.get(name))
    }

    /// The items of a list; none when it is not one.
    #[must_use]
    pub fn items(&self) -> Vec<Self> {
        let Tree::List(items) = &self.node.value else { return Vec::new() };
        items.iter().enumerate().map(|(index, node)| Self { node, path: format!("{}[{index}]", self.path) }).collect()
    }

    /// The items of the list `name`.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<Self> {
        self.get(name).map(|view| view.items()).unwrap_or_default()
    }

    /// The members of an object.
    #[must_use]
    pub fn members(&self) -> Vec<(&'n str, Self)> {
        let Tree::Object(members) = &self.node.value else { return Vec::new() };
        members.iter().map(|(name, node)| (name.as_str(), Self { node, path: self.path_of(name) })).collect()
    }

    /// Text.
    #[must_use]
    pub fn text(&self) -> Option<&'n str> {
        match &self.node.value {
            Tree::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of its member `name`.
    #[must_use]
    pub fn name(&self) -> Option<&'n str> {
        self.get("name")?.text()
    }

    /// Whether it is `true`.
    #[must_use]
    pub const fn is_true(&self) -> bool {
        matches!(self.node.value, Tree::Bool(true))
    }

    /// Where it stands.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        self.node.at
    }

    /// The type that an `Any` names, without its prefix.
    #[must_use]
    pub fn type_name(&self) -> Option<&'n str> {
        let url = self.get("@type")?.text()?;
        url.rsplit('/').next()
    }

    /// Everything in it that has a member of this name, itself first. Paths are made for nothing else, which counts where
    /// there are ten thousand routes.
    #[must_use]
    pub fn holders(&self, name: &str) -> Vec<Self> {
        let mut found = Vec::new();
        self.find_holders(name, &mut found);
        found
    }

    fn find_holders(&self, name: &str, found: &mut Vec<Self>) {
        match &self.node.value {
            Tree::Object(members) => {
                if members.iter().any(|(other, _)| is_same(other, name)) {
                    found.push(self.clone());
                }
                for (other, node) in members.iter().filter(|(_, node)| holds(node, name)) {
                    Self { node, path: self.path_of(other) }.find_holders(name, found);
                }
            }
            Tree::List(items) => {
                for (index, node) in items.iter().enumerate().filter(|(_, node)| holds(node, name)) {
                    Self { node, path: format!("{}[{index}]", self.path) }.find_holders(name, found);
                }
            }
            _ => {}
        }
    }

    /// Everything in it, itself first.
    pub fn visit(&self, see: &mut impl FnMut(&Self)) {
        see(self);
        for (_, member) in self.members() {
            member.visit(see);
        }
        for item in self.items() {
            item.visit(see);
        }
    }
}

/// Whether a node, or something in it, has a member of this name.
fn holds(node: &Node, name: &str) -> bool {
    match &node.value {
        Tree::Object(members) => members.iter().any(|(other, node)| is_same(other, name) || holds(node, name)),
        Tree::List(items) => items.iter().any(|item| holds(item, name)),
        _ => false,
    }
}

/// The plugin configuration in a Wasm filter's `configuration`, a Struct or JSON in a `StringValue`, as an object; or in
/// the `pluginConfig` of a resource, which is the object.
///
/// # Errors
/// What is wrong with JSON in a text.
pub fn plugin_values<'n>(source: &'n Source, configuration: &View<'n>) -> Result<View<'n>, ConfigError> {
    let Some(type_name) = configuration.type_name() else { return Ok(configuration.clone()) };
    let Some(value) = configuration.get("value") else { return Err(refused("")) };
    if type_name != "google.protobuf.StringValue" {
        return Ok(value);
    }
    // A text behind an alias has no place of its own: it is that of the same text.
    let embedded = &source.embedded;
    let found = embedded
        .iter()
        .find(|(json, _)| Some(json.member) == value.position())
        .or_else(|| embedded.iter().find(|(json, _)| Some(json.text.as_str()) == value.text()));
    match found {
        Some((_, Ok(node))) => Ok(View { node, path: value.path }),
        Some((_, Err(error))) => Err(error.clone()),
        None => Err(refused(value.text().unwrap_or_default())),
    }
}

/// Why a text is no configuration.
fn refused(text: &str) -> ConfigError {
    config::load(text.as_bytes(), &any_secret).err().unwrap_or(ConfigError(Vec::new()))
}

/// The requirement in the `metadata` of a route or a virtual host.
///
/// # Errors
/// Every problem.
#[must_use]
pub fn requirement(holder: &View<'_>, policy: &crate::policy::Policy) -> Option<Result<Requirement, ConfigError>> {
    let metadata = holder.at(&["metadata", "filter_metadata", METADATA_NAMESPACE])?;
    Some(config::requirement(metadata.node, policy))
}

/// Secrets are not there when a configuration is checked: any text that is long enough stands for them.
#[must_use]
pub fn any_secret(_name: &str) -> Option<String> {
    Some("A".repeat(86))
}

/// Whether a member has this name, as it is or as protobuf's JSON form spells it: `fail_open` or `failOpen`.
fn is_same(member: &str, name: &str) -> bool {
    if member == name {
        return true;
    }
    let mut letters = member.chars();
    let mut upper = false;
    for character in name.chars() {
        if character == '_' {
            upper = true;
            continue;
        }
        let wanted = if upper { character.to_ascii_uppercase() } else { character };
        if letters.next() != Some(wanted) {
            return false;
        }
        upper = false;
    }
    letters.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_has_two_spellings_and_no_third() {
        for (member, name, wanted) in [
            ("fail_open", "fail_open", true),
            ("failOpen", "fail_open", true),
            ("failopen", "fail_open", false),
            ("fail_Open", "fail_open", false),
            ("failOpenX", "fail_open", false),
            ("fail", "fail_open", false),
            ("name", "name", true),
            ("Name", "name", false),
        ] {
            assert_eq!(is_same(member, name), wanted, "{member} {name}");
        }
    }
}
