//! What continuous integration runs is there to be run.

use super::root;
use std::fs;

/// The words of a variable of the Makefile.
fn words(makefile: &str, variable: &str) -> Vec<String> {
    let joined = makefile.replace("\\\n", " ");
    let line = joined.lines().find_map(|line| line.strip_prefix(&format!("{variable} := ")).map(str::to_owned));
    line.unwrap_or_else(|| panic!("no {variable}")).split_whitespace().map(str::to_owned).collect()
}

fn makefile() -> String {
    fs::read_to_string(root().join("Makefile")).expect("Makefile")
}

#[test]
fn the_ten_tests_of_the_smoke_exist() {
    let names = words(&makefile(), "SMOKE");
    assert_eq!(names.len(), 10, "{names:?}");
    for name in names {
        let (module, test) = name.split_once("::").expect("a module and a test");
        let source = fs::read_to_string(root().join(format!("tests/e2e/{module}.rs"))).expect(module);
        assert!(
            source.contains(&format!("#[test]\nfn {test}() {{")),
            "{name} is not a test: cargo would run none of that name"
        );
    }
}

#[test]
fn each_of_the_six_parts_of_the_evidence_has_a_rule() {
    let makefile = makefile();
    let parts = words(&makefile, "EVIDENCE");
    assert_eq!(parts.len(), 6, "{parts:?}");
    for part in parts {
        assert!(makefile.lines().any(|line| line.starts_with(&format!("evidence-{part}:"))), "{part}");
    }
}

#[test]
fn what_the_scripts_of_continuous_integration_make_has_a_rule() {
    let makefile = makefile();
    let mut made = 0;
    for script in ["run", "release", "compose"] {
        let text = fs::read_to_string(root().join(".ci").join(script)).expect(script);
        // Neither comments nor what is told to people.
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.contains("echo \"")) {
            let words: Vec<&str> = line.split([' ', '\'', ')', ';']).collect();
            for (word, target) in words.iter().zip(words.iter().skip(1)) {
                if *word == "make"
                    && target.starts_with(|first: char| first.is_ascii_lowercase())
                    && !target.contains('$')
                {
                    let rule = makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
                    assert!(rule, "{script}: make {target} has no rule");
                    made += 1;
                }
            }
        }
    }
    assert!(made > 10, "{made}");
}
