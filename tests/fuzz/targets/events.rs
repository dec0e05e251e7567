//! A stream of events is split alike however it comes. What goes on of it says one thing to readers that end lines
//! differently, and holds no list with an item that is left out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::mcp::list;
use scopegate::mcp::message::Subject;
use scopegate::mcp::sse::{Piece, Splitter};
use scopegate_fuzz::events::{Lines, read};
use scopegate_fuzz::reached;
use serde_json::Value;

/// The longest event.
const LIMIT: usize = 4_096;

/// Sends on what may go on. Items whose name begins with `x` are left out.
fn send(piece: &Piece<'_>, out: &mut Vec<u8>) {
    let event = match piece {
        Piece::Other(bytes) => return out.extend_from_slice(bytes),
        Piece::Flawed(why) => return reached("events", why),
        Piece::Event(event) => *event,
    };
    let data = match event.data() {
        Ok(data) => data,
        Err(why) => return reached("events", why),
    };
    if data.trim_ascii().is_empty() {
        reached("events", "no data");
        return out.extend_from_slice(event.bytes());
    }
    match list::read(&data) {
        Err(fault) => reached("events", fault.what),
        Ok(None) => out.extend_from_slice(event.bytes()),
        Ok(Some(listed)) => match listed.filtered(&mut shows, true) {
            None => out.extend_from_slice(event.bytes()),
            Some(text) => {
                reached("events", "a list");
                event.write_with(&text, out);
            }
        },
    }
}

fn shows(subject: &Subject<'_>) -> bool {
    !subject.name().starts_with('x')
}

fn sent<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut splitter, mut out) = (Splitter::new(LIMIT), Vec::new());
    let mut take = |piece: Piece<'_>| send(&piece, &mut out);
    parts.for_each(|part| splitter.push(part, &mut take));
    splitter.finish(&mut take);
    out
}

fuzz_target!(|input: &[u8]| {
    let Some((&size, stream)) = input.split_first() else { return };
    let out = sent(stream.chunks(stream.len().max(1)));
    assert!(sent(stream.chunks(usize::from(size).max(1))) == out, "in parts of {size}");
    let events = read(&out, Lines::Lf);
    assert_eq!(read(&out, Lines::Standard), events);
    for event in events {
        let Ok(answer) = serde_json::from_slice::<Value>(&event) else { continue };
        for (list, name) in
            [("tools", "name"), ("prompts", "name"), ("resources", "uri"), ("resourceTemplates", "uriTemplate")]
        {
            for item in answer["result"][list].as_array().into_iter().flatten() {
                assert!(item[name].as_str().is_some_and(|name| !name.starts_with('x')), "{answer}");
            }
        }
        assert!(answer["result"].get("cacheScope").is_none_or(|scope| answer["result"]["tools"].is_null() || scope == "private"));
        assert!(!answer.is_array(), "{answer}");
    }
});
