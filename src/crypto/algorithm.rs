//! The signature algorithms, one row each. `none` is not representable.

use super::KeyFamily;

macro_rules! algorithms {
    ($($variant:ident $name:literal $family:ident $secret:expr, $in_vm:literal $by_default:literal $bit:literal;)*) => {
        /// A JWS algorithm that Scopegate can check
        /// ([RFC 7518 section 3](https://www.rfc-editor.org/rfc/rfc7518#section-3), RFC 8037, RFC 8812, RFC 9964).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the names are the registered ones")]
        pub enum Algorithm { $($variant,)* }

        impl Algorithm {
            /// All of them, in the order in which a reader would list them.
            pub const ALL: [Self; [$($bit),*].len()] = [$(Self::$variant),*];

            const fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row {
                        name: $name,
                        family: KeyFamily::$family,
                        min_secret_bytes: $secret,
                        in_vm: $in_vm,
                        by_default: $by_default,
                        bit: 1 << $bit,
                    },)*
                }
            }
        }
    };
}

/// What is known of an algorithm.
struct Row {
    /// The registered name, as `alg` spells it.
    name: &'static str,
    family: KeyFamily,
    /// The least length of a secret: that of the hash output (RFC 7518 section 3.2).
    min_secret_bytes: Option<usize>,
    /// Whether the libraries compiled into the module can check it.
    in_vm: bool,
    /// Whether an issuer may use it where nothing is configured.
    by_default: bool,
    /// Its place in an [`AlgorithmSet`].
    bit: u32,
}

algorithms! {
    // variant name     keys      least secret, in the VM, by default, bit
    Rs256 "RS256"       Rsa       None,     true  true  0;
    Rs384 "RS384"       Rsa       None,     true  true  1;
    Rs512 "RS512"       Rsa       None,     true  true  2;
    Ps256 "PS256"       Rsa       None,     true  true  3;
    Ps384 "PS384"       Rsa       None,     true  true  4;
    Ps512 "PS512"       Rsa       None,     true  true  5;
    Es256 "ES256"       P256      None,     true  true  6;
    Es384 "ES384"       P384      None,     true  true  7;
    Es512 "ES512"       P521      None,     false true  8;
    Es256k "ES256K"     Secp256k1 None,     true  false 9;
    EdDsa "EdDSA"       Ed25519   None,     true  true  10;
    Hs256 "HS256"       Secret    Some(32), true  false 11;
    Hs384 "HS384"       Secret    Some(48), true  false 12;
    Hs512 "HS512"       Secret    Some(64), true  false 13;
    MlDsa44 "ML-DSA-44" MlDsa44   None,     true  false 14;
    MlDsa65 "ML-DSA-65" MlDsa65   None,     true  false 15;
    MlDsa87 "ML-DSA-87" MlDsa87   None,     true  false 16;
}

impl Algorithm {
    /// The registered name, as `alg` spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The algorithm of that registered name, compared case-sensitively (RFC 7515 section 4.1.1).
    ///
    /// `Ed25519` ([RFC 9864](https://www.rfc-editor.org/rfc/rfc9864)) is the fully-specified name of what `EdDSA`
    /// means here, since Ed25519 is the only curve supported.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The name in the registry of HTTP signature algorithms
    /// ([RFC 9421 section 6.2](https://www.rfc-editor.org/rfc/rfc9421#section-6.2)); `None` if it is not there.
    #[must_use]
    pub const fn name_in_http_signatures(self) -> Option<&'static str> {
        match self {
            Self::Ps512 => Some("rsa-pss-sha512"),
            Self::Rs256 => Some("rsa-v1_5-sha256"),
            Self::Es256 => Some("ecdsa-p256-sha256"),
            Self::Es384 => Some("ecdsa-p384-sha384"),
            Self::EdDsa => Some("ed25519"),
            Self::Hs256 => Some("hmac-sha256"),
            _ => None,
        }
    }

    /// The family of keys that the algorithm works with.
    #[must_use]
    pub const fn family(self) -> KeyFamily {
        self.row().family
    }

    /// Whether the libraries compiled into the module can check it. ES512 they cannot: only the host can.
    #[must_use]
    pub const fn runs_in_vm(self) -> bool {
        self.row().in_vm
    }

    /// The least length of an HMAC secret in bytes: that of the hash output
    /// ([RFC 7518 section 3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)). `None` for other algorithms.
    #[must_use]
    pub const fn min_secret_bytes(self) -> Option<usize> {
        self.row().min_secret_bytes
    }

    const fn bit(self) -> u32 {
        self.row().bit
    }
}

/// A set of algorithms, such as those that an issuer may sign with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlgorithmSet(u32);

impl AlgorithmSet {
    /// What an issuer may use where nothing is configured: RS and PS at 256 to 512 bits, ES256, ES384, ES512, EdDSA.
    ///
    /// ES256K, ML-DSA and HMAC have to be listed.
    #[must_use]
    pub fn default_for_issuer() -> Self {
        Algorithm::ALL.into_iter().filter(|algorithm| algorithm.row().by_default).collect()
    }

    /// Whether `algorithm` is in the set.
    #[must_use]
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & algorithm.bit() != 0
    }

    /// The members, in the order of [`Algorithm::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().filter(move |algorithm| self.contains(*algorithm))
    }

    /// Whether the set has no member.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Algorithm> for AlgorithmSet {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Self {
        Self(algorithms.into_iter().fold(0, |set, algorithm| set | algorithm.bit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
            assert_eq!(Algorithm::from_name(&algorithm.name().to_lowercase()), None);
        }
        assert_eq!(Algorithm::from_name("Ed25519"), Some(Algorithm::EdDsa));
        for name in ["none", "None", "NONE", "", "RS1", "ES521", "Ed448", "RS256 "] {
            assert_eq!(Algorithm::from_name(name), None, "{name:?}");
        }
    }

    #[test]
    fn every_algorithm_has_a_bit_of_its_own() {
        let all: AlgorithmSet = Algorithm::ALL.into_iter().collect();
        assert_eq!(all.iter().count(), Algorithm::ALL.len());
        for algorithm in Algorithm::ALL {
            let alone: AlgorithmSet = [algorithm].into_iter().collect();
            assert_eq!(alone.iter().collect::<Vec<_>>(), [algorithm]);
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else() {
        let set: AlgorithmSet = [Algorithm::Es256, Algorithm::MlDsa87].into_iter().collect();
        let members: Vec<_> = set.iter().collect();
        assert_eq!(members, [Algorithm::Es256, Algorithm::MlDsa87]);
        let default = AlgorithmSet::default_for_issuer();
        for listed_only in [Algorithm::Es256k, Algorithm::Hs256, Algorithm::Hs512, Algorithm::MlDsa44] {
            assert!(!default.contains(listed_only));
        }
    }
}
