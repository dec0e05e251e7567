//! An `AuthorizationPolicy`, as what it allows and refuses.

use super::beside::Tokens;
use super::condition::{Condition, Told, of_source, of_when};
use super::jwt_rule::JwtRules;
use super::operation::Operation;
use crate::cli::migrate::findings::{Finding, Findings, Kind};
use crate::cli::migrate::kubernetes::ask::Ask;
use crate::cli::migrate::kubernetes::region::Region;
use crate::cli::migrate::kubernetes::resource::{Resource, unknown};
use crate::cli::migrate::kubernetes::rules::{Cell, Cells};
use crate::cli::source::View;
use crate::config::Tree;

/// The annotation of a policy that only reports.
const DRY_RUN: &str = "istio.io/dry-run";

/// The policies of a workload, read one by one.
#[derive(Debug)]
pub(super) struct Policies<'s, 'r> {
    /// What they say together.
    pub cells: Cells,
    /// Their rules, which cells name by number.
    pub rules: Vec<(Resource<'s>, View<'s>)>,
    /// What is told.
    pub findings: Findings,
    /// Whether what allows is of policies alone of which it is not known whether they hold.
    pub is_unsure: bool,
    jwt: &'r JwtRules,
}

impl<'s, 'r> Policies<'s, 'r> {
    /// None yet. A request with a token that is not accepted is refused everywhere.
    pub(super) fn new(jwt: &'r JwtRules) -> Self {
        let everywhere = if jwt.is_closed() { Ask::never() } else { Ask::nothing() };
        let cells = Cells { everywhere, allow: None, refuse: Vec::new() };
        Self { cells, rules: Vec::new(), findings: Findings::default(), is_unsure: false, jwt }
    }

    /// Adds a policy.
    pub(super) fn add(&mut self, policy: &Resource<'s>) {
        let spec = policy.spec();
        if only_reports(policy) {
            return self.tell(Kind::Note, policy, &spec, "it only reports (istio.io/dry-run), and is left as it is");
        }
        let rules = rules(&spec);
        match action(&spec) {
            Some("ALLOW") => {
                self.cells.allow.get_or_insert_default();
                rules.iter().for_each(|rule| self.allow(policy, rule));
            }
            Some("DENY") => rules.iter().for_each(|rule| self.refuse(policy, rule)),
            Some("AUDIT") => {
                self.tell(Kind::Note, policy, &spec, "it decides nothing (AUDIT), and is left as it is");
            }
            Some("CUSTOM") if Tokens::of(&spec).is_none() => {
                let what = "another service decides (CUSTOM); leave it as it is: Istio asks it before the gate";
                self.tell(Kind::Note, policy, &spec, what);
            }
            _ => {
                self.tell(
                    Kind::Denied,
                    policy,
                    &spec,
                    "an action that no rule has on what a token says: what it is about is refused",
                );
                rules.iter().for_each(|rule| self.refuse_wholly(policy, rule));
            }
        }
    }

    fn tell(&mut self, kind: Kind, policy: &Resource<'_>, view: &View<'_>, what: &str) {
        self.findings.tell(kind, policy.file, view, format!("{}: {what}", policy.title()));
    }

    fn number(&mut self, policy: &Resource<'s>, rule: &View<'s>) -> usize {
        self.rules.push((policy.clone(), rule.clone()));
        self.rules.len().saturating_sub(1)
    }

    fn allow(&mut self, policy: &Resource<'s>, rule: &View<'s>) {
        let number = self.number(policy, rule);
        let parts = Parts::read(rule, self.jwt, false);
        self.tell_parts(policy, &parts, false);
        let Some(when) = self.met(policy, &parts.when) else { return };
        for source in &parts.sources {
            let Some(from) = self.met(policy, source) else { continue };
            let Ok(ask) = when.and(&from) else {
                self.tell(Kind::Denied, policy, rule, "it asks for two audiences at once: what it allowed is refused");
                continue;
            };
            for operation in &parts.operations {
                if let Some(view) = operation.further.first() {
                    let field = field(view);
                    let what = format!("no rule can look at `{field}`: what this rule allowed alone is refused");
                    self.tell(Kind::Denied, policy, view, &what);
                    continue;
                }
                let cells = self.cells.allow.get_or_insert_default();
                for region in &operation.regions {
                    let except = operation.except.clone();
                    cells.push(Cell { region: region.clone(), except, ask: ask.clone(), rule: number });
                }
            }
        }
    }

    /// What meets all conditions, for a rule that allows. None if that cannot be said.
    fn met(&mut self, policy: &Resource<'s>, conditions: &[Condition<'s>]) -> Option<Ask> {
        let mut ask = Ask::nothing();
        for condition in conditions {
            match condition {
                Condition::Meets { ask: other, .. } => match ask.and(other) {
                    Ok(both) => ask = both,
                    Err(_) => {
                        let what = "it asks for two audiences at once: what it allowed is refused";
                        self.tell(Kind::Denied, policy, &policy.spec(), what);
                        return None;
                    }
                },
                // Nothing meets the inner one, so everything meets this.
                Condition::MeetsNot { ask: other, is_whole: true } if other.is_never() => {}
                Condition::MeetsNot { .. } => {
                    let what = "it allows what does not have something, which no requirement says: what it allowed alone is refused";
                    self.tell(Kind::Denied, policy, &policy.spec(), what);
                    return None;
                }
                Condition::Unsaid(view) => {
                    let what = format!(
                        "no requirement can look at `{}`: what this rule allowed alone is refused. A policy without tokens \
                         can stay in Istio, which judges it after the gate",
                        field(view)
                    );
                    self.tell(Kind::Denied, policy, view, &what);
                    return None;
                }
            }
        }
        Some(ask)
    }

    pub(super) fn refuse(&mut self, policy: &Resource<'s>, rule: &View<'s>) {
        let number = self.number(policy, rule);
        let parts = Parts::read(rule, self.jwt, true);
        self.tell_parts(policy, &parts, true);
        for source in &parts.sources {
            let is_met_by_none = |condition: &Condition<'_>| matches!(condition, Condition::Meets { ask, is_whole: true } if ask.is_never());
            if source.iter().chain(&parts.when).any(is_met_by_none) {
                self.tell(
                    Kind::Note,
                    policy,
                    rule,
                    "it is about issuers that the workload does not accept, and refuses nothing",
                );
                continue;
            }
            for operation in &parts.operations {
                // A request passes that fails one of the conditions.
                let mut passes = Ask::never();
                let mut dropped: Vec<&View<'s>> = operation.further.iter().collect();
                for condition in source.iter().chain(&parts.when) {
                    match condition {
                        Condition::MeetsNot { ask, .. } => passes = passes.or(ask.clone()),
                        Condition::Meets { .. } => dropped.push(rule),
                        Condition::Unsaid(view) => dropped.push(view),
                    }
                }
                if let Some(view) = dropped.first() {
                    let about = operation.regions.iter().map(Region::words).collect::<Vec<_>>().join(", ");
                    let (kind, what) = if passes.is_never() {
                        let of = if view.path == rule.path {
                            "what a token says".to_owned()
                        } else {
                            format!("`{}`", field(view))
                        };
                        (Kind::Denied, format!("no requirement refuses by {of}: {about} is refused wholly"))
                    } else {
                        let what = format!(
                            "no requirement refuses by `{}`: {about} needs what the rule refused to lack",
                            field(view)
                        );
                        (Kind::Stricter, what)
                    };
                    self.tell(kind, policy, view, &what);
                }
                for region in &operation.regions {
                    let except = operation.except.clone();
                    self.cells.refuse.push(Cell { region: region.clone(), except, ask: passes.clone(), rule: number });
                }
            }
        }
    }

    /// Refuses all that a rule is about, whatever else it asks.
    pub(super) fn refuse_wholly(&mut self, policy: &Resource<'s>, rule: &View<'s>) {
        let number = self.number(policy, rule);
        let regions = Parts::read(rule, self.jwt, true).operations.into_iter().flat_map(|operation| operation.regions);
        for region in regions {
            self.cells.refuse.push(Cell { region, except: Vec::new(), ask: Ask::never(), rule: number });
        }
    }

    /// Tells what of a rule is narrower or wider than it was.
    fn tell_parts(&mut self, policy: &Resource<'s>, parts: &Parts<'s>, refuses: bool) {
        for view in &parts.told.left_out {
            let what = format!("a value of `{}` that no requirement says: who has it is refused", field(view));
            self.tell(Kind::Denied, policy, view, &what);
        }
        for (view, what, restore) in &parts.told.narrower {
            let finding = Finding::new(Kind::Stricter, policy.file, view, format!("{}: {what}", policy.title()));
            self.findings.add(match restore {
                Some(field) => finding.restored_by(field),
                None => finding,
            });
        }
        for operation in &parts.operations {
            for view in &operation.unsaid {
                let wider = if refuses {
                    "the rule refuses everything but for its other conditions"
                } else {
                    "what it allowed is refused"
                };
                self.tell(
                    Kind::Denied,
                    policy,
                    view,
                    &format!("a value of `{}` that no rule says: {wider}", field(view)),
                );
            }
            for view in &operation.narrower {
                let what = format!(
                    "`{}`: a name that only ends like this, without a dot before it, counted, and does not now",
                    field(view)
                );
                self.tell(Kind::Stricter, policy, view, &what);
            }
            for (view, has_port) in &operation.as_written {
                let of_port =
                    if *has_port { "the port in the host of a request does not count now, nor does " } else { "" };
                let dot = if *has_port { "a dot at its end" } else { "a dot at the end of a host does not count now" };
                let what = format!("`{}`: {of_port}{dot}, and counted before", field(view));
                self.tell(Kind::Changed, policy, view, &what);
            }
        }
    }
}

/// The name of a field.
fn field<'v>(view: &'v View<'_>) -> &'v str {
    let own = view.get("key").and_then(|key| key.text());
    own.unwrap_or_else(|| view.path.rsplit('.').next().unwrap_or_default())
}

/// Whether a policy decides nothing.
pub(super) fn only_reports(policy: &Resource<'_>) -> bool {
    policy.root.at(&["metadata", "annotations", DRY_RUN]).is_some_and(|view| match &view.node.value {
        Tree::Bool(flag) => *flag,
        // As `strconv.ParseBool` of Go has it.
        Tree::Text(text) => ["1", "t", "T", "true", "TRUE", "True"].contains(&text.as_str()),
        _ => false,
    })
}

/// What a policy does with what meets a rule; none if that is no text.
pub(super) fn action<'s>(spec: &View<'s>) -> Option<&'s str> {
    spec.get("action").map_or(Some("ALLOW"), |view| view.text())
}

/// The rules of a policy.
pub(super) fn rules<'s>(spec: &View<'s>) -> Vec<View<'s>> {
    match spec.get("rules") {
        None => Vec::new(),
        Some(rules) if matches!(rules.node.value, Tree::List(_)) => rules.items(),
        // What cannot be read allows nothing, and refuses everything.
        Some(other) => vec![other],
    }
}

/// The parts of a rule.
struct Parts<'s> {
    /// Of each source its conditions; one without conditions if there is none.
    sources: Vec<Vec<Condition<'s>>>,
    operations: Vec<Operation<'s>>,
    when: Vec<Condition<'s>>,
    told: Told<'s>,
}

impl<'s> Parts<'s> {
    fn read(rule: &View<'s>, jwt: &JwtRules, refuses: bool) -> Self {
        let mut told = Told::default();
        let is_object = matches!(rule.node.value, Tree::Object(_));
        let mut when: Vec<Condition<'s>> =
            unknown(rule, &["from", "to", "when"]).into_iter().map(Condition::Unsaid).collect();
        if !is_object {
            when.push(Condition::Unsaid(rule.clone()));
        }
        for name in ["from", "to", "when"] {
            let wrong = rule.get(name).filter(|list| !matches!(list.node.value, Tree::List(_)));
            when.extend(wrong.map(Condition::Unsaid));
        }
        for entry in rule.list("when") {
            when.extend(of_when(&entry, jwt, &mut told));
        }
        let mut sources: Vec<_> = rule.list("from").iter().map(|from| of_source(from, jwt, &mut told)).collect();
        if sources.is_empty() {
            sources.push(Vec::new());
        }
        let mut operations: Vec<_> = rule.list("to").iter().map(|to| operation(to, refuses)).collect();
        if operations.is_empty() {
            operations.push(Operation::every());
        }
        Self { sources, operations, when, told }
    }
}

/// The operation of an entry of `to`.
fn operation<'s>(to: &View<'s>, refuses: bool) -> Operation<'s> {
    match to.get("operation") {
        Some(operation) if to.members().len() == 1 && !operation.members().is_empty() => {
            Operation::read(&operation, refuses)
        }
        _ => Operation { further: vec![to.clone()], ..Operation::every() },
    }
}
