//! What was wanted in the place of what came, in words.

use crate::base::json::{JsonType, Value};
use crate::base::text::escaped;
use crate::checks::PLACE;
use crate::decision::{Denial, FailedCondition, Mismatch, Received};
use crate::policy::{
    AUTHORIZATION, AuditSettings, ClaimCondition, Condition, Issuer, Policy, SenderConstraint, SubjectForm,
    TokenRequirement, TokenTypes,
};
use std::borrow::Cow;

/// The number of values that are listed; the rest is only counted.
const LISTED: usize = 4;

/// What the record says of a mismatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause<'m> {
    /// The claim, or the header parameter.
    pub member: Cow<'m, str>,
    /// Its value; `None` where there is none, or it is not shown.
    pub received: Option<Cow<'m, str>>,
    /// Its type, in words.
    pub kind: Option<&'static str>,
    /// What was wanted.
    pub wanted: Option<String>,
}

impl<'m> Cause<'m> {
    /// The cause of a refusal.
    #[must_use]
    pub fn of(denial: &Denial, mismatch: &'m Mismatch, policy: &Policy, settings: AuditSettings) -> Self {
        Self {
            member: escaped(mismatch.member.as_bytes()),
            received: mismatch.received.shown().filter(|_| !hides_subject(mismatch, settings)),
            kind: mismatch.received.kind().map(JsonType::words),
            wanted: wanted(denial, mismatch, policy).map(|text| match escaped(text.as_bytes()) {
                Cow::Borrowed(_) => text,
                Cow::Owned(escaped) => escaped,
            }),
        }
    }

    /// One sentence.
    #[must_use]
    pub fn sentence(&self, verified: bool) -> String {
        let mark = if verified { "" } else { " (unverified)" };
        let is = match (&self.received, self.kind) {
            (Some(value), Some(kind @ ("a list" | "an object"))) => format!("is {kind}: {value}{mark}"),
            (Some(value), Some("text")) => format!("is \"{value}\"{mark}"),
            (Some(value), _) => format!("is {value}{mark}"),
            (None, Some(_)) => format!("is there{mark}"),
            (None, None) => "is missing".to_owned(),
        };
        let wanted = self.wanted.as_ref().map_or_else(String::new, |wanted| format!("; wanted: {wanted}"));
        format!("{} {is}{wanted}", self.member)
    }
}

/// Whether the value is the `sub`, which records with these settings do not show as it is.
fn hides_subject(mismatch: &Mismatch, settings: AuditSettings) -> bool {
    mismatch.member == "sub" && settings.subject != SubjectForm::Plain
}

fn wanted(denial: &Denial, mismatch: &Mismatch, policy: &Policy) -> Option<String> {
    let asks = || mismatch.asks.iter().map(|ask| &**ask);
    let issuer = mismatch.issuer.and_then(|id| policy.issuers.get(id.0));
    match denial {
        Denial::UnknownIssuer if mismatch.member == PLACE => {
            Some(issuer?.token_header.as_ref().map_or(AUTHORIZATION, |header| &header.name).to_owned())
        }
        Denial::UnknownIssuer => {
            let good = |id| asks().all(|ask| ask.issuers.as_ref().is_none_or(|good| good.contains(&id)));
            let issuers = policy.issuers.iter().enumerate();
            let names = issuers.filter(|(id, _)| good(crate::policy::IssuerId(*id))).map(|(_, issuer)| &*issuer.issuer);
            Some(listed(names.map(Cow::Borrowed)))
        }
        Denial::AlgorithmNotAllowed => Some(listed(issuer?.algorithms.iter().map(|algorithm| algorithm.name().into()))),
        Denial::WrongAudience => Some(both(issuer?, asks(), audiences)),
        Denial::WrongType if mismatch.member == "token_type" => {
            let others = issuer?.introspection.iter().flat_map(|terms| terms.token_types.names());
            Some(listed(["Bearer", "DPoP"].into_iter().chain(others).map(Cow::Borrowed)))
        }
        Denial::WrongType if !mismatch.member.starts_with("header") => {
            Some("an access token, which has no such claim; `id_tokens: true` admits ID tokens".to_owned())
        }
        Denial::WrongType => Some(both(issuer?, asks(), |issuer, ask| {
            let types = match ask {
                None => Some(&issuer.token_types),
                Some(ask) => ask.token_types.as_ref(),
            };
            types.map(|types| listed(types.names().map(Cow::Borrowed)))
        })),
        Denial::UnknownKey => Some(format!("the kid of a key of {} that fits alg", issuer?.name)),
        Denial::Expired { now, .. } => Some(["a time after ", &now.minus(issuer?.leeway).0.to_string()].concat()),
        Denial::NotYetValid { now, .. } | Denial::IssuedInFuture { now, .. } => {
            Some(format!("a time up to {}", now.plus(issuer?.leeway).0))
        }
        Denial::RevocationUnavailable => Some(format!("a status list of {} that is there", issuer?.name)),
        Denial::ClaimMismatch(_) => {
            let failed = mismatch.condition.as_ref()?;
            let condition = asks().flat_map(|ask| &ask.claims).nth(failed.index)?;
            Some(of_condition(condition, failed, &mismatch.received))
        }
        Denial::NotBound => {
            let asked = asked_of_sender(issuer?, asks());
            Some(
                if asked.includes(SenderConstraint::MTLS) {
                    "one with x5t#S256, which binds the token to the certificate of its client"
                } else if asked.includes(SenderConstraint::REQUIRED) && !asked.includes(SenderConstraint::DPOP) {
                    "one that binds the token to its sender"
                } else {
                    "one with jkt, which binds the token to a key"
                }
                .to_owned(),
            )
        }
        Denial::CertificateMismatch(_) => Some("the x5t#S256 of the certificate of the connection".to_owned()),
        Denial::StepUpNeeded(needed) => Some(match (&needed.acr_values, needed.max_age) {
            (_, Some(age)) if needed.claim == "auth_time" => format!("a time in the last {} s", age.0),
            (acr_values, _) => listed(acr_values.iter().flatten().map(|value| value.as_str().into())),
        }),
        Denial::InsufficientScope { .. } if mismatch.received.kind() == Some(JsonType::Object) => Some(
            "text or a list; ask for a member of an object with claims: [{claim: …, has_member: …}]"
                .replace('…', "..."),
        ),
        Denial::InsufficientScope { .. } if matches!(mismatch.received, Received::Missing) => {
            Some(format!("one of the scope_claims of {}", issuer?.name))
        }
        _ => None,
    }
}

/// What is asked of the sender.
fn asked_of_sender<'a>(issuer: &Issuer, asks: impl Iterator<Item = &'a TokenRequirement>) -> SenderConstraint {
    asks.fold(issuer.sender_constraint, |all, ask| all.and(ask.sender_constraint))
}

/// What the issuer admits, and what the requirements admit of that.
fn both<'a>(
    issuer: &'a Issuer,
    asks: impl Iterator<Item = &'a TokenRequirement>,
    words: impl Fn(&'a Issuer, Option<&'a TokenRequirement>) -> Option<String>,
) -> String {
    let mut parts = words(issuer, None).into_iter().chain(asks.filter_map(|ask| words(issuer, Some(ask))));
    let mut all = parts.next().unwrap_or_default();
    for part in parts {
        all.push_str(", and ");
        all.push_str(&part);
    }
    all
}

fn audiences(issuer: &Issuer, ask: Option<&TokenRequirement>) -> Option<String> {
    let names = match ask {
        None => Some(&issuer.audiences),
        Some(ask) => ask.audiences.as_ref(),
    };
    names.map(|names| listed(names.iter().map(|name| name.as_str().into())))
}

fn of_condition(condition: &ClaimCondition, failed: &FailedCondition, received: &Received) -> String {
    let values = |values: &[Value]| listed(values.iter().map(|value| in_words(value).into()));
    let words = match &condition.condition {
        Condition::Equals(value) => format!("equals {}", in_words(value)),
        Condition::Contains(value) => format!("contains {}", in_words(value)),
        Condition::ContainsAny(all) => format!("contains_any {}", values(all)),
        Condition::OneOf(all) => format!("one_of {}", values(all)),
        Condition::HasMember(names) => format!("has_member {}", listed(names.iter().map(|name| name.as_str().into()))),
        Condition::EqualsPartOf(part) => match &failed.part {
            Some(Received::Value(_, value)) => format!("{part}, which is {}", String::from_utf8_lossy(value)),
            _ => format!("{part}, which has no plain value in this request"),
        },
    };
    let hint = match (&condition.condition, received.kind()) {
        (Condition::Equals(_) | Condition::OneOf(_), Some(JsonType::List)) => {
            " (for a list write contains or contains_any)"
        }
        (Condition::Contains(_) | Condition::ContainsAny(_) | Condition::Equals(_), Some(JsonType::Object)) => {
            " (for an object write has_member)"
        }
        (Condition::Contains(_) | Condition::ContainsAny(_), Some(JsonType::Text)) => {
            " (for text write equals or one_of)"
        }
        (Condition::HasMember(_), Some(JsonType::List)) => " (for a list write contains)",
        (Condition::EqualsPartOf(_), Some(JsonType::List)) => " (for a list write \"[]\" at the end of claim)",
        (Condition::EqualsPartOf(_), Some(JsonType::Number | JsonType::Boolean)) => " (only text is compared)",
        _ => "",
    };
    format!("{words}{hint}")
}

/// A value of the configuration, text without quotes.
fn in_words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn listed<'t>(mut names: impl Iterator<Item = Cow<'t, str>>) -> String {
    let Some(first) = names.next() else { return "none is admitted".to_owned() };
    let mut shown = first.into_owned();
    for name in names.by_ref().take(LISTED - 1) {
        shown.push_str(" or ");
        shown.push_str(&name);
    }
    match names.count() {
        0 => shown,
        more => format!("{shown} or one of {more} more"),
    }
}

impl TokenTypes {
    /// The names, `missing` for no `typ` at all.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.types().iter().map(String::as_str).chain(self.accept(None).then_some("missing"))
    }
}
