//! Configuration: turns what the operator wrote into a compiled [`Policy`] and its [`Settings`], or lists everything
//! that is wrong with it.
//!
//! One reader over a tree of values serves the protobuf Struct that Envoy hands over, the JSON that Istio hands over,
//! and the YAML that the command reads. A configuration is refused whole: no field is dropped, guessed or defaulted
//! to something weaker.

mod compile;
mod cursor;
#[cfg(not(target_arch = "wasm32"))]
mod embedded;
pub mod fields;
mod identities;
mod problem;
mod tree;
mod wire;
#[cfg(not(target_arch = "wasm32"))]
mod yaml;

#[cfg(not(target_arch = "wasm32"))]
pub use embedded::{Text, TextPositions};
pub use identities::{IdentityLoader, MAX_IDENTITIES};
#[cfg(not(target_arch = "wasm32"))]
pub use problem::nearest;
pub use problem::{ConfigError, Problem};
pub use tree::{Node, Position, Tree};
pub use wire::METADATA_NAMESPACE;
#[cfg(feature = "module")]
pub use wire::{as_metadata, number_tree};
#[cfg(not(target_arch = "wasm32"))]
pub use yaml::{Dialect, Document, Flaw, YamlError, read_documents, read_yaml};

use crate::policy::{Policy, Requirement, Settings};
use cursor::Cursor;
use problem::Problems;
use std::cell::RefCell;

/// Looks up an environment variable, for `{env: NAME}` references.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// A compiled configuration.
#[derive(Debug)]
pub struct Loaded {
    /// Judges requests.
    pub policy: Policy,
    /// What the shell and the command need beside it.
    pub settings: Settings,
    /// Warnings, one line each.
    pub warnings: Vec<String>,
}

/// Reads a plugin configuration as Envoy hands it over: a serialised `google.protobuf.Struct`, or JSON text.
///
/// # Errors
/// Every problem, each with the path of its field.
pub fn load(bytes: &[u8], environment: Environment<'_>) -> Result<Loaded, ConfigError> {
    let root = wire::plugin_configuration(bytes).map_err(whole)?;
    compile(&root, environment)
}

/// Compiles a configuration that has been read into a tree.
///
/// # Errors
/// Every problem, each with the path of its field.
pub fn compile(root: &Node, environment: Environment<'_>) -> Result<Loaded, ConfigError> {
    let problems = RefCell::new(Problems::default());
    let loaded = compile::policy(&Cursor::root(root, &problems), environment);
    problems.into_inner().settle(loaded)
}

/// Reads the requirement in a serialised `envoy.config.core.v3.Metadata`, if there is one.
///
/// # Errors
/// Every problem. The request then must not be judged by another requirement: see
/// [`crate::facts::MetadataRequirement`].
pub fn metadata_requirement(
    bytes: &[u8],
    policy: &Policy,
    environment: Environment<'_>,
) -> Result<Option<Requirement>, ConfigError> {
    match wire::metadata(bytes).map_err(whole)? {
        None => Ok(None),
        Some(root) => requirement(&root, policy, environment).map(Some),
    }
}

/// Reads a requirement that is written as the filter's configuration for a route: a `google.protobuf.Struct` or JSON text.
/// Returns it as serialised metadata of a route, which [`metadata_requirement`] compiles for the policy.
///
/// # Errors
/// When it is neither.
#[cfg(feature = "module")]
pub fn route_configuration(bytes: &[u8]) -> Result<Vec<u8>, ConfigError> {
    let root = wire::plugin_configuration(bytes).map_err(whole)?;
    match root.value {
        Tree::Object(_) => Ok(as_metadata(&root)),
        _ => Err(whole("not an object".to_owned())),
    }
}

/// Compiles a requirement that has been read into a tree.
///
/// # Errors
/// Every problem, each with the path of its field.
pub fn requirement(root: &Node, policy: &Policy, environment: Environment<'_>) -> Result<Requirement, ConfigError> {
    let problems = RefCell::new(Problems::default());
    let compiled = compile::metadata(&Cursor::root(root, &problems), policy, environment);
    problems.into_inner().settle(compiled)
}

fn whole(what: String) -> ConfigError {
    let remedy = "write one object, as a google.protobuf.Struct or as JSON in a StringValue".to_owned();
    ConfigError(vec![Problem { path: String::new(), at: None, what, remedy }])
}
