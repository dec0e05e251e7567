//! How long it takes to read an MCP message, natively: the code of the module, without Envoy and without a VM.
//! `cargo bench --bench message`. It fails when a byte takes more than 8 ns, whatever the size and shape of the message.
#![allow(
    clippy::expect_used,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a tool that stops at what it does not expect, measures time, and prints"
)]

use scopegate::mcp::message::read;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How many nanoseconds a byte may take.
const LIMIT: f64 = 8.0;
/// How long a batch is, and how many there are of each body.
const BATCH: Duration = Duration::from_millis(4);
const BATCHES: usize = 51;
/// The sizes of the bodies, in bytes.
const SIZES: [usize; 4] = [400, 4_000, 40_000, 400_000];
/// Each shape of `arguments`: its name, and how the part with a number is written.
type Shape = (&'static str, fn(usize) -> String);
const SHAPES: [Shape; 5] = [
    ("rows of a table", |number| {
        format!(
            r#"{{"id":{number},"city":"city {number}","tags":["a","bc"],"note":"the quick brown fox jumps","ok":true}}"#
        )
    }),
    ("lines of a program, with escapes", |_| r#""if (a) {\n\treturn \"b\";\n}\n""#.to_owned()),
    ("text beyond ASCII", |_| r#""Größe übermäßig 漢字, Größe übermäßig 漢字""#.to_owned()),
    ("numbers of one digit", |number| (number % 10).to_string()),
    ("objects of two members", |_| r#"{"x":1,"y":2}"#.to_owned()),
];

/// A call of about so many bytes.
fn call(bytes: usize, part: impl Fn(usize) -> String, open: &str, close: &str) -> String {
    let mut body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"get_weather","arguments":{{"a":{open}"#
    );
    let end = close.to_owned()
        + r#"},"_meta":{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28","com.example/trace":"00-4bf92f"}}}"#;
    body += &part(0);
    for number in 1.. {
        let part = part(number);
        if body.len() + part.len() + end.len() >= bytes {
            break;
        }
        body += ",";
        body += &part;
    }
    body + &end
}

/// Nanoseconds a byte, over `count` readings.
fn time(body: &str, count: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..count {
        assert!(black_box(read(black_box(body.as_bytes()))).is_ok());
    }
    start.elapsed().as_nanos() as f64 / f64::from(count) / body.len() as f64
}

fn main() -> ExitCode {
    let mut bodies: Vec<(&str, String)> = Vec::new();
    for (what, part) in SHAPES {
        bodies.extend(SIZES.map(|bytes| (what, call(bytes, part, "[", "]"))));
    }
    let member = |number: usize| format!(r#""member_{number}":{number}"#);
    bodies.extend(SIZES.map(|bytes| ("members of one object", call(bytes, member, "{", "}"))));
    let counts: Vec<u32> = bodies
        .iter()
        .map(|(_, body)| {
            let once = time(body, 20) * body.len() as f64;
            format!("{:.0}", (BATCH.as_nanos() as f64 / once).clamp(1.0, 1e6)).parse().expect("a number")
        })
        .collect();
    // The fastest batch is the one that nothing disturbed, also on a machine with other work. They come in turn, so that what
    // slows the machine down for a while slows all.
    let mut fastest = vec![f64::INFINITY; bodies.len()];
    for _ in 0..BATCHES {
        for (((_, body), count), fastest) in bodies.iter().zip(&counts).zip(&mut fastest) {
            *fastest = fastest.min(time(body, *count));
        }
    }
    for ((what, body), fastest) in bodies.iter().zip(&fastest) {
        println!("{what:<34} {:>7} B {fastest:>6.2} ns a byte", body.len());
    }
    let slowest = fastest.into_iter().fold(0.0, f64::max);
    println!("{slowest:.2} ns a byte at most; the limit is {LIMIT}");
    if slowest <= LIMIT { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
