//! An MCP message says to the gate what it says to another reader of JSON, and one that the other would refuse is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::mcp::message::{self, FaultKind};
use scopegate::mcp::method;
use scopegate_fuzz::mcp::{Other, Said, read};
use scopegate_fuzz::reached;

fuzz_target!(|body: &[u8]| {
    match (message::read(body), read(body)) {
        (Ok(message), Other::Message(said)) => {
            assert_eq!(Said::by(&message), said);
            reached("message", said.method.as_deref().unwrap_or("a response"));
            if let Some(name) = method::mirrored(&message) {
                assert!(said.task_id.as_deref() == Some(name) || said.subjects.iter().any(|(_, item)| item == name));
            }
        }
        (Err(fault), Other::Refused) => {
            reached("message", fault.what);
            if let Some(id) = fault.id {
                assert_ne!(fault.kind, FaultKind::NotJson);
                let value: serde_json::Value = serde_json::from_slice(body).expect("JSON to another reader");
                assert_eq!(serde_json::from_str::<serde_json::Value>(id.as_json()).ok().as_ref(), value.get("id"));
            }
        }
        (_, Other::OutOfRange) => {}
        (message, other) => panic!("{message:?}, but to another reader {other:?}"),
    }
});
