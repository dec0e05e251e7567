//! Where the gate and the other judge of proofs differ, and why that is right.

/// How the gate differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    /// It refuses what the other accepts.
    Refuses,
    /// It lets through what the other refuses.
    Passes,
}

/// A class of requests.
#[derive(Debug)]
pub(super) struct Difference {
    /// What was changed of a good request.
    pub(super) sent: &'static str,
    pub(super) how: How,
    #[expect(dead_code, reason = "for the reader of the list")]
    pub(super) why: &'static str,
}

const fn refuses(sent: &'static str, why: &'static str) -> Difference {
    Difference { sent, how: How::Refuses, why }
}

const fn passes(sent: &'static str, why: &'static str) -> Difference {
    Difference { sent, how: How::Passes, why }
}

pub(super) const DIFFERENCES: &[Difference] = &[
    refuses(
        "the token is of the future",
        "RFC 9068 section 4, RFC 8725: nobody has issued it yet; the other reads only whether `iat` is a number",
    ),
    refuses("b64 is false", "RFC 7797 section 7: a JWT must not have it"),
    refuses("jwk is for encryption", "RFC 7517 section 4.2: a key is used for what it is for"),
    refuses("jwk is not for signatures", "RFC 7517 section 4.3: a key is used for what it is for"),
    refuses("htu has backslashes", "RFC 3986 section 3: that is no URI; the other reads it as browsers do"),
    refuses("htu has one slash less", "RFC 3986 section 3: that is another URI; the other reads it as browsers do"),
    refuses("htu has spaces around it", "RFC 3986 section 2: no URI has a space; the other reads it as browsers do"),
    refuses(
        "htu has a line feed in it",
        "RFC 3986 section 2: no URI has a line feed; the other reads it as browsers do",
    ),
    refuses("htu has a host in wide letters", "RFC 3986 section 2: a URI is ASCII; the other reads it as browsers do"),
    refuses(
        "htu has an escape in its host",
        "RFC 9110 section 4.2.3: the host is compared as it is; the other reads it as browsers do",
    ),
    passes(
        "htu has an escape that it does not need",
        "RFC 9449 section 4.3, RFC 3986 section 6.2.2.2: it is the same address",
    ),
    refuses(
        "the proof is of a minute ago",
        "the store is younger than the proof, which may have been used before; the other has no store",
    ),
    refuses("jti of the proof is empty", "RFC 9449 section 4.2: it identifies the proof"),
    refuses("the nonce is a number", "RFC 9449 section 8.1: a nonce is text"),
    refuses("htm is there twice", "RFC 7519 section 4: names are unique; another reader may take the other one"),
    refuses("jwk is there twice", "RFC 7515 section 4: names are unique; another reader may take the other one"),
    refuses("the claims begin with a byte order mark", "RFC 8259 section 8.1: JSON has none"),
    refuses(
        "the signature is padded",
        "RFC 7515 section 2: base64url has no padding, so that a proof has one spelling",
    ),
    refuses(
        "the proof has stray bits at its end",
        "RFC 4648 section 3.5: the bits are zero, so that a proof has one spelling",
    ),
    refuses("the proof has been used", "RFC 9449 section 11.1: a proof is good once; the other remembers none"),
    passes(
        "an unbound token is sent as Bearer, with a proof",
        "RFC 6750: it is a good bearer token; the header proves nothing, and nobody asked for it",
    ),
];
