//! What a case expects.

use super::Reader;
use crate::cli::policy_test::outcome::{Expectation, Expected};
use crate::cli::source::View;
use crate::config::Tree;
use crate::decision::Reason;

impl Reader<'_> {
    pub(super) fn expectation(&mut self, view: &View<'_>) -> Option<Expectation> {
        self.object(view, &["status", "reason", "scope", "headers"], "status, reason, scope or headers")?;
        if view.members().is_empty() {
            return self.wrong(view, "expects nothing; write status, reason, scope or headers");
        }
        let mut expectation = Expectation::default();
        if let Some(status) = view.written("status") {
            expectation.status = match &status.node.value {
                Tree::Whole(number) => u16::try_from(*number).ok().filter(|number| (100..600).contains(number)),
                _ => None,
            };
            if expectation.status.is_none() {
                return self.wrong(&status, "is not a status; write a number such as 200 or 403");
            }
        }
        if let Some(reason) = view.written("reason") {
            let name = self.text_or_null(&reason)?;
            let known = |name: &String| Reason::ALL.iter().any(|reason| reason.name() == name);
            if matches!(&name, Expected::Text(name) if !known(name)) {
                let names: Vec<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
                return self.wrong(&reason, &format!("is not a reason; write null or one of {}", names.join(", ")));
            }
            expectation.reason = name;
        }
        if let Some(scope) = view.written("scope") {
            let items = scope.items();
            expectation.scope = if items.is_empty() {
                self.text_or_null(&scope)?
            } else {
                let names: Option<Vec<String>> = items.iter().map(|item| self.text(item)).collect();
                Expected::Text(names?.join(" "))
            };
        }
        if let Some(headers) = view.written("headers") {
            for (name, value) in self.any_object(&headers, "header names and their values")? {
                let value = if value.node.value == Tree::Null { None } else { Some(self.scalar(&value)?) };
                expectation.headers.push((name.to_ascii_lowercase(), value));
            }
        }
        Some(expectation)
    }
}
