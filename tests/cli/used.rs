//! What has been used is known to the gate only, and the command says so.

use crate::policy_test::Folder;

const ISSUER: &str = "issuers: [{issuer: 'https://a/', audiences: [b], jwks: {uri: 'https://a/k', cluster: a}}]\n";

#[test]
fn explain_and_test_say_that_what_is_good_once_counts_as_new_and_what_the_service_decides() {
    const ONCE: &str = "default: {single_use: true}\n";
    const DPOP: &str = "dpop: {origins: ['https://b']}\n";
    let token = "every token counts as new, and the gate may refuse one as replayed";
    let proof = "every proof counts as new, and the gate may refuse one as proof_replayed";
    let both = "every token and every proof counts as new, and the gate may refuse one as replayed or proof_replayed";
    let asked = |note: &str| {
        format!(
            "{note}; the gate asks the service of the fleet, and without its answer the request gets 503 replay_unavailable"
        )
    };
    let service = "replay: {service: {cluster: a, form: webdis, secret: {env: A}}}\n";
    let in_service = "dpop: {origins: ['https://b'], replay: service}\n";
    let folder = Folder::new();
    folder.write(
        "cases.yaml",
        "config: a.yaml\ncases: [{name: a, request: GET /, expect: {status: 401, reason: no_credential}}]\n",
    );
    for (members, wanted) in [
        (ONCE.to_owned(), Some(token.to_owned())),
        ("replay: {}\n".to_owned(), Some(token.to_owned())),
        (DPOP.to_owned(), Some(proof.to_owned())),
        (format!("{ONCE}{DPOP}"), Some(both.to_owned())),
        (format!("{ONCE}{service}"), Some(asked(token))),
        (format!("{ONCE}{service}{in_service}"), Some(asked(both))),
        (String::new(), None),
    ] {
        folder.write("a.yaml", &format!("{ISSUER}{members}"));
        for arguments in [&["explain", "a.yaml", "--request", "GET /"][..], &["test", "cases.yaml"]] {
            let (_, said) = folder.say(arguments);
            let mut notes = said.lines().filter_map(|line| line.trim().strip_prefix("note").map(str::trim));
            let note = notes.find_map(|note| note.strip_prefix("what has been used is not known here: "));
            assert_eq!(note, wanted.as_deref(), "{members}{said}");
        }
    }
}
