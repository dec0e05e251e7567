//! What goes to ring. That the verdicts are those of the VM is tested in `tests/conformance`.

use super::*;
use crate::base::base64url::encode;
use crate::crypto::{Material, Probe};

/// An RSA key with a modulus of this many bits.
fn rsa(bits: usize) -> VerificationKey {
    let mut modulus = vec![0xff; bits.div_ceil(8)];
    modulus[0] = 0xff >> ((8 - bits % 8) % 8);
    VerificationKey::from_material(Material::Rsa { n: &encode(&modulus), e: "AQAB" }).expect("a key")
}

#[test]
fn ring_is_given_the_keys_of_its_algorithms_but_for_pss_with_moduli_of_8k_and_1_bits() {
    let ring = |key: &VerificationKey| -> Vec<&str> {
        let goes = |algorithm: &Algorithm| public_key(key, *algorithm).is_some();
        Algorithm::ALL.into_iter().filter(goes).map(Algorithm::name).collect()
    };
    let (pkcs1, pss) = (["RS256", "RS384", "RS512"], ["PS256", "PS384", "PS512"]);
    for bits in 2048..=2056 {
        let wanted = if bits == 2049 { pkcs1.to_vec() } else { [pkcs1, pss].concat() };
        assert_eq!(ring(&rsa(bits)), wanted, "{bits}");
    }
    assert_eq!(ring(&rsa(4096)), [pkcs1, pss].concat());
    assert_eq!(ring(&rsa(4089)), pkcs1);
    assert_eq!(ring(&Probe::es256().expect("a key").key), ["ES256"]);
    assert!(ring(&VerificationKey::from_secret(Algorithm::Hs256, &[1; 32]).expect("a key")).is_empty());
}

#[test]
fn the_probe_is_good_to_ring() {
    let probe = Probe::es256().expect("a key");
    let says = |message: &[u8]| RingVerifier.verify(&probe.key, Algorithm::Es256, message, &probe.signature);
    assert_eq!(says(probe.message), Verification::Valid);
    assert_eq!(says(b"another message"), Verification::Invalid);
}
