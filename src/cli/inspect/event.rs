//! A token of events: it is no access token, and is judged otherwise.

use crate::base::text::shown;
use crate::cli::explain::situation::{Situation, Wanted};
use crate::cli::explain::{Request, event};
use crate::jose::{Compact, type_name};
use crate::security_event::EventForm;
use std::error::Error;
use std::path::PathBuf;

/// The type of logout tokens (Back-Channel Logout 1.0 section 2.4).
const LOGOUT_TYPE: &str = "logout+jwt";
/// The event of a logout token, which may come without a type.
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A token of events.
pub(super) struct TokenOfEvents {
    form: EventForm,
    names: Vec<String>,
}

impl TokenOfEvents {
    /// What a token is that has `events`.
    pub(super) fn of(compact: &Compact<'_>) -> Option<Self> {
        let events = compact.claims.value("events")?.members()?;
        let names: Vec<String> = events.iter().map(|(name, _)| shown(name.as_bytes())).collect();
        let has_type = compact.header.typ.as_deref().map(type_name).is_some_and(|typ| typ == LOGOUT_TYPE);
        let is_logout = has_type || names.iter().any(|name| name == LOGOUT);
        Some(Self { form: if is_logout { EventForm::Logout } else { EventForm::Set }, names })
    }

    /// The claims without which no gate takes it.
    pub(super) const fn needs(&self) -> &'static [&'static str] {
        match self.form {
            EventForm::Logout => &["iss", "iat", "jti", "exp"],
            EventForm::Set => &["iss", "iat", "jti"],
        }
    }

    /// What it is, in words.
    pub(super) fn words(&self) -> String {
        let what = match self.form {
            EventForm::Logout => "a logout token (OpenID Connect Back-Channel Logout 1.0)",
            EventForm::Set => "a Security Event Token (RFC 8417)",
        };
        let names = if self.names.is_empty() { "none".to_owned() } else { self.names.join(", ") };
        format!("{what}, which is never an access token; its events: {names}")
    }

    /// What a gate makes of it, whether it takes it, and notes for the reader.
    ///
    /// # Errors
    /// When a file cannot be read, or an option is not what it should be.
    pub(super) fn verdict(
        &self,
        files: &[PathBuf],
        wanted: &Wanted<'_>,
        token: &str,
    ) -> Result<(String, bool, Vec<String>), Box<dyn Error>> {
        let situation = Situation::read(files, wanted, &Request::read("POST /", &[], None, None)?)?;
        let (verdict, is_taken) = event::judge(&situation, token, self.form);
        Ok((verdict, is_taken, situation.notes))
    }
}
