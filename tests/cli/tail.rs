//! `scopegate tail`: a follower sees what is written, and the columns say it.

use crate::support::wait::eventually;
use crate::world::{folder, run};
use std::fs::{OpenOptions, read_to_string, remove_file, rename, write};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Both forms, and a line of something else.
const LOG: &str = r#"{"time":"2026-11-22T00:47:31.123Z","path":"/","scopegate":{"decision":"allow","method":"GET","route":"orders","issuer":"demo","subject":"alice","client_id":"web","fingerprint":"FvdA9cRn0Ls45XKidPuQiq"}}
[2026-11-22 00:47:32.001][9][info][main] starting main dispatch loop
[2026-11-22 00:47:33.001][9][info][wasm] [context.cc:1195] wasm log scopegate scopegate v: scopegate: decision=deny reason=insufficient_scope issuer=demo subject="bob" fingerprint=BrWc-GLf3VVEB3xXXa7ip8 route="orders" (needs orders:write)
{"time":"2026-11-22T00:47:34Z","scopegate":{"decision":"would_deny","reason":"expired","route":"reports","unverified_issuer":"demo","unverified_fingerprint":"DGDlztqioAvUw2Al_82Zl5","member":"exp","unverified_received":"1","wanted":"a time after 2"}}
{"event":"token_reuse","time":"2026-11-22T00:47:35Z","clients":4,"window":600,"issuer":"demo","subject":"alice","fingerprint":"FvdA9cRn0Ls45XKidPuQiq","action":"report"}
{"decision":"deny","reason":"reused","time":"2026-11-22T00:47:36Z","event":"token_reuse","clients":5,"window":600,"fingerprint":"FvdA9cRn0Ls45XKidPuQiq"}
{"decision":"receive","time":"2026-11-22T00:47:37Z","operator":"ops","event_id":"o-1","entries":1,"without_effect":0,"status":202}
[2026-11-22 00:47:38.001][9][info][wasm] [context.cc:1195] wasm log scopegate scopegate v: scopegate: decision=receive issuer=demo event_id="e 1" entries=0 without_effect=1 status=202
"#;

const SHOWN: &str = "\
TIME (UTC)           DECISION  REASON                  ROUTE                   WHO                             TOKEN                    WHY
2026-11-22 00:47:31  allow                             GET orders              alice@demo by web               FvdA9cRn0Ls45XKidPuQiq
2026-11-22 00:47:33  deny      insufficient_scope      orders                  bob@demo                        BrWc-GLf3VVEB3xXXa7ip8   needs orders:write
2026-11-22 00:47:34  would     expired                 reports                 @demo?                          DGDlztqioAvUw2Al_82Zl5?  exp is 1; wanted: a time after 2
2026-11-22 00:47:35  reuse     report                                          alice@demo                      FvdA9cRn0Ls45XKidPuQiq   shown by 4 clients within 600 s
2026-11-22 00:47:36  deny      reused                                                                          FvdA9cRn0Ls45XKidPuQiq   shown by 5 clients within 600 s
2026-11-22 00:47:37  receive                                                   ops                                                      event o-1 revokes by 1 entries
2026-11-22 00:47:38  receive                                                   @demo                                                    event e 1 revokes by 0 entries
";

fn tail(log: &str, more: &[&str]) -> String {
    let folder = folder();
    write(folder.join("access.log"), log).unwrap();
    let told = run(&[&["tail", "--no-follow", "access.log"], more].concat(), &folder);
    assert_eq!((told.status, &*told.stderr), (0, ""), "{more:?}");
    told.stdout
}

#[test]
fn each_decision_is_a_line_of_aligned_columns_without_colours_in_a_file() {
    assert_eq!(tail(LOG, &[]), SHOWN);
}

#[test]
fn options_choose_records() {
    let shown: Vec<&str> = SHOWN.lines().collect();
    for (options, lines) in [
        (&["--denied"][..], &[2, 3, 5][..]),
        (&["--reason", "expired"], &[3]),
        (&["--route", "orders"], &[1, 2]),
        (&["--subject", "alice"], &[1, 4]),
        (&["--fingerprint", "DGDlztqioAvUw2Al_82Zl5"], &[3]),
        (&["--where", "client_id=web"], &[1]),
        (&["--route", "orders", "--denied"], &[2]),
        (&["--where", "operator=ops"], &[6]),
        (&["-n", "2"], &[6, 7]),
        (&["-n", "1", "--denied"], &[5]),
        (&["-n", "0"], &[]),
    ] {
        let mut wanted = vec![shown[0]];
        wanted.extend(lines.iter().map(|&line| shown[line]));
        assert_eq!(tail(LOG, options).lines().collect::<Vec<_>>(), wanted, "{options:?}");
    }
}

#[test]
fn a_log_without_records_says_so() {
    let folder = folder();
    write(folder.join("access.log"), "a\nb\n").unwrap();
    let told = run(&["tail", "--no-follow", "access.log"], &folder);
    assert_eq!(told.status, 2, "{told:?}");
    assert!(told.stderr.contains("none of the 2 lines has a record"), "{told:?}");
    write(folder.join("access.log"), "").unwrap();
    assert_eq!(run(&["tail", "--no-follow", "access.log"], &folder).status, 0);
    assert_eq!(run(&["tail", "nothing.log"], &folder).status, 2);
}

#[test]
fn text_of_a_log_neither_steers_a_terminal_nor_makes_a_line() {
    let line = r#"{"decision":"deny","reason":"x\u001b[2J","subject":"a\nb\u202ec","route":"r\r"}"#;
    let told = tail(&format!("{line}\n"), &[]);
    assert_eq!(told.lines().count(), 2, "{told:?}");
    assert!(!told.contains(|character: char| character.is_control() && character != '\n'), "{told:?}");
    assert!(!told.contains('\u{202e}'), "{told:?}");
}

#[test]
fn the_last_records_of_a_long_file_are_found_from_its_end() {
    let other = format!("{{\"decision\":\"allow\",\"route\":\"other\",\"pad\":\"{}\"}}\n", "x".repeat(1000));
    let long = format!("{}{}", LOG, other.repeat(3000));
    let shown = tail(&long, &["--route", "orders", "-n", "1"]);
    assert!(shown.lines().count() == 2 && shown.contains("needs orders:write"), "{shown}");
    assert_eq!(tail(&long, &["-n", "3"]).lines().count(), 4);
}

/// A follower, ended with the test.
struct Follower {
    child: Child,
}

impl Follower {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let out = std::fs::File::create(folder.join("shown")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_scopegate"));
        command.arg("tail").args(arguments).current_dir(folder).stdout(out).stdin(Stdio::null());
        Self { child: command.spawn().unwrap() }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn append(folder: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join("access.log")).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn record(reason: &str) -> String {
    format!("{{\"decision\":\"deny\",\"reason\":\"{reason}\"}}\n")
}

#[test]
fn a_file_is_followed_past_rotation_and_truncation_and_no_line_is_shown_twice_or_in_half() {
    let folder = folder();
    append(&folder, &record("first"));
    append(&folder, "{\"decision\":\"deny\",");
    let _follower = Follower::start(&folder, &["access.log"]);
    let shown = || -> Vec<String> {
        let text = read_to_string(folder.join("shown")).unwrap();
        text.lines().skip(1).map(|line| line.split_whitespace().nth(2).unwrap().to_owned()).collect()
    };
    let wait = |wanted: &[&str]| eventually(&format!("{wanted:?}"), || shown() == wanted);
    wait(&["first"]);
    append(&folder, "\"reason\":\"second\"}\n");
    wait(&["first", "second"]);
    // Renamed: what is still written to the old file is shown, then the new one from its start.
    rename(folder.join("access.log"), folder.join("access.log.1")).unwrap();
    let mut old = OpenOptions::new().append(true).open(folder.join("access.log.1")).unwrap();
    old.write_all(record("third").as_bytes()).unwrap();
    wait(&["first", "second", "third"]);
    append(&folder, &record("fourth"));
    wait(&["first", "second", "third", "fourth"]);
    // Emptied in place.
    write(folder.join("access.log"), "").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    append(&folder, &record("fifth"));
    wait(&["first", "second", "third", "fourth", "fifth"]);
    // Removed, and made anew later.
    remove_file(folder.join("access.log")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    append(&folder, &record("sixth"));
    wait(&["first", "second", "third", "fourth", "fifth", "sixth"]);
}

#[test]
fn standard_input_is_shown_whole() {
    let folder = folder();
    write(folder.join("access.log"), record("x").repeat(30)).unwrap();
    let input = std::fs::File::open(folder.join("access.log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_scopegate"));
    let output = command.args(["tail", "-"]).stdin(input).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 31);
}
