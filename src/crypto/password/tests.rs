use super::*;
use proptest::prelude::*;

fn is(password: &[u8], text: &str) -> bool {
    Hashing::in_one_go(password, &[PasswordHash::parse(text).unwrap()]).is_some()
}

/// Counts the steps of a hash.
fn steps(password: &[u8], hashes: &[PasswordHash]) -> usize {
    let mut hashing = Hashing::begin(password);
    (1..10_000).find(|_| hashing.step(hashes) != Progress::GoesOn).unwrap()
}

/// Of `crypt_blowfish` (`wrapper.c`) of Openwall, and of `jBCrypt`.
#[test]
fn known_hashes_of_bcrypt_are_met() {
    for (text, password) in [
        ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", &b"U*U"[..]),
        ("$2y$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", b"U*U*"),
        ("$2b$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", b"U*U*U"),
        ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy", b""),
        ("$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.", b""),
        ("$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe", b"a"),
        ("$2a$08$cfcvVd2aQ8CMvoMpP2EBfeodLEkkFJ9umNEfPD18.hUF62qqlC/V.", b"a"),
    ] {
        assert!(is(password, text), "{text}");
        assert!(!is(b"another", text), "{text}");
    }
}

/// Of the documentation of passlib.
#[test]
fn a_known_hash_of_pbkdf2_is_met() {
    let text = "$pbkdf2-sha256$6400$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44";
    assert!(is(b"password", text) && !is(b"another", text));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn another_bcrypt_makes_the_same_hashes(password in "[^\\x00]{0,18}", cost in 4_u32..=6, salt: [u8; 16], bit in 0_usize..64) {
        let password = password.as_bytes();
        let other = ::bcrypt::hash_with_salt(password, cost, salt).unwrap().format_for_version(::bcrypt::Version::TwoY);
        prop_assert_eq!(PasswordHash::bcrypt(password, cost, salt), other.as_str());
        if cost == 4 {
            prop_assert!(PasswordHash::parse(&other).is_err(), "too cheap");
            return Ok(());
        }
        prop_assert!(is(password, &other));
        let mut wrong = password.to_vec();
        if let Some(byte) = wrong.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
            prop_assert!(!is(&wrong, &other));
        }
    }
}

#[test]
fn ring_makes_the_same_hashes_by_pbkdf2() {
    use base64::Engine as _;
    use ring::pbkdf2::{PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA512, derive};
    let written = |bytes: &[u8]| base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes).replace('+', ".");
    for (password, rounds) in
        [(&b"secret"[..], 1), (b"", 2), (&[b'x'; 72], 129), (&[0xff; 65], 1000), (&[b'y'; 200], 257)]
    {
        let salt = b"0123456789abcdef";
        let (mut short, mut long) = ([0; 32], [0; 64]);
        derive(PBKDF2_HMAC_SHA256, rounds.try_into().unwrap(), salt, password, &mut short);
        derive(PBKDF2_HMAC_SHA512, rounds.try_into().unwrap(), salt, password, &mut long);
        let text = format!("$pbkdf2-sha256${rounds}${}${}", written(salt), written(&short));
        assert_eq!(PasswordHash::pbkdf2(password, rounds, salt), text);
        assert!(is(password, &text) && !is(b"another", &text));
        let text = format!("$pbkdf2-sha512${rounds}${}${}", written(salt), written(&long));
        assert!(is(password, &text) && !is(b"another", &text));
    }
}

#[test]
fn what_is_no_slow_hash_is_refused_and_named() {
    for (text, wanted) in [
        ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "is {SHA}, a SHA-1 without salt, which is guessed at once"),
        ("{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "is {SSHA}, a fast hash, which is guessed at once"),
        ("$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", "is $apr1$, which is MD5"),
        ("$1$abc$def", "is $1$, which is MD5"),
        ("$5$saltsalt$hash", "is SHA-crypt, which is not read here"),
        ("$6$saltsalt$hash", "is SHA-crypt, which is not read here"),
        ("$argon2id$v=19$m=19456,t=2,p=1$a$b", "is argon2, whose memory a worker would never give back"),
        ("$scrypt$ln=14,r=8,p=1$a$b", "is scrypt, whose memory a worker would never give back"),
        ("$7$C6..../", "is scrypt, whose memory a worker would never give back"),
        ("$y$j9T$a$b", "is yescrypt, whose memory a worker would never give back"),
        ("$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "is of a bcrypt that was broken"),
        ("rqXexS6ZhobKA", "is of crypt, or a password as it is"),
        ("hunter2", "is no hash of a password that is read here"),
        ("", "is no hash of a password that is read here"),
        ("$2y$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "has a bcrypt cost that is not from 5 to 12"),
        ("$2y$13$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "has a bcrypt cost that is not from 5 to 12"),
        (
            "$2y$5$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "is not a whole bcrypt hash, which has 60 characters",
        ),
        (
            "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
            "is not a whole bcrypt hash, which has 60 characters",
        ),
        ("$2y$05$CCCCCCCCCCCCCCCCCCCCé", "is not a whole bcrypt hash, which has 60 characters"),
        ("$pbkdf2-sha256$1000001$AAAAAAAAAAAAAAAA$a", "has more than 1000000 rounds of PBKDF2"),
        ("$pbkdf2-sha256$99999999999$AAAAAAAAAAAAAAAA$a", "has more than 1000000 rounds of PBKDF2"),
        ("$pbkdf2-sha256$10$TmFDbA$TdzY+2CePwNHZnl7HHhU+QVmVwCJnmtBlT5BVTiE+gQ", "has a salt of fewer than 8 bytes"),
        ("$pbkdf2-sha256$01$AAAAAAAAAAAAAAAA$a", "is not PBKDF2 as $pbkdf2-sha256$ROUNDS$SALT$HASH"),
        ("$pbkdf2-sha256$0$AAAAAAAAAAAAAAAA$a", "is not PBKDF2 as $pbkdf2-sha256$ROUNDS$SALT$HASH"),
        ("$pbkdf2-sha256$10$AAAAAAAAAAAAAAAA$AAAA", "is not PBKDF2 as $pbkdf2-sha256$ROUNDS$SALT$HASH"),
        ("$pbkdf2-sha512$10$AAAAAAAAAAAAAAAA", "is not PBKDF2 as $pbkdf2-sha256$ROUNDS$SALT$HASH"),
        ("$pbkdf2$10$AAAAAAAAAAAAAAAA$AAAA", "is no hash of a password that is read here"),
    ] {
        assert_eq!(PasswordHash::parse(text), Err(wanted), "{text}");
    }
}

#[test]
fn the_steps_of_a_hash_are_as_many_for_every_password() {
    let bcrypt = |cost| PasswordHash::parse(&PasswordHash::bcrypt(b"right", cost, [7; 16])).unwrap();
    let pbkdf2 = PasswordHash::parse(&PasswordHash::pbkdf2(b"right", 1000, &[7; 16])).unwrap();
    let sha256 = PasswordHash::sha256(sha256(b"right"));
    for (hash, wanted) in [(bcrypt(5), 32), (bcrypt(6), 64), (pbkdf2.clone(), 8), (sha256.clone(), 1)] {
        for password in [&b"right"[..], b"wrong", b"", &[b'x'; 72]] {
            assert_eq!(steps(password, std::slice::from_ref(&hash)), wanted, "{hash:?}");
        }
    }
    let all = [bcrypt(5), pbkdf2, sha256];
    assert_eq!((steps(b"wrong", &all), steps(b"right", &all)), (41, 32), "a right one ends it");
    assert_eq!(Hashing::in_one_go(b"right", &all[1..]), Some(0));
    assert_eq!(Hashing::in_one_go(b"right", &[]), None);
}

#[test]
fn nothing_of_a_hash_or_password_is_shown() {
    let hash = PasswordHash::parse(&PasswordHash::bcrypt(b"right", 5, [7; 16])).unwrap();
    assert_eq!(format!("{hash:?} {:?}", Hashing::begin(b"right")), "PasswordHash(Bcrypt(5)) Hashing(the hash at 0)");
}

#[test]
fn every_part_of_a_hash_has_a_part_in_its_digest() {
    let of = |text: &str| PasswordHash::parse(text).unwrap().digest();
    let texts = [
        PasswordHash::bcrypt(b"a", 5, [7; 16]),
        PasswordHash::bcrypt(b"a", 6, [7; 16]),
        PasswordHash::bcrypt(b"b", 5, [7; 16]),
        PasswordHash::bcrypt(b"a", 5, [8; 16]),
        PasswordHash::pbkdf2(b"a", 5, &[7; 16]),
        PasswordHash::pbkdf2(b"a", 6, &[7; 16]),
        PasswordHash::pbkdf2(b"a", 5, &[8; 16]),
    ];
    for (at, text) in texts.iter().enumerate() {
        for other in &texts[..at] {
            assert_ne!(of(text), of(other), "{text} {other}");
        }
    }
    assert_eq!(of(&texts[0]), of(&texts[0].replace("$2y$", "$2b$")));
}
