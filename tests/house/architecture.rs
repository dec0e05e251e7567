//! Which room may use which: the list in `src/lib.rs`, held against the sources.

use super::{Source, assert_none, sources};
use std::collections::BTreeSet;

/// Each room, and the rooms that it may use, as `src/lib.rs` lists them. A room uses only rooms above it, so there is no
/// circle; `shell` and `cli` come last and are in no list, since no room uses them.
const ALLOWED: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("crypto", &["base"]),
    ("jose", &["base", "crypto"]),
    // A list may be signed.
    ("revocation", &["base", "crypto", "jose"]),
    ("request", &[]),
    ("mcp", &["base"]),
    // An event comes to entries, and its body is read by the type that messages have.
    ("security_event", &["base", "jose", "mcp", "request", "revocation"]),
    ("signature", &["base", "crypto", "request"]),
    // A policy names claims and algorithms, holds key sets and entries, and matches requests.
    ("policy", &["base", "crypto", "jose", "mcp", "request", "revocation", "security_event"]),
    ("decision", &["base", "crypto", "mcp", "policy", "revocation", "security_event"]),
    ("facts", &["base", "crypto", "decision", "jose", "policy", "revocation"]),
    // Which parameters count as credentials is a policy.
    ("credential", &["base", "decision", "policy", "request", "signature"]),
    (
        "checks",
        &[
            "base",
            "credential",
            "crypto",
            "decision",
            "facts",
            "jose",
            "mcp",
            "policy",
            "request",
            "revocation",
            "security_event",
            "signature",
        ],
    ),
    ("challenge", &["base", "decision", "policy", "security_event"]),
    // The fingerprint of a subject is made as that of a token.
    ("audit", &["base", "checks", "decision", "policy"]),
    ("token_cache", &["base", "crypto", "facts", "jose", "policy"]),
    ("replay_store", &["base", "crypto", "facts", "policy"]),
    ("sightings", &["base", "crypto", "facts", "policy"]),
    ("event_store", &["base", "revocation"]),
    // `credential` has the names of token parameters.
    ("config", &["base", "credential", "crypto", "jose", "mcp", "policy", "revocation", "security_event"]),
    ("engine", &["base", "checks", "credential", "decision", "facts", "mcp", "policy", "request", "security_event"]),
    (
        "shell",
        &[
            "audit",
            "base",
            "challenge",
            "config",
            "crypto",
            "decision",
            "engine",
            "event_store",
            "facts",
            "jose",
            "mcp",
            "policy",
            "replay_store",
            "request",
            "revocation",
            "security_event",
            "sightings",
            "token_cache",
        ],
    ),
    ("module", &["base", "config", "shell"]),
    (
        "cli",
        &[
            "audit",
            "base",
            "challenge",
            "checks",
            "config",
            "credential",
            "crypto",
            "decision",
            "engine",
            "facts",
            "jose",
            "policy",
            "request",
            "revocation",
            "security_event",
            "signature",
            "token_cache",
        ],
    ),
];

/// What is named in some rooms only: libraries, and the ways to the world outside.
const CONFINED: &[(&str, &[&str])] = &[
    ("proxy_wasm", &["shell"]),
    ("prost", &["config", "crypto"]),
    ("prost_types", &["config"]),
    ("saphyr_parser", &["config"]),
    ("clap", &["cli"]),
    // The command fetches key sets; the module asks Envoy.
    ("rustls", &["cli"]),
    ("rustls_native_certs", &["cli"]),
    ("ureq", &["cli"]),
    // base64url comes with jwt-simple. The command signs tokens for trying things out.
    ("jwt_simple", &["base", "cli", "crypto"]),
    ("ed25519_dalek", &["cli", "crypto"]),
    ("hmac_sha256", &["crypto"]),
    ("getrandom", &["cli", "crypto"]),
    ("siphasher", &["crypto"]),
    ("miniz_oxide", &["revocation"]),
    ("p521", &["cli", "crypto"]),
    // Not in the module for Wasm.
    ("ring::signature", &["crypto"]),
    ("k256", &["cli", "crypto"]),
    ("p256", &["cli", "crypto"]),
    ("p384", &["cli", "crypto"]),
    ("superboring", &["cli", "crypto"]),
    ("std::env", &["cli", "shell"]),
    ("std::fs", &["cli"]),
    ("std::net::TcpStream", &["cli"]),
    ("std::process", &["cli"]),
    ("std::thread", &["cli", "module"]),
];

/// The room of a source: the first part of its path below `src`. The crate's root and its command are in none.
fn room(source: &Source) -> Option<String> {
    let below = source.path.strip_prefix("src").ok()?.with_extension("");
    let first = below.iter().next()?.to_str()?;
    (first != "lib" && first != "bin").then(|| first.to_owned())
}

/// The text without comments. Strings with `//` lose their end, which names no room.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code)).collect::<Vec<_>>().join("\n")
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn first_word(text: &str) -> &str {
    let text = text.trim_start();
    text.split_once(|character| !is_word(character)).map_or(text, |(word, _)| word)
}

/// What follows each place in `code` where `path` begins, as a path.
fn after<'c>(code: &'c str, path: &'c str) -> impl Iterator<Item = &'c str> {
    code.match_indices(path).filter_map(move |(at, _)| {
        let (before, rest) = code.split_at_checked(at)?;
        let alone = !before.ends_with(|character| is_word(character) || character == ':');
        rest.strip_prefix(path).filter(|_| alone)
    })
}

/// The first names of a path or of a group of paths: `a` of `a::b`, `a` and `d` of `{a::{b, c}, d}`.
fn heads(path: &str) -> Vec<&str> {
    let Some(group) = path.trim_start().strip_prefix('{') else { return vec![first_word(path)] };
    let mut depth = 0_u32;
    let mut heads = vec![first_word(group)];
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.extend(group.get(at + 1..).map(first_word)),
            _ => {}
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

/// The rooms that a source names, by `crate::`, or by enough `super::` to leave its own room.
fn rooms_named(source: &Source) -> BTreeSet<String> {
    let code = code(&source.text);
    let mut named: BTreeSet<String> = after(&code, "crate::").flat_map(heads).map(str::to_owned).collect();
    let depth = source.path.with_extension("").iter().count() - 1;
    let (shipped, tests) = code.split_once("mod tests {").unwrap_or((&code, ""));
    for (text, depth) in [(shipped, depth), (tests, depth + 1)] {
        let way_out = "super::".repeat(depth);
        named.extend(after(text, &way_out).flat_map(heads).filter(|head| *head != "super").map(str::to_owned));
    }
    named
}

#[test]
fn rooms_use_only_rooms_that_they_may_use() {
    let mut problems = Vec::new();
    for source in sources("src") {
        let Some(room) = room(&source) else { continue };
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == room) else {
            problems.push(format!("{}: the room {room} is not in the table", source.path.display()));
            continue;
        };
        for other in rooms_named(&source) {
            if other != room && !allowed.contains(&other.as_str()) {
                problems.push(format!("{}: {room} may not use {other}", source.path.display()));
            }
        }
    }
    assert_none(
        &problems,
        "Hand the value in as an argument, or move what both need into a room below both. To let a \
         room use another one, change the list in src/lib.rs, and ALLOWED in tests/house/architecture.rs.",
    );
}

/// `room -> other, other`, or the name of a room that uses none.
fn arrows((room, allowed): &(&str, &[&str])) -> String {
    if allowed.is_empty() { (*room).to_owned() } else { format!("{room} -> {}", allowed.join(", ")) }
}

#[test]
fn the_list_in_the_crates_documentation_is_the_one_that_is_held() {
    let sources = sources("src");
    let lib = sources.iter().find(|source| source.path.ends_with("lib.rs")).expect("src/lib.rs");
    let lines: Vec<&str> = lib.text.lines().filter_map(|line| line.strip_prefix("//!")).collect();
    // A line that goes on in the next one is joined with it.
    let block =
        lines.iter().skip_while(|line| line.trim() != "```text").skip(1).take_while(|line| line.trim() != "```");
    let mut told: Vec<String> = Vec::new();
    for line in block {
        match told.last_mut().filter(|_| line.starts_with("     ")) {
            Some(last) => *last = format!("{last} {}", line.trim()),
            None => told.push(line.trim().to_owned()),
        }
    }
    assert_eq!(told, ALLOWED.iter().map(arrows).collect::<Vec<_>>(), "the list in src/lib.rs, and ALLOWED here");
    for (room, _) in ALLOWED {
        let named = lines.iter().any(|line| {
            let cell = line.trim().strip_prefix("| ").and_then(|row| row.split(" | ").next()).unwrap_or_default();
            cell.split('`').skip(1).step_by(2).any(|name| name == *room)
        });
        assert!(named, "the table in src/lib.rs says nothing of {room}");
    }
}

#[test]
fn every_arrow_of_the_list_is_used() {
    let mut used = BTreeSet::new();
    for source in sources("src") {
        let Some(room) = room(&source) else { continue };
        used.extend(rooms_named(&source).into_iter().map(|other| (room.clone(), other)));
    }
    let idle: Vec<String> = ALLOWED
        .iter()
        .flat_map(|(room, allowed)| allowed.iter().map(move |other| ((*room).to_owned(), (*other).to_owned())))
        .filter(|arrow| !used.contains(arrow))
        .map(|(room, other)| format!("{room} does not use {other}"))
        .collect();
    assert_none(&idle, "Take the arrow out of src/lib.rs and of ALLOWED in tests/house/architecture.rs.");
}

#[test]
fn the_table_of_rooms_has_no_circle() {
    let mut above = BTreeSet::new();
    for (room, allowed) in ALLOWED {
        let below: Vec<_> = allowed.iter().filter(|other| !above.contains(*other)).collect();
        assert!(below.is_empty(), "{room} uses {below:?}, which come below it in ALLOWED: a room uses rooms above it");
        above.insert(*room);
    }
}

#[test]
fn libraries_and_the_world_outside_stay_in_their_rooms() {
    let mut problems = Vec::new();
    for source in sources("src") {
        let Some(room) = room(&source) else { continue };
        let code = code(&source.text);
        for (name, rooms) in CONFINED {
            let named = after(&code, name).any(|rest| !rest.starts_with(is_word));
            if named && !rooms.contains(&room.as_str()) {
                problems.push(format!("{}: only {} may name {name}", source.path.display(), rooms.join(" and ")));
            }
        }
    }
    assert_none(
        &problems,
        "The core asks for nothing: what comes from outside is an argument, and a library is used through its room. \
         The table is CONFINED in tests/house/architecture.rs.",
    );
}

#[test]
fn paths_are_read_as_rust_reads_them() {
    assert_eq!(heads("policy::Issuer;"), ["policy"]);
    assert_eq!(heads("{jose::{Claims, Key}, policy::Issuer, base};"), ["jose", "policy", "base"]);
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.to_owned() };
    let named = |path: &str, text: &str| rooms_named(&source(path, text)).into_iter().collect::<Vec<_>>();
    assert_eq!(named("src/a/b.rs", "/// [`crate::c`]\nuse crate::d; fn f() { let _ = crate::e::g(); }"), ["d", "e"]);
    assert_eq!(named("src/a/b.rs", "use super::c; use super::super::d; mod tests {\nuse super::super::e;"), ["d"]);
    assert_eq!(named("src/a.rs", "use super::c;\nmod tests {\nuse super::d; use super::super::e;"), ["c", "e"]);
    assert!(after("my_prost::x", "prost").next().is_none());
}
