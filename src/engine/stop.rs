//! Why a judgement ends before a grant.

use crate::checks::{self, Formed, TokenRequirements, Unproven};
use crate::decision::{Denial, Grant, MessageWanted, MetadataPart, Need, TokenTrace};
use crate::facts::Facts;
use crate::policy::{Policy, ResourceId};
use crate::request::RequestView;

/// Why a request is refused or has to wait, or is answered.
pub(super) struct Stop {
    pub(super) cause: Cause,
    pub(super) token: Option<Box<TokenTrace>>,
    pub(super) report_only: bool,
}

pub(super) enum Cause {
    Deny(Denial),
    Await(Need),
    Serve(ResourceId, MetadataPart),
    /// The message is wanted, and this is done to the headers if they go on before it.
    Hear(MessageWanted, Option<Box<Grant>>),
}

impl Stop {
    pub(super) fn about(self, token: TokenTrace) -> Self {
        Self { token: Some(Box::new(token)), ..self }
    }

    /// Keeps what the token has where something else was wanted, if that can be shown.
    pub(super) fn at(
        mut self,
        token: &Formed<'_>,
        policy: &Policy,
        request: &RequestView<'_>,
        facts: &Facts<'_>,
        asks: &TokenRequirements<'_>,
    ) -> Self {
        if !facts.shows_mismatch {
            return self;
        }
        // What is about another credential, the token does not explain.
        let of_token = self.token.as_mut().filter(|trace| trace.fingerprint.is_some());
        if let (Cause::Deny(denial), Some(trace)) = (&self.cause, of_token) {
            trace.mismatch = checks::mismatch(denial, token, policy, asks, request);
        }
        self
    }

    pub(super) fn reported(self) -> Self {
        Self { report_only: true, ..self }
    }
}

impl From<Denial> for Stop {
    fn from(denial: Denial) -> Self {
        Cause::Deny(denial).into()
    }
}

impl From<Cause> for Stop {
    fn from(cause: Cause) -> Self {
        Self { cause, token: None, report_only: false }
    }
}

impl From<Unproven> for Stop {
    fn from(unproven: Unproven) -> Self {
        match unproven {
            Unproven::Deny(denial) => Cause::Deny(denial).into(),
            Unproven::Await(need) => Cause::Await(need).into(),
        }
    }
}
