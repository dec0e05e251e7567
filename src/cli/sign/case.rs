//! Signs the request of a test case under a key of its policy.

use super::draft::{Draft, Lines};
use super::{Form, SignArguments, Signer, signed};
use crate::base::time::UnixSeconds;
use crate::policy::{CredentialSet, Policy, SignatureForm, SignatureTerms, SigningMaterial};

/// A request that a case describes.
pub(in crate::cli) struct CaseToSign<'c> {
    /// How it names its key.
    pub key_id: &'c str,
    /// The method.
    pub method: &'c str,
    /// The host.
    pub host: &'c str,
    /// The path with its query, as it is sent.
    pub target: &'c str,
    /// The headers, but for the host.
    pub headers: &'c [(String, String)],
    /// The body.
    pub body: &'c [u8],
}

/// The headers that sign the request as its set asks.
///
/// # Errors
/// When the policy has no secret of this key, or the request cannot be signed.
pub(in crate::cli) fn sign_case(policy: &Policy, case: &CaseToSign<'_>, now: UnixSeconds) -> Result<Lines, String> {
    let key_id = case.key_id;
    let mut sets = policy.credentials.iter().filter_map(CredentialSet::signatures);
    let found = sets.find_map(|keys| Some((&keys.terms, keys.find(key_id).first()?)));
    let (terms, (_, key)) = found.ok_or_else(|| format!("no set of signatures has the key {key_id}"))?;
    let SigningMaterial::Shared(secret) = &key.material else {
        return Err(format!(
            "the key {key_id} is public: make the signature with `scopegate sign`, and give its headers"
        ));
    };
    let signer = Signer::Secret(String::from_utf8_lossy(secret.secret()).into_owned());
    let arguments = arguments(case, terms);
    let draft = Draft::new(&arguments, key_id, case.body.to_vec(), now)?;
    if draft.target.path != case.target {
        return Err(format!("write the path as it is sent: {}", draft.target.path));
    }
    let (_, _, signature) = signed(&draft, &signer).map_err(|error| error.to_string())?;
    let carriers = draft.carrying(&signature);
    Ok(draft.added.into_iter().chain(carriers).collect())
}

/// The options that sign what the set asks to be signed.
fn arguments(case: &CaseToSign<'_>, terms: &SignatureTerms) -> SignArguments {
    let first = |words: &[String]| words.first().cloned();
    let (form, region, service, tag) = match &terms.form {
        SignatureForm::Sigv4 { regions, services } => (Form::Sigv4, first(regions), first(services), None),
        SignatureForm::Apinto => (Form::Apinto, None, None, None),
        SignatureForm::Message { tag, .. } => (Form::Message, None, None, tag.clone()),
    };
    SignArguments {
        form,
        key_id: None,
        secret_env: None,
        key: None,
        region,
        service,
        header: case.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect(),
        body: None,
        sign_header: Vec::new(),
        component: terms.covered.iter().filter(|name| name.starts_with('@')).cloned().collect(),
        tag,
        nonce: None,
        no_nonce: false,
        expires_in: None,
        content_sha256: terms.covered.iter().any(|name| name == "x-amz-content-sha256"),
        at: None,
        curl: false,
        explain: false,
        method: case.method.to_owned(),
        url: format!("https://{}{}", case.host, case.target),
    }
}
