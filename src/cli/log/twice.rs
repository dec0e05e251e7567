//! Records that a log has twice: in the access log, and in Envoy's own log, which often go to one stream.

use super::record::{Form, Record};
use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// How many records wait for their other form. The access log comes up to ten seconds later, or in another file.
const MOST: usize = 1_000_000;

/// Finds the second form of a record, by the id of the request.
#[derive(Debug, Default)]
pub(super) struct Twice {
    /// How often each was seen in one form more than in the other.
    waiting: HashMap<u64, i32>,
    order: VecDeque<u64>,
}

impl Twice {
    /// Whether this is the second form of a record that was seen. A client that gives all requests one id hides none of
    /// them: each record has at most one second form.
    pub(super) fn is_second(&mut self, record: &Record<'_>) -> bool {
        let Some(id) = record.text("request_id") else { return false };
        let mut hasher = DefaultHasher::new();
        (id, record.verdict, record.text("reason")).hash(&mut hasher);
        let key = hasher.finish();
        let step = match record.form {
            Form::Object => 1,
            Form::Line => -1,
        };
        let Some(balance) = self.waiting.get_mut(&key) else {
            if self.order.len() >= MOST
                && let Some(oldest) = self.order.pop_front()
            {
                self.waiting.remove(&oldest);
            }
            self.order.push_back(key);
            self.waiting.insert(key, step);
            return false;
        };
        let is_second = balance.signum() == -step;
        *balance = balance.saturating_add(step);
        is_second
    }
}
