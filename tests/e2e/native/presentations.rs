//! A request while it is made, and what is changed of where its token is.

use super::changes::{Kind, Send, Written, either, passes, refused, refused_everywhere};
use crate::support::client::head;
use scopegate::base::base64url;

/// A request before another on one connection.
pub(super) struct Before {
    pub(super) bytes: Vec<u8>,
    pub(super) passes: bool,
}

/// A request while it is made.
pub(super) struct Request {
    method: &'static str,
    /// The part before the path.
    origin: &'static str,
    path: String,
    query: Vec<String>,
    /// The token, as it is sent.
    pub(super) token: String,
    /// A good one.
    good: String,
    /// The lines that carry the token, else none does.
    credentials: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    /// The body or what else follows the head.
    rest: String,
    pub(super) before: Option<Before>,
    pub(super) written: Written,
}

impl Request {
    pub(super) fn new(token: String, path: &str, good: String, written: Written) -> Self {
        Self {
            method: "GET",
            origin: "",
            path: path.to_owned(),
            query: Vec::new(),
            credentials: vec![("authorization".to_owned(), format!("Bearer {token}"))],
            token,
            good,
            headers: Vec::new(),
            rest: String::new(),
            before: None,
            written,
        }
    }

    /// What the one line says that carries the token.
    fn credential(&mut self, value: impl Into<String>) {
        self.credential_lines([("authorization", value.into())]);
    }

    fn credential_lines<const N: usize>(&mut self, lines: [(&str, String); N]) {
        self.written.over("request", "credential");
        self.credentials = lines.map(|(name, value)| (name.to_owned(), value)).into();
    }

    pub(super) fn no_credential(&mut self) {
        self.credential_lines([]);
    }

    pub(super) fn header(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn method(&mut self, method: &'static str) {
        self.written.over("request", "method");
        self.method = method;
    }

    pub(super) fn path(&mut self, path: impl Into<String>) {
        self.written.over("request", "path");
        self.path = path.into();
    }

    pub(super) fn origin(&mut self, origin: &'static str) {
        self.written.over("request", "origin");
        self.origin = origin;
    }

    pub(super) fn query(&mut self, parameters: impl Into<String>) {
        self.written.added("request", "query");
        self.query.push(parameters.into());
    }

    /// Given for a tunnel to this authority.
    pub(super) fn tunnel(&mut self, authority: &'static str) {
        self.method("CONNECT");
        self.origin("");
        self.path(authority);
        self.written.over("request", "query");
    }

    fn form(&mut self, method: &'static str, form: String) {
        self.method(method);
        self.header("content-type", "application/x-www-form-urlencoded");
        self.header("content-length", &form.len().to_string());
        self.rest = form;
    }

    /// Sends a chunk, and after it these trailer lines.
    pub(super) fn trailer(&mut self, line: &str) {
        self.method("POST");
        self.header("transfer-encoding", "chunked");
        self.rest = format!("1\r\nx\r\n0\r\n{line}\r\n\r\n");
    }

    pub(super) fn comes_behind(&mut self, credentials: &[(&str, &str)], passes: bool) {
        self.written.over("request", "before");
        self.before = Some(Before { bytes: head("GET", "/orders", credentials), passes });
    }

    pub(super) fn good_credential(&self) -> String {
        format!("Bearer {}", self.good)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let lines = self.credentials.iter().chain(&self.headers);
        let lines: Vec<_> = lines.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query.join("&")) };
        let target = format!("{}{}{query}", self.origin, self.path);
        [&head(self.method, &target, &lines)[..], self.rest.as_bytes()].concat()
    }
}

pub(super) const PRESENTATIONS: &[Kind<Send>] = &[
    passes("the scheme is in another case", |request, random| {
        let scheme = random.of(&["bearer", "BEARER", "bEaReR"]);
        request.credential(format!("{scheme} {}", request.token));
    }),
    passes("there are more spaces", |request, random| {
        let space = random.of(&["  ", "    "]);
        request.credential(format!("Bearer{space}{}", request.token));
    }),
    refused("there is a tab", |request, _| request.credential(format!("Bearer\t{}", request.token))),
    passes("there is white space around", |request, _| request.credential(format!("  Bearer {} \t", request.token))),
    refused("the scheme is another", |request, random| {
        let scheme = random.of(&["Token", "JWT", "OAuth", "Basic", "DPoP", "Bearer,", "Bearer:", ""]);
        request.credential(format!("{scheme} {}", request.token));
    }),
    refused("the scheme ends with ours", |request, random| {
        let scheme = random.of(&["NotBearer", "Basic dTpw Bearer", "xBearer", "\"Bearer"]);
        request.credential(format!("{scheme} {}", request.token));
    }),
    refused("something stands between the scheme and the token", |request, random| {
        let between = random.of(&["!!! ", "\" ", ", ", "token= ", "Bearer ", "!", "*"]);
        request.credential(format!("Bearer {between}{}", request.token));
    }),
    refused("something stands behind the token", |request, random| {
        let behind = random.of(&[" x", ",", ";q=1", "\"", ", Basic dTpw", " Bearer"]);
        request.credential(format!("Bearer {}{behind}", request.token));
    }),
    refused("only the scheme is there", |request, random| {
        request.credential(random.of(&["Bearer", "Bearer ", "Bearer =", ""]));
    }),
    refused("there is no token", |request, _| request.no_credential()),
    refused("there are two credentials", |request, random| {
        let ours = ("authorization", format!("Bearer {}", request.token));
        let other = ("authorization", random.of(&["Bearer a.b.c", "Basic dTpw", "DPoP a.b.c"]).to_owned());
        request.credential_lines(if random.chance(2) { [ours, other] } else { [other, ours] });
    }),
    refused("the token is there twice", |request, _| {
        let line = ("authorization", format!("Bearer {}", request.token));
        request.credential_lines([line.clone(), line]);
    }),
    refused("two credentials are joined", |request, random| {
        let token = &request.token;
        let value = random.of(&[format!("Bearer {token}, Bearer {token}"), format!("Basic dTpw, Bearer {token}")]);
        request.credential(value);
    }),
    refused("the token is in another header", |request, random| {
        let name = random.of(&["x-access-token", "proxy-authorization", "sec-websocket-protocol", "x-authorization"]);
        request.credential_lines([(name, format!("Bearer {}", request.token))]);
    }),
    refused("the token is in a cookie", |request, random| {
        let name = random.of(&["access_token", "token", "authorization"]);
        request.credential_lines([("cookie", format!("{name}={}", request.token))]);
    }),
    refused("the token is in a trailer", |request, random| {
        let line = random.of(&["authorization: Bearer", "Authorization: bearer", "x-access-token:"]);
        request.no_credential();
        request.trailer(&format!("{line} {}", request.token));
    }),
    refused("the token is in the body", |request, random| {
        request.no_credential();
        request.form(random.of(&["POST", "PUT", "GET"]), format!("access_token={}", request.token));
    }),
    passes("the token is in the header and in the body", |request, _| {
        // RFC 6750 section 3.1 asks servers that read bodies to refuse it: neither of them reads bodies.
        request.form("POST", format!("access_token={}", request.token));
    }),
    refused_everywhere("the token is in the query", |request, random| {
        let name = random.of(&["access_token", "a=1&access_token"]);
        request.no_credential();
        request.query(format!("{name}={}", request.token));
    }),
    refused_everywhere("the token is in the query, under another spelling", |request, random| {
        let name = random.of(&[
            "ACCESS_TOKEN",
            "%61ccess_token",
            "access%5Ftoken",
            "access+token",
            "access.token",
            "access_token[]",
            "access_token%00",
            "jwt",
            "id_token",
            "a;access_token",
        ]);
        request.no_credential();
        request.query(format!("{name}={}", request.token));
    }),
    refused("the token is in the query, under any name, where one is asked for", |request, random| {
        let name = random.of(&["x", "state", "my_access_token"]);
        request.path("/orders");
        request.no_credential();
        request.query(format!("{name}={}", request.token));
    }),
    refused_everywhere("the token is in the header and in the query", |request, random| {
        let name = random.of(&["access_token", "ACCESS_TOKEN", "id_token", "refresh_token"]);
        request.query(format!("{name}={}", request.token));
    }),
    refused_everywhere("a good token is in the query, under any name", |request, random| {
        let name = random.of(&["x", "state", "my_access_token"]);
        request.query(format!("{name}={}", request.good));
    }),
    passes("the query has a name like access_token", |request, random| {
        request.query(random.of(&["my_access_token=1", "access_token_type=1", "a=access_token", "x=a.b", "%"]));
    }),
    refused_everywhere("the query has an opaque token", |request, random| {
        let name = random.of(&["access_token", "refresh_token", "bearer_token", "Id_Token"]);
        request.query(format!("{name}=opaque"));
    }),
    refused("a space stands before the colon", |request, random| {
        let name = random.of(&["authorization ", "authorization\t"]);
        request.credential_lines([(name, format!("Bearer {}", request.token))]);
    }),
    either("the line is folded", "RFC 9112 section 5.2: it is refused, or read as with a space", |request, random| {
        let fold = random.of(&["\r\n ", "\r\n\t", " \r\n  "]);
        request.credential(format!("Bearer{fold}{}", request.token));
    }),
    either(
        "a line ends with two returns",
        "RFC 9112 section 2.2: it is refused, or read as with a space",
        |request, _| {
            request.credential(format!("Bearer {}\r", request.token));
        },
    ),
    refused("there is a character that no line may hold", |request, random| {
        let token = &request.token;
        let value = random.of(&[
            format!("Bearer {token}\0"),
            format!("Bearer \0{token}"),
            format!("Bearer\0{token}"),
            format!("Bearer\r{token}"),
            format!("Bearer\u{a0}{token}"),
            format!("Bearer {token}\u{7f}"),
        ]);
        request.credential(value);
    }),
    passes("it comes behind a request without a token", |request, _| request.comes_behind(&[], false)),
    refused("it has no token, and comes behind a request with one", |request, _| {
        let good = request.good_credential();
        request.no_credential();
        request.comes_behind(&[("authorization", &good)], true);
    }),
    passes("it comes behind a request with another token", |request, _| {
        let good = request.good_credential();
        request.comes_behind(&[("authorization", &good)], true);
    }),
    refused("it has a token of no issuer, and comes behind a request with a good one", |request, _| {
        let good = request.good_credential();
        let input = request.good.rsplit_once('.').unwrap().0.to_owned();
        request.credential(format!("Bearer {input}.{}", base64url::encode(&[1; 64])));
        request.comes_behind(&[("authorization", &good)], true);
    }),
    refused("it is good once, and has been used", |request, _| {
        let good = request.good_credential();
        request.path("/once");
        request.credential(good.clone());
        request.written.over("request", "before");
        request.before = Some(Before { bytes: head("GET", "/once", &[("authorization", &good)]), passes: true });
    }),
    passes("there is a proof that is not asked for", |request, random| {
        request.header("dpop", random.of(&["a.b.c", "", "eyJ0eXAiOiJkcG9wK2p3dCJ9.e30.AA"]));
    }),
    passes("it says what certificate it has shown", |request, _| {
        request.header("x-forwarded-client-cert", &format!("Hash={}", "0".repeat(64)));
        request.header("client-cert", ":AAAA:");
    }),
];
