//! A requirement in words.

use crate::base::json::Value;
use crate::base::time::Seconds;
use crate::cli::source::View;
use crate::policy::{
    ClaimCondition, CloseStreams, Condition, CredentialRule, Item, ItemRules, Policy, RequestPart, ReuseAction, Scope,
    ScopeRule, SenderConstraint, Source, TokenRequirement,
};

/// Scopes as an expression, such as `orders:read AND (admin OR ops)`; `None` if none is needed.
pub(super) fn scopes(rule: &ScopeRule) -> Option<String> {
    let text = expression(rule, false);
    (!text.is_empty()).then_some(text)
}

fn expression(rule: &ScopeRule, nested: bool) -> String {
    let (parts, word) = match rule {
        ScopeRule::One(scope) => return Scope::as_str(scope).to_owned(),
        ScopeRule::All(parts) => (parts, " AND "),
        ScopeRule::Any(parts) => (parts, " OR "),
    };
    match parts.as_slice() {
        [one] => expression(one, nested),
        several => {
            let parts: Vec<String> = several.iter().map(|part| expression(part, true)).collect();
            let text = parts.join(word);
            if nested { format!("({text})") } else { text }
        }
    }
}

/// The conditions on a token beside its scopes, a phrase each. `view` is the requirement as it was written.
pub(super) fn conditions(ask: &TokenRequirement, view: Option<&View<'_>>, policy: &Policy) -> Vec<String> {
    // Without `..`, so that a new field has to be put into words. The scopes and the last two are put into words
    // elsewhere.
    let TokenRequirement {
        credentials,
        scopes: _,
        claims,
        issuers,
        audiences,
        resource,
        token_types,
        max_lifetime,
        max_token_age,
        single_use,
        sender_constraint,
        acr_values,
        max_auth_age,
        csrf,
        mcp,
        reuse,
        close_streams,
        allow_missing: _,
        report_only: _,
    } = ask;
    let mut out: Vec<String> = credentials.iter().map(|rule| accepted(rule, policy)).collect();
    out.extend(claims.iter().map(claim));
    if let Some(resource) = resource.and_then(|id| policy.resources.get(id.0)) {
        out.push(format!("resource {}", resource.identifier.text()));
    }
    if let Some(ids) = issuers {
        let names = ids.iter().filter_map(|id| policy.issuers.get(id.0)).map(|issuer| issuer.name.as_str());
        out.push(format!("issuer {}", one_of(names)));
    }
    if let Some(audiences) = audiences {
        out.push(format!("audience {}", one_of(audiences.iter().map(String::as_str))));
    }
    if token_types.is_some() {
        let types = view.map(|view| view.list("token_types")).unwrap_or_default();
        out.push(format!("token type {}", one_of(types.iter().filter_map(View::text))));
    }
    if let &Some(limit) = max_lifetime {
        out.push(format!("lifetime at most {}", duration(limit)));
    }
    if let &Some(limit) = max_token_age {
        out.push(format!("issued at most {} ago", duration(limit)));
    }
    if *single_use {
        out.push("once".to_owned());
    }
    out.extend(sender(*sender_constraint).map(str::to_owned));
    if let Some(values) = acr_values {
        out.push(format!("acr {}", one_of(values.iter().map(String::as_str))));
    }
    if let &Some(limit) = max_auth_age {
        out.push(format!("user authenticated at most {} ago", duration(limit)));
    }
    if let Some(csrf) = csrf {
        out.push(format!("sent by its own pages or those of {}", one_of(csrf.origins.iter().map(String::as_str))));
    }
    if let Some(reuse) = reuse.as_deref().filter(|reuse| reuse.action != ReuseAction::Report) {
        out.push(format!("shown by at most {} clients in {}", reuse.max_clients, duration(reuse.window)));
    }
    match close_streams {
        CloseStreams::Never => {}
        CloseStreams::Expiry => out.push("streams closed at expiry".to_owned()),
        CloseStreams::Revocation => out.push("streams closed at expiry and revocation".to_owned()),
    }
    if let Some(mcp) = mcp {
        let lists = [
            ("tools", &mcp.tools),
            ("prompts", &mcp.prompts),
            ("resources", &mcp.resources),
            ("methods", &mcp.methods),
        ];
        out.extend(lists.into_iter().filter_map(|(name, rules)| items(name, rules, policy)));
        out.extend(mcp.session.as_ref().map(|_| "sessions of its own".to_owned()));
    }
    out
}

/// What rules ask of the items of an MCP server, such as `tools delete_*: mcp:write; others: mcp:basic`.
fn items(kind: &str, rules: &ItemRules, policy: &Policy) -> Option<String> {
    let asked = |item: &Item| match item {
        Item::Nothing => "no more".to_owned(),
        Item::Deny => "denied".to_owned(),
        Item::Ask(ask) => {
            let more = conditions(&TokenRequirement { credentials: None, ..(**ask).clone() }, None, policy);
            scopes(&ask.scopes).into_iter().chain(more).collect::<Vec<_>>().join(" and ")
        }
    };
    let each = rules.rules().iter().map(|rule| {
        let names: Vec<String> = rule.patterns.iter().map(ToString::to_string).collect();
        format!("{}: {}", names.join(", "), asked(&rule.item))
    });
    let default = Some(rules.default_item()).filter(|item| **item != Item::Nothing);
    let all: Vec<String> = each.chain(default.map(|item| format!("others: {}", asked(item)))).collect();
    (!all.is_empty()).then(|| format!("{kind} ({})", all.join("; ")))
}

/// The credentials that are accepted, such as `bearer or (staff and partners)`.
fn accepted(rule: &CredentialRule, policy: &Policy) -> String {
    let name = |source: &Source| match source {
        Source::Tokens => "bearer",
        Source::Set(id) => policy.set_name(*id).unwrap_or_default(),
    };
    let alternatives: Vec<String> = rule
        .alternatives()
        .iter()
        .map(|alternative| {
            let names: Vec<&str> = alternative.iter().map(name).collect();
            let is_nested = names.len() > 1 && rule.alternatives().len() > 1;
            if is_nested { format!("({})", names.join(" and ")) } else { names.join(" and ") }
        })
        .collect();
    format!("credential {}", alternatives.join(" or "))
}

/// What the sender must prove, where that is more than what a bound token asks by itself.
fn sender(constraint: SenderConstraint) -> Option<&'static str> {
    if constraint.includes(SenderConstraint::MTLS.and(SenderConstraint::DPOP)) {
        Some("bound to the client's certificate and to a key (DPoP)")
    } else if constraint.includes(SenderConstraint::MTLS) {
        Some("bound to the client's certificate")
    } else if constraint.includes(SenderConstraint::DPOP) {
        Some("bound to a key (DPoP)")
    } else if constraint.includes(SenderConstraint::REQUIRED) {
        Some("bound to its sender")
    } else {
        None
    }
}

fn claim(condition: &ClaimCondition) -> String {
    let name = &condition.claim;
    match &condition.condition {
        Condition::Equals(value) => format!("claim {name} = {value}"),
        Condition::Contains(value) => format!("claim {name} contains {value}"),
        Condition::ContainsAny(values) => format!("claim {name} contains {}", any(values)),
        Condition::OneOf(values) => format!("claim {name} is {}", any(values)),
        Condition::HasMember(names) => format!("claim {name} has the member {}", names.join(" or ")),
        Condition::EqualsPartOf(RequestPart::Path(variable)) => {
            format!("claim {name} = {{{}}} in the path", variable.name())
        }
        Condition::EqualsPartOf(RequestPart::Host(pattern)) => format!("claim {name} = * in the host {pattern}"),
    }
}

fn any(values: &[Value]) -> String {
    values.iter().map(Value::to_string).collect::<Vec<_>>().join(" or ")
}

fn one_of<'t>(names: impl Iterator<Item = &'t str>) -> String {
    names.collect::<Vec<_>>().join(" or ")
}

fn duration(seconds: Seconds) -> String {
    match seconds.0 {
        value if value % 3600 == 0 => format!("{}h", value / 3600),
        value if value % 60 == 0 => format!("{}m", value / 60),
        value => format!("{value}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> ScopeRule {
        ScopeRule::One(Scope::new(text).expect("a scope"))
    }

    #[test]
    fn expressions_have_parentheses_where_they_are_needed() {
        let any = ScopeRule::Any(vec![one("admin"), ScopeRule::All(vec![one("ops"), one("oncall")])]);
        assert_eq!(scopes(&any).as_deref(), Some("admin OR (ops AND oncall)"));
        assert_eq!(scopes(&ScopeRule::All(vec![one("a"), any])).as_deref(), Some("a AND (admin OR (ops AND oncall))"));
        assert_eq!(scopes(&ScopeRule::All(vec![ScopeRule::Any(vec![one("a"), one("b")])])).as_deref(), Some("a OR b"));
        assert_eq!(scopes(&ScopeRule::default()), None);
    }

    #[test]
    fn durations_take_the_largest_unit() {
        assert_eq!(
            ["1h", "90m", "90s"],
            [3600, 5400, 90].map(|value| duration(Seconds(value))).each_ref().map(|d| &**d)
        );
    }
}
