//! Signatures checked by the host's `BoringSSL` where it offers that, else in the VM.

use super::host::Host;
use crate::crypto::{Algorithm, HostForm, HostVerdict, Probe, Verification, VerificationKey, Verifier};
use std::cell::Cell;

/// The foreign function (Envoy 1.31 and later).
const FUNCTION: &str = "verify_signature";

/// Asks the host; what the host cannot check goes to `fallback`.
pub struct HostVerifier<'h, H, V> {
    /// The host.
    pub host: &'h H,
    /// Whether the host is asked at all.
    pub host_checks: bool,
    /// Counts what the host should have checked and could not.
    pub host_failures: &'h Cell<u32>,
    /// Who checks the rest.
    pub fallback: V,
}

impl<H: Host, V: Verifier> Verifier for HostVerifier<'_, H, V> {
    fn verify(&self, key: &VerificationKey, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Verification {
        match HostForm::of(algorithm).filter(|_| self.host_checks) {
            None => self.fallback.verify(key, algorithm, message, signature),
            Some(form) => match ask(self.host, form, key, message, signature) {
                HostVerdict::Valid => Verification::Valid,
                HostVerdict::Invalid => Verification::Invalid,
                HostVerdict::Unknown => {
                    self.host_failures.set(self.host_failures.get().saturating_add(1));
                    self.fallback.verify(key, algorithm, message, signature)
                }
            },
        }
    }
}

/// What the host says of a signature. One that cannot be of this key is invalid, and nobody is asked.
fn ask(host: &impl Host, form: HostForm, key: &VerificationKey, message: &[u8], signature: &[u8]) -> HostVerdict {
    let Some(arguments) = form.arguments(key, message, signature) else { return HostVerdict::Invalid };
    host.call_foreign_function(FUNCTION, &arguments)
        .map_or(HostVerdict::Unknown, |result| HostVerdict::from_result(&result))
}

/// Whether the host checks signatures: it takes a good one, and refuses the same over another message.
#[must_use]
pub fn probe(host: &impl Host) -> bool {
    let (Some(probe), Some(form)) = (Probe::es256(), HostForm::of(Algorithm::Es256)) else { return false };
    let says = |message: &[u8]| ask(host, form, &probe.key, message, &probe.signature);
    says(probe.message) == HostVerdict::Valid && says(b"another message") == HostVerdict::Invalid
}
