//! The methods of MCP, and which name each of them has in `Mcp-Name`.

use super::message::{Message, Subject};

/// What a client sends under the revisions from 2025-03-26 to 2026-07-28 and the tasks extension: requests, then
/// notifications.
const KNOWN: &[&str] = &[
    "initialize",
    "ping",
    "server/discover",
    "tools/call",
    "tools/list",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "subscriptions/listen",
    "completion/complete",
    "logging/setLevel",
    "tasks/get",
    "tasks/update",
    "tasks/cancel",
    "tasks/list",
    "tasks/result",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/roots/list_changed",
    "notifications/tasks/status",
];

/// Whether a revision or the tasks extension has this method or notification.
#[must_use]
pub fn is_known(method: &str) -> bool {
    KNOWN.contains(&method)
}

/// Whether a method is known but for the case of its letters: a server that ignores case would take it for the known one.
#[must_use]
pub fn is_misspelt(method: &str) -> bool {
    !is_known(method) && KNOWN.iter().any(|known| known.eq_ignore_ascii_case(method))
}

/// Whether the answer to this method is a list of items that have rules.
#[must_use]
pub fn asks_for_list(method: &str) -> bool {
    matches!(method, "tools/list" | "prompts/list" | "resources/list" | "resources/templates/list")
}

/// Whether 2026-07-28 has `subscriptions/listen` instead of this method.
#[must_use]
pub fn is_replaced(method: &str) -> bool {
    matches!(method, "resources/subscribe" | "resources/unsubscribe")
}

/// What `Mcp-Name` says of a message under 2026-07-28: the tool, the prompt, the URI of `resources/read`, or the task.
#[must_use]
pub fn mirrored<'m>(message: &'m Message<'_>) -> Option<&'m str> {
    match message.method.as_deref()? {
        "tools/call" | "prompts/get" | "resources/read" => message.subjects.first().map(Subject::name),
        _ => message.task_id.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::read;
    use super::*;

    #[test]
    fn a_known_method_in_another_case_is_misspelt() {
        assert!(is_misspelt("Tools/Call") && is_misspelt("RESOURCES/READ"));
        assert!(["tools/call", "vendor/call", ""].into_iter().all(|method| !is_misspelt(method)));
    }

    #[test]
    fn methods_are_known_by_their_exact_names() {
        assert!(is_known("tools/call") && is_known("notifications/tasks/status") && is_known("server/discover"));
        for other in ["", "Tools/call", "tools/call ", "tools", "sampling/createMessage", "roots/list", "tools/delete"]
        {
            assert!(!is_known(other), "{other}");
        }
    }

    #[test]
    fn the_header_mirrors_what_the_protocol_says_and_nothing_else() {
        for (method, params, name) in [
            ("tools/call", r#"{"name":"a","taskId":"t"}"#, Some("a")),
            ("prompts/get", r#"{"name":"a"}"#, Some("a")),
            ("resources/read", r#"{"uri":"b:","name":"a"}"#, Some("b:")),
            ("tasks/get", r#"{"taskId":"t","name":"a"}"#, Some("t")),
            ("tasks/update", r#"{"taskId":"t"}"#, Some("t")),
            ("tasks/cancel", r#"{"taskId":"t"}"#, Some("t")),
            ("tasks/result", r#"{"taskId":"t"}"#, None),
            ("resources/subscribe", r#"{"uri":"b:"}"#, None),
            ("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"a"}}"#, None),
            ("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":["b:"]}}"#, None),
            ("tools/list", r#"{"name":"a"}"#, None),
        ] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
            assert_eq!(mirrored(&read(text.as_bytes()).expect("a message")), name, "{method}");
        }
        assert_eq!(mirrored(&read(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#).expect("a response")), None);
    }
}
