//! Streams as two kinds of readers take them apart, and however they come.

use super::*;
use proptest::prelude::*;

const LIMIT: usize = 64;

/// What a splitter makes of a stream that comes in these parts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Split {
    /// What goes on, if every event is sent on as it is.
    sent: Vec<u8>,
    data: Vec<Vec<u8>>,
    flaws: Vec<&'static str>,
}

fn split<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Split {
    let mut split = Split::default();
    let mut take = |piece: Piece<'_>| match piece {
        Piece::Other(bytes) => split.sent.extend_from_slice(bytes),
        Piece::Event(event) => match event.data() {
            Ok(data) => {
                split.sent.extend_from_slice(event.bytes());
                split.data.push(data.into_owned());
            }
            Err(why) => split.flaws.push(why),
        },
        Piece::Flawed(why) => split.flaws.push(why),
    };
    let mut splitter = Splitter::new(LIMIT);
    parts.into_iter().for_each(|part| splitter.push(part, &mut take));
    splitter.finish(&mut take);
    split
}

fn whole(text: &str) -> Split {
    split([text.as_bytes()])
}

/// The events of a stream to a reader: the data, and the other fields. Lines end where `ends` says.
fn read(bytes: &[u8], is_standard: bool) -> Vec<(Vec<u8>, Vec<Vec<u8>>)> {
    let text = if is_standard { bytes.strip_prefix(BOM).unwrap_or(bytes) } else { bytes };
    let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'\n' => lines.push(Vec::new()),
            b'\r' if text.get(at) == Some(&b'\n') => {
                at += 1;
                lines.push(Vec::new());
            }
            b'\r' if is_standard => lines.push(Vec::new()),
            byte => lines.last_mut().expect("a line").push(byte),
        }
    }
    // A line without an end is none.
    lines.pop();
    let (mut events, mut data, mut others) = (Vec::new(), None::<Vec<u8>>, Vec::new());
    for line in lines {
        if line.is_empty() {
            let others = std::mem::take(&mut others);
            events.extend(data.take().map(|data| (data, others)));
            continue;
        }
        let (name, value) = line.split_at(line.iter().position(|&byte| byte == b':').unwrap_or(line.len()));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => match &mut data {
                Some(data) => data.extend([b"\n", value].concat()),
                None => data = Some(value.to_vec()),
            },
            b"event" | b"id" | b"retry" => others.push(line.clone()),
            _ => {}
        }
    }
    events
}

#[test]
fn an_event_has_the_data_of_its_lines() {
    for (text, data) in [
        ("data: a\n\n", "a"),
        ("data:a\r\n\r\n", "a"),
        ("data:  a \n\n", " a "),
        ("event: message\nid: 1\ndata: a\ndata: b\n: c\ndata:c\n\n", "a\nb\nc"),
        ("id: 0\ndata: \n\n", ""),
        ("id: 0\ndata\n\n", ""),
        ("retry: 5\n\n", ""),
        ("data: a:b\r\n\n", "a:b"),
        ("metadata: x\ndata: a\n\n", "a"),
    ] {
        let wanted = Split { sent: text.into(), data: vec![data.into()], flaws: vec![] };
        assert_eq!(whole(text), wanted, "{text:?}");
    }
}

#[test]
fn comments_and_empty_lines_go_on_before_an_event_ends() {
    for (text, sent) in
        [(": ping\n", ": ping\n"), (":\r\n: b", ":\r\n"), ("\n\r\n\n", "\n\r\n\n"), ("data: a\n: b\n", "")]
    {
        let mut all = Vec::new();
        Splitter::new(LIMIT).push(text.as_bytes(), &mut |piece| match piece {
            Piece::Other(bytes) => all.extend_from_slice(bytes),
            other => panic!("{other:?}"),
        });
        assert_eq!(String::from_utf8_lossy(&all), sent);
    }
}

#[test]
fn what_readers_assemble_differently_is_no_event() {
    for text in [
        "data: a\r\rdata: b\n\n",
        "data: a\rdata: b\n\n",
        "data: a\n\r\rdata: b\n\n",
        ": a\rdata: b\n\n",
        "\rdata: b\n\n",
        "\u{feff}data: a\n\n",
        "\u{feff}event: x\ndata: a\n\n",
        "Data: a\n\n",
        " data: a\n\n",
        "data : a\n\n",
        "event: a\nDATA: a\n\n",
    ] {
        let split = whole(text);
        assert_eq!((split.sent.as_slice(), split.data.len(), split.flaws.len()), (&b""[..], 0, 1), "{text:?}");
        let after = whole(&format!("{text}data: c\n\n"));
        assert_eq!((after.sent.as_slice(), after.flaws.len()), (&b"data: c\n\n"[..], 1), "{text:?}");
    }
}

#[test]
fn an_event_that_the_end_of_the_stream_cuts_off_does_not_go_on() {
    for text in ["data: a\n", "data: a", "data: a\n\r", "id: 1\n"] {
        assert_eq!(whole(text), Split { flaws: vec!["the stream ends in an event"], ..Split::default() }, "{text:?}");
    }
    assert_eq!(whole(": a"), Split::default());
}

#[test]
fn an_event_that_is_too_long_is_dropped_up_to_its_end() {
    let longest = format!("data: {}\n\n", "a".repeat(LIMIT - 8));
    assert_eq!(whole(&longest).data.len(), 1);
    for (text, data) in [
        (format!("data: {}\n\ndata: b\n\n", "a".repeat(LIMIT)), 1),
        (format!("data: {}\r\n\r\ndata: b\n\n", "a\ndata: a".repeat(LIMIT)), 1),
        (format!("data: {}\n", "a\ndata: a".repeat(LIMIT)), 0),
        (format!(": {}\n\ndata: b\n\n", "a".repeat(LIMIT)), 1),
    ] {
        for size in [1, 7, text.len()] {
            let split = split(text.as_bytes().chunks(size));
            assert_eq!((split.data.len(), split.flaws), (data, vec![TOO_LONG]), "{text:.20} in parts of {size}");
        }
    }
}

/// However it comes, the same is told of it first.
#[test]
fn what_is_too_long_is_told_before_a_line_that_only_some_readers_end() {
    let long = |bytes: usize| format!("data: {}\rdata: b\n\n", "a".repeat(bytes - "data: ".len()));
    for (bytes, wanted) in [(LIMIT - 1, "a line that only some readers end"), (LIMIT, TOO_LONG)] {
        let text = long(bytes);
        for size in [1, 7, text.len()] {
            assert_eq!(split(text.as_bytes().chunks(size)).flaws, [wanted], "{bytes} bytes in parts of {size}");
        }
    }
}

#[test]
fn nothing_is_held_of_what_is_dropped() {
    let mut splitter = Splitter::new(LIMIT);
    for _ in 0..1_000 {
        splitter.push(b"data: aaaaaaaaaaaaaaaaaaaaa\r\ndata: b\r", &mut |_| {});
        assert!(splitter.held.len() <= LIMIT, "{}", splitter.held.len());
    }
}

#[test]
fn an_event_is_written_with_other_data_and_its_other_lines() {
    let with = |text: &str, data: &str| {
        let mut out = Vec::new();
        Event(text.as_bytes()).write_with(data, &mut out);
        String::from_utf8(out).expect("text")
    };
    assert_eq!(with("id: 1\r\ndata:{}\r\n: a\r\n\r\n", "[1]"), "id: 1\r\ndata:[1]\r\n: a\r\n\r\n");
    assert_eq!(with("data: {\nid: 1\ndata: }\n\n", "[\n1]"), "data: [\ndata: 1]\nid: 1\n\n");
    assert_eq!(with("data\nevent: a\n\n", "1"), "data: 1\nevent: a\n\n");
}

/// Streams of what matters to readers.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let parts = prop::sample::select(vec![
        "data", "data: ", "data:", "a", "{}", "id: 1", "event: x", ":", ": c", " ", "\n", "\n", "\n\n", "\r\n",
        "\r\n\r\n", "\r", "\u{feff}", "Data: b", "x: y", "é",
    ]);
    prop::collection::vec(parts, 0..24).prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #[test]
    fn a_stream_is_split_alike_however_it_comes(stream in streams(), cuts in prop::collection::vec(0_usize..64, 0..8)) {
        let all = split([&*stream]);
        prop_assert_eq!(&split(stream.chunks(1)), &all);
        let mut rest = &*stream;
        let parts = cuts.iter().map(|cut| {
            let (part, after) = rest.split_at(*cut.min(&rest.len()));
            rest = after;
            part
        });
        let mut parts: Vec<&[u8]> = parts.collect();
        parts.push(rest);
        prop_assert_eq!(split(parts), all);
    }

    #[test]
    fn both_kinds_of_readers_read_alike_what_goes_on(stream in streams()) {
        let Split { sent, data, flaws } = split([&*stream]);
        let (one, other) = (read(&sent, false), read(&sent, true));
        prop_assert_eq!(&one, &other);
        let told: Vec<Vec<u8>> = data.into_iter().filter(|data| !data.is_empty()).collect();
        let seen: Vec<Vec<u8>> = one.into_iter().map(|(data, _)| data).filter(|data| !data.is_empty()).collect();
        prop_assert_eq!(told, seen);
        if flaws.is_empty() {
            // A comment at the end may be cut off.
            prop_assert!(stream.starts_with(&sent) && !stream[sent.len()..].contains(&b'\n'), "{:?}", stream);
        }
    }
}
