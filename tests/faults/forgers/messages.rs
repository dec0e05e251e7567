//! What is hostile of HTTP message signatures (RFC 9421).

use super::{BODY, Signed, fresh, get, key, post, public, signed_by};
use crate::support::issuer::now;
use crate::support::signer::{Signer, Unsigned, content_digest, message_base};
use crate::traffic::Hostile;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scopegate::crypto::hmac;

const INPUT: &str = "signature-input";
const SIGNATURE: &str = "signature";

/// A message with these parameters, signed by this.
fn made(parameters: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> Signed {
    let request = get("message");
    let (components, base) = message_base(&request, parameters);
    let lines = [
        (INPUT, format!("sig={components}")),
        (SIGNATURE, format!("sig=:{}:", STANDARD.encode(sign(base.as_bytes())))),
    ];
    Signed::of(&request, lines.map(|(name, value)| (name.to_owned(), value)).into())
}

/// A good message that is signed by a key that is public.
pub fn by_public_key() -> Signed {
    use ed25519_dalek::Signer as _;
    made(&format!("{};keyid=\"public\"", fresh(now())), |base| public().sign(base).to_vec())
}

/// One of each kind.
pub fn each_kind() -> Vec<Hostile> {
    use ed25519_dalek::Signer as _;
    let (key_id, secret) = key("message", "batch");
    let signer = Signer { key_id: &key_id, secret: &secret };
    // A good message but for these parameters.
    let with = |parameters: &str| Signed::of(&get("message"), signer.message(&get("message"), parameters));
    let of = |request: &Unsigned<'_>| signed_by("message", "batch", request);
    let (one, another) = (of(&get("message")), of(&get("message")));
    let good = || one.clone();
    let posted = || of(&post("message", true));
    let digested =
        |digest: String| of(&Unsigned { headers: vec![("content-digest", digest)], ..post("message", true) });
    let edited = |from: &str, to: &str| good().replace(INPUT, from, to);
    let (input, signature) = (good().value(INPUT), good().value(SIGNATURE));
    let by_key = |parameters: &str| format!("{};keyid=\"public\"{parameters}", fresh(now()));
    let other = ed25519_dalek::SigningKey::from_bytes(&[8; 32]);
    let (digest, wrong) = (content_digest(BODY), content_digest(b"another"));
    let at = now();
    [
        ("message: without created", with(";nonce=\"1\"")),
        ("message: without a nonce", with(&format!(";created={at}"))),
        ("message: with an empty nonce", with(&format!(";created={at};nonce=\"\""))),
        ("message: expired", with(&format!("{};expires={}", fresh(at), at - 1))),
        ("message: of another algorithm", with(&format!("{};alg=\"ed25519\"", fresh(at)))),
        ("message: of no algorithm", with(&format!("{};alg=\"none\"", fresh(at)))),
        ("message: with what is unknown", with(&format!("{};extra=1", fresh(at))).replace(INPUT, "extra=1", "extra=2")),
        ("message: made at another time", edited(";created=", ";created=1")),
        ("message: with another nonce", edited("nonce=\"", "nonce=\"0")),
        ("message: with a tag that is not signed", edited(";created", ";tag=\"x\";created")),
        ("message: whose components are in another order", edited("\"@path\" \"@query\"", "\"@query\" \"@path\"")),
        ("message: with a component twice", edited("\"@path\"", "\"@path\" \"@path\"")),
        ("message: without its method", edited("\"@method\" ", "")),
        ("message: without its authority", edited("\"@authority\" ", "")),
        ("message: without its path", edited("\"@path\" ", "")),
        ("message: without its query", edited(" \"@query\"", "")),
        ("message: without components", edited("\"@method\" \"@authority\" \"@path\" \"@query\"", "")),
        ("message: with a component that is not there", edited("\"@query\"", "\"@query\" \"x-absent\"")),
        ("message: with a component of an answer", edited("\"@query\"", "\"@query\" \"@status\"")),
        ("message: with a part of the query", edited("\"@query\"", "\"@query\" \"@query-param\";name=\"a\"")),
        ("message: with a component in upper case", edited("\"@path\"", "\"@PATH\"")),
        ("message: with the parameter sf", edited("\"@path\"", "\"@path\";sf")),
        ("message: with the parameter bs", edited("\"@path\"", "\"@path\";bs")),
        ("message: with the parameter key", edited("\"@path\"", "\"@path\";key=\"a\"")),
        ("message: with the parameter tr", edited("\"@path\"", "\"@path\";tr")),
        ("message: with the parameter req", edited("\"@path\"", "\"@path\";req")),
        ("message: of another label", good().replace(SIGNATURE, "sig=", "sig1=")),
        ("message: with a member twice", good().change(SIGNATURE, |_| format!("{signature}, {signature}"))),
        (
            "message: with a member twice, the first spoilt",
            good().change(SIGNATURE, |value| format!("sig=:AAAA:, {value}")),
        ),
        ("message: with its input twice", good().change(INPUT, |value| format!("{value}, {value}"))),
        ("message: with its input in two lines", good().with(INPUT, &input)),
        (
            "message: with two signatures",
            good()
                .change(INPUT, |value| format!("{value}, {}", value.replacen("sig=", "via=", 1)))
                .change(SIGNATURE, |value| format!("{value}, {}", value.replacen("sig=", "via=", 1))),
        ),
        ("message: without its input", good().without(INPUT)),
        ("message: with the input of another", good().change(INPUT, |_| another.value(INPUT))),
        ("message: whose signature is no bytes", good().change(SIGNATURE, |value| value.replace(':', "\""))),
        (
            "message: whose signature is cut",
            good().change(SIGNATURE, |value| format!("{}==:", &value[..value.len() - 5])),
        ),
        ("message: whose signature has no bytes", good().change(SIGNATURE, |_| "sig=::".to_owned())),
        (
            "message: with a digest that is not signed",
            of(&Unsigned { headers: Vec::new(), ..post("message", true) }).with("content-digest", &digest),
        ),
        ("message: with a body and no digest", of(&Unsigned { headers: Vec::new(), ..post("message", true) })),
        ("message: with another digest", posted().change("content-digest", |_| wrong.clone()).body(b"another")),
        ("message: with the digest of another body", digested(wrong.clone())),
        ("message: with a digest that nobody knows", digested("md5=:AAAAAAAAAAAAAAAAAAAAAA==:".to_owned())),
        (
            "message: with two digests, of which one is wrong",
            digested(format!("{digest}, sha-512=:{}:", STANDARD.encode([0; 64]))),
        ),
        ("message: with its digest twice", posted().with("content-digest", &digest)),
        ("message: by another public key", made(&by_key(""), |base| other.sign(base).to_vec())),
        (
            "message: by the public key as a secret",
            made(&by_key(""), |base| hmac(public().verifying_key().as_bytes(), base).to_vec()),
        ),
        (
            "message: by the public key as a secret that is named",
            made(&by_key(";alg=\"hmac-sha256\""), |base| hmac(public().verifying_key().as_bytes(), base).to_vec()),
        ),
        (
            "message: by a public key whose algorithm is another",
            made(&by_key(";alg=\"ecdsa-p256-sha256\""), |base| public().sign(base).to_vec()),
        ),
    ]
    .into_iter()
    .map(|(what, signed)| signed.hostile(what))
    .collect()
}
