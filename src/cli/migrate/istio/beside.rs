//! Policies of workloads without a `RequestAuthentication`, of which some may have one by other labels. Istio judges such a
//! policy still once the `RequestAuthentication` is gone, and then finds no token.

use super::policy::{Policies, action, only_reports, rules};
use super::target::Target;
use crate::cli::migrate::findings::{Findings, Kind};
use crate::cli::migrate::kubernetes::resource::Resource;
use crate::cli::source::View;

/// Tells what becomes of such a policy; `targets` are the workloads with a `RequestAuthentication`.
pub(super) fn tell(own: &Target, policy: &Resource<'_>, targets: &[&Target], findings: &mut Findings) {
    let (title, words, spec) = (policy.title(), own.words(), policy.spec());
    let Some(met) = targets.iter().find(|target| own.may_meet(target)) else {
        let is_elsewhere = own.is_of_labels() && targets.iter().any(|target| target.namespace != own.namespace);
        if is_elsewhere && !Tokens::of(&spec).is_none() && !decides_nothing(policy) {
            let what = format!(
                "{title}: it looks at tokens, and no RequestAuthentication is for {words} if `istio-system` is the root namespace of the \
                 mesh. If another one may be, give its policies with `namespace: istio-system`: they are in no gate of another \
                 namespace now"
            );
            return findings.tell(Kind::Denied, policy.file, &spec, what);
        }
        let what =
            format!("{title}: {words} take no tokens (no RequestAuthentication is for them), so it is left as it is");
        return findings.tell(Kind::Note, policy.file, &spec, what);
    };
    if Tokens::of(&spec).is_none() || decides_nothing(policy) {
        let when = if action(&spec) == Some("CUSTOM") { "before" } else { "after" };
        let what = format!("{title}: it looks at no token, and is left as it is: Istio asks it {when} the gate");
        return findings.tell(Kind::Note, policy.file, &spec, what);
    }
    let what = format!(
        "{title}: it looks at tokens, and {words} may be {} too, where Istio judges none any more: what it allowed by a token is \
         refused there, and what it refused by one is refused to all. Write policies for the workloads of the RequestAuthentication",
        met.words()
    );
    findings.tell(Kind::Denied, policy.file, &spec, what);
}

fn decides_nothing(policy: &Resource<'_>) -> bool {
    only_reports(policy) || action(&policy.spec()) == Some("AUDIT")
}

/// Whether a policy does not stay as one that decides: it looks at tokens, or decides nothing.
pub(super) fn is_settled(policy: &Resource<'_>) -> bool {
    decides_nothing(policy) || !Tokens::of(&policy.spec()).is_none()
}

/// What conditions ask of tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tokens {
    /// Whether a token has to be or have something.
    pub is: bool,
    /// Whether it must not.
    pub is_not: bool,
}

impl Tokens {
    /// Whether they ask nothing.
    pub(super) const fn is_none(self) -> bool {
        !self.is && !self.is_not
    }

    /// Those of all conditions in it.
    pub(super) fn of(view: &View<'_>) -> Self {
        let mut found = Self::default();
        view.visit(&mut |view| {
            found.is |= view.get("requestPrincipals").is_some();
            found.is_not |= view.get("notRequestPrincipals").is_some();
            let key = view.get("key").and_then(|key| key.text());
            if key.is_some_and(|key| key.starts_with("request.auth") || key.contains("jwt_authn")) {
                let (values, not_values) = (view.get("values").is_some(), view.get("notValues").is_some());
                found.is |= values || !not_values;
                found.is_not |= not_values || !values;
            }
        });
        found
    }
}

impl<'s> Policies<'s, '_> {
    /// Adds such a policy. What passes it without a token, and did not with one, is refused.
    pub(super) fn add_beside(&mut self, policy: &Resource<'s>) {
        if decides_nothing(policy) {
            return;
        }
        let spec = policy.spec();
        let action = action(&spec);
        for rule in rules(&spec) {
            let tokens = Tokens::of(&rule);
            match action {
                Some("ALLOW") if !tokens.is_not => {}
                Some("DENY") if !tokens.is => {}
                _ if tokens.is_none() => {}
                Some("DENY") => self.refuse(policy, &rule),
                _ => self.refuse_wholly(policy, &rule),
            }
        }
    }

    /// Adds a policy that holds for these workloads unless they are a waypoint. What only one of the two lets pass is refused.
    pub(super) fn add_unsure(&mut self, policy: &Resource<'s>, target: &Target) {
        if decides_nothing(policy) {
            return;
        }
        let spec = policy.spec();
        // Beside another policy that allows it would allow more, and alone it allows less than none.
        let allows = action(&spec) == Some("ALLOW");
        let is_left_out = allows && self.cells.allow.is_some() && !self.is_unsure;
        let (kind, then) = if is_left_out {
            (Kind::Denied, "what it alone allowed is refused there")
        } else {
            (Kind::Stricter, "it is taken to hold")
        };
        let what = format!("{}; {then}", target.unsure(&policy.title()));
        self.findings.tell(kind, policy.file, &spec, what);
        if !is_left_out {
            self.is_unsure |= allows;
            self.add(policy);
        }
    }
}
