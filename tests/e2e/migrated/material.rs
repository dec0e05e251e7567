//! What requests to a configuration are made of: the paths, methods, hosts, headers and claims that it names itself, and what
//! its file says to try.

use super::configurations::Old;
use serde_json::Value;
use std::collections::BTreeSet;

/// What a configuration names.
#[derive(Debug, Default)]
pub(super) struct Material {
    pub(super) paths: BTreeSet<String>,
    pub(super) methods: BTreeSet<String>,
    pub(super) hosts: BTreeSet<String>,
    pub(super) queries: BTreeSet<String>,
    pub(super) headers: BTreeSet<(String, String)>,
    pub(super) claims: Vec<Claim>,
    /// Whole values of `authorization` that are no token of a provider.
    pub(super) authorizations: Vec<String>,
    /// Headers that tell the upstream who a request is from.
    pub(super) identities: BTreeSet<String>,
}

/// A claim that a condition is about.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) path: Vec<String>,
    pub(super) values: Vec<Value>,
    /// Whether it is one of a list.
    pub(super) is_list: bool,
}

impl Material {
    pub(super) fn of(old: &Old) -> Self {
        let mut material = Self::default();
        material.read("", &old.listener);
        material.read("", &old.hosts());
        material.read_tries(&old.tries);
        material.paths.insert("/".to_owned());
        material.methods.extend(["GET", "POST"].map(str::to_owned));
        if material.hosts.is_empty() {
            material.hosts.insert("api.example.com".to_owned());
        }
        material
    }

    /// Reads a member of that name.
    fn read(&mut self, name: &str, value: &Value) {
        match value {
            Value::Object(members) => {
                if matches!(name, "headers" | "header") {
                    self.read_header(value);
                }
                if let ("forwarding", Some(header)) = (name, value["header"].as_str()) {
                    self.identities.insert(header.to_owned());
                }
                if name == "query_parameters" {
                    let matched = value["string_match"]["exact"].as_str().unwrap_or("x");
                    self.queries.insert(format!("{}={matched}", value["name"].as_str().unwrap()));
                }
                if members.contains_key("path") && members.contains_key("filter") {
                    self.read_claim(value);
                }
                for (own, member) in members {
                    self.read(own, member);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.read(name, item)),
            Value::String(text) => self.read_text(name, text),
            _ => {}
        }
    }

    fn read_text(&mut self, name: &str, text: &str) {
        match name {
            "path" | "prefix" | "path_separated_prefix" | "exact" if text.starts_with('/') => {
                self.paths.insert(text.to_owned());
            }
            "domains" => {
                let host = if text == "*" { "other.example.net" } else { text };
                self.hosts.insert(host.replace(":*", ":8443").replace('*', "a"));
            }
            "header_name" | "forward_payload_header" | "forward_username_header" => {
                self.identities.insert(text.to_ascii_lowercase());
            }
            _ => {}
        }
    }

    fn read_header(&mut self, value: &Value) {
        let Some(name) = value["name"].as_str() else { return };
        let matched = matched(&value["string_match"]);
        let text = matched.first().and_then(Value::as_str).unwrap_or("x").to_owned();
        if name == ":method" {
            self.methods.insert(text);
        } else if !name.starts_with(':') && value.get("value_prefix").is_none() {
            self.headers.insert((name.to_ascii_lowercase(), text));
        }
    }

    fn read_claim(&mut self, value: &Value) {
        let keys = value["path"].as_array().into_iter().flatten().filter_map(|key| key["key"].as_str());
        // The first is where the provider puts the payload.
        let path: Vec<String> = keys.skip(1).map(str::to_owned).collect();
        let is_list = value["value"].get("list_match").is_some();
        let values = matched(&value["value"]);
        if !path.is_empty() {
            self.add_claim(path, values, is_list);
        }
    }

    fn add_claim(&mut self, path: Vec<String>, values: Vec<Value>, is_list: bool) {
        match self.claims.iter_mut().find(|claim| claim.path == path) {
            Some(claim) => {
                claim.values.extend(values);
                claim.is_list |= is_list;
            }
            None => self.claims.push(Claim { path, values, is_list }),
        }
    }

    fn read_tries(&mut self, tries: &Value) {
        let texts = |list: &Value| -> Vec<String> {
            list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        self.paths.extend(texts(&tries["paths"]));
        self.methods.extend(texts(&tries["methods"]));
        self.queries.extend(texts(&tries["queries"]));
        self.authorizations.extend(texts(&tries["authorization"]));
        for (name, values) in tries["headers"].as_object().into_iter().flatten() {
            self.headers.extend(texts(values).into_iter().map(|value| (name.clone(), value)));
        }
        for (name, values) in tries["claims"].as_object().into_iter().flatten() {
            self.add_claim(vec![name.clone()], values.as_array().unwrap().clone(), false);
        }
    }
}

/// Values that meet a condition.
fn matched(condition: &Value) -> Vec<Value> {
    let Value::Object(members) = condition else { return Vec::new() };
    let mut values = Vec::new();
    for (word, value) in members {
        match word.as_str() {
            "exact" | "bool_match" => values.push(value.clone()),
            "prefix" => values.push(format!("{}x", value.as_str().unwrap()).into()),
            "suffix" => values.push(format!("x{}", value.as_str().unwrap()).into()),
            "contains" => values.push(format!("x{}x", value.as_str().unwrap()).into()),
            "safe_regex" | "present_match" => values.push("x".into()),
            "string_match" | "list_match" | "one_of" | "double_match" => values.extend(matched(value)),
            _ => {}
        }
    }
    values
}
