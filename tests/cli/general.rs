//! The command as a whole.

use crate::world::{folder, run};

#[test]
fn completions_are_made_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let made = run(&["completions", shell], &folder());
        assert_eq!(made.status, 0, "{made:?}");
        assert!(made.stdout.contains("scopegate") && made.stdout.contains("explain"), "{shell}");
    }
    assert_eq!(run(&["completions", "tcsh"], &folder()).status, 2);
}

#[test]
fn the_man_page_tells_of_every_command() {
    let page = run(&["man"], &folder()).stdout;
    assert!(page.contains(".TH scopegate"), "{page}");
    for command in crate::help::COMMANDS {
        let heading = format!(".SH \"SCOPEGATE {}\"\n", command.join(" ").to_uppercase());
        let (_, section) = page.split_once(&heading).unwrap_or_else(|| panic!("{heading}"));
        let section = section.split("\n.SH \"SCOPEGATE").next().unwrap();
        assert!(section.contains("\nExamples:\n  scopegate "), "{section}");
    }
}

#[test]
fn there_is_colour_on_a_terminal_alone() {
    let folder = folder();
    std::fs::write(folder.join("bad.yaml"), "rulse: []\ndefault: {deny: true}\n").unwrap();
    for arguments in [&["check", "bad.yaml"][..], &["--help"], &["check", "--help"], &["nothing"], &["check"]] {
        let said = run(arguments, &folder);
        assert!(!said.stdout.contains('\u{1b}') && !said.stderr.contains('\u{1b}'), "{said:?}");
    }
    let sources = scopegate::cli::source::Source::read_all(&[folder.join("bad.yaml")]).unwrap();
    let findings = scopegate::cli::check::check(&sources).unwrap();
    assert!(scopegate::cli::report::text(&findings, &[], true).contains("\u{1b}[31merror\u{1b}[0m[configuration]"));
}

#[test]
fn keys_and_tokens_are_made_for_demos_and_keys_are_published_without_their_private_part() {
    let folder = folder();
    for algorithm in ["ES256", "RS256", "EdDSA", "ML-DSA-44"] {
        let key = run(&["jwks", "generate", "--algorithm", algorithm, "--kid", "k"], &folder);
        assert_eq!(key.status, 0, "{key:?}");
        std::fs::write(folder.join("key.json"), &key.stdout).unwrap();
        let public = run(&["jwks", "public", "key.json"], &folder).stdout;
        let set: serde_json::Value = serde_json::from_str(&public).unwrap();
        for private in ["d", "p", "q", "dp", "dq", "qi", "priv"] {
            assert!(set["keys"][0].get(private).is_none(), "{algorithm}: {private}");
        }
        std::fs::write(folder.join("keys.json"), &public).unwrap();
        assert_eq!(run(&["jwks", "inspect", "keys.json"], &folder).status, 0, "{algorithm}");
        let token = run(
            &["token", "mint", "--key", "key.json", "--issuer", "https://a/", "--audience", "b", "--subject", "alice"],
            &folder,
        );
        assert_eq!(token.stdout.trim().split('.').count(), 3, "{token:?}");
    }
    let refused = run(&["jwks", "generate", "--algorithm", "none"], &folder);
    assert_eq!((refused.status, refused.stderr.contains("--algorithm none")), (2, true), "{refused:?}");
}
