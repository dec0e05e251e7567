//! What a request must meet.

use super::{
    CloseStreams, CredentialRule, Csrf, IssuerId, Lists, Mcp, MethodPart, RequestPart, ResourceId, Reuse, ScopeRule,
    SenderConstraint, TokenTypes,
};
use crate::base::json::Value;
use crate::base::members::Raw;
use crate::base::time::Seconds;
use crate::jose::{ClaimPath, Claims};
use crate::request::RequestView;
use std::rc::Rc;

/// What a request must meet, according to a rule, a route or the default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requirement {
    /// Which requests may pass.
    pub access: Access,
    /// Query parameters whose value may have the shape of a JWT, beyond those of the whole policy.
    pub jwt_allowed_in: Vec<String>,
    /// Requirements that replace this one for some methods.
    pub methods: Vec<(String, Self)>,
}

/// Which requests may pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Access {
    /// All; no credential is read.
    Public,
    /// None.
    Deny,
    /// Those with a credential that meets this.
    Token(Rc<TokenRequirement>),
}

/// The default is strict: a valid token.
impl Default for Access {
    fn default() -> Self {
        Self::Token(Rc::default())
    }
}

/// What a credential must meet. What it says of tokens can only narrow the terms of their issuers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenRequirement {
    /// The credentials that are accepted; `None`: tokens.
    pub credentials: Option<CredentialRule>,
    /// The scopes.
    pub scopes: ScopeRule,
    /// Conditions on claims; all must hold.
    pub claims: Vec<ClaimCondition>,
    /// The issuers whose tokens are accepted here; `None`: all.
    pub issuers: Option<Vec<IssuerId>>,
    /// A token must name one of these audiences; `None`: one of the issuer's.
    pub audiences: Option<Vec<String>>,
    /// The resource that challenges name. Its issuers and audiences are among those above.
    pub resource: Option<ResourceId>,
    /// The token types that are accepted here; `None`: those of the issuer.
    pub token_types: Option<TokenTypes>,
    /// The longest `exp - iat`.
    pub max_lifetime: Option<Seconds>,
    /// The longest `now - iat`.
    pub max_token_age: Option<Seconds>,
    /// Whether a token passes once.
    pub single_use: bool,
    /// What is asked of the sender of the token.
    pub sender_constraint: SenderConstraint,
    /// How the user must have authenticated: the token's `acr` must be one of these; `None`: in any way.
    pub acr_values: Option<Vec<String>>,
    /// The longest `now - auth_time`.
    pub max_auth_age: Option<Seconds>,
    /// Which pages may send a request; `None`: that is not looked at.
    pub csrf: Option<Csrf>,
    /// What is asked of MCP messages; `None`: they are not looked at.
    pub mcp: Option<Rc<Mcp>>,
    /// How the clients are counted that show the credential; `None`: they are not.
    pub reuse: Option<Rc<Reuse>>,
    /// When streams are closed that are still open.
    pub close_streams: CloseStreams,
    /// Whether a request without a credential passes, without identity headers.
    pub allow_missing: bool,
    /// Whether refusals of this requirement are only counted.
    pub report_only: bool,
}

impl Requirement {
    /// Every request may pass.
    #[must_use]
    pub fn public() -> Self {
        Self { access: Access::Public, ..Self::default() }
    }

    /// Whether a token passes once, for some method or for all.
    #[must_use]
    pub fn asks_single_use(&self) -> bool {
        let own = matches!(&self.access, Access::Token(ask) if ask.single_use);
        own || self.methods.iter().any(|(_, requirement)| requirement.asks_single_use())
    }

    /// The first field that is met only where the module is called for responses, by its path below this.
    #[must_use]
    pub fn needs_responses(&self) -> Option<String> {
        if let Access::Token(ask) = &self.access
            && let Some(mcp) = &ask.mcp
        {
            let needed = [("mcp.session", mcp.session.is_some()), ("mcp.lists", mcp.lists == Lists::Granted)];
            if let Some((field, _)) = needed.into_iter().find(|(_, is_needed)| *is_needed) {
                return Some(field.to_owned());
            }
        }
        let below = |(name, one): &(String, Self)| Some(["methods.", name, ".", &one.needs_responses()?].concat());
        self.methods.iter().find_map(below)
    }

    /// Whether clients that show a credential are counted, for some method or for all.
    #[must_use]
    pub fn counts_clients(&self) -> bool {
        let own = matches!(&self.access, Access::Token(ask) if ask.reuse.is_some());
        own || self.methods.iter().any(|(_, requirement)| requirement.counts_clients())
    }

    /// Whether a credential that too many clients show is revoked, for some method or for all.
    #[must_use]
    pub fn revokes_reused(&self) -> bool {
        let revokes = |ask: &TokenRequirement| ask.reuse.as_ref().is_some_and(|reuse| reuse.revokes());
        let own = matches!(&self.access, Access::Token(ask) if revokes(ask));
        own || self.methods.iter().any(|(_, requirement)| requirement.revokes_reused())
    }

    /// The requirement for `method`, and which part of this one it is: that of the method's own name; for HEAD
    /// otherwise that of GET; otherwise the enclosing one.
    #[must_use]
    pub fn for_method(&self, method: &[u8]) -> (MethodPart, &Self) {
        let named = |wanted: &[u8]| self.methods.iter().find(|(name, _)| name.as_bytes() == wanted);
        if let Some((_, own)) = named(method) {
            return (MethodPart::Own, own);
        }
        match named(b"GET") {
            Some((_, of_get)) if method == b"HEAD" => (MethodPart::Get, of_get),
            _ => (MethodPart::Enclosing, self),
        }
    }
}

/// A condition on one claim. A missing claim fails it.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimCondition {
    /// The claim.
    pub claim: ClaimPath,
    /// The condition.
    pub condition: Condition,
}

/// A condition on the value of a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Equal to this in type and value.
    Equals(Value),
    /// A list with this element.
    Contains(Value),
    /// A list with one of these elements.
    ContainsAny(Vec<Value>),
    /// Equal to one of these.
    OneOf(Vec<Value>),
    /// An object with one of these members, whose value is neither `null` nor `false`.
    HasMember(Vec<String>),
    /// Text equal to this part of the request.
    EqualsPartOf(RequestPart),
}

impl ClaimCondition {
    /// Whether `claims` meet the condition in this request.
    #[must_use]
    pub fn is_met_by(&self, claims: &Claims, request: &RequestView<'_>) -> bool {
        if self.claim.has_each_item() {
            return claims.all(&self.claim).into_iter().any(|value| self.condition.is_met_by(value, request));
        }
        claims.get(&self.claim).is_some_and(|value| self.condition.is_met_by(value, request))
    }
}

impl Condition {
    /// Whether a value meets the condition.
    fn is_met_by(&self, value: Raw<'_>, request: &RequestView<'_>) -> bool {
        if let Self::HasMember(names) = self {
            let counts = |member: Raw<'_>| !matches!(member.as_json(), "null" | "false");
            return names.iter().any(|name| value.member(name).is_some_and(counts));
        }
        if let Self::EqualsPartOf(part) = self {
            // If either is missing, they are not equal.
            return part.value(request).is_some_and(|wanted| value.as_text().is_some_and(|text| text == wanted));
        }
        let value = value.to_value();
        let contains =
            |wanted: &Value| value.as_array().is_some_and(|items| items.iter().any(|item| same(item, wanted)));
        match self {
            Self::Equals(wanted) => same(&value, wanted),
            Self::Contains(wanted) => contains(wanted),
            Self::ContainsAny(wanted) => wanted.iter().any(contains),
            Self::OneOf(wanted) => wanted.iter().any(|wanted| same(&value, wanted)),
            Self::HasMember(_) | Self::EqualsPartOf(_) => false,
        }
    }
}

/// Equal in type and value; 3 and 3.0 are the same JSON number.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64(),
        _ => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::members::Members;
    use serde_json::json;

    const NO_REQUEST: RequestView<'_> =
        RequestView { headers: &[], route_name: None, virtual_host: None, ends_with_headers: true };

    fn met(condition: Condition, claims: &Value) -> bool {
        let claims =
            Claims::from_members(Members::parse(claims.to_string().into_bytes()).expect("an object")).expect("claims");
        ClaimCondition { claim: ClaimPath::top("c"), condition }.is_met_by(&claims, &NO_REQUEST)
    }

    #[test]
    fn equals_compares_type_and_value() {
        assert!(met(Condition::Equals(json!("acme")), &json!({"c": "acme"})));
        assert!(met(Condition::Equals(json!(3)), &json!({"c": 3.0})));
        assert!(met(Condition::Equals(json!(true)), &json!({"c": true})));
        for other in [json!({"c": "Acme"}), json!({"c": ["acme"]}), json!({"c": 3}), json!({"c": "true"}), json!({})] {
            assert!(!met(Condition::Equals(json!("acme")), &other), "{other}");
        }
        assert!(!met(Condition::Equals(json!(3)), &json!({"c": "3"})));
        assert!(!met(Condition::Equals(json!(1)), &json!({"c": true})));
    }

    #[test]
    fn numbers_are_equal_in_value_and_large_ones_are_not_rounded() {
        for (wanted, claim, equal) in [
            (json!(3), json!(3.0), true),
            (json!(3.0), json!(3), true),
            (json!(3.0), json!(3.0), true),
            (json!(3), json!(4.5), false),
            (json!(4.5), json!(3), false),
            (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64), false),
            (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_993_u64), true),
        ] {
            assert_eq!(met(Condition::Equals(wanted.clone()), &json!({ "c": claim })), equal, "{wanted} {claim}");
        }
    }

    #[test]
    fn contains_looks_into_lists_only() {
        assert!(met(Condition::Contains(json!("a")), &json!({"c": ["b", "a"]})));
        assert!(!met(Condition::Contains(json!("a")), &json!({"c": "a b"})));
        assert!(!met(Condition::Contains(json!("a")), &json!({"c": []})));
        assert!(!met(Condition::Contains(json!("a")), &json!({"c": {"a": 1}})));
    }

    #[test]
    fn contains_any_needs_one_of_several_in_a_list() {
        let wanted = Condition::ContainsAny(vec![json!("a"), json!(2)]);
        assert!(met(wanted.clone(), &json!({"c": ["x", "a"]})));
        assert!(met(wanted.clone(), &json!({"c": [2.0]})));
        for other in [json!({"c": ["b", "2"]}), json!({"c": "a"}), json!({"c": []}), json!({"c": {"a": 1}}), json!({})]
        {
            assert!(!met(wanted.clone(), &other), "{other}");
        }
    }

    #[test]
    fn has_member_looks_at_the_names_of_an_object() {
        let wanted = Condition::HasMember(vec!["admin".into(), "owner".into()]);
        for good in
            [json!({"c": {"admin": {"1": "d"}}}), json!({"c": {"x": 1, "owner": true}}), json!({"c": {"admin": 0}})]
        {
            assert!(met(wanted.clone(), &good), "{good}");
        }
        for other in [
            json!({"c": {"Admin": 1}}),
            json!({"c": {"admin": false}}),
            json!({"c": {"admin": null}}),
            json!({"c": ["admin"]}),
            json!({"c": "admin"}),
            json!({"c": {"x": {"admin": 1}}}),
        ] {
            assert!(!met(wanted.clone(), &other), "{other}");
        }
    }

    #[test]
    fn a_path_leads_through_each_item_of_a_list() {
        let claims = json!({"p": [{"s": ["read"]}, {"s": ["write"], "r": {"admin": 1}}, "x", ["s"]], "s": "read"});
        let claims = Claims::from_members(Members::parse(claims.to_string().into_bytes()).unwrap()).unwrap();
        let holds = |path: &[&str], condition| {
            let claim = ClaimPath::from_names(path.iter().map(|&name| name.to_owned())).unwrap();
            ClaimCondition { claim, condition }.is_met_by(&claims, &NO_REQUEST)
        };
        assert!(holds(&["p", "[]", "s"], Condition::Contains(json!("write"))));
        assert!(holds(&["p", "[]", "s", "[]"], Condition::Equals(json!("read"))));
        assert!(holds(&["p", "[]", "r"], Condition::HasMember(vec!["admin".into()])));
        assert!(!holds(&["p", "[]", "s"], Condition::Contains(json!("delete"))));
        assert!(!holds(&["s", "[]"], Condition::Equals(json!("read"))), "text is no list");
        assert!(!holds(&["q", "[]"], Condition::Equals(json!("read"))), "a missing claim fails");
    }

    #[test]
    fn one_of_needs_one_that_equals() {
        let wanted = Condition::OneOf(vec![json!("gold"), json!(2)]);
        assert!(met(wanted.clone(), &json!({"c": "gold"})));
        assert!(met(wanted.clone(), &json!({"c": 2})));
        assert!(!met(wanted, &json!({"c": "2"})));
    }

    #[test]
    fn get_covers_head_unless_head_is_named() {
        let with = |names: &[&str]| Requirement {
            methods: names.iter().map(|name| ((*name).to_owned(), Requirement::public())).collect(),
            access: Access::Deny,
            ..Requirement::default()
        };
        assert_eq!(with(&["GET"]).for_method(b"HEAD").1.access, Access::Public);
        assert_eq!(with(&["GET"]).for_method(b"get").1.access, Access::Deny);
        assert_eq!(with(&["POST"]).for_method(b"HEAD").1.access, Access::Deny);
        let mut named = with(&["GET", "HEAD"]);
        named.methods[1].1.access = Access::Deny;
        assert_eq!(named.for_method(b"HEAD").1.access, Access::Deny);
    }
}
