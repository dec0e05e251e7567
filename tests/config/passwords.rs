//! Sets of passwords.

use super::{problems, read, with};
use scopegate::policy::SetKind;

const BCRYPT: &str = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK";
const PBKDF2: &str = "$pbkdf2-sha256$6400$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44";

fn set(members: &str) -> String {
    with(&format!("credentials: [{{name: staff, basic: {{}}, {members}}}]"))
}

fn secret(written: &str) -> String {
    set(&format!("identities: [{{id: a, secrets: [{written}]}}]"))
}

fn lines(lines: &[&str]) -> String {
    set(&format!("htpasswd: \"{}\"", lines.join("\\n")))
}

#[test]
fn what_is_wrong_with_passwords_is_said() {
    snapshot!(problems(&[
        ("two kinds", set("api_key: {header: x-a}, identities: []")),
        ("a field of no set of users", with("credentials: [{name: staff, basic: {realm: a}, htpasswd: 'a:b'}]")),
        ("no users", set("scopes: [a]")),
        ("no identities", set("identities: []")),
        (
            "htpasswd of keys",
            with(
                "credentials: [{name: k, api_key: {header: x-a}, htpasswd: 'a:b', identities: [{id: i, secrets: [{env: KEY_20}]}]}]"
            )
        ),
        ("a plain password", secret("hunter2")),
        ("no hash", secret("{expires: 1}")),
        ("two hashes", secret(&format!("{{bcrypt: {BCRYPT}, pbkdf2: {PBKDF2}}}"))),
        ("a hash and a variable", secret(&format!("{{bcrypt: {BCRYPT}, env: KEY_20}}"))),
        ("a hash of the other kind", secret(&format!("{{bcrypt: {PBKDF2}}}, {{pbkdf2: {BCRYPT}}}"))),
        ("another hash", secret("{bcrypt: '$argon2id$v=19$m=19456,t=2,p=1$a$b'}")),
        ("a cost of 13", secret(&format!("{{bcrypt: {}}}", BCRYPT.replace("$05$", "$13$")))),
        ("too many rounds", secret(&format!("{{pbkdf2: {}}}", PBKDF2.replace("6400", "1000001")))),
        ("a hash twice", secret(&format!("{{bcrypt: {BCRYPT}}}, {{bcrypt: {BCRYPT}}}"))),
        ("a short password in a variable", secret("{env: KEY_19}")),
        ("a colon in a user name", set(&format!("identities: [{{id: 'a:b', secrets: [{{bcrypt: {BCRYPT}}}]}}]"))),
        ("an identity without a secret", set("identities: [{id: a}]")),
        (
            "a secret beside a line",
            set(&format!("htpasswd: 'a:{BCRYPT}', identities: [{{id: a, secrets: [{{env: KEY_20}}]}}]"))
        ),
        (
            "lines of htpasswd",
            lines(&[
                &format!("good:{BCRYPT}"),
                "sha:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
                "# a comment",
                "md5:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/",
                "crypt:rqXexS6ZhobKA",
                "sha2:$6$saltsalt$hash",
                "argon:$argon2id$v=19$m=19456,t=2,p=1$a$b",
                "scrypt:$scrypt$ln=14,r=8,p=1$a$b",
                "no colon",
                &format!(":{BCRYPT}"),
                &format!("good:{BCRYPT}"),
            ])
        ),
        ("no line", lines(&["", "# nobody"])),
        ("a variable that is not set", set("htpasswd: {env: NOT_SET}")),
        ("a list", set("htpasswd: [a]")),
        (
            "two sets of users",
            with(&format!(
                "credentials: [{{name: a, basic: {{}}, htpasswd: 'a:{BCRYPT}'}}, {{name: b, basic: {{}}, htpasswd: 'b:{BCRYPT}'}}]\ndefault: {{credentials: {{any_of: [a, b]}}}}"
            ))
        ),
        (
            "a user and a token in one header",
            set(&format!("htpasswd: 'a:{BCRYPT}'")) + "default: {credentials: {all_of: [bearer, staff]}}"
        ),
    ]));
}

#[test]
fn users_come_from_identities_and_lines() {
    let loaded = read(&set(&format!(
        "scopes: [a], htpasswd: \"b:{BCRYPT}\\nc:{PBKDF2}\", identities: [{{id: b, scopes: [x]}}, {{id: d, secrets: [{{env: KEY_20}}]}}]"
    )))
    .unwrap();
    let set = &loaded.policy.credentials[0];
    let SetKind::Passwords(passwords) = &set.kind else { panic!("passwords") };
    let ids: Vec<&str> = set.identities.iter().map(|identity| identity.id.as_str()).collect();
    assert_eq!(ids, ["b", "d", "c"]);
    for (at, id) in ids.iter().enumerate() {
        assert_eq!(passwords.find(id.as_bytes()).0, Some(at));
    }
    assert_eq!(passwords.find(b"nobody").0, None);
    assert_eq!(loaded.policy.credential_headers(), ["authorization"]);
    assert!(!loaded.policy.query.names.iter().any(|name| name == "api_key"), "there are no keys");
}
