//! A path that passes for unambiguous holds nothing that structures a path, however often it is decoded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::base::text::percent_decode;
use scopegate::policy::{PathForms, PathPolicy, Template, is_unambiguous};

fuzz_target!(|path: &[u8]| {
    let strict = PathPolicy { encoded_slash: false, semicolon: false };
    for (encoded_slash, semicolon) in [(false, true), (true, false), (true, true)] {
        let loose = PathPolicy { encoded_slash, semicolon };
        assert!(!is_unambiguous(path, strict) || is_unambiguous(path, loose), "what is admitted refuses nothing");
    }
    let forms = PathForms::of(path, strict);
    if !is_unambiguous(path, strict) {
        assert!(forms.test(|_| true).is_err());
        return;
    }
    assert_eq!(forms.test(|_| true), Ok(true));
    let mut read = path.to_vec();
    for _ in 0..4 {
        assert_eq!(read.first(), Some(&b'/'));
        let lowered = read.to_ascii_lowercase();
        for structure in [&b"\\"[..], b"//", b"%2f", b"%5c", b"%2e", b"%00", b"\0"] {
            assert!(!lowered.windows(structure.len()).any(|part| part == structure), "{:?}", String::from_utf8_lossy(&read));
        }
        assert!(!read.split(|&byte| byte == b'/').any(|segment| segment == b"." || segment == b".."));
        read = percent_decode(&read);
    }
    // Rules of every kind give an answer, or say that they cannot.
    for template in ["/{a}", "/a/**", "/**/c"] {
        let template = Template::parse(template).expect("a template");
        let _ = forms.test(|path| template.matches(path));
    }
});
