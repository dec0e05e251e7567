//! What Envoy's foreign function `verify_signature` is given, and what it answers: bytes only, no call.
//!
//! The messages are those of `source/extensions/common/wasm/ext/verify_signature.proto`. Our own checks come first: the
//! host takes RSA keys of 1024 bits, SHA-1, and signatures in other forms than JWS has.

use super::{Algorithm, KeyFamily, Material, VerificationKey};
use crate::base::protobuf::put_field;

/// A signature to be checked by the host.
#[derive(Clone, Copy, Debug)]
pub struct HostForm {
    /// The name of the hash.
    hash: &'static str,
    family: KeyFamily,
}

/// What the host says of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostVerdict {
    /// It is the key holder's.
    Valid,
    /// It is not.
    Invalid,
    /// The host could not look, or said something that we do not know. Never to be taken for either of the others.
    Unknown,
}

impl HostForm {
    /// How the host checks `algorithm`; `None` for what it cannot: PSS, EdDSA, secp256k1, HMAC, ML-DSA.
    #[must_use]
    pub const fn of(algorithm: Algorithm) -> Option<Self> {
        let hash = match algorithm {
            Algorithm::Rs256 | Algorithm::Es256 => "sha256",
            Algorithm::Rs384 | Algorithm::Es384 => "sha384",
            Algorithm::Rs512 | Algorithm::Es512 => "sha512",
            _ => return None,
        };
        Some(Self { hash, family: algorithm.family() })
    }

    /// The serialised arguments; `None` if the signature cannot be one of this key, so that there is nothing to ask.
    #[must_use]
    pub fn arguments(self, key: &VerificationKey, message: &[u8], signature: &[u8]) -> Option<Vec<u8>> {
        let spki = key.spki().filter(|_| key.family() == self.family)?;
        let der;
        let signature = match self.family.coordinate_bytes() {
            Some(half) => {
                der = ecdsa_der(signature, half)?;
                der.as_slice()
            }
            None => signature,
        };
        let mut out = Vec::with_capacity(spki.len() + signature.len() + message.len() + 32);
        for (number, bytes) in [(1, self.hash.as_bytes()), (2, spki), (3, signature), (4, message)] {
            put_field(&mut out, number, bytes);
        }
        Some(out)
    }
}

impl HostVerdict {
    /// Reads the serialised result: `{bool result = 1; string error = 2}`.
    #[must_use]
    pub fn from_result(bytes: &[u8]) -> Self {
        match bytes {
            [0x08, 0x01] => Self::Valid,
            // Without field 1, which is false, and with the error of a signature that does not fit. Another error, such as
            // that of a key which the host cannot use, says nothing about the signature.
            [0x12, _, text @ ..] if text.starts_with(b"Failed to verify digest") => Self::Invalid,
            _ => Self::Unknown,
        }
    }
}

/// A signature that is known to be good: that of [RFC 7515 appendix A.3](https://www.rfc-editor.org/rfc/rfc7515#appendix-A.3).
/// A host that refuses it, or accepts it over another message, cannot check signatures.
#[derive(Debug)]
pub struct Probe {
    /// The key.
    pub key: VerificationKey,
    /// What is signed.
    pub message: &'static [u8],
    /// The signature, as JWS has it.
    pub signature: [u8; 64],
}

impl Probe {
    /// A good ES256 signature.
    #[must_use]
    pub fn es256() -> Option<Self> {
        let material = Material::Ec {
            family: KeyFamily::P256,
            x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        };
        Some(Self {
            key: VerificationKey::from_material(material).ok()?,
            message: b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
            signature: [
                14, 209, 33, 83, 121, 99, 108, 72, 60, 47, 127, 21, 88, 7, 212, 2, 163, 178, 40, 3, 58, 249, 124, 126,
                23, 129, 154, 195, 22, 158, 166, 101, 197, 10, 7, 211, 140, 60, 112, 229, 216, 241, 45, 175, 8, 74, 84,
                128, 166, 101, 144, 197, 242, 147, 80, 154, 143, 63, 127, 138, 131, 163, 84, 213,
            ],
        })
    }
}

/// An ECDSA signature of JWS, two numbers of `half` bytes each
/// ([RFC 7518 section 3.4](https://www.rfc-editor.org/rfc/rfc7518#section-3.4)), as DER:
/// `SEQUENCE { INTEGER r, INTEGER s }` (RFC 3279 section 2.2.3). `None` when it has another length or a number is zero.
fn ecdsa_der(signature: &[u8], half: usize) -> Option<Vec<u8>> {
    let (r, s) = signature.split_at_checked(half).filter(|(_, s)| s.len() == half)?;
    let mut body = Vec::with_capacity(signature.len() + 8);
    for number in [r, s] {
        let zeros = number.iter().take_while(|&&byte| byte == 0).count();
        let digits = number.get(zeros..).filter(|digits| !digits.is_empty())?;
        // The first bit is the sign: a zero before it keeps the number positive.
        let sign: &[u8] = if digits.first()? & 0x80 == 0 { &[] } else { &[0] };
        body.push(0x02);
        body.push(u8::try_from(sign.len() + digits.len()).ok()?);
        body.extend_from_slice(sign);
        body.extend_from_slice(digits);
    }
    let length = u8::try_from(body.len()).ok()?;
    let mut der = if length < 0x80 { vec![0x30, length] } else { vec![0x30, 0x81, length] };
    der.extend_from_slice(&body);
    Some(der)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The arguments as Envoy declares them.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Arguments {
        #[prost(string, tag = "1")]
        hash_function: String,
        #[prost(bytes = "vec", tag = "2")]
        public_key: Vec<u8>,
        #[prost(bytes = "vec", tag = "3")]
        signature: Vec<u8>,
        #[prost(bytes = "vec", tag = "4")]
        text: Vec<u8>,
    }

    /// The result as Envoy declares it.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Verified {
        #[prost(bool, tag = "1")]
        result: bool,
        #[prost(string, tag = "2")]
        error: String,
    }

    #[test]
    fn only_a_result_that_says_true_is_valid() {
        use prost::Message as _;
        let verdict =
            |result, error: &str| HostVerdict::from_result(&Verified { result, error: error.into() }.encode_to_vec());
        assert_eq!(verdict(true, ""), HostVerdict::Valid);
        assert_eq!(verdict(false, "Failed to verify digest. Error code: 0"), HostVerdict::Invalid);
        for error in ["", "Failed to initialize digest verify.", "sha3 is not supported."] {
            assert_eq!(verdict(false, error), HostVerdict::Unknown, "{error}");
        }
        assert_eq!(verdict(true, "Failed to verify digest."), HostVerdict::Unknown);
        for bytes in [&b""[..], &[8], &[8, 0], &[8, 1, 0], &[0x12], &[0x12, 0]] {
            assert_eq!(HostVerdict::from_result(bytes), HostVerdict::Unknown, "{bytes:?}");
        }
    }

    #[test]
    fn the_probe_is_a_good_signature_over_its_message_and_no_other() {
        use crate::crypto::{PureVerifier, Verification, Verifier as _};
        let probe = Probe::es256().expect("a key");
        let says = |message: &[u8]| PureVerifier.verify(&probe.key, Algorithm::Es256, message, &probe.signature);
        assert_eq!(says(probe.message), Verification::Valid);
        assert_eq!(says(b"another message"), Verification::Invalid);
    }

    #[test]
    fn fields_are_as_long_as_they_are() {
        use prost::Message as _;
        for length in [0, 1, 127, 128, 300, 16_383, 16_384, 70_000] {
            let mut bytes = Vec::new();
            put_field(&mut bytes, 4, &vec![7; length]);
            let read = Arguments::decode(bytes.as_slice()).expect("a message");
            assert_eq!(read.text, vec![7; length]);
        }
    }

    proptest! {
        #[test]
        fn signatures_are_those_of_the_library(bytes in prop::collection::vec(any::<u8>(), 64)) {
            let ours = ecdsa_der(&bytes, 32);
            if let Ok(signature) = p256::ecdsa::Signature::from_slice(&bytes) {
                prop_assert_eq!(ours, Some(signature.to_der().as_bytes().to_vec()));
            }
        }
    }

    #[test]
    fn short_numbers_are_written_short_and_zero_is_no_number() {
        let mut bytes = [0; 64];
        assert_eq!(ecdsa_der(&bytes, 32), None);
        bytes[31] = 1;
        assert_eq!(ecdsa_der(&bytes, 32), None);
        bytes[63] = 0x80;
        assert_eq!(ecdsa_der(&bytes, 32), Some(vec![0x30, 7, 2, 1, 1, 2, 2, 0, 0x80]));
        for length in [0, 63, 65, 66] {
            assert_eq!(ecdsa_der(&vec![1; length], 32), None, "{length}");
        }
        let longest = ecdsa_der(&[0xff; 132], 66).expect("a signature");
        assert_eq!(longest[..6], [0x30, 0x81, 138, 2, 67, 0]);
    }
}
