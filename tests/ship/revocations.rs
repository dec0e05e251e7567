//! The schema of a line of a revocation list, against what gates read.

use crate::support::envoy::root;
use crate::validate;
use scopegate::revocation::Line;

/// Lines that are JSON without duplicate members, which no schema can see.
const LINES: &[&str] = &[
    r#"{"iss":"i","jti":"a"}"#,
    r#"{"iss":"i","jti":"a","until":7,"reason":"stolen"}"#,
    r#"{"fingerprint":"FvdA9cRn0Ls45XKidPuQiq"}"#,
    r#"{"fingerprint":"_vdA9cRn0Ls45XKidPuQi-","until":0}"#,
    r#"{"iss":"i","sub":"a","issued_before":5}"#,
    r#"{"iss":"i","sub":"a","issued_before":-5}"#,
    r#"{"iss":"i","sid":"a"}"#,
    r#"{"iss":"i","client_id":"a","issued_before":5}"#,
    r#"{"iss":"i","kid":"a"}"#,
    r#"{"entries_at_least":0}"#,
    r#"{"entries_at_least":100000}"#,
    "{}",
    "[]",
    "1",
    r#""a""#,
    "null",
    r#"{"iss":"i"}"#,
    r#"{"jti":"a"}"#,
    r#"{"iss":"i","jit":"a"}"#,
    r#"{"iss":"i","jti":"a","x":1}"#,
    r#"{"iss":"i","jti":"a","sid":"b"}"#,
    r#"{"iss":"i","jti":""}"#,
    r#"{"iss":"","jti":"a"}"#,
    r#"{"iss":"i","jti":1}"#,
    r#"{"iss":null,"jti":"a"}"#,
    r#"{"iss":"i","jti":"a","issued_before":5}"#,
    r#"{"iss":"i","sub":"a"}"#,
    r#"{"iss":"i","sub":"a","issued_before":"5"}"#,
    r#"{"iss":"i","sub":"a","issued_before":5.5}"#,
    r#"{"iss":"i","client_id":"a"}"#,
    r#"{"iss":"i","jti":"a","until":"2027-01-01T00:00:00Z"}"#,
    r#"{"iss":"i","jti":"a","reason":""}"#,
    r#"{"iss":"i","jti":"a","reason":null}"#,
    r#"{"fingerprint":"FvdA9cRn0Ls45XKidPuQi"}"#,
    r#"{"fingerprint":"FvdA9cRn0Ls45XKidPuQ+q"}"#,
    r#"{"fingerprint":"FvdA9cRn0Ls45XKidPuQiqq"}"#,
    r#"{"iss":"i","fingerprint":"FvdA9cRn0Ls45XKidPuQiq"}"#,
    r#"{"entries_at_least":-1}"#,
    r#"{"entries_at_least":"1"}"#,
    r#"{"entries_at_least":1,"iss":"i","jti":"a"}"#,
];

#[test]
fn the_schema_takes_the_lines_that_gates_take_and_no_others() {
    let schema = root().join("envoy/revocations.schema.json");
    let output = validate(&["lines", schema.to_str().unwrap()], LINES.join("\n").as_bytes());
    let told = String::from_utf8(output.stdout).unwrap();
    let told: Vec<&str> = told.lines().collect();
    assert_eq!(told.len(), LINES.len());
    for (line, told) in LINES.iter().zip(told) {
        let read = Line::read(line.as_bytes());
        assert_eq!(told == "true", read.is_ok(), "{line}: the schema says {told}, a gate {read:?}");
    }
    assert!(LINES.iter().filter(|line| Line::read(line.as_bytes()).is_ok()).count() == 11);
}
