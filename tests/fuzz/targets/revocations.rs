//! A list that is read is written in its binary form, and read again as the same; a line that is read is the line that
//! is written. If a signature is required, only what was signed and verified is used.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::base::base64url;
use scopegate::crypto::{PureVerifier, Verifier, sha256};
use scopegate::jose::KeySet;
use scopegate::policy::KeySource;
use scopegate::revocation::{Chunks, EntryKind, Line, List, Loader, Revision, Terms};
use scopegate_fuzz::{NOW, Nobody, StandIn, configuration, policy};
use serde_json::{Value, json};
use std::rc::Rc;

thread_local! {
    static KEYS: Rc<KeySet> = policy(configuration(json!({})))
        .issuers
        .into_iter()
        .find_map(|issuer| match issuer.keys {
            KeySource::Configured(keys) => Some(keys),
            KeySource::Remote(_) => None,
        })
        .expect("an issuer with keys");
}

fn revision(document: &[u8]) -> Revision {
    Revision::of(&Chunks::from(document))
}

fn load(document: &[u8]) -> Option<List> {
    load_as(document, None, &PureVerifier)
}

fn load_as(document: &[u8], signed_by: Option<Rc<KeySet>>, verifier: &dyn Verifier) -> Option<List> {
    let mut chunks = Chunks::default();
    chunks.extend(document);
    let terms = Terms { name: "list".to_owned(), max_bytes: 1 << 20, signed_by };
    let mut loader = Loader::begin(chunks, &terms, None, verifier, NOW).ok()?;
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
    let keys = || Some(KEYS.with(Rc::clone));
    assert!(load_as(document, keys(), &Nobody).is_none(), "its signature was not verified");
    let verifier = StandIn::default();
    if let Some(signed) = load_as(document, keys(), &verifier) {
        assert!(verifier.accepted.get() > 0 && signed.signature().is_some(), "it is used as signed");
        let end = document.iter().position(|&byte| byte == b'\n').expect("a first line");
        let claims = document.split(|&byte| byte == b'.').nth(1).and_then(base64url::decode).expect("claims");
        let claims: Value = serde_json::from_slice(&claims).expect("claims");
        let digest = base64url::encode(&sha256(&document[end + 1..]));
        assert_eq!(claims["sha256"], digest, "what is used is what was signed");
        assert!(load(document).is_none(), "it is signed, and nobody says by whom");
        let alone = load(&document[end + 1..]).expect("the same without its signature");
        assert_eq!(alone.entries(), signed.entries());
        assert_eq!((alone.revision(), signed.revision()), (revision(document), revision(document)));
    }
    let Some(list) = load(document) else { return };
    assert!(list.signature().is_none(), "nobody signed it");
    assert_eq!(list.revision(), revision(document), "it is told of a file as of a gate");
    let written = list.bytes().pieces().concat();
    let again = load(&written).expect("what we hold is a list");
    assert_eq!(again.entries(), list.entries());
    for kind in EntryKind::ALL {
        assert_eq!(again.entries_of(kind), list.entries_of(kind));
    }
    assert_eq!(again.bytes().pieces().concat(), written);
});
