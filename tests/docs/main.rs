//! The documents against the source: no field, reason, answer or default without its row, no row about what is not there,
//! every example compiles, and every link leads somewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod cases;
mod console;
mod examples;
mod links;
mod metrics;
mod pages;
mod schemas;
mod security;

use scopegate::base::time::{Seconds, UnixSeconds};
use scopegate::challenge::{self, Terms};
use scopegate::config::fields;
use scopegate::decision::{
    CredentialKind, Denial, EventFault, EventRefusal, MessageFault, Reason, Schemes, StepUp, Trace, VersionMismatch,
};
use scopegate::policy::{DEFAULT_TOKEN_BYTES, Limits, Scope, SetId, Source};
use scopegate::security_event::EventForm;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of the document at that path, from the root of the repository.
fn document(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All documents: their paths from the root of the repository.
fn documents() -> Vec<String> {
    let mut folders: Vec<PathBuf> = vec![root().to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_str().expect("a name in UTF-8");
            // What is not of the repository: hidden folders, and what was built.
            if entry.file_type().expect("a type").is_dir() {
                if !name.starts_with('.') && !["target", "node_modules"].contains(&name) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path.strip_prefix(root()).expect("below the root").to_str().expect("UTF-8").to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The text below the heading of that name, up to the next heading of the same or a higher level.
fn section(text: &str, heading: &str) -> String {
    let level = |line: &str| {
        line.split_once(' ').filter(|(start, _)| start.bytes().all(|byte| byte == b'#')).map(|(start, _)| start.len())
    };
    let own = level(heading).expect("a heading");
    let mut lines = text.lines().skip_while(|line| *line != heading);
    lines.next().unwrap_or_else(|| panic!("there is no heading {heading:?}"));
    let ends = |line: &str| level(line).is_some_and(|level| (1..=own).contains(&level));
    lines.take_while(|line| !ends(line)).collect::<Vec<_>>().join("\n")
}

/// The rows of the tables in a text, cell by cell, without heads and rulers.
fn rows(text: &str) -> Vec<Vec<String>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_ruler = |line: &str| line.starts_with("|-");
    let mut rows = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let is_head = lines.get(index + 1).is_some_and(|next| is_ruler(next));
        if line.starts_with("| ") && !is_ruler(line) && !is_head {
            let cells = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
            rows.push(cells.collect());
        }
    }
    rows
}

/// The word of a cell that is nothing but `` `word` ``.
fn word(cell: &str) -> &str {
    let word = cell.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    word.unwrap_or_else(|| panic!("not `a word`: {cell:?}"))
}

fn sorted<'w>(words: impl IntoIterator<Item = &'w str>) -> Vec<&'w str> {
    let mut words: Vec<&str> = words.into_iter().collect();
    words.sort_unstable();
    words
}

#[test]
fn every_field_of_every_shape_has_one_row_and_no_other_has() {
    let reference = document("envoy/CONFIGURATION.md");
    for shape in fields::ALL {
        let rows = rows(&section(&reference, &format!("## {}", shape.name)));
        for row in &rows {
            assert_eq!(row.len(), 5, "{}: field, type, default, limits, meaning: {row:?}", shape.name);
            assert!(!row[1].is_empty() && !row[4].is_empty(), "{}: type and meaning: {row:?}", shape.name);
        }
        let told = rows.iter().map(|row| word(&row[0]));
        assert_eq!(sorted(told), sorted(shape.fields.iter().copied()), "the rows and the fields of {}", shape.name);
    }
    let headings = reference.lines().filter_map(|line| line.strip_prefix("## "));
    assert_eq!(sorted(headings), sorted(fields::ALL.iter().map(|shape| shape.name)), "the sections and the shapes");
}

#[test]
fn every_reason_has_one_row_and_no_other_has() {
    let rows = rows(&section(&document("envoy/ON-CALL.md"), "## Reasons"));
    for row in &rows {
        assert_eq!(row.len(), 3, "reason, meaning, remedy: {row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
    let told = rows.iter().map(|row| word(&row[0]));
    assert_eq!(sorted(told), sorted(Reason::ALL.iter().map(|reason| reason.name())));
}

/// A denial for each reason. No `_`: a new reason has to be put in here.
fn denial(reason: Reason) -> Denial {
    let scope = || vec![Scope::new("a").unwrap()];
    let (at, limit) = (UnixSeconds(0), Seconds(0));
    match reason {
        Reason::InvalidEvent => {
            Denial::InvalidEvent(EventRefusal { form: EventForm::Set, fault: EventFault::Request, why: "x" })
        }
        Reason::EventsFull => Denial::EventsFull,
        Reason::TokenInQuery => Denial::TokenInQuery,
        Reason::PolicyUnreadable => Denial::PolicyUnreadable,
        Reason::HostFailure => Denial::HostFailure,
        Reason::AmbiguousPath => Denial::AmbiguousPath,
        Reason::AmbiguousHost => Denial::AmbiguousHost,
        Reason::CrossSite => Denial::CrossSite("x"),
        Reason::NoMetadata => Denial::NoMetadata,
        Reason::Denied => Denial::Denied,
        Reason::ForeignOrigin => Denial::ForeignOrigin("x"),
        Reason::MisdirectedHost => Denial::MisdirectedHost,
        Reason::MethodNotAllowed => Denial::MethodNotAllowed,
        Reason::ForeignSession => Denial::ForeignSession("x"),
        Reason::UnusableList => Denial::UnusableList("x"),
        Reason::UnusableSession => Denial::UnusableSession("x"),
        Reason::UnsupportedMediaType => Denial::UnsupportedMediaType("x"),
        Reason::BodyTooLarge => Denial::BodyTooLarge { limit: 1 },
        Reason::InvalidMessage => Denial::InvalidMessage { fault: MessageFault::NotJson, why: "x" },
        Reason::UnsupportedVersion => {
            Denial::UnsupportedVersion(Box::new(VersionMismatch { requested: "x".into(), supported: Vec::new() }))
        }
        Reason::HeaderMismatch => Denial::HeaderMismatch("x"),
        Reason::UnknownMethod => Denial::UnknownMethod { is_stateless: false },
        Reason::AmbiguousUri => Denial::AmbiguousUri,
        Reason::NoCredential => Denial::NoCredential { scope: scope() },
        Reason::MalformedHeader => Denial::MalformedHeader("x"),
        Reason::MultipleCredentials => Denial::MultipleCredentials,
        Reason::MalformedCredential => Denial::MalformedCredential("x"),
        Reason::MalformedSignature => Denial::MalformedSignature("x"),
        Reason::SignatureIncomplete => Denial::SignatureIncomplete("x".into()),
        Reason::BodyUnsigned => Denial::BodyUnsigned("x"),
        Reason::Stale => Denial::Stale("x"),
        Reason::BodyUnreadable => Denial::BodyUnreadable,
        Reason::DigestMismatch => Denial::DigestMismatch,
        Reason::UnknownIdentity => Denial::UnknownIdentity,
        Reason::IdentitiesUnavailable => Denial::IdentitiesUnavailable,
        Reason::WrongSecret => Denial::WrongSecret { identity: "x".to_owned().into() },
        Reason::CredentialExpired => Denial::CredentialExpired { expired_at: at, now: at },
        Reason::TokenTooLarge => Denial::TokenTooLarge,
        Reason::MalformedToken => Denial::MalformedToken("x"),
        Reason::Inactive => Denial::Inactive,
        Reason::IntrospectionUnavailable => Denial::IntrospectionUnavailable,
        Reason::UnknownIssuer => Denial::UnknownIssuer,
        Reason::AlgorithmNotAllowed => Denial::AlgorithmNotAllowed,
        Reason::WrongType => Denial::WrongType,
        Reason::WrongAudience => Denial::WrongAudience,
        Reason::Expired => Denial::Expired { expired_at: at, now: at },
        Reason::NotYetValid => Denial::NotYetValid { not_before: at, now: at },
        Reason::IssuedInFuture => Denial::IssuedInFuture { issued_at: at, now: at },
        Reason::LifetimeTooLong => Denial::LifetimeTooLong { limit },
        Reason::TooOld => Denial::TooOld { limit },
        Reason::MissingClaim => Denial::MissingClaim("x".into()),
        Reason::UnknownKey => Denial::UnknownKey,
        Reason::BadSignature => Denial::BadSignature,
        Reason::KeysUnavailable => Denial::KeysUnavailable,
        Reason::TooBusy => Denial::TooBusy,
        Reason::Revoked => Denial::Revoked("jti"),
        Reason::RevocationUnavailable => Denial::RevocationUnavailable,
        Reason::NotBound => Denial::NotBound,
        Reason::BoundToAnother => Denial::BoundToAnother("x"),
        Reason::ProofMissing => Denial::ProofMissing("x"),
        Reason::InvalidProof => Denial::InvalidProof("x"),
        Reason::UseNonce => Denial::UseNonce("x".into()),
        Reason::ProofReplayed => Denial::ProofReplayed,
        Reason::CertificateMismatch => Denial::CertificateMismatch("x"),
        Reason::StepUpNeeded => Denial::StepUpNeeded(Box::new(StepUp {
            claim: "acr",
            acr_values: Some(vec!["x".into()]),
            max_age: Some(limit),
        })),
        Reason::InsufficientScope => Denial::InsufficientScope { scope: scope(), missing: scope() },
        Reason::ClaimMismatch => Denial::ClaimMismatch("x".into()),
        Reason::Reused => Denial::Reused { step_up: None, revoked: None },
        Reason::Replayed => Denial::Replayed,
        Reason::ReplayUnavailable => Denial::ReplayUnavailable,
    }
}

#[test]
fn every_answer_is_the_one_in_the_table() {
    let rows = rows(&section(&document("envoy/ON-CALL.md"), "## Answers"));
    let mut told = BTreeMap::new();
    for row in &rows {
        assert_eq!(row.len(), 5, "case, reasons, status, challenge, gRPC status: {row:?}");
        for reason in row[1].split(' ').map(word) {
            assert!(told.insert(reason, row).is_none(), "{reason} has two rows");
        }
    }
    for &reason in Reason::ALL {
        let name = reason.name();
        let row = told.remove(name).unwrap_or_else(|| panic!("{name} has no row"));
        // What is told of a proof is told to a client that uses the scheme of proofs.
        let of_proof = matches!(reason, Reason::InvalidProof | Reason::UseNonce | Reason::ProofReplayed);
        let of_key =
            matches!(reason, Reason::MalformedCredential | Reason::UnknownIdentity | Reason::CredentialExpired);
        let of_password = reason == Reason::WrongSecret;
        let of_signature = matches!(
            reason,
            Reason::MalformedSignature
                | Reason::SignatureIncomplete
                | Reason::BodyUnsigned
                | Reason::Stale
                | Reason::DigestMismatch
        );
        let set = SetId(if of_signature { 2 } else { usize::from(of_password) });
        let (scheme, credential) = match (of_proof, of_key) {
            _ if of_signature => ("AWS4-HMAC-SHA256 ", CredentialKind::Aksk(set)),
            _ if of_password => ("Basic ", CredentialKind::Password(set)),
            (true, _) => ("DPoP ", CredentialKind::Dpop),
            (_, true) => ("ApiKey ", CredentialKind::ApiKey(set)),
            _ => ("Bearer ", CredentialKind::Bearer),
        };
        let trace = Trace {
            schemes: Schemes { bearer: !of_proof, dpop: of_proof },
            sources: (of_key || of_password || of_signature).then(|| [Source::Set(set)].into()),
            credential: Some(credential),
            ..Trace::default()
        };
        let sets = [
            "ApiKey realm=\"r\", header=\"x-api-key\"",
            "Basic realm=\"r\", charset=\"UTF-8\"",
            "AWS4-HMAC-SHA256 realm=\"r\"",
        ];
        let sets = sets.map(|beginning| vec![beginning.to_owned()]).into();
        let reply = challenge::render(&denial(reason), &trace, &Terms { sets, ..Terms::of_realm("r") }, false);
        assert_eq!(row[2], reply.status.to_string(), "{name}: status");
        assert_eq!(row[4], reply.grpc_status.to_string(), "{name}: gRPC status");
        let header =
            |wanted: &str| reply.headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str());
        assert_eq!(row[0].contains("Retry-After"), header("retry-after").is_some(), "{name}: Retry-After");
        let challenge = header("www-authenticate");
        assert_eq!(row[3] == "no challenge", challenge.is_none(), "{name}: {challenge:?}");
        let Some(challenge) = challenge else { continue };
        let parameter = |wanted: &str| {
            let parameters = challenge.strip_prefix(scheme).expect(scheme).split(", ");
            parameters.filter_map(|parameter| parameter.split_once('=')).find(|(name, _)| *name == wanted)
        };
        let error = parameter("error").map(|(_, value)| value.to_owned());
        let told_error = row[3].split("error=").nth(1).and_then(|rest| rest.split('`').next()).map(str::to_owned);
        assert_eq!(told_error, error, "{name}: {challenge}");
        assert_eq!(row[3].contains("`scope`"), parameter("scope").is_some(), "{name}: {challenge}");
    }
    assert!(told.is_empty(), "rows about what is no reason: {:?}", told.keys());
}

#[test]
fn the_limits_have_the_defaults_of_the_table() {
    let rows = rows(&section(&document("envoy/CONFIGURATION.md"), "## limits"));
    // All of them: a new limit has to be put in here.
    let token_bytes = DEFAULT_TOKEN_BYTES;
    let Limits {
        jwks_bytes,
        jwks_keys,
        waiting_requests,
        denial_logs_per_second,
        wasm_crypto_percent,
        reuse_pairs,
        signed_body_bytes,
        body_timeout_ms,
        open_streams,
        event_entries,
        events_per_second,
        open_streams_when_full,
    } = Limits::default();
    for (name, value) in [
        ("token_bytes", token_bytes.to_string()),
        ("jwks_bytes", jwks_bytes.to_string()),
        ("jwks_keys", jwks_keys.to_string()),
        ("waiting_requests", waiting_requests.to_string()),
        ("denial_logs_per_second", denial_logs_per_second.to_string()),
        ("wasm_crypto_percent", wasm_crypto_percent.to_string()),
        ("reuse_pairs", reuse_pairs.to_string()),
        ("signed_body_bytes", signed_body_bytes.to_string()),
        ("open_streams", open_streams.to_string()),
        ("event_entries", event_entries.to_string()),
        ("events_per_second", events_per_second.to_string()),
        ("open_streams_when_full", format!("`{}`", open_streams_when_full.name())),
        ("body_timeout", format!("`{}s`", body_timeout_ms / 1000)),
    ] {
        let row = rows.iter().find(|row| word(&row[0]) == name).unwrap_or_else(|| panic!("{name} has no row"));
        assert_eq!(row[2], value, "{name}");
    }
}

#[test]
fn the_versions_of_envoy_are_those_that_the_tests_run_on() {
    let makefile = document("Makefile");
    let line = makefile.lines().find_map(|line| line.strip_prefix("ENVOYS ?= ")).expect("the versions");
    let mut tested: Vec<&str> = line.split(' ').collect();
    tested.reverse();
    let rows = rows(&section(&document("tests/README.md"), "## Envoy versions"));
    assert_eq!(rows.iter().map(|row| row[1].as_str()).collect::<Vec<_>>(), tested);
    assert!(rows.iter().all(|row| row[1].starts_with(&format!("{}.", row[0]))), "{rows:?}");
}
