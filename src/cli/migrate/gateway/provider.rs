//! `jwt.providers` of a `SecurityPolicy`, as issuers.

use super::documents::Server;
use super::given::Given;
use crate::cli::migrate::findings::{Findings, Kind};
use crate::cli::migrate::kubernetes::address::Address;
use crate::cli::migrate::kubernetes::build::{object, text};
use crate::cli::migrate::kubernetes::issuer::{Forward, Issuer, audiences, tell_issuer, tell_secret_keys};
use crate::cli::migrate::kubernetes::keys::public_keys;
use crate::cli::migrate::kubernetes::resource::{Resource, unknown};
use crate::cli::migrate::kubernetes::token_places::{TokenPlace, TokenPlaces, is_header_name};
use crate::cli::migrate::kubernetes::unread::Unread;
use crate::cli::source::View;
use crate::config::Node;

/// The fields of a provider.
const FIELDS: [&str; 8] =
    ["name", "issuer", "audiences", "remoteJWKS", "localJWKS", "claimToHeaders", "recomputeRoute", "extractFrom"];

/// The issuers of a policy.
#[derive(Debug, Default)]
pub(super) struct Providers {
    /// Those that can be written.
    pub issuers: Vec<Issuer>,
    /// The servers of their keys.
    pub servers: Vec<Server>,
    /// What goes upstream.
    pub forward: Forward,
    /// Where tokens are that Scopegate does not read.
    pub unread: Unread,
}

impl Providers {
    /// Whether tokens of some are accepted.
    pub(super) fn has_usable(&self) -> bool {
        self.issuers.iter().any(|issuer| issuer.is_usable)
    }

    /// Adds a provider.
    pub(super) fn add(
        &mut self,
        policy: &Resource<'_>,
        provider: &View<'_>,
        given: &Given<'_>,
        findings: &mut Findings,
    ) {
        let (file, title) = (policy.file, policy.title());
        let denied = |findings: &mut Findings, view: &View<'_>, what: String| {
            findings.tell(Kind::Denied, file, view, format!("{title}: {what}"));
        };
        let extract = provider.get("extractFrom");
        let of = |name: &str| extract.as_ref().map(|extract| extract.list(name)).unwrap_or_default();
        let places =
            TokenPlaces { headers: of("headers"), prefix: "valuePrefix", cookies: of("cookies"), params: of("params") };
        let (name, issuer, jwks) = match self.known(policy, provider, given, findings) {
            Ok(known) => known,
            Err(what) => {
                denied(findings, provider, what);
                self.add_headers(policy, provider, None, findings);
                return places.pass_over_all(&mut self.unread, findings, file, provider);
            }
        };
        let mut is_usable = true;
        for view in unknown(provider, &FIELDS) {
            is_usable = false;
            denied(findings, &view, format!("a field that is not known here; tokens of {issuer} are refused"));
        }
        let audiences = audiences(findings, file, provider, &title, issuer);
        is_usable &= audiences.is_some();
        let audiences = audiences.unwrap_or_default();
        let place = places.choose(&mut self.unread, findings, file, provider);
        let is_read = place != TokenPlace::None;
        is_usable &= is_read;
        let token_header = if let TokenPlace::Header(header) = place { Some(header) } else { None };
        tell_issuer(findings, file, provider, (issuer, !audiences.is_empty()));
        self.add_headers(policy, provider, Some(name), findings);
        let (iss, name) = (issuer.to_owned(), name.to_owned());
        self.issuers.push(Issuer { iss, name, audiences, jwks, token_header, is_usable, is_read });
    }

    /// The name of a provider, its issuer and its keys; or why there are none.
    fn known<'s>(
        &mut self,
        policy: &Resource<'_>,
        provider: &View<'s>,
        given: &Given<'_>,
        findings: &mut Findings,
    ) -> Result<(&'s str, &'s str, Node), String> {
        let name = provider.name().filter(|name| !name.is_empty());
        let name = name.ok_or("a provider without a name: its tokens are refused")?;
        let issuer = provider.get("issuer").and_then(|view| view.text()).filter(|issuer| !issuer.is_empty());
        let issuer = issuer.ok_or_else(|| {
            format!("provider {name} accepts tokens of any issuer; its tokens are refused until you write `issuer`")
        })?;
        if self.issuers.iter().any(|other| other.iss == issuer || other.name == name) {
            return Err(format!("{issuer} has another provider before, and that alone is carried over"));
        }
        let jwks = self.jwks(policy, provider, given, findings);
        let jwks =
            jwks.ok_or_else(|| format!("the keys of {issuer} are not in these files; its tokens are refused"))?;
        Ok((name, issuer, jwks))
    }

    fn jwks(
        &mut self,
        policy: &Resource<'_>,
        provider: &View<'_>,
        given: &Given<'_>,
        findings: &mut Findings,
    ) -> Option<Node> {
        if let Some(local) = provider.get("localJWKS") {
            let inline = local.get("inline").and_then(|view| view.text().map(str::to_owned));
            let keys = inline.or_else(|| {
                let name = local.get("valueRef")?.name()?;
                given.config_map(policy.namespace, name, "jwks")
            })?;
            let (keys, has_others) = public_keys(&keys)?;
            if has_others {
                let issuer = provider.get("issuer").and_then(|view| view.text()).unwrap_or_default();
                tell_secret_keys(findings, policy.file, &local, issuer);
            }
            return Some(object([("inline", keys)]));
        }
        let remote = provider.get("remoteJWKS")?;
        let uri = remote.get("uri")?.text()?;
        let address = Address::of(uri)?;
        let server = Server::of(&address, &remote.list("backendRefs"), policy.namespace);
        if server.is_unsure {
            let what = format!(
                "{}: the keys came from a backend; the cluster that is written leads to {} itself",
                policy.title(),
                address.host
            );
            findings.tell(Kind::Changed, policy.file, &remote, what);
        }
        let mut members = vec![("uri", text(uri)), ("cluster", text(&server.name))];
        let refresh = remote.get("cacheDuration");
        if let Some(seconds) = refresh.as_ref().and_then(View::text).and_then(seconds) {
            members.push(("refresh", text(format!("{}s", seconds.clamp(1, 86_400)))));
        }
        if !self.servers.contains(&server) {
            self.servers.push(server);
        }
        Some(object(members))
    }

    fn add_headers(&mut self, policy: &Resource<'_>, provider: &View<'_>, name: Option<&str>, findings: &mut Findings) {
        let file = policy.file;
        for entry in provider.list("claimToHeaders") {
            let text = |name: &str| entry.get(name).and_then(|view| view.text());
            match text("header").zip(text("claim")) {
                Some((header, claim)) if is_header_name(header) && !claim.is_empty() => {
                    self.forward.add(header, claim.split('.').map(str::to_owned).collect(), name, (file, &entry));
                }
                _ => findings.tell(Kind::Changed, file, &entry, "it names no header and claim, and is left out"),
            }
        }
    }
}

/// A duration of Go, such as `5m` or `1h30m`, in whole seconds.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let (number, unit) = rest.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let end = unit.find(|character: char| character.is_ascii_digit()).unwrap_or(unit.len());
        let (unit, left) = unit.split_at(end);
        let seconds = match unit {
            "h" => number.checked_mul(3600)?,
            "m" => number.checked_mul(60)?,
            "s" => number,
            "ms" => number / 1000,
            _ => return None,
        };
        total = total.checked_add(seconds)?;
        rest = left;
    }
    (total > 0).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn durations_of_go_are_read_in_whole_seconds() {
        for (text, wanted) in [
            ("300s", Some(300)),
            ("1h30m", Some(5400)),
            ("1500ms", Some(1)),
            ("5", None),
            ("0s", None),
            ("", None),
            ("1.5h", None),
            ("-5s", None),
            ("99999999999999999999s", None),
            ("9999999999999999999h", None),
        ] {
            assert_eq!(seconds(text), wanted, "{text}");
        }
    }
}
