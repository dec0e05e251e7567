//! The examples in the documents: each YAML block says what it is, and is read and compiled as that.
//!
//! `yaml plugin` is a whole configuration, `yaml requirement` a requirement, and `yaml envoy` a part of Envoy's own
//! configuration, of which everything that is ours is looked for and compiled.

use super::readme;
use scopegate::base::base64url;
use scopegate::config::{self, Node, Tree};
use scopegate::policy::Policy;

struct Example {
    kind: String,
    line: usize,
    text: String,
}

/// The fenced YAML blocks of a document.
fn examples(document: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut lines = document.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```").filter(|info| !info.is_empty()) else { continue };
        let text: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        if let Some(kind) = info.strip_prefix("yaml") {
            examples.push(Example { kind: kind.trim().to_owned(), line: index + 2, text: text.join("\n") });
        }
    }
    examples
}

fn of_kind(kind: &str) -> Vec<Example> {
    let found: Vec<Example> = examples(&readme()).into_iter().filter(|example| example.kind == kind).collect();
    assert!(!found.is_empty(), "README.md has no example marked ```yaml {kind}");
    found
}

impl Example {
    fn node(&self) -> Node {
        config::read_yaml(&self.text)
            .unwrap_or_else(|error| panic!("README.md, block from line {}: {error}", self.line))
    }
}

/// An environment in which secrets are there.
fn environment(name: &str) -> Option<String> {
    name.ends_with("_SECRET").then(|| base64url::encode(&[7; 64]))
}

fn compile(node: &Node, line: usize) -> Policy {
    let loaded = config::compile(node, &environment);
    let loaded = loaded.unwrap_or_else(|error| panic!("README.md, block from line {line}:\n{error}"));
    assert!(loaded.warnings.is_empty(), "README.md, block from line {line}: {:?}", loaded.warnings);
    loaded.policy
}

fn compile_requirement(node: &Node, policy: &Policy, line: usize) {
    let compiled = config::requirement(node, policy);
    compiled.unwrap_or_else(|error| panic!("README.md, block from line {line}:\n{error}"));
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
    for example in examples(&readme()) {
        let known = ["plugin", "requirement", "envoy", "cases"].contains(&example.kind.as_str());
        assert!(known, "README.md, block from line {}: ```yaml {:?}", example.line, example.kind);
    }
}

#[test]
fn every_configuration_compiles() {
    for example in of_kind("plugin") {
        compile(&example.node(), example.line);
    }
}

#[test]
fn every_requirement_compiles() {
    let plugin = &of_kind("plugin")[0];
    let policy = compile(&plugin.node(), plugin.line);
    for example in of_kind("requirement") {
        compile_requirement(&example.node(), &policy, example.line);
    }
}

#[test]
fn what_is_ours_in_every_part_of_an_envoy_configuration_compiles() {
    let plugin = &of_kind("plugin")[0];
    let policy = compile(&plugin.node(), plugin.line);
    for example in of_kind("envoy") {
        let root = example.node();
        let mut ours = 0;
        for node in all_below(&root) {
            if let Some(requirement) =
                member(node, "filter_metadata").and_then(|m| member(m, config::METADATA_NAMESPACE))
            {
                compile_requirement(requirement, &policy, example.line);
                ours += 1;
            }
            if let (Some(Tree::Text(kind)), Some(value)) =
                (member(node, "@type").map(|node| &node.value), member(node, "value"))
                && kind.ends_with("google.protobuf.Struct")
            {
                compile(value, example.line);
                ours += 1;
            }
        }
        assert!(ours > 0, "README.md, block from line {}: nothing in it is ours", example.line);
    }
}
