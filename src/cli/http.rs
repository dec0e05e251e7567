//! How the command asks over HTTP.

use rustls::crypto::ring;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// A client that trusts the CA certificates of this machine, and follows no redirect.
///
/// # Errors
/// When they cannot be read.
pub(in crate::cli) fn agent(timeout: Duration) -> Result<Agent, Box<dyn Error>> {
    let found = rustls_native_certs::load_native_certs();
    let roots: Vec<Certificate<'static>> =
        found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    if let (true, Some(error)) = (roots.is_empty(), found.errors.first()) {
        return Err(format!("the CA certificates of this machine cannot be read: {error}").into());
    }
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent(concat!("scopegate/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build();
    Ok(Agent::new_with_config(config))
}

/// Refuses an address that is not plain; the error does not quote what may be a password.
///
/// # Errors
/// When it is of another scheme, names no host or a user, or has to be escaped.
pub(in crate::cli) fn check_address(uri: &str) -> Result<(), String> {
    let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"));
    let authority = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    match authority {
        None => Err("only http:// and https:// addresses can be asked".to_owned()),
        Some(authority) if authority.contains('@') => {
            Err("the address holds a user name or a password, which nothing would send".to_owned())
        }
        Some("") => Err(format!("{uri}: names no host")),
        Some(_) if !uri.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err("the address holds characters that have to be escaped".to_owned())
        }
        Some(_) => Ok(()),
    }
}
