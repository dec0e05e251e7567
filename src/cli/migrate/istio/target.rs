//! Which workloads a policy is for.

use crate::cli::migrate::kubernetes::build::{list, object, text};
use crate::cli::migrate::kubernetes::resource::{self, Resource, labels};
use crate::cli::source::{Source, View};
use crate::config::{Node, Tree};
use std::collections::BTreeMap;

/// The namespace whose policies hold in all namespaces, unless the mesh is configured with another one.
const ROOT_NAMESPACE: &str = "istio-system";
/// The group of Gateways.
const GATEWAY_API: &str = "gateway.networking.k8s.io";
/// The labels of a gateway's pods that name its Gateway resource.
const GATEWAY_LABELS: [&str; 2] = ["gateway.networking.k8s.io/gateway-name", "istio.io/gateway-name"];

/// The workloads of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    /// The namespace of the policy.
    pub namespace: String,
    /// Which of its workloads.
    pub select: Select,
    /// What these are.
    role: Role,
}

/// What workloads are, as far as these files say. Policies without `targetRefs` are not for waypoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// Those that labels select.
    Selected,
    /// A gateway at an edge of the mesh.
    Edge,
    /// A waypoint, or what is behind one.
    Waypoint,
    /// A gateway whose class these files do not have.
    Unknown,
}

/// The classes of the Gateways in these files, by namespace and name.
#[derive(Debug)]
pub(super) struct Classes<'s>(BTreeMap<(&'s str, &'s str), &'s str>);

impl<'s> Classes<'s> {
    /// Those of these files.
    pub(super) fn of(sources: &'s [Source]) -> Self {
        let gateways = resource::all(sources).into_iter();
        let gateways = gateways.filter(|(group, one)| *group == GATEWAY_API && one.kind == "Gateway");
        let class = |one: Resource<'s>| {
            Some(((one.namespace, one.name), one.spec().get("gatewayClassName").and_then(|class| class.text())?))
        };
        Self(gateways.filter_map(|(_, one)| class(one)).collect())
    }

    fn role(&self, namespace: &str, [_, kind, name]: &[String; 3]) -> Role {
        let class = self.0.get(&(namespace, name.as_str())).filter(|_| kind == "Gateway");
        match (kind.as_str(), class) {
            ("Service" | "ServiceEntry" | "GatewayClass", _) | (_, Some(&"istio-waypoint")) => Role::Waypoint,
            (_, Some(&"istio" | &"istio-remote")) => Role::Edge,
            _ => Role::Unknown,
        }
    }
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
    pub(super) fn of(policy: &Resource<'_>, classes: &Classes<'_>) -> Option<Vec<Self>> {
        let spec = policy.spec();
        let with = |select| {
            let role = match &select {
                Select::Reference(reference) => classes.role(policy.namespace, reference),
                Select::All | Select::Labels(_) => Role::Selected,
            };
            Self { namespace: policy.namespace.to_owned(), select, role }
        };
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
        let (selector, of_labels) = match policy.kind {
            "EnvoyFilter" => ("workloadSelector", "labels"),
            _ => ("selector", "matchLabels"),
        };
        let Some(selector) = spec.get(selector) else { return Some(vec![with(Select::All)]) };
        let wanted = labels(&selector.get(of_labels).unwrap_or_else(|| selector.clone()));
        let all = selector.get(of_labels).map_or(0, |labels| labels.members().len());
        if wanted.len() != all || selector.members().len() > 1 {
            return None;
        }
        Some(vec![with(if wanted.is_empty() { Select::All } else { Select::Labels(wanted) })])
    }

    /// Whether a policy for these workloads holds for all of the other's.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.is_above(other) && !self.is_missed_by(other, Role::Unknown)
    }

    /// Whether it holds for all of them unless they are a waypoint, and these files do not say so.
    pub(super) fn may_cover(&self, other: &Self) -> bool {
        self.is_above(other) && !self.covers(other)
    }

    /// Whether workloads of this role are missed by a policy without `targetRefs`, and the other's are of it, or a waypoint.
    fn is_missed_by(&self, other: &Self, role: Role) -> bool {
        self.role == Role::Selected && (other.role == role || other.role == Role::Waypoint)
    }

    fn is_above(&self, other: &Self) -> bool {
        if self.is_missed_by(other, Role::Waypoint) {
            return false;
        }
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
        let is_apart = self.is_missed_by(other, Role::Waypoint) || other.is_missed_by(self, Role::Waypoint);
        is_near && !differ && !is_apart
    }

    /// Whether they are not those of a resource.
    pub(super) fn is_of_labels(&self) -> bool {
        self.role == Role::Selected
    }

    /// Whether they may be in any namespace.
    pub(super) fn is_of_root(&self) -> bool {
        self.namespace == ROOT_NAMESPACE
    }

    /// Whether they are all workloads of the mesh.
    pub(super) fn is_mesh(&self) -> bool {
        self.is_of_root() && self.select == Select::All
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

    /// Why it is not known whether a policy holds for them.
    pub(super) fn unsure(&self, title: &str) -> String {
        format!(
            "{title}: without targetRefs it holds for {} if that is no waypoint, which these files do not say (give the Gateway, too)",
            self.words()
        )
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
