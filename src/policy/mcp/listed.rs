//! What of a list its reader may call.

use super::items::{Item, ItemRules};
use super::{Mcp, Refused};
use crate::base::time::UnixSeconds;
use crate::mcp::message::Subject;
use std::rc::Rc;

/// Until when the reader of lists may call what matches each rule. It is found once, when the request is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    mcp: Rc<Mcp>,
    tools: Calls,
    prompts: Calls,
    resources: Calls,
}

/// Until when one kind of item may be called.
#[derive(Clone, Debug, PartialEq)]
struct Calls {
    /// By its method.
    method: UnixSeconds,
    /// By each rule, and where none matches.
    rules: Vec<UnixSeconds>,
}

impl Listed {
    /// The rules of `mcp`, to a reader who meets what a requirement asks `until` then.
    #[must_use]
    pub fn new(mcp: &Rc<Mcp>, until: &dyn Fn(&Item) -> UnixSeconds) -> Self {
        let calls = |rules: &ItemRules, method| {
            let mut of_method = UnixSeconds(i64::MIN);
            // It finds one rule, or the default.
            let found = mcp.methods.of_name(method, &mut |_, item| {
                of_method = until(item);
                Ok(())
            });
            let of_rules = rules.rules().iter().map(|rule| until(&rule.item)).chain([until(rules.default_item())]);
            Calls { method: found.map_or(UnixSeconds(i64::MIN), |()| of_method), rules: of_rules.collect() }
        };
        let tools = calls(&mcp.tools, "tools/call");
        let prompts = calls(&mcp.prompts, "prompts/get");
        let resources = calls(&mcp.resources, "resources/read");
        Self { mcp: Rc::clone(mcp), tools, prompts, resources }
    }

    /// Whether its reader may call this at `now`.
    #[must_use]
    pub fn shows(&self, subject: &Subject<'_>, now: UnixSeconds) -> bool {
        let calls = match subject {
            Subject::Tool(_) => &self.tools,
            Subject::Prompt(_) => &self.prompts,
            Subject::Resource(_) | Subject::Template(_) => &self.resources,
        };
        let mut take = |number: usize, _: &Item| {
            let is_open = calls.rules.get(number).is_some_and(|until| now < *until);
            if is_open { Ok(()) } else { Err(Refused::Denied) }
        };
        now < calls.method && self.mcp.of_subject(subject, &mut take).is_ok()
    }
}
