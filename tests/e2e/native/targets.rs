//! What is changed of a request beside its token: where it goes, by what method, and what it says of its sender.

use super::changes::{Kind, Send, either, passes, refused, refused_everywhere, unasked};

pub(super) const TARGETS: &[Kind<Send>] = &[
    passes("the method is another", |request, random| {
        request.method(random.of(&["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]));
    }),
    either("the method is QUERY", "Envoy refuses it without a content type", |request, _| request.method("QUERY")),
    refused("it says that it is a preflight", |request, _| {
        request.method("OPTIONS");
        request.no_credential();
        request.header("origin", "https://a.example.com");
        request.header("access-control-request-method", "GET");
    }),
    unasked("the route is open", |request, random| {
        request.path(random.of(&["/open/", "/open/a"]));
        if random.chance(2) {
            request.query("c=d");
        }
    }),
    unasked("the route is open, and there is no token", |request, random| {
        request.path(random.of(&["/open/", "/open/a/b"]));
        request.no_credential();
    }),
    refused("the path is on its way out of the open route", |request, random| {
        let path = random.of(&["../orders", "%2e%2e/orders", "./../orders", ".%2e/orders", "a/../../orders"]);
        request.path(format!("/open/{path}"));
        request.no_credential();
    }),
    refused("the path can be read in two ways", |request, random| {
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
        request.path(format!("/open/{path}"));
        request.no_credential();
    }),
    refused("the path is almost that of the open route", |request, random| {
        request.path(random.of(&["/opened", "/OPEN/a", "/open%2fa", "//orders", "/Open", "/open%00", "/open.", "/"]));
        request.no_credential();
    }),
    passes("the target is a whole URI", |request, _| request.origin("http://api.example.com")),
    refused("another path is asked for in a header", |request, random| {
        request.no_credential();
        let name = random.of(&["x-original-url", "x-rewrite-url", "x-http-method-override", "x-forwarded-prefix"]);
        request.header(name, "/open/a");
    }),
    passes("it says who it is", |request, random| {
        request.header(random.of(&["x-auth-subject", "X-Auth-Subject"]), "admin");
        request.path("/orders");
    }),
    unasked("it says who it is, where that is not asked", |request, random| {
        request.header(random.of(&["x-auth-subject", "X-Auth-Subject"]), "admin");
        request.path("/open/a");
    }),
    passes("it says who it is, with underscores", |request, random| {
        request.header(random.of(&["x_auth_subject", "x-auth_subject", "x_auth-subject"]), "admin");
    }),
    passes("it says who it is in a trailer", |request, _| request.trailer("x-auth-subject: admin")),
    refused("it wants another protocol", |request, random| {
        let protocol = random.of(&["websocket", "h2c", "x"]);
        request.no_credential();
        request.header("connection", "Upgrade");
        request.header("upgrade", protocol);
    }),
    refused("it wants a tunnel", |request, random| {
        request.no_credential();
        request.tunnel(random.of(&["api.example.com:443", "127.0.0.1:80"]));
    }),
    either("it wants a tunnel, with a token", "a tunnel has no path, and rules are about paths", |request, _| {
        request.tunnel("api.example.com:443");
    }),
    refused_everywhere("a header is larger than Envoy takes", |request, random| {
        request.header("x-large", &"x".repeat(62_000 + random.below(30_000)));
    }),
];
