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
    for command in ["check", "explain", "test", "matrix", "token", "jwks", "revocations"] {
        assert!(page.contains(&format!(".SH \"SCOPEGATE {}\"", command.to_uppercase())), "{command}");
    }
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

#[test]
fn the_policy_cases_in_the_readme_hold_for_the_shipped_file() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```yaml cases\n").unwrap();
    let (cases, _) = rest.split_once("```").unwrap();
    let folder = folder();
    std::fs::write(folder.join("envoy.yaml"), crate::world::shipped()).unwrap();
    std::fs::write(folder.join("policy.test.yaml"), cases).unwrap();
    let tested = run(&["test", "policy.test.yaml"], &folder);
    assert_eq!((tested.status, tested.stdout.contains("1 passed")), (0, true), "{tested:?}");
}
