//! ring gives the verdict of the libraries of the VM, on good signatures and on broken ones.

use crate::support::issuer::Issuer;
use proptest::prelude::*;
use scopegate::base::base64url;
use scopegate::crypto::{
    Algorithm, Material, PureVerifier, RingVerifier, Verification, VerificationKey, Verifier as _,
};
use scopegate::jose::KeySet;
use std::sync::LazyLock;

/// A key of an algorithm, and how it signs.
struct Pair {
    issuer: Issuer,
    set: KeySet,
}

impl Pair {
    fn new(algorithm: Algorithm) -> Option<Self> {
        let issuer = Issuer::new(algorithm, "a");
        let set = KeySet::parse(issuer.jwks().to_string().as_bytes(), usize::MAX, 1).ok()?;
        Some(Self { issuer, set })
    }

    fn algorithm(&self) -> Algorithm {
        self.issuer.key.algorithm
    }

    fn key(&self) -> &VerificationKey {
        &self.set.keys()[0].key
    }
}

/// Two pairs of each algorithm whose keys are public.
static PAIRS: LazyLock<Vec<Pair>> = LazyLock::new(|| {
    let public = Algorithm::ALL.into_iter().filter(|algorithm| algorithm.min_secret_bytes().is_none());
    public.flat_map(|algorithm| [Pair::new(algorithm), Pair::new(algorithm)]).flatten().collect()
});

/// What both say.
fn both(key: &VerificationKey, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Verification {
    let ring = RingVerifier.verify(key, algorithm, message, signature);
    let vm = PureVerifier.verify(key, algorithm, message, signature);
    assert_eq!(ring, vm, "{algorithm:?} {key:?} over {message:?}: {signature:?}");
    ring
}

/// The orders of the curves, in the length of half a signature.
fn order(algorithm: Algorithm) -> Option<Vec<u8>> {
    let hex = match algorithm {
        Algorithm::Es256 => "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        Algorithm::Es384 => {
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973"
        }
        _ => return None,
    };
    Some((0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect())
}

/// `from - number`, of numbers of one length.
fn subtract(from: &[u8], number: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut digits: Vec<u8> = from
        .iter()
        .zip(number)
        .rev()
        .map(|(&from, &number)| {
            let digit = i16::from(from) - i16::from(number) - borrow;
            borrow = i16::from(digit < 0);
            u8::try_from(digit + 256 * borrow).unwrap()
        })
        .collect();
    digits.reverse();
    digits
}

/// What is done to a good signature.
#[derive(Clone, Debug)]
enum Change {
    Nothing,
    Bit(usize),
    Cut(usize),
    CutInFront(usize),
    Longer(Vec<u8>),
    LongerInFront(Vec<u8>),
    All(u8),
    Half {
        second: bool,
        byte: u8,
    },
    Swapped,
    /// r, or s, is the order of the curve.
    Order {
        second: bool,
    },
    /// n - s in the place of s: as good as s.
    Negated,
    Other(Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    let bytes = || prop::collection::vec(any::<u8>(), 1..4);
    prop_oneof![
        Just(Change::Nothing),
        any::<usize>().prop_map(Change::Bit),
        (1..600_usize).prop_map(Change::Cut),
        (1..4_usize).prop_map(Change::CutInFront),
        bytes().prop_map(Change::Longer),
        prop_oneof![Just(vec![0]), bytes()].prop_map(Change::LongerInFront),
        prop_oneof![Just(0), Just(255), Just(1)].prop_map(Change::All),
        (any::<bool>(), prop_oneof![Just(0), Just(255)]).prop_map(|(second, byte)| Change::Half { second, byte }),
        Just(Change::Swapped),
        any::<bool>().prop_map(|second| Change::Order { second }),
        Just(Change::Negated),
        prop::collection::vec(any::<u8>(), 0..600).prop_map(Change::Other),
    ]
}

impl Change {
    fn of(&self, good: &[u8], algorithm: Algorithm) -> Vec<u8> {
        let mut bytes = good.to_vec();
        let half = bytes.len() / 2;
        match self {
            Self::Nothing => {}
            Self::Bit(at) => {
                let at = at % (bytes.len() * 8);
                bytes[at / 8] ^= 1 << (at % 8);
            }
            Self::Cut(by) => bytes.truncate(bytes.len().saturating_sub(*by)),
            Self::CutInFront(by) => drop(bytes.drain(..*by)),
            Self::Longer(more) => bytes.extend(more),
            Self::LongerInFront(more) => drop(bytes.splice(..0, more.iter().copied())),
            Self::All(byte) => bytes.fill(*byte),
            Self::Half { second: true, byte } => bytes[half..].fill(*byte),
            Self::Half { second: false, byte } => bytes[..half].fill(*byte),
            Self::Swapped => bytes.rotate_left(half),
            Self::Order { second } => {
                if let Some(order) = order(algorithm) {
                    let at = if *second { half } else { 0 };
                    bytes[at..at + half].copy_from_slice(&order);
                }
            }
            Self::Negated => {
                if let Some(order) = order(algorithm) {
                    let negated = subtract(&order, &bytes[half..]);
                    bytes[half..].copy_from_slice(&negated);
                }
            }
            Self::Other(other) => bytes.clone_from(other),
        }
        bytes
    }

    /// Whether a good signature is still good.
    const fn is_harmless(&self) -> bool {
        matches!(self, Self::Nothing | Self::Negated)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn ring_and_the_vm_agree_on_what_was_done_to_a_signature(
        which in any::<prop::sample::Index>(), change in change(), message in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let pair = which.get(&PAIRS);
        let algorithm = pair.algorithm();
        let signature = change.of(&pair.issuer.key.sign(&message).unwrap(), algorithm);
        let verdict = both(pair.key(), algorithm, &message, &signature);
        let is_known = algorithm.runs_in_vm() && matches!(change, Change::Nothing) || order(algorithm).is_some();
        if is_known {
            prop_assert_eq!(verdict == Verification::Valid, change.is_harmless());
        }
    }
}

#[test]
fn ring_and_the_vm_agree_on_every_key_with_every_algorithm() {
    for pair in PAIRS.iter() {
        let signature = pair.issuer.key.sign(b"message").unwrap();
        for other in PAIRS.iter() {
            for algorithm in Algorithm::ALL {
                let is_it = std::ptr::eq(pair, other) && algorithm == pair.algorithm();
                let verdict = both(other.key(), algorithm, b"message", &signature);
                assert_eq!(verdict == Verification::Valid, is_it, "{algorithm:?} {:?}", pair.algorithm());
            }
        }
    }
}

#[test]
fn moduli_of_every_length_in_bits_are_seen_alike() {
    for (modulus, good, padded) in [SIZE_2049, SIZE_2050, SIZE_2056] {
        let key = VerificationKey::from_material(Material::Rsa { n: modulus, e: "AQAB" }).unwrap();
        let says = |signature: &str| {
            both(&key, Algorithm::Ps256, b"message", &base64url::decode(signature.as_bytes()).unwrap())
        };
        assert_eq!(says(good), Verification::Valid);
        // The byte before an encoded message that is shorter than the modulus: the one of a modulus of 2049 bits is not looked
        // at in the VM, and is ours to decide alike. Only the holder of the key can make such a signature.
        let is_looked_at = modulus != SIZE_2049.0;
        assert_eq!(says(padded) == Verification::Invalid, is_looked_at);
    }
}

/// A modulus, a signature of PS256 over `message`, and one whose encoded message has its highest bit set.
type Sized = (&'static str, &'static str, &'static str);

const SIZE_2049: Sized = (
    concat!(
        "AbSfZfHJGgP73WevRj_AMUcrVWkz8LBNKQ5JY1J1CafAIN4HsD6uFZLvaW9VvJce_E35F6ShHSYIMqyHIwaoXxIYf115UwM4csb4fRjRFVpawBgb",
        "Bd0sMrFn8m2AB4Ius6oBgufD1kx6K4kecl3ZARZV5UIfnqxMVjA1qNzJLgHVsBXVJZltTHAJ_2Ha9My8yo1byCPbTfM1pWGMURYreayX7O6TxmIH",
        "8GSatNeRyB2_AcZNojVX5elqq480Ghik1LIYAI_6xP9aG1UpxhHFn-slS4bGfF7ntO_HM0NeAc6P2y85KzU_NlTVxalcLPzZSz3J2ATYZE3Qr1f2",
        "lpSjBz0",
    ),
    concat!(
        "AMe1uDMpqobZX9IxjksqEm2I8CF4MFR7vL5xUvxeK5E2GbnRizWaKoNlPVFzmlXHVUuxik-lrkTVBTvOgjsU3DbofpIIrx-Ky8L7Vk9f1HA7BVEc",
        "5rjDsBpXN5ZISt3s2MEl05X22O5MAVinE0pL43XJEOwa3IOMxlKF56ZOi9cWVg1RVj6D4C4xzx53_sRBL4huH3F4gbaH0TzQRg2kDEObl984A2GG",
        "HIp-gqjnCuaVctd7cPrVT3sE1aBQRB1dgQpT-Jf3J_E7prv6-s3k9mZIvFJYPK8E15rAk68rALZhOsGajKtXfCMNXorIcNeRQqxcbMvEI-T3S-z_",
        "Udztqq0",
    ),
    concat!(
        "AT1tBexhIGQPlFqTwifXtxvKC6r3koEdAMw3MX8h0VYiCjjlJzTiuSD5vZBpCX34h0tOA6Xk-t2MEH3eoK3Ycci_iGGP4_fwXwl3Y8hts_AoWXT8",
        "38NB-owt0ZRQXfoYeb1eDmTWBKtzwUrJCICC3jEdQXSu2A2SvkS1gv92Fh6hr2nzCHSGd0XZZobqVO1Ww-kQyk_upkdTnRSrHzGjvYK9swxVWbg5",
        "Iw1T0TASy1DuelAjz7vS64E6s33zeJ0QWpnQgYf8eTBibjCxt_AaogxQjL0y7OzGFLj-nxt-Y-81WEhj9yYmQ2zvk_4wenf8mup_lEncvLzcfncu",
        "ff9_SWo",
    ),
);
const SIZE_2050: Sized = (
    concat!(
        "As6M_OTbxC2HYr3BI52U_NnBxR5MsqM5NAZhfvnzdDdK1M_GV3rDSLmkMWIUl1OD0kUnsLhSqS-IRnoInVlqCzyYkaTLSgChhQqxCcNANNOo0NUT",
        "Fzs46xcQ1MZxC1LwxOpyRliuQanVSA1AgvpPJSDP9DLkJ5VkDxemZ12MbXM3ThFen3sKnmKuZRT_SG3tS8Cpdn7GNkSIw8dCFOlgIwn4f-gbWEhU",
        "Qwf7go8w8UUConBFlNOskbLrBsLrI5F9kZGcdimz2Ct0lSv2PUQg2B9G3dAbcEf75kfl3mjMAQ3lo4E2H541a_1PtFcJgd-pG8Pee9C19bn6i4hU",
        "kZ0ykn8",
    ),
    concat!(
        "AGDSM6TRo9kqP3f_82Ip70AuiEUdffZyXk-6M3aA99IM4SsDJN-PAh7RGKg4mB8XzWO2k2ydwVvWK9zqDybINKvsoLQFqTURAYyKHzlPcc2NnU6-",
        "cvqx1vKx8dn-APusM8X14rw-PG2jbx0um6CDkJaPg4r-5Kpv1766WExYTihGoqnqTZ9-0UxPARCb4PMAKmdy55LpN0Mmay7XjdfNCTI7o4D0vXMd",
        "s91jcUq0tRn-nwT9sWA3JOelWtDkg7JcR_TQ7WuLVHnEm0EXacQT268IpDxV0miuIbdwJqJyLpwU9oU_MsxhAAfKYIl9cjUJlgF2PulCcUNdkp_r",
        "RfH1lHw",
    ),
    concat!(
        "ATQvw-xxjiuQcSohwashWg4mYdkB4Y0ffMda-4KQ0AEfnLrQLrFc0ulWt5T9ZOjNBraS8_72e444kM1ClPcuM7znKYIxck6XLv1Um0TNgnu5JmNf",
        "PUp9qtT8zekcrkxDPvXtMQ0QaauWuFVcUB8F9avaWPxQI-dWlsjJ5I4N2n5AP4sggFP8H0Zl5AW0KS8ShHksQljVCt-GEarggWwrt4z3bmgsmckK",
        "Y1_tLp_am6vfZjKY-D4uXNg5fvQHumWs5Q8z9yoduLGU8H_s1hZLER-66lZDWCwW5DUYn5njFtEuwgVx7Udbbt5qhG64btpX_AH0B3LWvSeAZBRE",
        "8OG08PM",
    ),
);
const SIZE_2056: Sized = (
    concat!(
        "wKYCJuVuR8uEnXKunZBNCAgZGANtsq4YZ2MoPZb0YcmLxV0qTSk_OHuqaufTylxMSyq43PFlUP-TeKQATBWnbP5uoZeW9SG5h8zxkxOCJIuqwCJ8",
        "PTFeABDG-7Ac-DouAreMX9woBVb01EntgaS6_RTfkUy82Y0QI3sGlsSi3IEKjIDpZYAFm46IBFrHSkxNaV0Xf_mAGxSEuAbvrVtzrlo1chN9Z8J7",
        "ogrXN0vEubWsGfe_35c35ZeeV0tfPQ5fmE1yIR82Be_EkMhDssTeVGDSnelfEoU1-EuA8_o2u70nHhMUn6eW1p0_ZWiPmI94z9zM3qYGzlzrMcGo",
        "vmJISd8",
    ),
    concat!(
        "uRCVPq6F4EEKSUDRYdlePwkM8C8nKgWftqgPoJgUu_FnF6_SYj7KHIOzK09IAZF0VMmIh1RZzvIlsxNdpHGs6LY47rYRobQfFCrZYddN6f0weMa5",
        "u9E3y99-ChwR0i2xmnv4KWGHhPyU8s89E8jdf6-lN_jAD81L-qHsb7L4QQ7taD_4A4vIPsXQu9T2MQUWCcch5r_jJk1mOwuCn3Bg03cRv1G_LKNN",
        "JT8ObtYP2pHwoQs_78X0pi9TJckozbhcMyXftk0XDivAwOnXCGsVmXJJyzYzd3Wvw2VQ3RxLYXUoFeBaabX8AwvhnOa8glwEuIH18RcFYDK8rxT-",
        "SFeACwo",
    ),
    concat!(
        "mRs-cptW212_0At3mTczpPaGIw0ZVjG2EU63XxD1OaQpD0xA42b1iV5srar81poRJoorvyXOHZ21Ag-QRQE208cekyZEcycXDtjbyr7LBWvYRioh",
        "QkNP9r_mUqGFa7D-URArFzvQ8puUj3J5iK-U51I3guuC3WV8oI_JFgp7xty0kYhPDXZEKCkfWDwomkafswKNu9H7_sz3TTjvHJ3i6A4xkBbiuq6C",
        "CEREYJDlo0pS8axt6A-tarYN6dk0TRiyRbtvMS8cI1IBD2Knvmg4f6x97VwCNkxYo1JNfm78Fx1J_keM5J_kAEvPckIGE8F-7j1UDVSsD7v87OnP",
        "m8_fqsM",
    ),
);
