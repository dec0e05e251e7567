//! `--output`, and every other file that the command writes: what is there keeps its kind, its mode and its owner.

use crate::support::server::{Answer, Server};
use crate::world::{Run, folder, run};
use scopegate::revocation::{Chunks, Revision};
use serde_json::json;
use std::fs::{self, Permissions, read_to_string, symlink_metadata, write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ENTRY: &str = "{\"iss\":\"https://a/\",\"jti\":\"1\"}\n";
const LIST: &str = "{\"entries_at_least\":1}\n{\"iss\":\"https://a/\",\"jti\":\"1\"}\n";

/// A folder with entries.
fn entries() -> PathBuf {
    let folder = folder();
    write(folder.join("revoked.jsonl"), ENTRY).unwrap();
    folder
}

fn build(folder: &Path, output: &str) -> Run {
    run(&["revocations", "build", "revoked.jsonl", "--output", output], folder)
}

/// The command in a shell, whose text names it `scopegate`.
fn shell(folder: &Path, text: &str) -> Run {
    let binary = Path::new(env!("CARGO_BIN_EXE_scopegate")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash").args(["-c", text]).env("PATH", path).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { stdout: text(output.stdout), stderr: text(output.stderr), status: output.status.code().unwrap_or(-1) }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_reader_that_has_ended_is_no_failure() {
    let folder = entries();
    write(folder.join("envoy.yaml"), crate::world::shipped()).unwrap();
    let record = r#"{"decision":"would_deny","reason":"expired"}"#;
    write(folder.join("access.log"), format!("{{\"details\":\"via_upstream\",\"scopegate\":{record}}}\n")).unwrap();
    write(folder.join("old.yaml"), crate::migrate::envoy(&crate::migrate::jwt(""), crate::migrate::EVERY)).unwrap();
    for (arguments, status) in [
        (&["man"][..], 0),
        (&["completions", "bash"], 0),
        (&["check", "envoy.yaml"], 0),
        (&["check", "revoked.jsonl"], 2),
        (&["matrix", "envoy.yaml"], 0),
        (&["explain", "envoy.yaml", "--request", "GET /orders"], 1),
        (&["migrate", "old.yaml"], 0),
        (&["migrate", "--compare", "access.log"], 0),
        (&["tail", "--no-follow", "access.log"], 0),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_scopegate"));
        let ended = command.args(arguments).current_dir(&folder).stdout(writer).output().unwrap();
        let told = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(status), "{arguments:?}: {told}");
        assert!(!told.contains("pipe"), "{arguments:?}: {told}");
    }
}

#[test]
fn a_pipe_is_written_to_and_stays_a_pipe() {
    let folder = entries();
    let made = shell(
        &folder,
        "mkfifo pipe; timeout 20 cat pipe > read & scopegate revocations build revoked.jsonl --output pipe; wait",
    );
    assert_eq!(made.status, 0, "{made:?}");
    assert_eq!(read_to_string(folder.join("read")).unwrap(), LIST);
    assert!(symlink_metadata(folder.join("pipe")).unwrap().file_type().is_fifo(), "it was replaced");
    assert_eq!(names(&folder), ["pipe", "read", "revoked.jsonl"], "nothing is left beside");
}

#[test]
fn the_standard_output_is_written_to_wherever_it_leads() {
    let folder = entries();
    // As /dev/stdout, but a link of our own: a command that replaces it as root breaks the machine.
    symlink("/proc/self/fd/1", folder.join("stdout")).unwrap();
    let command = "scopegate revocations build revoked.jsonl --output stdout";
    let revision = Revision::of(&Chunks::from(LIST.as_bytes()));
    let told = format!("{LIST}stdout: revision {revision}, 1 entries, {} bytes; 0 left out as over\n", LIST.len());
    assert_eq!(shell(&folder, command).stdout, told, "a pipe");
    for (text, wanted) in [("> new", told.clone()), (">> old", format!("old\n{told}"))] {
        write(folder.join("old"), "old\n").unwrap();
        let done = shell(&folder, &format!("{command} {text}"));
        assert_eq!(done.status, 0, "{text}: {done:?}");
        assert_eq!(read_to_string(folder.join(&text[text.len() - 3..])).unwrap(), wanted, "{text}");
    }
    let done = shell(&folder, "scopegate revocations build revoked.jsonl --output /dev/fd/3 3> third");
    assert_eq!((done.status, read_to_string(folder.join("third")).unwrap()), (0, LIST.to_owned()), "{done:?}");
    // A terminal is a device.
    let done = shell(&folder, &format!("script -qec '{command}' /dev/null | tr -d '\\r'"));
    assert_eq!(done.stdout, told, "{done:?}");
}

#[test]
fn a_symbolic_link_is_followed_and_stays_one() {
    let folder = entries();
    fs::create_dir(folder.join("www")).unwrap();
    write(folder.join("www/list"), "old").unwrap();
    symlink("www/list", folder.join("link")).unwrap();
    symlink("link", folder.join("linked")).unwrap();
    symlink("www/absent", folder.join("dangling")).unwrap();
    symlink("circle", folder.join("circle")).unwrap();
    for (output, file) in [("linked", "www/list"), ("dangling", "www/absent")] {
        assert_eq!(build(&folder, output).status, 0, "{output}");
        assert_eq!(read_to_string(folder.join(file)).unwrap(), LIST, "{output}");
    }
    for link in ["link", "linked", "dangling"] {
        assert!(symlink_metadata(folder.join(link)).unwrap().file_type().is_symlink(), "{link}");
    }
    assert_eq!(names(&folder.join("www")), ["absent", "list"]);
    let circle = build(&folder, "circle");
    assert_eq!((circle.status, circle.stderr.contains("cannot write circle")), (2, true), "{circle:?}");
}

#[test]
fn a_file_keeps_its_mode_and_its_owner() {
    let folder = entries();
    let list = folder.join("list");
    // Only root may give a file away.
    let owner = if symlink_metadata(&folder).unwrap().uid() == 0 { (4321, 1234) } else { own(&folder) };
    for mode in [0o640, 0o600, 0o664, 0o400] {
        write(&list, "old").unwrap();
        chown(&list, Some(owner.0), Some(owner.1)).unwrap();
        fs::set_permissions(&list, Permissions::from_mode(mode)).unwrap();
        let done = build(&folder, "list");
        assert_eq!(done.status, 0, "{done:?}");
        let there = symlink_metadata(&list).unwrap();
        assert_eq!((there.mode() & 0o7777, there.uid(), there.gid()), (mode, owner.0, owner.1));
        assert_eq!(read_to_string(&list).unwrap(), LIST);
        fs::remove_file(&list).unwrap();
    }
    let done = shell(&folder, "umask 027; scopegate revocations build revoked.jsonl --output list");
    assert_eq!((done.status, symlink_metadata(&list).unwrap().mode() & 0o777), (0, 0o640), "a new one has the umask's");
}

fn own(folder: &Path) -> (u32, u32) {
    let there = symlink_metadata(folder).unwrap();
    (there.uid(), there.gid())
}

#[test]
fn what_cannot_be_written_is_said_and_the_old_file_is_there() {
    let folder = entries();
    for part in ["closed", "closed/folder"] {
        fs::create_dir(folder.join(part)).unwrap();
    }
    write(folder.join("closed/list"), "old").unwrap();
    fs::set_permissions(folder.join("closed"), Permissions::from_mode(0o555)).unwrap();
    let refused = |output: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scopegate"));
        command.args(["revocations", "build", "revoked.jsonl", "--output", output]).current_dir(&folder);
        if own(&folder).0 == 0 {
            // Nothing is closed to root.
            command.uid(65534).gid(65534);
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, said) = refused("closed/list");
    assert_eq!(status, Some(2), "{said}");
    let wanted =
        "cannot write closed/list: in the folder closed: Permission denied (os error 13); the file is as it was";
    assert!(said.contains(wanted), "{said}");
    let (status, said) = refused("closed/new");
    assert_eq!(
        (status, said.contains("cannot write closed/new: in the folder closed: Permission")),
        (Some(2), true),
        "{said}"
    );
    let (status, said) = refused("closed/folder");
    assert_eq!((status, said.contains("cannot write closed/folder: it is a folder")), (Some(2), true), "{said}");
    assert_eq!(read_to_string(folder.join("closed/list")).unwrap(), "old");
    assert_eq!(names(&folder.join("closed")), ["folder", "list"]);
    fs::set_permissions(folder.join("closed"), Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn an_interrupted_write_loses_nothing() {
    let folder = folder();
    let entries: Vec<String> = (0..20_000).map(|id| format!("{{\"iss\":\"https://a/\",\"jti\":\"{id}\"}}\n")).collect();
    write(folder.join("revoked.jsonl"), entries.concat()).unwrap();
    write(folder.join("list"), "old").unwrap();
    // The signal of the limit ends the command in the middle of the file.
    let ended = shell(&folder, "ulimit -f 64; scopegate revocations build revoked.jsonl --output list");
    assert_ne!(ended.status, 0, "{ended:?}");
    assert_eq!(read_to_string(folder.join("list")).unwrap(), "old");
    // A file that was left beside it does not block the next.
    assert_eq!(build(&folder, "list").status, 0);
    assert_eq!(read_to_string(folder.join("list")).unwrap().lines().count(), 20_001);
}

#[test]
fn a_file_beside_is_never_one_that_is_there() {
    let folder = entries();
    write(folder.join("precious"), "precious").unwrap();
    // The names of all processes that could come.
    let text = "for number in 0 1; do ln -s precious list.$$-$number.new; done; \
                exec scopegate revocations build revoked.jsonl --output list";
    let done = shell(&folder, text);
    assert_eq!(done.status, 0, "{done:?}");
    assert_eq!(read_to_string(folder.join("precious")).unwrap(), "precious");
    assert_eq!(read_to_string(folder.join("list")).unwrap(), LIST);
}

#[test]
fn every_command_writes_its_files_so() {
    let folder = entries();
    let key = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
    let server = Server::start(0, move |_| Answer::json(&serde_json::from_str(key).unwrap())).unwrap();
    let keys = json!({ "uri": "https://a/jwks.json", "cluster": "a" });
    let issuers = json!([{ "issuer": "https://a/", "audiences": ["a"], "jwks": keys }]);
    let case = json!({ "name": "a", "request": "GET /", "expect": { "status": 401 } });
    write(folder.join("cases.yaml"), json!({ "inline": { "issuers": issuers }, "cases": [case] }).to_string()).unwrap();
    for command in [
        format!("jwks fetch http://{}/ --output", server.address),
        "test cases.yaml --junit".to_owned(),
        "revocations build revoked.jsonl --output".to_owned(),
        "revocations build revoked.jsonl --binary --output".to_owned(),
    ] {
        for (name, mode) in [("file", 0o640), ("target", 0o604)] {
            write(folder.join(name), "old").unwrap();
            fs::set_permissions(folder.join(name), Permissions::from_mode(mode)).unwrap();
        }
        let _ = symlink("target", folder.join("link"));
        for (output, file, mode) in [("file", "file", 0o640), ("link", "target", 0o604)] {
            let done = shell(&folder, &format!("scopegate {command} {output}"));
            assert_eq!(done.status, 0, "{command}: {done:?}");
            let there = symlink_metadata(folder.join(file)).unwrap();
            assert_eq!(there.mode() & 0o777, mode, "{command} {output}");
            assert_ne!(fs::read(folder.join(file)).unwrap(), b"old", "{command} {output}");
        }
        assert!(symlink_metadata(folder.join("link")).unwrap().file_type().is_symlink(), "{command}");
    }
}
