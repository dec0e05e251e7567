//! Replies, each rendered and serialised once.
//!
//! A reply depends on the answer to the client and on whether the client speaks gRPC, so there are few.

use super::pairs;
use crate::challenge::{Answer, Reply, Terms};
use crate::decision::Refusal;
use std::cell::RefCell;
use std::rc::Rc;

/// The most replies that are kept. Scopes come from the configuration and from route metadata. Replies beyond this
/// number are rendered each time.
const MAX_REPLIES: usize = 256;

/// A reply as the host takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The HTTP status.
    pub status: u16,
    /// The serialised headers.
    pub headers: Vec<u8>,
    /// The body.
    pub body: String,
    /// The gRPC status.
    pub grpc_status: i32,
    /// `%RESPONSE_CODE_DETAILS%`.
    pub details: String,
}

/// The replies of one policy.
#[derive(Debug)]
pub struct ReplyCache {
    terms: Terms,
    replies: RefCell<Vec<(Key, Rc<Prepared>)>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Key {
    answer: Answer<'static>,
    grpc: bool,
}

impl ReplyCache {
    /// The replies of a policy with these terms.
    pub fn new(terms: Terms) -> Self {
        Self { terms, replies: RefCell::default() }
    }

    /// What challenges say.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The reply to a refusal.
    pub fn reply(&self, refusal: &Refusal, grpc: bool) -> Rc<Prepared> {
        let answer = Answer::of(&refusal.denial, &refusal.trace);
        if let Some((_, known)) = self.replies.borrow().iter().find(|(key, _)| key.grpc == grpc && key.answer == answer)
        {
            return Rc::clone(known);
        }
        let prepared = Rc::new(Prepared::from(answer.render(&self.terms, grpc)));
        let mut replies = self.replies.borrow_mut();
        if replies.len() < MAX_REPLIES && answer.recurs() {
            replies.push((Key { answer: answer.into_owned(), grpc }, Rc::clone(&prepared)));
        }
        prepared
    }
}

impl From<Reply> for Prepared {
    fn from(reply: Reply) -> Self {
        let Reply { status, headers, body, grpc_status, details } = reply;
        let lines: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Self { status, headers: pairs::serialise(&lines), body, grpc_status, details }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{Seconds, UnixSeconds};
    use crate::challenge;
    use crate::decision::{Denial, StepUp, Trace};
    use crate::policy::Scope;

    fn refused(denial: Denial) -> Refusal {
        Refusal { denial, trace: Trace::default(), token: None }
    }

    #[test]
    fn a_kept_reply_is_the_one_that_would_be_rendered() {
        let terms = Terms::of_realm("api");
        let cache = ReplyCache::new(terms.clone());
        let scope = |text: &str| text.split(' ').filter_map(Scope::new).collect::<Vec<_>>();
        let at = |seconds| Denial::Expired { expired_at: UnixSeconds(seconds), now: UnixSeconds(9) };
        let step_up = |values: &[&str], age| {
            let acr_values = Some(values.iter().map(|&value| value.to_owned()).collect());
            Denial::StepUpNeeded(Box::new(StepUp { claim: "acr", acr_values, max_age: Some(Seconds(age)) }))
        };
        for _ in 0..3 {
            for denial in [
                Denial::NoCredential { scope: scope("a b") },
                Denial::NoCredential { scope: scope("a") },
                Denial::InsufficientScope { scope: scope("a"), missing: scope("a") },
                step_up(&["a"], 1),
                step_up(&["b"], 1),
                step_up(&["a"], 2),
                Denial::NoCredential { scope: vec![] },
                at(1),
                at(2),
                Denial::MissingClaim("sub".into()),
                Denial::MissingClaim("tenant".into()),
                Denial::KeysUnavailable,
                Denial::UseNonce("a".into()),
                Denial::UseNonce("b".into()),
            ] {
                for grpc in [false, true] {
                    let wanted = Prepared::from(challenge::render(&denial, &Trace::default(), &terms, grpc));
                    assert_eq!(*cache.reply(&refused(denial.clone()), grpc), wanted, "{denial:?} {grpc}");
                }
            }
        }
        assert_eq!(
            cache.replies.borrow().len(),
            20,
            "two for each, but for those that differ in what no client is told, and for nonces"
        );
    }

    #[test]
    fn the_room_for_replies_is_bounded() {
        let terms = Terms::of_realm("api");
        let cache = ReplyCache::new(terms.clone());
        for number in 0..2 * MAX_REPLIES {
            let scope = vec![Scope::new(&number.to_string()).expect("a scope")];
            let denial = Denial::NoCredential { scope };
            let wanted = Prepared::from(challenge::render(&denial, &Trace::default(), &terms, false));
            assert_eq!(*cache.reply(&refused(denial), false), wanted);
        }
        assert_eq!(cache.replies.borrow().len(), MAX_REPLIES);
    }
}
