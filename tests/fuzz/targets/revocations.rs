//! A list that is read is written in its binary form, and read again as the same; a line that is read is the line that is
//! written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::crypto::PureVerifier;
use scopegate::revocation::{Chunks, Kind, Line, List, Loader, Terms};
use scopegate_fuzz::NOW;

fn load(document: &[u8]) -> Option<List> {
    let mut chunks = Chunks::default();
    chunks.extend(document);
    let terms = Terms { name: "list".to_owned(), max_bytes: 1 << 20, signed_by: None };
    let mut loader = Loader::begin(chunks, &terms, None, &PureVerifier, NOW).ok()?;
    // Each step reads many bytes: so small a document is read in a few.
    for _ in 0..100 {
        if let Some(list) = loader.step().ok()? {
            return Some(list);
        }
    }
    panic!("a list without an end");
}

fuzz_target!(|document: &[u8]| {
    for line in document.split(|&byte| byte == b'\n') {
        if let Ok(line) = Line::read(line) {
            assert_eq!(Line::read(line.written().as_bytes()).as_ref(), Ok(&line));
        }
    }
    let Some(list) = load(document) else { return };
    assert!(list.signature().is_none(), "nobody signed it");
    let written = list.bytes().pieces().concat();
    let again = load(&written).expect("what we hold is a list");
    assert_eq!(again.entries(), list.entries());
    for kind in Kind::ALL {
        assert_eq!(again.entries_of(kind), list.entries_of(kind));
    }
    assert_eq!(again.bytes().pieces().concat(), written);
});
