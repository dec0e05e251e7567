use super::super::test_request::TestRequest;
use super::*;
use proptest::prelude::*;

/// What a dictionary in these lines says, in one spelling.
fn read(lines: &[&str]) -> Option<Vec<String>> {
    let request = lines.iter().fold(TestRequest::new("GET", "/", &[]), |request, line| request.add("a", line));
    request.view(|view| Some(dictionary(view, "a")?.iter().map(spelt).collect()))
}

fn spelt(member: &Member<'_>) -> String {
    let item = |item: &Item<'_>| match item {
        Item::Integer(number) => number.to_string(),
        Item::Text(text) => format!("<{text}>"),
        Item::Bytes(text) => format!(":{text}:"),
        Item::Other => "other".to_owned(),
    };
    let value = match &member.value {
        Value::Item(value) => item(value),
        Value::Strings(strings) => {
            let strings = strings.iter().map(|(text, parameter)| format!("{}{parameter:?}", item(&Item::Text(text))));
            strings.collect::<Vec<_>>().join(" ")
        }
    };
    let parameters = member.parameters.iter().map(|(name, value)| format!(";{name}={}", item(value)));
    format!("{}={value}{} of {}", member.name, parameters.collect::<String>(), member.text)
}

#[test]
fn members_are_read_with_their_parameters_and_their_text() {
    for (line, wanted) in [
        ("a=:AA==:", "a=:AA==: of :AA==:"),
        ("*a.b_c-1=-15;x", "*a.b_c-1=-15;x=other of -15;x"),
        (
            "a=(\"@path\" \"b\";sf;key=\"c\");created=1; n=\"x\\\"\\\\y\"",
            "a=<@path>None <b>Some(\"sf\");created=1;n=<x\\\"\\\\y> of (\"@path\" \"b\";sf;key=\"c\");created=1; n=\"x\\\"\\\\y\"",
        ),
        ("a=(  \"b\"   \"c\"  )", "a=<b>None <c>None of (  \"b\"   \"c\"  )"),
        ("a=()", "a= of ()"),
        ("a", "a=other of "),
        ("a;b=1", "a=other;b=1 of ;b=1"),
        (
            "a=?1;b=?0;c=1.5;d=@7;e=tok*/:;f=*x",
            "a=other;b=other;c=other;d=other;e=other;f=other of ?1;b=?0;c=1.5;d=@7;e=tok*/:;f=*x",
        ),
        ("a=999999999999999", "a=999999999999999 of 999999999999999"),
        (" \ta=1 ", "a=1 of 1"),
    ] {
        assert_eq!(read(&[line]), Some(vec![wanted.to_owned()]), "{line}");
    }
}

#[test]
fn the_lines_of_a_header_are_one_dictionary() {
    let wanted = Some(["a=1 of 1", "b=2 of 2", "c=3 of 3"].map(str::to_owned).to_vec());
    for lines in [&["a=1, b=2,c=3"][..], &["a=1", "b=2", "c=3"], &["a=1 \t,\t b=2", "c=3"]] {
        assert_eq!(read(lines), wanted, "{lines:?}");
    }
    assert_eq!(read(&[]), Some(vec![]));
}

#[test]
fn what_is_no_dictionary_is_refused() {
    for line in [
        "",
        ",",
        "a=1,",
        ",a=1",
        "a=1,,b=1",
        "a=1 b=2",
        "a=",
        "=1",
        "A=1",
        "1a=1",
        "a =1",
        "a= 1",
        "é=1",
        "a=é",
        "a=1;",
        "a=1;;b",
        "a=1;B",
        "a=1 ;b",
        "a=1;b=",
        "a=:A",
        "a=:A A:",
        "a=:-_:",
        "a=A:\"",
        "a=\"b",
        "a=\"b\\c\"",
        "a=\"é\"",
        "a=\"\t\"",
        "a=\"b\\\"",
        "a='b'",
        "a=(",
        "a=(\"b\"",
        "a=(\"b\"\"c\")",
        "a=(\"b\",\"c\")",
        "a=(b)",
        "a=(1)",
        "a=((\"b\"))",
        "a=(\"b\"\t\"c\")",
        "a=?",
        "a=?2",
        "a=@",
        "a=@1.5",
        "a=-",
        "a=--1",
        "a=+1",
        "a=1.",
        "a=.5",
        "a=1.2345",
        "a=1234567890123.1",
        "a=1000000000000000",
        "a=%\"b\"",
        "a=1;b=(\"c\")",
        "a=1\u{0}",
    ] {
        assert_eq!(read(&[line]), None, "{line}");
    }
    // A name twice, and a string over two lines.
    for lines in [&["a=1, a=1"][..], &["a=1", "a=2"], &["a=1", ""], &["a=\"b", "c\""]] {
        assert_eq!(read(lines), None, "{lines:?}");
    }
    assert_eq!(read(&["\u{1}"]), None);
}

#[test]
fn no_part_of_a_dictionary_has_many_parts() {
    let members = |count: usize| (0..count).map(|number| format!("a{number}=1")).collect::<Vec<_>>().join(", ");
    assert_eq!(read(&[&members(16)]).map(|members| members.len()), Some(16));
    assert_eq!(read(&[&members(17)]), None);
    let list = |count: usize| format!("a=({})", vec!["\"b\""; count].join(" "));
    assert!(read(&[&list(MAX_COVERED + 1)]).is_some());
    assert_eq!(read(&[&list(MAX_COVERED + 2)]), None);
    let parameters = |count: usize| format!("a=1{}", ";b".repeat(count));
    assert!(read(&[&parameters(32)]).is_some());
    assert_eq!(read(&[&parameters(33)]), None);
}

proptest! {
    #[test]
    fn no_line_makes_it_panic_and_a_text_that_was_read_is_read_again(line in "[ab=:;, \"()\\\\?@0-9.é-]{0,24}", bytes: Vec<u8>) {
        if let Some(members) = read(&[&line]) {
            prop_assert!(!members.is_empty());
        }
        TestRequest::new("GET", "/", &[]).add("a", &bytes).view(|view| {
            for member in dictionary(view, "a").unwrap_or_default() {
                let again = format!("{}={}", member.name, member.text);
                // A name alone has no text, or parameters.
                if !matches!(member.value, Value::Item(Item::Other)) {
                    assert_eq!(read(&[&again]), Some(vec![spelt(&member)]));
                }
            }
        });
    }
}
