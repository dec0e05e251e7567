//! What has been used is known to the gate only, and the command says so.

use crate::policy_test::Folder;

const ISSUER: &str = "issuers: [{issuer: 'https://a/', audiences: [b], jwks: {uri: 'https://a/k', cluster: a}}]\n";

#[test]
fn explain_and_test_say_that_every_token_and_every_proof_counts_as_new() {
    const ONCE: &str = "default: {single_use: true}\n";
    const DPOP: &str = "dpop: {origins: ['https://b']}\n";
    let token = "every token counts as new, and the gate may refuse one as replayed";
    let proof = "every proof counts as new, and the gate may refuse one as proof_replayed";
    let both = "every token and every proof counts as new, and the gate may refuse one as replayed or proof_replayed";
    let folder = Folder::new();
    folder.write(
        "cases.yaml",
        "config: a.yaml\ncases: [{name: a, request: GET /, expect: {status: 401, reason: no_credential}}]\n",
    );
    for (members, wanted) in [
        (ONCE.to_owned(), Some(token)),
        ("replay: {}\n".to_owned(), Some(token)),
        (DPOP.to_owned(), Some(proof)),
        (format!("{ONCE}{DPOP}"), Some(both)),
        (String::new(), None),
    ] {
        folder.write("a.yaml", &format!("{ISSUER}{members}"));
        for arguments in [&["explain", "a.yaml", "--request", "GET /"][..], &["test", "cases.yaml"]] {
            let (_, said) = folder.say(arguments);
            let note = said.lines().find_map(|line| line.trim().strip_prefix("note").map(str::trim));
            let note = note.and_then(|note| note.strip_prefix("what has been used is not known here: "));
            assert_eq!(note, wanted, "{members}{said}");
        }
    }
}
