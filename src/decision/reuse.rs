//! A credential that more clients show than should.

use crate::base::time::Seconds;
use crate::policy::ReuseAction;

/// That a client, beyond the number that is expected, shows a credential for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReuseEvent {
    /// How many clients have shown it within the window, this one included; not more than are told apart.
    pub clients: u8,
    /// How long a client counts.
    pub window: Seconds,
    /// What is done about it.
    pub action: ReuseAction,
}
