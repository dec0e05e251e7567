//! A filter before the gate that makes a token of a cookie: any page can then have a browser send the user's token.

use super::Findings;
use super::credentials::asks;
use crate::cli::gates::{Gate, InEnvoy};
use crate::cli::source::View;
use crate::policy::{CredentialRule, Policy, Source};

const OAUTH2: &str = "envoy.extensions.filters.http.oauth2.v3.OAuth2";

/// Checks that the requirements of a gate after such a filter look at where requests come from.
pub(super) fn check(gate: &Gate<'_>, envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    let mut forwarding = None;
    for filter in envoy.filters.iter().take(envoy.index) {
        // Also inside an `ExtensionWithMatcher`.
        filter.visit(&mut |config| {
            if config.type_name() == Some(OAUTH2) {
                forwarding = forwarding.take().or(config.at(&["config", "forward_bearer_token"]).filter(View::is_true));
            }
        });
    }
    let Some(view) = forwarding else { return };
    let all = asks(gate, policy);
    let takes_tokens = |rule: &CredentialRule| rule.sources().contains(&Source::Tokens);
    let open = all.iter().filter(|ask| ask.csrf.is_none() && ask.credentials.as_ref().is_none_or(takes_tokens)).count();
    if open > 0 {
        let what = format!(
            "makes an Authorization header of a cookie, and {open} of {} requirements of the gate have no `csrf`: a page of \
             another site can send requests with the user's token",
            all.len()
        );
        let remedy = "write csrf: {origins: [...]} in each, with the origin of your pages";
        findings.error("csrf-missing", envoy.file, &view, what, remedy);
    }
}
