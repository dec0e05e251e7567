//! How header and claims of a token are written, before it is signed.

use super::changes::{Kind, Write, passes, refused};
use crate::support::random::Random;

/// Puts a member into an object, first or last.
fn add(text: &mut Vec<u8>, member: &str, random: &mut Random) {
    if text.is_empty() {
        return;
    }
    if random.chance(2) {
        text.splice(1..1, format!("{member},").into_bytes());
    } else {
        let end = text.len() - 1;
        text.splice(end..end, format!(",{member}").into_bytes());
    }
}

/// Puts a member into an object for a second time, or for a first and a second one: of one claim too few and one too many
/// a good token would come.
fn add_again(text: &mut Vec<u8>, members: &[(&str, &str)], random: &mut Random) {
    let (name, member) = random.of(members);
    let is_there = String::from_utf8_lossy(text).contains(&format!("\"{name}\""));
    let member = if is_there { member.to_owned() } else { format!("{member},{member}") };
    add(text, &member, random);
}

fn replace(text: &mut Vec<u8>, from: &str, to: &str) {
    *text = String::from_utf8_lossy(text).replace(from, to).into_bytes();
}

/// Header or claims.
fn one<'t>(header: &'t mut Vec<u8>, claims: &'t mut Vec<u8>, random: &mut Random) -> &'t mut Vec<u8> {
    if random.chance(2) { header } else { claims }
}

pub(super) const WRITINGS: &[Kind<Write>] = &[
    refused("a claim is there twice", |_, claims, random| {
        let members = [
            ("exp", "\"exp\":9999999999"),
            ("exp", "\"exp\":1"),
            ("sub", "\"sub\":\"admin\""),
            ("iss", "\"iss\":\"x\""),
            ("aud", "\"aud\":\"x\""),
            ("scope", "\"scope\":\"x\""),
        ];
        add_again(claims, &members, random);
    }),
    refused("a claim is there twice, spelt with an escape", |_, claims, random| {
        let members = [
            ("exp", "\"\\u0065xp\":9999999999"),
            ("sub", "\"su\\u0062\":\"admin\""),
            ("scope", "\"scop\\u0065\":\"orders:read\""),
        ];
        add_again(claims, &members, random);
    }),
    refused("a confirmation is there twice", |_, claims, random| {
        let bound = "\"cnf\":{\"jkt\":\"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I\"}";
        let members =
            [format!("{bound},\"cnf\":null"), format!("\"cnf\":{{}},{bound}"), format!("{bound},\"\\u0063nf\":{{}}")];
        add(claims, &random.of(&members), random);
    }),
    refused("a header parameter is there twice", |header, _, random| {
        let members = [
            ("alg", "\"alg\":\"none\""),
            ("alg", "\"alg\":\"ES256\""),
            ("typ", "\"typ\":\"JWT\""),
            ("kid", "\"kid\":\"a\""),
            ("typ", "\"typ\":\"at+jwt\""),
        ];
        add_again(header, &members, random);
    }),
    refused("an unknown claim is there twice", |_, claims, random| add(claims, "\"x\":1,\"x\":2", random)),
    passes("there is white space", |header, claims, random| {
        let text = one(header, claims, random);
        // Between members, and not where a comma is part of a text.
        replace(text, ",\"", random.of(&[" , \"", ",\n\"", "\t,\"", ",\r\n \""]));
    }),
    passes("names are spelt with escapes", |_, claims, random| {
        let (from, to) =
            random.of(&[("\"exp\"", "\"\\u0065xp\""), ("\"sub\"", "\"s\\u0075b\""), ("alice", "\\u0061lice")]);
        replace(claims, from, to);
    }),
    refused("it is almost JSON", |header, claims, random| {
        let name = random.of(&["alg", "aud"]);
        let text = if name == "alg" { header } else { claims };
        match random.below(5) {
            0 => replace(text, "\"", "'"),
            1 => replace(text, "}", ",}"),
            2 => replace(text, &format!("\"{name}\""), name),
            3 => replace(text, "{", "{/* */"),
            _ => replace(text, "}", ",\"x\":\"a\nb\"}"),
        }
    }),
    refused("it has numbers that JSON has not", |_, claims, random| {
        let numbers = ["NaN", "Infinity", "-Infinity", "0x10", "010", "+1", ".5", "1.", "1e999"];
        let number = random.of(&numbers);
        add(claims, &format!("\"x\":{number}"), random);
    }),
    refused("something stands behind it or before it", |header, claims, random| {
        let text = one(header, claims, random);
        match random.below(4) {
            0 => text.extend(b"{}"),
            1 => text.extend(b"x"),
            2 => text.push(0),
            _ => drop(text.splice(0..0, *b"\xef\xbb\xbf")),
        }
    }),
    refused("it is no object", |header, claims, random| {
        let text = one(header, claims, random);
        *text = random.of(&["[]", "null", "1", "\"x\"", "", "true", "[{}]"]).as_bytes().to_vec();
    }),
    refused("it is a list of one object", |header, claims, random| {
        let text = one(header, claims, random);
        *text = [b"[", &text[..], b"]"].concat();
    }),
    refused("it is cut off", |header, claims, random| {
        let text = one(header, claims, random);
        let kept = random.below(text.len() + 1).min(text.len().saturating_sub(1));
        text.truncate(kept);
    }),
    refused("it is no UTF-8", |_, claims, random| {
        let bytes: &[u8] = random.of(&[&b"\xff"[..], b"\xc0\xae", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"]);
        let end = claims.len().saturating_sub(1);
        claims.splice(end..end, [b",\"x\":\"", bytes, b"\""].concat());
    }),
    refused("it is UTF-16", |header, claims, random| {
        let text = one(header, claims, random);
        let units: Vec<u16> = String::from_utf8_lossy(text).encode_utf16().collect();
        let is_big_endian = random.chance(2);
        let bytes = |unit: u16| if is_big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() };
        let mark = if random.chance(2) { vec![0xfeff] } else { Vec::new() };
        *text = mark.into_iter().chain(units).flat_map(bytes).collect();
    }),
    refused("it has a lone surrogate", |_, claims, random| add(claims, "\"x\":\"\\ud800\"", random)),
    refused("it is thousands of levels deep", |header, claims, random| {
        let text = one(header, claims, random);
        // As deep as a token within the limit of its size can be: readers that call themselves end their stack by less.
        let levels = 1000 + random.below(1500);
        let member = match random.below(3) {
            0 => format!("\"deep\":{}{}", "[".repeat(levels), "]".repeat(levels)),
            1 => format!("\"deep\":{}1{}", "{\"\":".repeat(levels / 3), "}".repeat(levels / 3)),
            _ => format!("\"deep\":{}", "[".repeat(levels * 2)),
        };
        add(text, &member, random);
    }),
];
