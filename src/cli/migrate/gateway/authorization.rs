//! `authorization` of a `SecurityPolicy`: rules in order, of which the first that matches decides.

use super::provider::Providers;
use crate::cli::migrate::findings::{Finding, Findings, Kind};
use crate::cli::migrate::kubernetes::ask::{Ask, Claim, Terms};
use crate::cli::migrate::kubernetes::region::Region;
use crate::cli::migrate::kubernetes::resource::{Resource, texts, unknown};
use crate::cli::migrate::kubernetes::rules::Cell;
use crate::cli::source::View;
use crate::config::Tree;
use crate::policy::Scope;
use std::collections::BTreeSet;

/// The claim whose words Envoy Gateway takes for a list, in which scopes are.
pub(super) const SCOPE: &str = "scope";

/// The methods of HTTP, as Gateway API has them.
const METHODS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/// Tells that scopes are in one claim alone now, if a rule asks for scopes.
pub(super) fn tell_scopes(policy: &Resource<'_>, authorization: &View<'_>, findings: &mut Findings) {
    let (mut asked, mut is_claim_asked) = (None, false);
    authorization.visit(&mut |view| {
        if let Some(scopes) = view.get("jwt").and_then(|jwt| jwt.get("scopes")) {
            asked.get_or_insert(scopes);
        }
        is_claim_asked |= view.list("claims").iter().any(|claim| claim.name() == Some(SCOPE));
    });
    let Some(scopes) = asked else { return };
    let what = format!(
        "{}: newer versions of Envoy Gateway look for scopes in `scp` too; now they are in `{SCOPE}` alone, as older ones have it",
        policy.title()
    );
    let finding = Finding::new(Kind::Stricter, policy.file, &scopes, what);
    // A rule that asks for the claim itself never looked into the other one.
    findings.add(if is_claim_asked {
        finding
    } else {
        finding.restored_by("scope_claims: [scope, scp] of the issuer")
    });
}

/// Whether a rule is about what a token says.
pub(super) fn looks_at_tokens(authorization: &View<'_>) -> bool {
    let mut found = false;
    authorization.visit(&mut |view| found |= view.get("jwt").is_some());
    found
}

/// A rule.
struct Rule {
    allows: bool,
    /// The methods that it is for; `None` is all.
    methods: Option<BTreeSet<String>>,
    /// What it asks of those that it is for. None if no requirement says it.
    ask: Option<Ask>,
}

/// What the rules allow, as cells. Without `authorization` everything is allowed.
pub(super) fn cells(
    policy: &Resource<'_>,
    authorization: &View<'_>,
    providers: &Providers,
    findings: &mut Findings,
) -> Vec<Cell> {
    let reader = Reader { policy, providers };
    let views = authorization.list("rules");
    let rules: Vec<Rule> = views.iter().map(|view| reader.rule(view, findings)).collect();
    let mut is_default_allowed = match authorization.get("defaultAction").map(|view| view.text()) {
        Some(Some("Allow")) => true,
        None | Some(Some("Deny")) => false,
        Some(_) => {
            reader.denied(authorization, "`defaultAction` is neither Allow nor Deny, and counts as Deny", findings);
            false
        }
    };
    let mut wrong = unknown(authorization, &["rules", "defaultAction"]);
    wrong.extend(authorization.get("rules").filter(|rules| !matches!(rules.node.value, Tree::List(_))));
    for view in &wrong {
        is_default_allowed = false;
        reader.denied(view, "it cannot be read here: nothing is allowed by default", findings);
    }
    let of = |method: Option<&str>| allowed(&rules, method, is_default_allowed);
    let named: BTreeSet<String> = rules.iter().flat_map(|rule| rule.methods.iter().flatten().cloned()).collect();
    let unnamed = of(None);
    let (others, narrowed) = in_any_case(&unnamed, named.iter().map(|method| (method.as_str(), of(Some(method)))));
    reader.tell_letter_case(authorization, !named.is_empty(), &narrowed, findings);
    let more = METHODS.iter().filter(|_| !narrowed.is_empty()).map(|method| (*method).to_owned());
    let told: BTreeSet<String> = named.iter().cloned().chain(more).collect();
    let mut groups: Vec<(BTreeSet<String>, Ask)> = Vec::new();
    for method in &told {
        let ask = of(Some(method));
        match groups.iter_mut().find(|(_, other)| *other == ask) {
            Some((methods, _)) => {
                methods.insert(method.clone());
            }
            None => groups.push((BTreeSet::from([method.clone()]), ask)),
        }
    }
    let of_methods = |methods: BTreeSet<String>| Region { methods: Some(methods), ..Region::default() };
    let all = Cell {
        region: Region::default(),
        except: told.iter().map(|method| of_methods(BTreeSet::from([method.clone()]))).collect(),
        ask: others,
        rule: 0,
    };
    let of_group = |(methods, ask)| Cell { region: of_methods(methods), except: Vec::new(), ask, rule: 0 };
    groups.into_iter().map(of_group).chain([all]).collect()
}

/// What is allowed of a method that may be a named one in another letter case: Envoy Gateway takes `delete` for DELETE, and a
/// `match` does not. With the names of those that narrow what is allowed of a method that no rule names.
fn in_any_case<'m>(unnamed: &Ask, named: impl Iterator<Item = (&'m str, Ask)>) -> (Ask, Vec<&'m str>) {
    let (mut ask, mut narrowed) = (unnamed.clone(), Vec::new());
    for (method, own) in named.filter(|(_, own)| !unnamed.implies(own)) {
        let both = ask.and(&own).ok().filter(|both| both.outcome().is_ok());
        ask = both.unwrap_or_else(Ask::never);
        narrowed.push(method);
    }
    (ask, narrowed)
}

/// What is allowed of requests with a method; without one, of those with a method that no rule names.
fn allowed(rules: &[Rule], method: Option<&str>, by_default: bool) -> Ask {
    let mut ask = Ask::never();
    for rule in rules {
        let is_for = rule.methods.as_ref().is_none_or(|methods| method.is_some_and(|method| methods.contains(method)));
        match (&rule.ask, rule.allows) {
            _ if !is_for => {}
            (Some(own), true) => {
                ask = ask.or(own.clone());
                if own.is_nothing() {
                    return ask;
                }
            }
            // What is not said allows nothing, and what nothing meets refuses nothing.
            (None, true) => {}
            (Some(own), false) if own.is_never() => {}
            // What it would refuse cannot be told from what comes after it.
            (_, false) => return ask,
        }
    }
    if by_default { ask.or(Ask::nothing()) } else { ask }
}

struct Reader<'a, 's> {
    policy: &'a Resource<'s>,
    providers: &'a Providers,
}

impl Reader<'_, '_> {
    fn denied(&self, view: &View<'_>, what: &str, findings: &mut Findings) {
        findings.tell(Kind::Denied, self.policy.file, view, format!("{}: {what}", self.policy.title()));
    }

    /// Tells that the letter case of methods counts now; `narrowed` are those that others have to be judged as, too.
    fn tell_letter_case(
        &self,
        authorization: &View<'_>,
        has_methods: bool,
        narrowed: &[&str],
        findings: &mut Findings,
    ) {
        if !has_methods {
            return;
        }
        let title = self.policy.title();
        let tell = |what| Finding::new(Kind::Stricter, self.policy.file, authorization, format!("{title}: {what}"));
        let Some(first) = narrowed.first() else {
            let what = "`get` counted as GET, and is another method now".to_owned();
            return findings.add(tell(what));
        };
        let what = format!(
            "`{}` counted as {first}, and is another method now. So a method that is none of HTTP's, such as PROPFIND, passes only where \
             {} would",
            first.to_ascii_lowercase(),
            narrowed.join(" and ")
        );
        findings.add(tell(what).restored_by("match: {methods: [PROPFIND]} of a rule, for each that is served"));
    }

    fn rule(&self, view: &View<'_>, findings: &mut Findings) -> Rule {
        let allows = view.get("action").and_then(|action| action.text()) == Some("Allow");
        let mut is_said = true;
        let mut methods = None;
        let mut strange = unknown(view, &["name", "action", "principal", "operation"]);
        if let Some(operation) = view.get("operation") {
            strange.extend(unknown(&operation, &["methods"]));
            match operation.get("methods").map(|list| texts(&list)) {
                None => {}
                Some(Some(list)) if list.iter().all(|method| is_method(method)) => {
                    methods = Some(list.into_iter().map(str::to_owned).collect::<BTreeSet<_>>())
                        .filter(|list| !list.is_empty());
                }
                Some(_) => strange.push(operation.clone()),
            }
        }
        if !matches!(view.node.value, Tree::Object(_)) {
            strange.push(view.clone());
        }
        for part in &strange {
            is_said = false;
            self.unsaid(part, allows, findings);
        }
        let principal = view.get("principal");
        let ask = principal
            .as_ref()
            .map_or_else(|| Some(Ask::nothing()), |principal| self.principal(principal, allows, findings));
        let ask = ask.filter(|_| is_said);
        if !allows && ask.as_ref().is_some_and(|ask| !ask.is_nothing() && !ask.is_never()) {
            self.denied(
                view,
                "no requirement refuses by what a token says: what no rule before this one allows is refused",
                findings,
            );
        }
        Rule { allows, methods, ask }
    }

    /// Tells of a condition that no requirement says.
    fn unsaid(&self, view: &View<'_>, allows: bool, findings: &mut Findings) {
        let field = view.path.rsplit('.').next().unwrap_or_default();
        let what = if allows {
            format!(
                "no requirement can look at `{field}`: what this rule allowed alone is refused. A rule without tokens can stay \
                 in a SecurityPolicy, which is judged too"
            )
        } else {
            format!("no requirement can look at `{field}`: what no rule before this one allows is refused")
        };
        self.denied(view, &what, findings);
    }

    /// What a principal asks for; none if no requirement says it.
    fn principal(&self, principal: &View<'_>, allows: bool, findings: &mut Findings) -> Option<Ask> {
        let strange = unknown(principal, &["jwt"]);
        strange.iter().for_each(|view| self.unsaid(view, allows, findings));
        let Some(jwt) = principal.get("jwt") else {
            return (strange.is_empty() && matches!(principal.node.value, Tree::Object(_))).then(Ask::nothing);
        };
        let ask = self.jwt(&jwt);
        if ask.is_none() {
            self.unsaid(&jwt, allows, findings);
        }
        let ask = ask.filter(|_| strange.is_empty());
        if ask.as_ref().is_some_and(Ask::is_never) {
            self.tell_never(&jwt, allows, findings);
        }
        ask
    }

    /// Tells that no token meets a condition on the claim whose words are taken for a list.
    fn tell_never(&self, jwt: &View<'_>, allows: bool, findings: &mut Findings) {
        let (kind, then) = if allows {
            (Kind::Note, "this rule has never allowed anything")
        } else {
            (Kind::LetThrough, "this rule has never refused anything")
        };
        let what = format!(
            "{}: Envoy Gateway makes a list of `{SCOPE}`, which is never equal to a text: {then}, and does not now. `valueType: StringArray` \
             looks into the list",
            self.policy.title()
        );
        findings.tell(kind, self.policy.file, jwt, what);
    }

    fn jwt(&self, jwt: &View<'_>) -> Option<Ask> {
        if !unknown(jwt, &["provider", "scopes", "claims"]).is_empty() {
            return None;
        }
        let provider = jwt.get("provider")?.text()?;
        let is_known = self.providers.issuers.iter().any(|issuer| issuer.is_usable && issuer.name == provider);
        let mut terms = Terms::any_credential();
        terms.issuers = is_known.then(|| BTreeSet::from([provider.to_owned()]));
        terms.issuers.as_ref()?;
        if let Some(scopes) = jwt.get("scopes") {
            for scope in texts(&scopes)? {
                Scope::new(scope)?;
                terms.scopes.insert(BTreeSet::from([scope.to_owned()]));
            }
        }
        let mut is_met = true;
        let claims = jwt.get("claims");
        if claims.as_ref().is_some_and(|claims| !matches!(claims.node.value, Tree::List(_))) {
            return None;
        }
        for claim in claims.map(|claims| claims.items()).unwrap_or_default() {
            if !unknown(&claim, &["name", "valueType", "values"]).is_empty() {
                return None;
            }
            let name = claim.name().filter(|name| !name.split('.').any(str::is_empty))?;
            let is_list = match claim.get("valueType").map(|view| view.text()) {
                None | Some(Some("String")) => false,
                Some(Some("StringArray")) => true,
                Some(_) => return None,
            };
            let values: BTreeSet<String> = texts(&claim.get("values")?)?.into_iter().map(str::to_owned).collect();
            if values.is_empty() {
                return None;
            }
            if name == SCOPE && is_list {
                values.iter().map(|value| Scope::new(value)).collect::<Option<Vec<_>>>()?;
                terms.scopes.insert(values);
                continue;
            }
            is_met &= name != SCOPE;
            let path = name.split('.').map(str::to_owned).collect();
            terms.claims.insert(Claim { path, is_list, values });
        }
        Some(if is_met { terms.into() } else { Ask::never() })
    }
}

fn is_method(method: &str) -> bool {
    !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase() || b"-_".contains(&byte))
}
