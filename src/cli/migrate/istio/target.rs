//! Which workloads a policy is for.

use crate::cli::migrate::kubernetes::build::{list, object, text};
use crate::cli::migrate::kubernetes::resource::{Resource, labels};
use crate::cli::source::View;
use crate::config::{Node, Tree};
use std::collections::BTreeMap;

/// The namespace whose policies hold in all namespaces, unless the mesh is configured with another one.
const ROOT_NAMESPACE: &str = "istio-system";
/// The labels of a gateway's pods that name its Gateway resource.
const GATEWAY_LABELS: [&str; 2] = ["gateway.networking.k8s.io/gateway-name", "istio.io/gateway-name"];

/// The workloads of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    /// The namespace of the policy.
    pub namespace: String,
    /// Which of its workloads.
    pub select: Select,
}

/// Which workloads of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Select {
    /// All.
    All,
    /// Those with these labels.
    Labels(BTreeMap<String, String>),
    /// Those of a resource: its group, kind and name.
    Reference([String; 3]),
}

impl Target {
    /// The targets of a policy: one, or one for each of `targetRefs`. None if they cannot be read.
    pub(super) fn of(policy: &Resource<'_>) -> Option<Vec<Self>> {
        let spec = policy.spec();
        let with = |select| Self { namespace: policy.namespace.to_owned(), select };
        let mut references = spec.list("targetRefs");
        references.extend(spec.get("targetRef"));
        if !references.is_empty() {
            return references
                .iter()
                .map(|reference| Some(with(Select::Reference(reference_of(reference)?))))
                .collect();
        }
        if spec.get("targetRefs").is_some_and(|references| !matches!(references.node.value, Tree::List(_))) {
            return None;
        }
        let Some(selector) = spec.get("selector") else { return Some(vec![with(Select::All)]) };
        let wanted = labels(&selector.get("matchLabels").unwrap_or_else(|| selector.clone()));
        let all = selector.get("matchLabels").map_or(0, |labels| labels.members().len());
        if wanted.len() != all || selector.members().len() > 1 {
            return None;
        }
        Some(vec![with(if wanted.is_empty() { Select::All } else { Select::Labels(wanted) })])
    }

    /// Whether a policy for these workloads holds for all of the other's.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let is_root = self.namespace == ROOT_NAMESPACE && !matches!(self.select, Select::Reference(_));
        if self.namespace != other.namespace && !is_root {
            return false;
        }
        match (&self.select, &other.select) {
            (Select::All, _) => true,
            (Select::Labels(own), Select::Labels(others)) => {
                own.iter().all(|(name, value)| others.get(name) == Some(value))
            }
            (Select::Labels(own), Select::Reference([_, _, name])) => {
                own.iter().all(|(label, value)| GATEWAY_LABELS.contains(&label.as_str()) && value == name)
            }
            (Select::Reference(own), Select::Reference(others)) => own == others,
            _ => false,
        }
    }

    /// Whether a workload may be both this one's and the other's, as far as labels tell.
    pub(super) fn may_meet(&self, other: &Self) -> bool {
        let is_near = self.namespace == other.namespace
            || [&self.namespace, &other.namespace].contains(&&ROOT_NAMESPACE.to_owned());
        let differ = match (&self.select, &other.select) {
            (Select::Labels(own), Select::Labels(others)) => {
                own.iter().any(|(name, value)| others.get(name).is_some_and(|other| other != value))
            }
            // A Gateway is of a class, and may be in front of a service.
            (Select::Reference(own), Select::Reference(others)) => {
                own != others && own.iter().take(2).eq(others.iter().take(2))
            }
            (Select::Reference(_), Select::Labels(labels)) | (Select::Labels(labels), Select::Reference(_)) => {
                !labels.keys().any(|name| GATEWAY_LABELS.contains(&name.as_str()))
            }
            _ => false,
        };
        is_near && !differ
    }

    /// Whether they are all workloads of the mesh.
    pub(super) fn is_mesh(&self) -> bool {
        self.namespace == ROOT_NAMESPACE && self.select == Select::All
    }

    /// Whether they are those of a gateway, as far as the names tell.
    pub(super) fn is_gateway(&self) -> bool {
        let names_one = |text: &str| ["gateway", "ingress", "egress"].iter().any(|word| text.contains(word));
        match &self.select {
            Select::All => false,
            Select::Labels(labels) => labels.iter().any(|(name, value)| names_one(name) || names_one(value)),
            Select::Reference([_, kind, _]) => kind == "Gateway" || kind == "GatewayClass",
        }
    }

    /// The members of a resource that select them, whose member for labels has this name.
    pub(super) fn members(&self, selector: (&'static str, &'static str)) -> Vec<(&'static str, Node)> {
        match &self.select {
            Select::All => Vec::new(),
            Select::Labels(labels) => {
                let labels = object(labels.iter().map(|(name, value)| (name.clone(), text(value))));
                vec![(selector.0, object([(selector.1, labels)]))]
            }
            Select::Reference([group, kind, name]) => {
                let reference = object([("group", text(group)), ("kind", text(kind)), ("name", text(name))]);
                vec![("targetRefs", list([reference]))]
            }
        }
    }

    /// They in words.
    pub(super) fn words(&self) -> String {
        let which = match &self.select {
            Select::All if self.is_mesh() => return "all workloads of the mesh".to_owned(),
            Select::All => "all workloads".to_owned(),
            Select::Labels(labels) => {
                let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("the workloads with {}", labels.join(", "))
            }
            Select::Reference([_, kind, name]) => format!("{kind} {name}"),
        };
        format!("{which} of namespace {}", self.namespace)
    }
}

fn reference_of(reference: &View<'_>) -> Option<[String; 3]> {
    let text = |name: &str| match reference.get(name) {
        Some(value) => value.text().map(str::to_owned),
        None => Some(String::new()),
    };
    // A reference into another namespace is for workloads that this program does not look for.
    if reference.get("namespace").is_some() || reference.name().is_none() {
        return None;
    }
    Some([text("group")?, text("kind")?, text("name")?])
}
