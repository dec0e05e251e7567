//! What continuous integration runs is there to be run.

use super::root;
use std::fs;
use std::process::Command;

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
fn each_part_of_the_evidence_has_a_rule_and_its_other_half() {
    let makefile = makefile();
    let parts = words(&makefile, "EVIDENCE");
    let script = fs::read_to_string(root().join(".ci/run")).expect("the script");
    assert!(script.contains(&format!("Of the {} parts", parts.len())), "{parts:?}");
    for part in &parts {
        let name = format!("evidence-{}", part.split('/').next().unwrap_or_default());
        let is_rule = |line: &str| line.split_once(':').is_some_and(|(own, _)| own.split(' ').any(|own| own == name));
        assert!(makefile.lines().any(is_rule), "{part}");
        let other = part.strip_suffix("/1").map(|name| format!("{name}/2"));
        let other = other.or_else(|| part.strip_suffix("/2").map(|name| format!("{name}/1")));
        assert!(other.is_none_or(|other| parts.contains(&other)), "{part}");
    }
}

#[test]
fn both_halves_of_the_tests_in_envoy_are_all_of_them() {
    let half = |number: &str| {
        let asked = ["--silent", "--no-print-directory", "evidence-half", &format!("HALF={number}")];
        let said = Command::new("make").args(asked).current_dir(root()).env_remove("MAKEFLAGS").output().expect("make");
        String::from_utf8(said.stdout).expect("text").split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let source = fs::read_to_string(root().join("tests/e2e/main.rs")).expect("the tests");
    let modules = source.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let halves = [half("1"), half("2")];
    for module in modules {
        let of = halves.iter().filter(|half| half.contains(&format!("{module}::"))).count();
        assert_eq!(of, 1, "{module}");
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
