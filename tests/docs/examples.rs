//! The examples in the documents: each YAML block says what it is, and is read and compiled as that.
//!
//! `yaml plugin` is a whole configuration, `yaml requirement` a requirement, and `yaml envoy` a part of Envoy's own
//! configuration, of which everything that is ours is looked for and compiled. `yaml manager` is a part of a connection
//! manager with nothing of ours in it, which `tests/e2e` runs. `yaml old` is a file that `migrate` reads.

use super::{document, documents};
use scopegate::base::base64url;
use scopegate::config::{self, Node, Tree};
use scopegate::policy::Policy;

pub struct Example {
    pub kind: String,
    pub place: String,
    pub text: String,
}

/// The fenced YAML blocks of a document.
pub fn examples(path: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let text = document(path);
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```").filter(|info| !info.is_empty()) else { continue };
        let text: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        if let Some(kind) = info.strip_prefix("yaml") {
            let place = format!("{path}:{}", index + 2);
            examples.push(Example { kind: kind.trim().to_owned(), place, text: text.join("\n") });
        }
    }
    examples
}

/// Those of all documents.
fn all() -> Vec<Example> {
    documents().iter().flat_map(|path| examples(path)).collect()
}

fn of_kind(kind: &str) -> Vec<Example> {
    let found: Vec<Example> = all().into_iter().filter(|example| example.kind == kind).collect();
    assert!(!found.is_empty(), "no document has an example marked ```yaml {kind}");
    found
}

/// The first configuration of the guide, for which requirements are compiled.
fn policy() -> Policy {
    let first = examples("envoy/GUIDE.md").into_iter().find(|example| example.kind == "plugin").unwrap();
    compile(&first.node(), &first.place)
}

impl Example {
    fn node(&self) -> Node {
        config::read_yaml(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.place))
    }
}

/// An environment in which secrets are there.
fn environment(name: &str) -> Option<String> {
    // Each has one of its own: two entries with one secret are an error.
    let mut secret = [7; 64];
    secret.iter_mut().zip(name.bytes()).for_each(|(byte, letter)| *byte = letter);
    (name.ends_with("_SECRET") || name.ends_with("_KEY")).then(|| base64url::encode(&secret))
}

fn compile(node: &Node, place: &str) -> Policy {
    let loaded = config::compile(node, &environment);
    let loaded = loaded.unwrap_or_else(|error| panic!("{place}:\n{error}"));
    assert!(loaded.warnings.is_empty(), "{place}: {:?}", loaded.warnings);
    loaded.policy
}

fn compile_requirement(node: &Node, policy: &Policy, place: &str) {
    let compiled = config::requirement(node, policy, &environment);
    compiled.unwrap_or_else(|error| panic!("{place}:\n{error}"));
}

fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let Tree::Object(members) = &node.value else { return None };
    members.iter().find(|(other, _)| other == name).map(|(_, node)| node)
}

/// The node and all below it.
fn all_below(node: &Node) -> Vec<&Node> {
    let inner: Vec<&Node> = match &node.value {
        Tree::List(items) => items.iter().collect(),
        Tree::Object(members) => members.iter().map(|(_, node)| node).collect(),
        _ => Vec::new(),
    };
    std::iter::once(node).chain(inner.into_iter().flat_map(all_below)).collect()
}

#[test]
fn every_yaml_block_says_what_it_is() {
    for example in all() {
        let known = ["plugin", "requirement", "envoy", "old", "cases", "manager"].contains(&example.kind.as_str());
        assert!(known, "{}: ```yaml {:?}", example.place, example.kind);
    }
}

#[test]
fn every_configuration_compiles() {
    for example in of_kind("plugin") {
        compile(&example.node(), &example.place);
    }
}

#[test]
fn every_requirement_compiles() {
    let policy = policy();
    for example in of_kind("requirement") {
        compile_requirement(&example.node(), &policy, &example.place);
    }
}

#[test]
fn what_is_ours_in_every_part_of_an_envoy_configuration_compiles() {
    let policy = policy();
    for example in of_kind("envoy") {
        let root = example.node();
        let mut ours = 0;
        let nodes = all_below(&root);
        // What the native module has beside a route is a requirement.
        let is_per_route = |node: &&&Node| member(node, "per_route_config_name").is_some();
        let beside: Vec<&Node> = nodes
            .iter()
            .filter(is_per_route)
            .filter_map(|node| member(member(node, "filter_config")?, "value"))
            .collect();
        for node in nodes {
            let metadata = member(node, "filter_metadata").and_then(|m| member(m, config::METADATA_NAMESPACE));
            let is_beside = || beside.iter().any(|other| std::ptr::eq(*other, node));
            if let Some(requirement) = metadata.or_else(|| is_beside().then_some(node)) {
                compile_requirement(requirement, &policy, &example.place);
                ours += 1;
            }
            if let (Some(Tree::Text(kind)), Some(value)) =
                (member(node, "@type").map(|node| &node.value), member(node, "value"))
                && kind.ends_with("google.protobuf.Struct")
                && !beside.iter().any(|other| std::ptr::eq(*other, value))
            {
                compile(value, &example.place);
                ours += 1;
            }
        }
        assert!(ours > 0, "{}: nothing in it is ours", example.place);
    }
}
