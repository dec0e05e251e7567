//! Hashes of passwords: those that are guessed fast, those that take long, and those that tell users apart.

use super::super::Findings;
use crate::cli::gates::Gate;
use crate::cli::source::View;
use crate::crypto::Effort;
use crate::policy::{CredentialSet, Passwords, Policy, SetKind};

/// The cost of bcrypt that withstands guesses for a while, and lets a worker hash 2.4 passwords a second.
const GOOD_COST: u32 = 10;
/// The rounds of PBKDF2 that withstand them as long, with SHA-256 and with SHA-512.
const GOOD_ROUNDS: (u32, u32) = (600_000, 210_000);

/// Checks the sets of passwords.
pub(super) fn check(gate: &Gate<'_>, values: &View<'_>, policy: &Policy, findings: &mut Findings) {
    let views = values.list("credentials");
    for (index, set) in policy.credentials.iter().enumerate() {
        if let SetKind::Passwords(passwords) = &set.kind {
            check_set(gate, views.get(index).unwrap_or(values), set, passwords, findings);
        }
    }
}

fn check_set(gate: &Gate<'_>, view: &View<'_>, set: &CredentialSet, passwords: &Passwords, findings: &mut Findings) {
    let all = || {
        let of_user = set.identities.iter().zip(passwords.of_identities());
        of_user.flat_map(|(identity, secrets)| {
            secrets.hashes.iter().map(move |hash| (identity.id.as_str(), hash.effort()))
        })
    };
    let mut warn =
        |finding: &'static str, is_one: fn(Effort) -> bool, what: &dyn Fn(Effort) -> String, remedy: &str| {
            let mut found = all().filter(|(_, effort)| is_one(*effort));
            let Some((user, effort)) = found.next() else { return };
            let more = match found.count() {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            findings.warn(finding, gate.file, view, format!("the hash of {user}{more} {}", what(effort)), remedy);
        };
    warn(
        "password-hash-is-fast",
        |effort| effort == Effort::Nothing,
        &|_| {
            "is SHA-256, or that of an environment variable: a password that a person chose is guessed at once"
                .to_owned()
        },
        "hash it with bcrypt, or have it made at random: `scopegate credentials new`",
    );
    warn(
        "password-hash-is-cheap",
        |effort| match effort {
            Effort::Nothing => false,
            Effort::Bcrypt(cost) => cost < GOOD_COST,
            Effort::Pbkdf2Sha256(rounds) => rounds < GOOD_ROUNDS.0,
            Effort::Pbkdf2Sha512(rounds) => rounds < GOOD_ROUNDS.1,
        },
        &|effort| match effort {
            Effort::Bcrypt(cost) => format!("is bcrypt of cost {cost}: who reads it guesses fast"),
            Effort::Nothing | Effort::Pbkdf2Sha256(_) | Effort::Pbkdf2Sha512(_) => {
                "is PBKDF2 of few rounds: who reads it guesses fast".to_owned()
            }
        },
        "make it with `htpasswd -B -C 10`",
    );
    warn(
        "password-hash-is-dear",
        |effort| matches!(effort, Effort::Bcrypt(cost) if cost > GOOD_COST),
        &|effort| {
            let (cost, rate) = if effort == Effort::Bcrypt(11) { (11, "1.1") } else { (12, "0.55") };
            format!("is bcrypt of cost {cost}: a worker checks about {rate} new passwords a second")
        },
        "make it with `htpasswd -B -C 10`, if that is too few",
    );
    let micros = || passwords.of_identities().iter().map(|secrets| secrets.micros());
    if micros().min() != micros().max() {
        findings.warn(
            "password-hashes-differ",
            gate.file,
            view,
            format!(
                "the hashes of {} do not all take as long: the time of a refusal tells which users exist",
                set.name
            ),
            "hash all passwords in the same way, as often for each user",
        );
    }
}
