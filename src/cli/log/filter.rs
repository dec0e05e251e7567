//! Which records are meant: by the values of their members.

use super::millis::Millis;
use super::record::{Record, Verdict};
use crate::base::text::escaped;
use clap::Args;

/// Which records are meant.
#[derive(Args, Clone, Debug, Default)]
pub struct FilterArguments {
    /// Only what was refused, or would have been
    #[arg(long)]
    pub denied: bool,
    /// Only records with this reason; may be given several times, as those below
    #[arg(long, value_name = "REASON")]
    pub reason: Vec<String>,
    /// Only records of this route
    #[arg(long, value_name = "NAME")]
    pub route: Vec<String>,
    /// Only records of this subject
    #[arg(long, value_name = "SUBJECT")]
    pub subject: Vec<String>,
    /// Only records of the token with this fingerprint, verified or not
    #[arg(long, value_name = "FINGERPRINT", allow_hyphen_values = true)]
    pub fingerprint: Vec<String>,
    /// Only records in which the member NAME has this value: `issuer=demo`, `mcp.name=delete_user`
    #[arg(long = "where", value_name = "NAME=VALUE")]
    pub conditions: Vec<Condition>,
    /// The member of the access log that holds the record [default: one whose name has `scopegate` in it, or else any]
    #[arg(long, value_name = "NAME")]
    pub record: Option<String>,
}

/// A value that a member must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    name: String,
    value: String,
}

impl std::str::FromStr for Condition {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self { name: name.to_owned(), value: value.to_owned() }),
            _ => Err("write NAME=VALUE, such as reason=expired"),
        }
    }
}

/// Conditions on records: all must hold, of those on one member only one.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Filter {
    denied: bool,
    conditions: Vec<(String, Vec<String>)>,
    /// Not before then.
    since: Option<Millis>,
    /// Before then.
    until: Option<Millis>,
}

impl Filter {
    /// The filter of these arguments.
    pub(in crate::cli) fn new(arguments: &FilterArguments) -> Self {
        let mut filter = Self { denied: arguments.denied, ..Self::of(&arguments.conditions) };
        for (name, values) in [
            ("reason", &arguments.reason),
            ("route", &arguments.route),
            ("subject", &arguments.subject),
            (FINGERPRINT, &arguments.fingerprint),
        ] {
            values.iter().for_each(|value| filter.add(name, value));
        }
        filter
    }

    /// The filter of these conditions.
    pub(in crate::cli) fn of(conditions: &[Condition]) -> Self {
        let mut filter = Self::default();
        conditions.iter().for_each(|condition| filter.add(&condition.name, &condition.value));
        filter
    }

    /// This filter, for a span of time too.
    pub(in crate::cli) fn between(self, since: Option<Millis>, until: Option<Millis>) -> Self {
        Self { since, until, ..self }
    }

    /// This filter, for one token.
    pub(in crate::cli) fn with_fingerprint(mut self, fingerprint: &str) -> Self {
        self.add(FINGERPRINT, fingerprint);
        self
    }

    fn add(&mut self, name: &str, value: &str) {
        // Records have text of requests and tokens escaped.
        let mut forms = vec![value.to_owned()];
        let in_record = escaped(value.as_bytes());
        if in_record != value {
            forms.push(in_record.into_owned());
        }
        match self.conditions.iter_mut().find(|(other, _)| other == name) {
            Some((_, values)) => values.append(&mut forms),
            None => self.conditions.push((name.to_owned(), forms)),
        }
    }

    /// Whether a record is meant.
    pub(in crate::cli) fn takes(&self, record: &Record<'_>) -> bool {
        let is_refused = matches!(record.verdict, Verdict::Deny | Verdict::WouldDeny);
        (!self.denied || is_refused)
            && self.since.is_none_or(|since| record.time.is_some_and(|time| time >= since))
            && self.until.is_none_or(|until| record.time.is_some_and(|time| time < until))
            && self.conditions.iter().all(|(name, values)| has(record, name, values))
    }
}

/// The member that names a token, whether it is verified or not.
const FINGERPRINT: &str = "fingerprint";

fn has(record: &Record<'_>, name: &str, values: &[String]) -> bool {
    let is_wanted = |text: &str| values.iter().any(|value| value == text);
    if name == FINGERPRINT {
        return record.fingerprint().is_some_and(|(text, _)| is_wanted(&text));
    }
    record.text(name).is_some_and(|text| is_wanted(&text))
        || record.list(name).is_some_and(|items| items.into_iter().any(is_wanted))
}

#[cfg(test)]
mod tests {
    use super::super::Finder;
    use super::*;

    const LINE: &str = r#"{"decision":"deny","time":"2026-11-22T00:47:31Z","reason":"expired","route":"orders","status":401,
        "subject":"%C3%A9lan","unverified_fingerprint":"F","scopes_missing":["a","b"],"mcp":{"name":"delete"}}"#;

    fn takes(filter: &Filter) -> bool {
        let mut taken = false;
        Finder::default().read(LINE.replace('\n', "").as_bytes(), &mut |record| taken = filter.takes(record));
        taken
    }

    fn with(conditions: &[&str]) -> bool {
        takes(&Filter::of(&conditions.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>()))
    }

    #[test]
    fn all_conditions_hold_and_one_of_those_on_a_member() {
        for conditions in [
            &[][..],
            &["reason=expired", "route=orders"],
            &["reason=revoked", "reason=expired"],
            &["subject=\u{e9}lan"],
            &["subject=%C3%A9lan"],
            &["fingerprint=F"],
            &["scopes_missing=b"],
            &["mcp.name=delete"],
            &["status=401"],
        ] {
            assert!(with(conditions), "{conditions:?}");
        }
        for conditions in
            [&["reason=expired", "route=other"][..], &["reason=EXPIRED"], &["issuer=demo"], &["scopes_missing=c"]]
        {
            assert!(!with(conditions), "{conditions:?}");
        }
        assert!("reason".parse::<Condition>().is_err() && "=x".parse::<Condition>().is_err());
    }

    #[test]
    fn a_span_begins_with_its_first_instant_and_ends_before_its_last() {
        let at = Millis::read("2026-11-22T00:47:31Z");
        let later = at.map(|at| Millis(at.0 + 1));
        for (since, until, taken) in
            [(None, None, true), (at, later, true), (later, None, false), (None, at, false), (None, later, true)]
        {
            assert_eq!(takes(&Filter::default().between(since, until)), taken, "{since:?} {until:?}");
        }
    }
}
