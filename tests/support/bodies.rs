//! Bodies for an MCP server, from a seed: good messages, in many spellings, and such with something wrong.

use super::random::Random;

const METHODS: &[&str] = &[
    "tools/call",
    "tools/call",
    "tools/call",
    "prompts/get",
    "resources/read",
    "resources/subscribe",
    "completion/complete",
    "subscriptions/listen",
    "initialize",
    "tasks/get",
    "tools/list",
    "notifications/progress",
];
const TEXTS: &[&str] = &[
    "a",
    "delete_all",
    "file:///a/../b",
    "é",
    "😀 x",
    "a\"b",
    "a\\b",
    "",
    "a\0",
    "2.0",
    "\u{7f}",
    "Name",
    "\u{2028}",
    "ref/prompt",
];
/// What is nearly the name of a member.
const NEAR: &[&str] = &[
    "Name",
    "NAME",
    "name",
    "nam\u{435}",
    "uri",
    "URI",
    "ur\u{131}",
    "Method",
    "method",
    "param\u{17f}",
    "params",
    "id",
    "ID",
    "İd",
    "result",
    "error",
    "jsonrpc",
    "_Meta",
    "_meta",
    "meta",
    "task_id",
    "taskId",
    "tas\u{212a}Id",
    "ref",
    "Ref",
    "name\0",
    "names",
    "x",
    "__proto__",
    "",
    "arguments",
    "notifications",
    "type",
    "Type",
    "resourceSubscriptions",
    "resource_subscriptions",
    "constructor",
    "io_modelcontextprotocol_protocol_version",
];

/// A body.
pub fn body(random: &mut Random) -> Vec<u8> {
    let mut text = message(random).into_bytes();
    if random.chance(4) {
        for _ in 0..=random.below(2) {
            change(random, &mut text);
        }
    }
    text
}

/// A change of some bytes.
fn change(random: &mut Random, text: &mut Vec<u8>) {
    let place = random.below(text.len());
    match random.below(4) {
        0 => drop(text.remove(place)),
        1 => text.insert(place, random.of(b"\"\\{}[],:1.e-n \t\0\x0b\x80/'")),
        2 => text[place] = random.of(b"\"\\{}[],:0.E+u aA\n\x7f\xc3/#"),
        _ => {
            let end = (place + random.below(40)).min(text.len());
            let part = text[place..end].to_vec();
            text.splice(place..place, part);
        }
    }
}

fn message(random: &mut Random) -> String {
    let method = random.of(METHODS);
    let is_response = random.chance(12);
    let mut members =
        vec![("jsonrpc".to_owned(), if random.chance(50) { value(random, 0) } else { quoted(random, "2.0") })];
    if !(random.chance(12) || method.starts_with("notifications/")) {
        let id = match random.below(6) {
            0 => value(random, 0),
            1 => quoted(random, "an id"),
            _ => random.below(1_000_000).to_string(),
        };
        members.push(("id".to_owned(), id));
    }
    if is_response {
        members.push((random.of(&["result", "error"]).to_owned(), value(random, 3)));
    } else {
        members.push(("method".to_owned(), if random.chance(40) { value(random, 1) } else { quoted(random, method) }));
        members.push(("params".to_owned(), if random.chance(40) { value(random, 2) } else { params(random, method) }));
    }
    object(random, members, 8)
}

fn params(random: &mut Random, method: &str) -> String {
    let mut members = Vec::new();
    match method {
        "tools/call" | "prompts/get" => members.push(("name", item(random))),
        "resources/read" | "resources/subscribe" => members.push(("uri", item(random))),
        "completion/complete" => {
            let kind = random.of(&["ref/prompt", "ref/resource", "ref/resource", "ref/prompt", "ref/tool"]);
            let kind = quoted(random, kind);
            let members_of_ref = ["name", "uri"].map(|name| (name.to_owned(), item(random)));
            let members_of_ref = [vec![("type".to_owned(), kind)], members_of_ref.to_vec()].concat();
            members.push(("ref", object(random, members_of_ref, 12)));
        }
        "subscriptions/listen" => {
            let uris: Vec<String> = (0..random.below(3)).map(|_| item(random)).collect();
            let list = format!("[{}]", uris.join(","));
            members.push(("notifications", object(random, vec![("resourceSubscriptions".to_owned(), list)], 12)));
        }
        "initialize" => members.push(("protocolVersion", quoted(random, "2025-11-25"))),
        "tasks/get" => members.push(("taskId", item(random))),
        _ => {}
    }
    if random.chance(2) {
        members.push(("arguments", value(random, 5)));
    }
    if random.chance(3) {
        let version = quoted(random, "2026-07-28");
        let meta = vec![("io.modelcontextprotocol/protocolVersion".to_owned(), version)];
        members.push(("_meta", object(random, meta, 12)));
    }
    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    object(random, members, 8)
}

/// Mostly a name.
fn item(random: &mut Random) -> String {
    if random.chance(12) {
        return value(random, 1);
    }
    let count = if random.chance(8) { TEXTS.len() } else { 7 };
    let text = TEXTS[random.below(count)];
    quoted(random, text)
}

fn value(random: &mut Random, depth: usize) -> String {
    match random.below(if depth == 0 { 5 } else { 8 }) {
        0 => random.of(&["null", "true", "false"]).to_owned(),
        1 => random.of(&["0", "-1", "1.5", "2e3", "12345678901234567890123", "-0", "1E-2", "01", "1."]).to_owned(),
        2 | 3 => {
            let text = random.of(TEXTS);
            quoted(random, text)
        }
        4 => format!("\"{}\"", random.of(&[r"\ud83d\ude00", r"\u0000", r"\/", r"\ud800", r"\u00e9", r"\x", "\t"])),
        5 => {
            let items: Vec<String> = (0..random.below(4)).map(|_| value(random, depth - 1)).collect();
            format!("[{}{}{}]", space(random), items.join(","), space(random))
        }
        _ => {
            let members =
                (0..random.below(4)).map(|_| (random.of(NEAR).to_owned(), value(random, depth - 1))).collect();
            object(random, members, 30)
        }
    }
}

/// An object of these members, in any order; one in so many has another one.
fn object(random: &mut Random, mut members: Vec<(String, String)>, one_in: usize) -> String {
    if random.chance(one_in) {
        members.push((random.of(NEAR).to_owned(), value(random, 2)));
    }
    for last in (1..members.len()).rev() {
        members.swap(last, random.below(last + 1));
    }
    let mut text = format!("{}{{{}", space(random), space(random));
    for (number, (name, value)) in members.into_iter().enumerate() {
        let comma = if number > 0 { "," } else { "" };
        let (name, [a, b, c]) = (quoted(random, &name), [(); 3].map(|()| space(random)));
        text += &format!("{comma}{a}{name}{b}:{c}{value}");
    }
    text + space(random) + "}"
}

fn space(random: &mut Random) -> &'static str {
    if random.chance(6) { random.of(&[" ", "\n", "\t", "\r\n  "]) } else { "" }
}

/// A string, of which some characters are escaped.
fn quoted(random: &mut Random, text: &str) -> String {
    let often = random.of(&[2, 1_000, 1_000]);
    let mut out = "\"".to_owned();
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            _ if character < ' ' || random.chance(often) => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    out += &if random.chance(2) { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") };
                }
            }
            _ => out.push(character),
        }
    }
    out + "\""
}
