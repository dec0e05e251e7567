//! Signatures checked by the host's `BoringSSL` where it offers that, else in the VM.

use super::host::{Histogram, Host};
use crate::crypto::{Algorithm, HostForm, HostVerdict, Probe, Verification, VerificationKey, Verifier};
use std::cell::Cell;

/// The foreign function (Envoy 1.31 and later).
const FUNCTION: &str = "verify_signature";

const NANOS_PER_MICRO: u64 = 1000;

/// Given the host; what the host cannot check goes to `fallback`.
pub struct HostVerifier<'h, H, V> {
    /// The host.
    pub host: &'h H,
    /// Whether the host is asked at all.
    pub host_checks: bool,
    /// Counts the signatures that the host could not check, though it should.
    pub host_failures: &'h Cell<u32>,
    /// Whether the host checked the last signature.
    pub asked: Cell<bool>,
    /// The histogram of how long it takes, in microseconds.
    pub times: Option<Histogram>,
    /// The verifier for the rest.
    pub fallback: V,
}

impl<H: Host, V: Verifier> Verifier for HostVerifier<'_, H, V> {
    fn verify(&self, key: &VerificationKey, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Verification {
        let began = self.host.now_ns();
        let verification = self.check(key, algorithm, message, signature);
        if let (Some(times), Verification::Valid | Verification::Invalid) = (self.times, verification) {
            self.host.record(times, self.host.now_ns().saturating_sub(began) / NANOS_PER_MICRO);
        }
        verification
    }

    fn asked_host(&self) -> bool {
        self.asked.get()
    }
}

impl<H: Host, V: Verifier> HostVerifier<'_, H, V> {
    fn check(&self, key: &VerificationKey, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Verification {
        let form = HostForm::of(algorithm).filter(|_| self.host_checks);
        self.asked.set(form.is_some());
        match form {
            None => self.fallback.verify(key, algorithm, message, signature),
            Some(form) => match ask(self.host, form, key, message, signature) {
                HostVerdict::Valid => Verification::Valid,
                HostVerdict::Invalid => Verification::Invalid,
                HostVerdict::Unknown => {
                    self.asked.set(false);
                    self.host_failures.set(self.host_failures.get().saturating_add(1));
                    self.fallback.verify(key, algorithm, message, signature)
                }
            },
        }
    }
}

/// Given the host about a signature. One that cannot belong to this key is invalid without a host call.
fn ask(host: &impl Host, form: HostForm, key: &VerificationKey, message: &[u8], signature: &[u8]) -> HostVerdict {
    let Some(arguments) = form.arguments(key, message, signature) else { return HostVerdict::Invalid };
    host.call_foreign_function(FUNCTION, &arguments)
        .map_or(HostVerdict::Unknown, |result| HostVerdict::from_result(&result))
}

/// Whether the host checks signatures: it accepts a good one, and refuses it over another message.
#[must_use]
pub fn probe(host: &impl Host) -> bool {
    let (Some(probe), Some(form)) = (Probe::es256(), HostForm::of(Algorithm::Es256)) else { return false };
    let says = |message: &[u8]| ask(host, form, &probe.key, message, &probe.signature);
    says(probe.message) == HostVerdict::Valid && says(b"another message") == HostVerdict::Invalid
}
