//! Settings of the shell and the command: how a gate fetches, remembers, answers and reports. The engine does not read
//! them.

use super::{AuditSettings, ReplayService, RevocationSettings, WhenFull};

/// What the shell and the command need of a configuration, beside the policy that judges.
#[derive(Debug)]
pub struct Settings {
    /// The `realm` of challenges.
    pub realm: String,
    /// Where signatures are checked.
    pub crypto: CryptoPlace,
    /// How many verified tokens are remembered.
    pub cache: CacheLimits,
    /// Which tokens are revoked, and which lists say so.
    pub revocation: RevocationSettings,
    /// How what is good once is remembered.
    pub replay: ReplaySettings,
    /// Whether the workers of a process share what they fetch.
    pub shared_keys: SharedKeys,
    /// Limits on what is fetched, kept and logged.
    pub limits: Limits,
    /// What an audit record says.
    pub audit: AuditSettings,
}

/// Where signatures are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CryptoPlace {
    /// By the host if it can, otherwise in the VM.
    #[default]
    Auto,
    /// As `Auto`, but a host that cannot check signatures is an error.
    Host,
    /// All in the VM.
    Wasm,
}

/// How much the verified-token cache of one worker may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// Tokens; 0 turns the cache off.
    pub entries: usize,
    /// Bytes of memory, approximately.
    pub bytes: usize,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { entries: 10_000, bytes: 8_388_608 }
    }
}

/// How what is good once is remembered.
#[derive(Debug)]
pub struct ReplaySettings {
    /// How many live entries of each kind there is room for.
    pub entries: usize,
    /// The service of the fleet, which is asked after this process.
    pub service: Option<ReplayService>,
}

impl Default for ReplaySettings {
    fn default() -> Self {
        Self { entries: 100_000, service: None }
    }
}

/// Whether the workers of a process share what they fetch, through memory that every plugin with the same `vm_id` can
/// write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SharedKeys {
    /// Where the plugin has a `vm_id`.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere: each worker fetches for itself.
    Never,
}

/// Bounds against hostile or broken input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest key set document, in bytes.
    pub jwks_bytes: usize,
    /// The most keys in a set.
    pub jwks_keys: usize,
    /// The most requests of one worker that may wait for keys.
    pub waiting_requests: usize,
    /// The most denials of one worker that are logged in a second.
    pub denial_logs_per_second: u32,
    /// The share of each second, in percent, that one worker may spend on checking signatures in the VM.
    pub wasm_crypto_percent: u32,
    /// How many pairs of a credential and a client that shows it there is room for.
    pub reuse_pairs: usize,
    /// The longest body that is read whole before the signature of its request is judged, in bytes.
    pub signed_body_bytes: u32,
    /// How long a request waits for the first byte of a body that has to be read before it is decided, in milliseconds.
    pub body_timeout_ms: u64,
    /// The most open streams of one worker that are watched until their credential is good no longer.
    pub open_streams: usize,
    /// How many entries there is room for that events have revoked.
    pub event_entries: usize,
    /// The most events that one worker takes in a second.
    pub events_per_second: u32,
    /// What becomes of a request beyond that.
    pub open_streams_when_full: WhenFull,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            jwks_bytes: 1_048_576,
            jwks_keys: 100,
            waiting_requests: 256,
            denial_logs_per_second: 10,
            wasm_crypto_percent: 50,
            reuse_pairs: 100_000,
            signed_body_bytes: 1 << 20,
            body_timeout_ms: 10_000,
            open_streams: 10_000,
            event_entries: 100_000,
            events_per_second: 20,
            open_streams_when_full: WhenFull::Refuse,
        }
    }
}
