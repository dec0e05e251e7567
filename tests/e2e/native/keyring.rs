//! The keys of the issuers, and those of impostors.

use super::World;
use crate::support::issuer::{ISSUER, Issuer, Token, sign_texts};

use crate::support::server::{Answer, Server};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use jwt_simple::algorithms::ES256KeyPair;
use jwt_simple::reexports::ct_codecs::{Base64, Encoder as _};
use ring::hmac;
use scopegate::base::base64url;
use scopegate::cli::signing::SigningKey;
use scopegate::crypto::{Algorithm, KeyFamily, Material, VerificationKey};
use serde_json::{Map, Value, json};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use superboring::bn::BigNum;
use superboring::rsa::Rsa;

/// Another issuer, whose key has the `kid` of ours.
pub(super) const SECOND: &str = "https://second.example.com/";
/// Where the issuers have their status lists.
pub(super) const LISTS: &str = "http://status.example.com/lists/";
/// The algorithms of the keys that the first issuer has besides; their names are their `kid`.
const OTHERS: [Algorithm; 4] = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es384, Algorithm::EdDsa];

/// Who signs a good token.
#[derive(Clone, Copy)]
pub(super) struct Base<'k> {
    pub(super) issuer: &'k Issuer,
    iss: &'static str,
}

impl<'k> Base<'k> {
    pub(super) fn token(self, now: i64) -> Token<'k> {
        self.issuer.token(now).claim("iss", self.iss)
    }
}

/// All keys.
pub(super) struct Keyring {
    pub(super) world: World,
    pub(super) second: Issuer,
    others: Vec<Issuer>,
    /// Published without `alg`: a key of P-256 and one of Ed25519.
    pub(super) free: [Issuer; 2],
    /// Published with its private part.
    pub(super) leaked: Issuer,
    /// In no key set, each with the `kid` of a good key of its algorithm.
    pub(super) foreign: Vec<Issuer>,
    /// A certificate of the first of these, in base64.
    pub(super) certificate: String,
    /// Serves the foreign keys.
    offers: Server,
    asked: Arc<AtomicUsize>,
}

impl Keyring {
    pub(super) fn new() -> Self {
        let others = || OTHERS.map(|algorithm| Issuer::new(algorithm, algorithm.name())).into();
        let (others, mut foreign): (Vec<Issuer>, Vec<Issuer>) = (others(), others());
        foreign.insert(0, Issuer::new(Algorithm::Es256, "a"));
        let free = [Issuer::new(Algorithm::Es256, "free"), Issuer::new(Algorithm::EdDsa, "free-okp")];
        let keys = json!({ "keys": foreign.iter().map(|issuer| issuer.key.to_public_jwk()).collect::<Vec<_>>() });
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let offers = Server::start(0, move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Answer::json(&keys)
        });
        let mut keyring = Self {
            world: World::new(),
            second: Issuer::new(Algorithm::Es256, "a"),
            certificate: Base64::encode_to_string(certificate(&foreign[0])).unwrap(),
            leaked: Issuer::new(Algorithm::Es256, "leaked"),
            others,
            free,
            foreign,
            offers: offers.unwrap(),
            asked,
        };
        keyring.world.others = keyring.others.iter().map(|other| other.key.to_public_jwk().into()).collect();
        keyring.world.others.push(keyring.leaked.key.to_jwk().into());
        let weak = keyring.weak();
        keyring.world.others.extend(weak);
        // At the end: the native filters try all keys for a token without `kid`, and stop at one of Ed25519 when the
        // signature is not of its length.
        keyring.world.others.extend(keyring.free.iter().map(|free| {
            let mut jwk = free.key.to_public_jwk();
            jwk.remove("alg");
            Value::Object(jwk)
        }));
        keyring
    }

    /// Keys that a key set should not have: `signers` has what would pass for their signatures.
    fn weak(&self) -> [Value; 5] {
        let rsa = self.of(Algorithm::Rs256).key.to_public_jwk();
        let even = changed(member(&rsa, "n"), |bytes| *bytes.last_mut().unwrap() &= 0xfe);
        let mut off_curve = self.foreign[0].key.to_public_jwk();
        let y = changed(member(&off_curve, "y"), |bytes| bytes[31] ^= 1);
        off_curve.extend([("kid".to_owned(), json!("off-curve")), ("y".to_owned(), json!(base64url::encode(&y)))]);
        let rsa_key = |kid: &str, n: &[u8], e: &str| {
            let n = base64url::encode(n);
            json!({ "kty": "RSA", "kid": kid, "alg": "RS256", "n": n, "e": e })
        };
        [
            rsa_key("exponent-1", &member(&rsa, "n"), "AQ"),
            rsa_key("even", &even, "AQAB"),
            rsa_key("even-exponent-1", &even, "AQ"),
            Value::Object(off_curve),
            json!({ "kty": "OKP", "crv": "Ed25519", "kid": "small-order", "alg": "EdDSA", "x": base64url::encode(&identity()) }),
        ]
    }

    /// Those with which good tokens are signed; the first is the one whose signatures cost least.
    pub(super) fn bases(&self) -> Vec<Base<'_>> {
        let first = std::iter::once(&self.world.issuer).chain(&self.others).map(|issuer| Base { issuer, iss: ISSUER });
        first.chain([Base { issuer: &self.second, iss: SECOND }]).collect()
    }

    /// The first issuer's key of this algorithm.
    pub(super) fn of(&self, algorithm: Algorithm) -> &Issuer {
        let mut all = std::iter::once(&self.world.issuer).chain(&self.others);
        all.find(|issuer| issuer.key.algorithm == algorithm).unwrap()
    }

    /// Where a token may say that its key is.
    pub(super) fn offered_at(&self) -> String {
        format!("http://{}/keys", self.offers.address)
    }

    /// A server of the status lists of both issuers, each of four tokens: valid, invalid, suspended and valid.
    pub(super) fn lists(&self) -> Server {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&[0b0010_0100]).unwrap();
        let lst = base64url::encode(&encoder.finish().unwrap());
        let signed = |issuer: &Issuer, iss: &str, name: &str| {
            let header = json!({ "alg": issuer.key.algorithm.name(), "kid": issuer.key.kid, "typ": "statuslist+jwt" });
            let claims = json!({
                "iss": iss, "sub": format!("{LISTS}{name}"), "iat": self.world.now, "exp": self.world.now + 86_400,
                "ttl": 43_200, "status_list": { "bits": 2, "lst": lst },
            });
            sign_texts(&issuer.key, &header.to_string(), &claims.to_string()).into_bytes()
        };
        let first = signed(&self.world.issuer, ISSUER, "first");
        let second = signed(&self.second, SECOND, "second");
        Server::start(0, move |received| {
            let body = if received.target.ends_with("/second") { &second } else { &first };
            Answer { status: 200, headers: Vec::new(), body: body.clone() }
        })
        .unwrap()
    }

    /// How often it was asked.
    pub(super) fn times_asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// The neutral element of the group of Ed25519, as a key: `0 = R + k * A` holds for every `k` with `R` like it.
pub(super) fn identity() -> [u8; 32] {
    let mut point = [0; 32];
    point[0] = 1;
    point
}

/// A member of a key, decoded.
pub(super) fn member(jwk: &Map<String, Value>, name: &str) -> Vec<u8> {
    base64url::decode(jwk[name].as_str().unwrap().as_bytes()).unwrap()
}

fn changed(mut bytes: Vec<u8>, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    change(&mut bytes);
    bytes
}

/// The private key, as other libraries read it.
pub(super) fn private_jwk(issuer: &Issuer) -> String {
    let mut jwk = issuer.key.to_jwk();
    ["alg", "use", "kid"].iter().for_each(|name| drop(jwk.remove(*name)));
    Value::Object(jwk).to_string()
}

fn certificate(issuer: &Issuer) -> Vec<u8> {
    let pem = ES256KeyPair::from_jwk(&private_jwk(issuer)).unwrap().to_pem().unwrap();
    let key = rcgen::KeyPair::from_pem(&pem).unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["issuer.example.com".to_owned()]).unwrap();
    parameters.self_signed(&key).unwrap().der().to_vec()
}

/// The forms of a public key that might be taken for a secret of HMAC.
pub(super) fn forms(issuer: &Issuer) -> Vec<Vec<u8>> {
    let jwk = issuer.key.to_public_jwk();
    let text = |name: &str| jwk[name].as_str().unwrap();
    let mut forms = vec![
        Value::Object(jwk.clone()).to_string().into_bytes(),
        issuer.jwks().to_string().into_bytes(),
        issuer.jwks()["keys"].to_string().into_bytes(),
        Vec::new(),
    ];
    let mut ders = Vec::new();
    match text("kty") {
        "RSA" => {
            let (n, e) = (member(&jwk, "n"), member(&jwk, "e"));
            let [modulus, exponent] = [&n, &e].map(|bytes| BigNum::from_slice(bytes).unwrap());
            let key = Rsa::from_public_components(modulus, exponent).unwrap();
            ders.push(("PUBLIC KEY", key.public_key_to_der().unwrap()));
            ders.push(("RSA PUBLIC KEY", key.public_key_to_der_pkcs1().unwrap()));
            forms.push(ssh("ssh-rsa", &[&e, &[&[0], &n[..]].concat()]));
            forms.extend([n, text("n").as_bytes().to_vec()]);
        }
        "EC" => {
            let family = if text("crv") == "P-256" { KeyFamily::P256 } else { KeyFamily::P384 };
            let (x, y) = (member(&jwk, "x"), member(&jwk, "y"));
            let key = VerificationKey::from_material(Material::Ec { family, x: text("x"), y: text("y") }).unwrap();
            ders.push(("PUBLIC KEY", key.spki().unwrap().to_vec()));
            forms.extend([[&[4], &x[..], &y[..]].concat(), [&[2 | (y[y.len() - 1] & 1)], &x[..]].concat(), x]);
        }
        _ => {
            let x = member(&jwk, "x");
            // SEQUENCE { SEQUENCE { Ed25519 }, BIT STRING } up to the key (RFC 8410 section 4).
            ders.push(("PUBLIC KEY", [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"[..], &x[..]].concat()));
            forms.extend([ssh("ssh-ed25519", &[&x]), x]);
        }
    }
    for (label, der) in ders {
        let pem = pem(label, &der);
        forms.extend([
            pem.trim_end().as_bytes().to_vec(),
            pem.replace('\n', "\r\n").into_bytes(),
            pem.into_bytes(),
            der,
        ]);
    }
    forms
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = Base64::encode_to_string(der).unwrap();
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// A key as `authorized_keys` has it (RFC 4253 section 6.6).
fn ssh(kind: &str, parts: &[&[u8]]) -> Vec<u8> {
    let all = std::iter::once(kind.as_bytes()).chain(parts.iter().copied());
    let blob: Vec<u8> =
        all.flat_map(|part| [&u32::try_from(part.len()).unwrap().to_be_bytes()[..], part].concat()).collect();
    format!("{kind} {}", Base64::encode_to_string(blob).unwrap()).into_bytes()
}

/// The tag of HMAC under one of its three names.
pub(super) fn tag(name: &str, secret: &[u8], message: &[u8]) -> Vec<u8> {
    let algorithm = match name {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        _ => hmac::HMAC_SHA512,
    };
    hmac::sign(&hmac::Key::new(algorithm, secret), message).as_ref().to_vec()
}

/// The private key for another algorithm.
pub(super) fn under(issuer: &Issuer, algorithm: Algorithm) -> SigningKey {
    let mut jwk = issuer.key.to_jwk();
    jwk.insert("alg".to_owned(), algorithm.name().into());
    SigningKey::from_jwk(&jwk).unwrap()
}
