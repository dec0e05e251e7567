//! The signature algorithms, one row each. `none` is not representable.

use super::KeyFamily;

/// A JWS algorithm that Scopegate can check
/// ([RFC 7518 section 3](https://www.rfc-editor.org/rfc/rfc7518#section-3), RFC 8037, RFC 8812, RFC 9964).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the registered ones")]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    Es256k,
    EdDsa,
    Hs256,
    Hs384,
    Hs512,
    MlDsa44,
    MlDsa65,
    MlDsa87,
}

impl Algorithm {
    /// All of them, in the order in which a reader would list them.
    pub const ALL: [Self; 17] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::Es256k,
        Self::EdDsa,
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
    ];

    /// The registered name, as `alg` spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Es256k => "ES256K",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
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

    /// The family of keys that the algorithm works with.
    #[must_use]
    pub const fn family(self) -> KeyFamily {
        match self {
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => KeyFamily::Rsa,
            Self::Es256 => KeyFamily::P256,
            Self::Es384 => KeyFamily::P384,
            Self::Es512 => KeyFamily::P521,
            Self::Es256k => KeyFamily::Secp256k1,
            Self::EdDsa => KeyFamily::Ed25519,
            Self::Hs256 | Self::Hs384 | Self::Hs512 => KeyFamily::Secret,
            Self::MlDsa44 => KeyFamily::MlDsa44,
            Self::MlDsa65 => KeyFamily::MlDsa65,
            Self::MlDsa87 => KeyFamily::MlDsa87,
        }
    }

    /// Whether the libraries compiled into the module can check it. ES512 they cannot: only the host can.
    #[must_use]
    pub const fn runs_in_vm(self) -> bool {
        !matches!(self, Self::Es512)
    }

    /// The least length of an HMAC secret in bytes: that of the hash output
    /// ([RFC 7518 section 3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)). `None` for other algorithms.
    #[must_use]
    pub const fn min_secret_bytes(self) -> Option<usize> {
        match self {
            Self::Hs256 => Some(32),
            Self::Hs384 => Some(48),
            Self::Hs512 => Some(64),
            _ => None,
        }
    }

    const fn bit(self) -> u32 {
        match self {
            Self::Rs256 => 1,
            Self::Rs384 => 1 << 1,
            Self::Rs512 => 1 << 2,
            Self::Ps256 => 1 << 3,
            Self::Ps384 => 1 << 4,
            Self::Ps512 => 1 << 5,
            Self::Es256 => 1 << 6,
            Self::Es384 => 1 << 7,
            Self::Es256k => 1 << 8,
            Self::EdDsa => 1 << 9,
            Self::Hs256 => 1 << 10,
            Self::Hs384 => 1 << 11,
            Self::Hs512 => 1 << 12,
            Self::MlDsa44 => 1 << 13,
            Self::MlDsa65 => 1 << 14,
            Self::MlDsa87 => 1 << 15,
            Self::Es512 => 1 << 16,
        }
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
        use Algorithm::{EdDsa, Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512, Es256, Es384, Es512, EdDsa].into_iter().collect()
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
