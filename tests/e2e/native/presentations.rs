//! What is changed of a signed token, and of the request that carries it.

use super::World;
use crate::support::random::Random;
use scopegate::base::base64url;

/// A change of a signed token.
pub(super) type Spell = fn(&str, &World, &mut Random) -> String;
/// A change of a request.
pub(super) type Send = fn(&mut Request, &mut Random);

/// A request while it is made.
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) target: String,
    /// The token, as it is sent.
    pub(super) token: String,
    /// The lines that carry the token, else none does.
    pub(super) lines: Vec<(String, String)>,
    /// The body or what else follows the head.
    pub(super) rest: String,
}

impl Request {
    pub(super) fn new(token: String) -> Self {
        let lines = vec![("authorization".to_owned(), format!("Bearer {token}"))];
        Self { method: "GET", target: "/orders".to_owned(), token, lines, rest: String::new() }
    }

    fn set(&mut self, value: String) {
        self.lines = vec![("authorization".to_owned(), value)];
    }

    fn add(&mut self, name: &str, value: &str) {
        self.lines.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let lines: Vec<_> = self.lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // What follows a head that does not announce it would be the next request.
        let framed = self.lines.iter().any(|(name, _)| name == "content-length" || name == "transfer-encoding");
        let rest = if framed { self.rest.as_bytes() } else { &[] };
        [&crate::support::client::head(self.method, &self.target, &lines)[..], rest].concat()
    }
}

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The order of the group of P-256.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// `n - s`: the other half of the signatures of an ECDSA key.
fn negated(half: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut result = vec![0; 32];
    for place in (0..32).rev() {
        let difference = i32::from(ORDER[place]) - i32::from(half[place]) - borrow;
        borrow = i32::from(difference < 0);
        result[place] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    result
}

fn with_signature(token: &str, edit: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    format!("{input}.{}", base64url::encode(&edit(base64url::decode(signature.as_bytes()).unwrap())))
}

fn random_bytes(length: usize, random: &mut Random) -> Vec<u8> {
    (0..length).map(|_| random.next().to_le_bytes()[0]).collect()
}

pub(super) const SPELLINGS: &[(&str, Spell)] = &[
    ("a character is another", |token, _, random| {
        let mut bytes = token.as_bytes().to_vec();
        // Not the last one, whose bits are another matter.
        let places: Vec<usize> = (0..bytes.len() - 1).filter(|place| bytes[*place] != b'.').collect();
        let place = random.of(&places);
        let before = bytes[place];
        while bytes[place] == before {
            bytes[place] = random.of(ALPHABET);
        }
        String::from_utf8(bytes).unwrap()
    }),
    ("stray bits are in the last character", |token, _, _| {
        let mut token = token.to_owned();
        // The last of a signature whose length is a multiple of three has none to spare.
        if token.rsplit_once('.').unwrap().1.len() % 4 == 0 {
            return token;
        }
        let last = token.pop().unwrap();
        let place = ALPHABET.iter().position(|byte| char::from(*byte) == last).unwrap();
        token.push(char::from(ALPHABET[place + 1]));
        token
    }),
    ("a character is missing or twice", |token, _, random| {
        let mut token = token.to_owned();
        // Neither a dot nor the last one, which are other matters.
        let places: Vec<usize> =
            token[..token.len() - 1].match_indices(|at| at != '.').map(|(place, _)| place).collect();
        let place = random.of(&places);
        let removed = token.remove(place);
        if random.chance(2) {
            token.insert_str(place, &format!("{removed}{removed}"));
        }
        token
    }),
    ("a character that base64url has not", |token, _, random| {
        let mut token = token.to_owned();
        token.insert(random.below(token.len()), random.of(&['+', '/', '=', '*', '%', '~', '!']));
        token
    }),
    ("it is padded", |token, _, random| format!("{token}{}", random.of(&["=", "=="]))),
    ("there are more dots", |token, _, random| match random.below(3) {
        0 => format!(".{token}"),
        1 => format!("{token}."),
        _ => token.replacen('.', "..", 1),
    }),
    ("a part is missing or too many", |token, _, random| {
        let parts: Vec<&str> = token.split('.').collect();
        match random.below(6) {
            0 => parts[..2].join("."),
            1 => parts[1..].join("."),
            2 => parts[0].to_owned(),
            3 => format!("{token}.{}", parts[1]),
            4 => format!("{token}.{}.{}", parts[0], parts[2]),
            _ => format!("{}.{}.{}", parts[1], parts[0], parts[2]),
        }
    }),
    ("the signature is missing", |token, _, _| format!("{}.", token.rsplit_once('.').unwrap().0)),
    ("the signature is zeros or random", |token, _, random| {
        with_signature(token, |signature| {
            if random.chance(2) { vec![0; signature.len()] } else { random_bytes(signature.len(), random) }
        })
    }),
    ("the signature is too short", |token, _, random| {
        with_signature(token, |signature| signature[..=random.below(signature.len() - 1)].to_vec())
    }),
    ("something stands behind the signature", |token, _, random| {
        with_signature(token, |signature| [signature, random_bytes(1 + random.below(8), random)].concat())
    }),
    ("the signature is there twice", |token, _, _| with_signature(token, |signature| signature.repeat(2))),
    ("a zero is before each half of the signature", |token, _, _| {
        with_signature(token, |signature| {
            let (r, s) = signature.split_at(signature.len() / 2);
            [&[0], r, &[0], s].concat()
        })
    }),
    ("the halves of the signature are swapped", |token, _, _| {
        with_signature(token, |signature| {
            let (r, s) = signature.split_at(signature.len() / 2);
            [s, r].concat()
        })
    }),
    ("the signature of an ECDSA key is the other one", |token, world, _| {
        if !token.starts_with(world.token().sign().split('.').next().unwrap()) {
            return token.to_owned();
        }
        with_signature(token, |signature| match signature.len() {
            64 => [&signature[..32], &negated(&signature[32..])].concat(),
            _ => signature,
        })
    }),
    ("the signature is of another token", |token, world, _| {
        let other = world.token().claim("sub", "mallory").sign();
        format!("{}.{}", token.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1)
    }),
    ("the claims are of another token", |token, world, _| {
        let other = world.token().claim("sub", "admin").claim("scope", "orders:read orders:write").sign();
        let parts: Vec<&str> = token.split('.').collect();
        format!("{}.{}.{}", parts[0], other.split('.').nth(1).unwrap(), parts[2])
    }),
    ("it is signed with a foreign key", |token, _, random| {
        with_signature(token, |signature| random_bytes(signature.len(), random))
    }),
    ("it is signed with the key set as a secret", |token, world, random| {
        let header =
            serde_json::json!({ "alg": random.of(&["HS256", "HS256"]), "kid": "a", "typ": "at+jwt" }).to_string();
        let claims = token.split('.').nth(1).unwrap();
        let input = format!("{}.{claims}", base64url::encode(header.as_bytes()));
        let key = serde_json::Value::from(world.issuer.key.to_public_jwk()).to_string();
        format!("{input}.{}", base64url::encode(&hmac_sha256::HMAC::mac(input.as_bytes(), key.as_bytes())))
    }),
    ("it is signed with the secret of the key set", |token, _, _| {
        let header = serde_json::json!({ "alg": "HS256", "kid": "shared", "typ": "at+jwt" }).to_string();
        let input = format!("{}.{}", base64url::encode(header.as_bytes()), token.split('.').nth(1).unwrap());
        format!("{input}.{}", base64url::encode(&hmac_sha256::HMAC::mac(input.as_bytes(), super::SHARED)))
    }),
    ("it is signed with a key that is not for this", |_, world, random| match random.below(4) {
        0 => world.encryption.token(world.now).sign(),
        1 => world.signing_only.token(world.now).sign(),
        2 => world.nameless.token(world.now).sign(),
        _ => world.sign_with_small_rsa(),
    }),
    ("it is upper case", |token, _, _| token.to_ascii_uppercase()),
];

pub(super) const SENDINGS: &[(&str, Send)] = &[
    ("the scheme is in another case", |request, random| {
        let scheme = random.of(&["bearer", "BEARER", "bEaReR"]);
        request.set(format!("{scheme} {}", request.token));
    }),
    ("there are more spaces", |request, random| {
        let space = random.of(&["  ", "    "]);
        request.set(format!("Bearer{space}{}", request.token));
    }),
    ("there is a tab", |request, _| request.set(format!("Bearer\t{}", request.token))),
    ("there is white space around", |request, _| request.set(format!("  Bearer {} \t", request.token))),
    ("the scheme is another", |request, random| {
        let scheme = random.of(&["Token", "JWT", "OAuth", "Basic", "DPoP", "Bearer,", "Bearer:", ""]);
        request.set(format!("{scheme} {}", request.token));
    }),
    ("the scheme ends with ours", |request, random| {
        let scheme = random.of(&["NotBearer", "Basic dTpw Bearer", "xBearer", "\"Bearer"]);
        request.set(format!("{scheme} {}", request.token));
    }),
    ("something stands between the scheme and the token", |request, random| {
        let between = random.of(&["!!!", "\"", ",", "token=", "Bearer"]);
        request.set(format!("Bearer {between} {}", request.token));
    }),
    ("something stands behind the token", |request, random| {
        let behind = random.of(&[" x", ",", ";q=1", "\"", ", Basic dTpw", " Bearer"]);
        request.set(format!("Bearer {}{behind}", request.token));
    }),
    ("only the scheme is there", |request, random| {
        request.set(random.of(&["Bearer", "Bearer ", "Bearer =", ""]).to_owned());
    }),
    ("there is no token", |request, _| request.lines.clear()),
    ("there are two credentials", |request, random| {
        let (value, other) =
            (format!("Bearer {}", request.token), random.of(&["Bearer a.b.c", "Basic dTpw", "DPoP a.b.c"]));
        if random.chance(2) {
            request.add("authorization", other);
        } else {
            request.set((*other).to_owned());
            request.add("authorization", &value);
        }
    }),
    ("the token is there twice", |request, _| {
        let value = format!("Bearer {}", request.token);
        request.set(value.clone());
        request.add("authorization", &value);
    }),
    ("two credentials are joined", |request, random| {
        let token = &request.token;
        let value =
            random.of(&[format!("Bearer {token}, Bearer {token}"), format!("Basic dTpw, Bearer {token}")]).clone();
        request.set(value);
    }),
    ("the token is in another header", |request, random| {
        let name = random.of(&["x-access-token", "proxy-authorization", "sec-websocket-protocol", "x-authorization"]);
        let value = format!("Bearer {}", request.token);
        request.lines.clear();
        request.add(name, &value);
    }),
    ("the token is in a cookie", |request, random| {
        let name = random.of(&["access_token", "token", "authorization"]);
        let value = format!("{name}={}", request.token);
        request.lines.clear();
        request.add("cookie", &value);
    }),
    ("the token is in the query", |request, random| {
        let name = random.of(&["access_token", "a=1&access_token"]);
        request.target = format!("{}?{name}={}", request.target, request.token);
        request.lines.clear();
    }),
    ("the token is in the query, under another spelling", |request, random| {
        let name =
            random.of(&["ACCESS_TOKEN", "%61ccess_token", "access%5Ftoken", "jwt", "id_token", "x", "a;access_token"]);
        request.target = format!("{}?{name}={}", request.target, request.token);
        request.lines.clear();
    }),
    ("the token is in the header and in the query", |request, random| {
        let name = random.of(&["access_token", "ACCESS_TOKEN", "state", "id_token", "refresh_token"]);
        request.target = format!("{}?{name}={}", request.target, request.token);
    }),
    ("the query has a name like access_token", |request, random| {
        let query = random.of(&["my_access_token=1", "access_token_type=1", "a=access_token", "x=a.b", "%"]);
        request.target = format!("{}?{query}", request.target);
    }),
    ("the query has an opaque token", |request, random| {
        let name = random.of(&["access_token", "refresh_token", "bearer_token", "Id_Token"]);
        request.target = format!("{}?{name}=opaque", request.target);
    }),
    ("the token is in the body", |request, _| {
        request.rest = format!("access_token={}", request.token);
        request.method = "POST";
        request.lines.clear();
        let length = request.rest.len().to_string();
        request.add("content-type", "application/x-www-form-urlencoded");
        request.add("content-length", &length);
    }),
    ("the method is another", |request, random| {
        request.method = random.of(&["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "QUERY"]);
    }),
    ("it says that it is a preflight", |request, _| {
        request.method = "OPTIONS";
        request.lines.clear();
        request.add("origin", "https://a.example.com");
        request.add("access-control-request-method", "GET");
    }),
    ("the route is open", |request, random| {
        request.target = random.of(&["/open/", "/open/a", "/open/a/b?c=d"]).into();
        if random.chance(2) {
            request.lines.clear();
        }
    }),
    ("the path is on its way out of the open route", |request, random| {
        let path = random.of(&["../orders", "%2e%2e/orders", "./../orders", ".%2e/orders", "a/../../orders"]);
        request.target = format!("/open/{path}");
        request.lines.clear();
    }),
    ("the path can be read in two ways", |request, random| {
        let path = random.of(&[
            "%252e%252e/orders",
            "..%252forders",
            "..%255corders",
            "%c0%ae%c0%ae/orders",
            "%u002e%u002e/orders",
            "..%2500/orders",
            "a%",
            "%252e%252e%252forders",
            "..%c0%aforders",
            "%e0%80%ae%e0%80%ae/orders",
            "a;b/orders",
        ]);
        request.target = format!("/open/{path}");
        request.lines.clear();
    }),
    ("the path is almost that of the open route", |request, random| {
        request.target =
            (random.of(&["/opened", "/OPEN/a", "/open%2fa", "//orders", "/Open", "/open%00", "/open.", "/"])).into();
        request.lines.clear();
    }),
    ("the target is a whole URI", |request, _| request.target = format!("http://api.example.com{}", request.target)),
    ("another path is asked for in a header", |request, random| {
        request.lines.clear();
        let name = random.of(&["x-original-url", "x-rewrite-url", "x-http-method-override", "x-forwarded-prefix"]);
        request.add(name, "/open/a");
    }),
    ("it says who it is", |request, random| {
        let name = random.of(&["x-auth-subject", "X-Auth-Subject"]);
        request.add(name, "admin");
        if random.chance(2) {
            request.target = "/open/a".into();
        }
    }),
    ("it says who it is, with underscores", |request, random| {
        let name = random.of(&["x_auth_subject", "x-auth_subject", "x_auth-subject"]);
        request.add(name, "admin");
    }),
    ("it says who it is in a trailer", |request, _| {
        request.method = "POST";
        request.add("transfer-encoding", "chunked");
        request.rest = "1\r\nx\r\n0\r\nx-auth-subject: admin\r\n\r\n".into();
    }),
    ("it wants another protocol", |request, random| {
        let protocol = random.of(&["websocket", "h2c", "x"]);
        request.lines.clear();
        request.add("connection", "Upgrade");
        request.add("upgrade", protocol);
    }),
];
