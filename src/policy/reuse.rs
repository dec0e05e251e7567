//! How it is told that one credential is shown by more clients than it should be.

use crate::base::network::{Block, network_of};
use crate::base::time::Seconds;
use std::net::IpAddr;

/// The most clients of one credential that are told apart.
pub const MAX_CLIENTS: u8 = 32;

/// The name of a way of counting: clients that are counted in one are not counted in another.
pub type Space = [u8; 10];

/// Which clients are counted, and what is done about too many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reuse {
    /// How long a client counts after it has shown the credential.
    pub window: Seconds,
    /// How many clients may show one credential; below [`MAX_CLIENTS`].
    pub max_clients: u8,
    /// What tells one client from another.
    pub client: ClientForm,
    /// What is done about too many.
    pub action: ReuseAction,
    /// The addresses of clients that are neither counted nor refused.
    pub exempt: Vec<Block>,
}

/// What tells one client from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientForm {
    /// How many bits of an IPv4 address count.
    pub ipv4_prefix: u8,
    /// How many bits of an IPv6 address count.
    pub ipv6_prefix: u8,
    /// Whether `User-Agent` counts.
    pub user_agent: bool,
    /// Whether the version of TLS and the client's certificate count, where the connection is the client's own.
    pub tls: bool,
}

impl Default for ClientForm {
    fn default() -> Self {
        Self { ipv4_prefix: 24, ipv6_prefix: 56, user_agent: true, tls: true }
    }
}

/// What is done about a credential that too many clients show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReuseAction {
    /// It is reported.
    #[default]
    Report,
    /// Clients beyond the limit are asked for another token.
    Challenge,
    /// No client passes with it.
    Deny,
    /// No client passes with it, for the rest of its life.
    Revoke,
}

impl ReuseAction {
    /// Its name in the configuration and in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Challenge => "challenge",
            Self::Deny => "deny",
            Self::Revoke => "revoke",
        }
    }

    /// Whether all clients are refused.
    #[must_use]
    pub const fn refuses_all(self) -> bool {
        matches!(self, Self::Deny | Self::Revoke)
    }
}

impl Default for Reuse {
    fn default() -> Self {
        Self {
            window: Seconds(600),
            max_clients: 3,
            client: ClientForm::default(),
            action: ReuseAction::default(),
            exempt: Vec::new(),
        }
    }
}

impl Reuse {
    /// What has to be the same for two requirements to count together: all but the addresses that are exempt.
    #[must_use]
    pub fn space(&self) -> Space {
        let ClientForm { ipv4_prefix, ipv6_prefix, user_agent, tls } = self.client;
        let [a, b, c, d] = self.window.0.to_le_bytes();
        let action = match self.action {
            ReuseAction::Report => 0,
            ReuseAction::Challenge => 1,
            ReuseAction::Deny => 2,
            ReuseAction::Revoke => 3,
        };
        [a, b, c, d, ipv4_prefix, ipv6_prefix, user_agent.into(), tls.into(), self.max_clients, action]
    }

    /// Whether a credential that too many clients show is revoked.
    #[must_use]
    pub fn revokes(&self) -> bool {
        self.action == ReuseAction::Revoke
    }

    /// Whether clients of this address are left alone.
    #[must_use]
    pub fn exempts(&self, address: IpAddr) -> bool {
        self.exempt.iter().any(|block| block.contains(address))
    }
}

impl ClientForm {
    /// What of an address counts.
    #[must_use]
    pub fn network(&self, address: IpAddr) -> IpAddr {
        network_of(address, if address.is_ipv4() { self.ipv4_prefix } else { self.ipv6_prefix })
    }
}
