//! What the gate makes of a signed request: the text that its signature has to be of.

use super::situation::Situation;
use crate::base::time::UnixSeconds;
use crate::cli::moment;
use crate::credential::{SentSecret, SentSignature, secret_of};
use crate::crypto::sha256;
use crate::decision::Decision;
use crate::policy::{CredentialSet, SetId, SignatureForm, Source};
use crate::request::RequestView;
use crate::signature::{Fault, Payload, SignedRequest, apinto, message, sigv4};
use serde_json::{Value, json};

/// Headers whose values are secrets by themselves. They are shown as `...`.
const SECRETS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "x-amz-security-token"];

/// A signature that a request presents, as far as it can be read.
pub(super) struct Signed {
    set: String,
    form: &'static str,
    max_age: i64,
    said: Result<Said, String>,
}

/// What it says.
struct Said {
    key_id: String,
    /// Whether the set has a key of this id; `None` if its identities are not here.
    known: Option<bool>,
    made_at: Option<UnixSeconds>,
    expires_at: Option<UnixSeconds>,
    /// Seconds since it was made; negative if that is ahead.
    age: Option<i64>,
    covers: Vec<String>,
    canonical: Option<String>,
    text: Result<String, String>,
}

impl Signed {
    /// The signature of the request, where the requirement that decides names a set of its form.
    pub(super) fn of(situation: &Situation, view: &RequestView<'_>, decision: &Decision) -> Option<Self> {
        let policy = &situation.policy;
        let sources = decision.trace().sources.as_ref()?;
        let found = sources.iter().find_map(|source| {
            let Source::Set(id) = source else { return None };
            let set = policy.credentials.get(id.0)?;
            match secret_of(view, set, &policy.credentials).ok()??.secret {
                SentSecret::Signature(signature) => Some((*id, set, signature)),
                SentSecret::ApiKey(_) | SentSecret::Password(_) | SentSecret::Certificate => None,
            }
        });
        let (id, set, signature) = found?;
        let terms = &set.signatures()?.terms;
        let said = read(&terms.form, signature, view).map_err(|fault| words(&fault));
        let form = match &terms.form {
            SignatureForm::Sigv4 { .. } => "sigv4",
            SignatureForm::Apinto => "apinto",
            SignatureForm::Message { .. } => "message",
        };
        let said = said.map(|signed| Said::of(&signed, (id, set), situation, view));
        Some(Self { set: set.name.to_string(), form, max_age: i64::from(terms.max_age.0), said })
    }

    /// Rows of the text.
    pub(super) fn rows(&self) -> Vec<(&'static str, String)> {
        let what = format!("{} of {}", self.form, self.set);
        let said = match &self.said {
            Ok(said) => said,
            Err(why) => return vec![("signature", format!("{what}, which cannot be read: {why}"))],
        };
        let known = match said.known {
            Some(true) => "a key of the set",
            Some(false) => "no key of the set",
            None => "the keys of the set are not here",
        };
        let mut rows = vec![("signature", format!("{what}, key id {}: {known}", said.key_id))];
        rows.extend(
            said.made_at.map(|made_at| ("", format!("made at {}{}", moment::written(made_at), self.age(said)))),
        );
        rows.extend(said.expires_at.map(|end| ("", format!("expires at {}", moment::written(end)))));
        rows.push(("", format!("signs {}", said.covers.join(" "))));
        let mut block = |name: &'static str, text: &str| {
            rows.extend(
                text.split('\n').enumerate().map(|(at, line)| (if at == 0 { name } else { "" }, line.to_owned())),
            );
        };
        if let Some(canonical) = &said.canonical {
            block("canonical", canonical);
        }
        match &said.text {
            Ok(text) => block("to sign", text),
            Err(why) => block("to sign", &format!("unknown: {why}")),
        }
        rows
    }

    fn age(&self, said: &Said) -> String {
        let span = |seconds: i64| moment::span(seconds.unsigned_abs());
        let limit = span(self.max_age);
        match said.age {
            None => String::new(),
            Some(age) if age < 0 => format!(", {} ahead", span(age)),
            Some(age) => format!(", {} ago (max_age is {limit})", span(age)),
        }
    }

    /// As JSON.
    pub(super) fn to_json(&self) -> Value {
        match &self.said {
            Err(why) => json!({ "set": self.set, "form": self.form, "unreadable": why }),
            Ok(said) => json!({
                "set": self.set,
                "form": self.form,
                "key_id": said.key_id,
                "key_is_known": said.known,
                "made_at": said.made_at.map(moment::written),
                "age_seconds": said.age,
                "expires_at": said.expires_at.map(moment::written),
                "covers": said.covers,
                "canonical_request": said.canonical,
                "string_to_sign": said.text.as_ref().ok(),
                "unknown": said.text.as_ref().err(),
            }),
        }
    }
}

impl Said {
    fn of(
        signed: &SignedRequest<'_>,
        (id, set): (SetId, &CredentialSet),
        situation: &Situation,
        view: &RequestView<'_>,
    ) -> Self {
        let here = if set.remote.is_some() { situation.identities.fetched.get(id) } else { Some(set) };
        let body = match &situation.body {
            Some(body) => Some(body.as_slice()),
            None if view.ends_with_headers => Some(&b""[..]),
            None => None,
        };
        let digest = body.map(sha256);
        let (canonical, text) = if signed.payload() == Payload::Body && digest.is_none() {
            (None, Err("it has the digest of the body: give that with --body".to_owned()))
        } else {
            let hidden = |bytes: Vec<u8>| without_secrets(&String::from_utf8_lossy(&bytes));
            let canonical = signed.canonical_request(view, digest.as_ref()).ok().flatten();
            let text = signed.string_to_sign(view, digest.as_ref());
            (canonical.map(hidden), text.map(hidden).map_err(|fault| words(&fault)))
        };
        Self {
            key_id: signed.key_id.to_owned(),
            known: here.and_then(CredentialSet::signatures).map(|keys| !keys.find(signed.key_id).is_empty()),
            made_at: signed.made_at,
            expires_at: signed.expires_at,
            age: signed.made_at.map(|made_at| situation.now.0.saturating_sub(made_at.0)),
            covers: signed.covered().map(str::to_owned).collect(),
            canonical,
            text,
        }
    }
}

fn read<'r>(form: &SignatureForm, sent: SentSignature<'r>, view: &RequestView<'r>) -> Result<SignedRequest<'r>, Fault> {
    match (form, sent) {
        (SignatureForm::Sigv4 { .. }, SentSignature::Line { value, .. }) => sigv4::read(value, view),
        (SignatureForm::Apinto, SentSignature::Line { scheme, value }) => apinto::read(scheme.as_bytes(), value, view),
        (SignatureForm::Message { tag, .. }, SentSignature::Headers) => {
            message::read(view, tag.as_deref())?.ok_or(Fault::Malformed("none has the tag of the set"))
        }
        _ => Err(Fault::Malformed("it is of another form")),
    }
}

fn words(fault: &Fault) -> String {
    match fault {
        Fault::Malformed(why) | Fault::BodyUnsigned(why) => (*why).to_owned(),
        Fault::Incomplete(name) => format!("{name} is not signed"),
    }
}

/// The lines without the values that are secrets.
fn without_secrets(text: &str) -> String {
    let hidden = |line: &str| {
        let name = line.strip_prefix('"').and_then(|line| line.split_once("\": ")).map(|(name, _)| name);
        let name = name.or_else(|| line.split_once(':').map(|(name, _)| name));
        let is_quoted = line.starts_with('"');
        name.filter(|name| SECRETS.contains(name)).map_or_else(
            || line.to_owned(),
            |name| if is_quoted { format!("\"{name}\": ...") } else { format!("{name}:...") },
        )
    };
    text.split('\n').map(hidden).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn values_that_are_secrets_are_not_shown() {
        let text = "GET\n/cookie:a\ncookie:session=1\nhost:a\nx-amz-security-token:abc\n\"authorization\": Bearer x\n\"@path\": /";
        let shown =
            "GET\n/cookie:a\ncookie:...\nhost:a\nx-amz-security-token:...\n\"authorization\": ...\n\"@path\": /";
        assert_eq!(without_secrets(text), shown);
    }
}
