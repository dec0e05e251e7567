//! What Scopegate can do with a header, tried with the module's own reader.

use crate::cli::migrate::tree::{list, object, text, texts};
use crate::cli::source::any_secret;
use crate::config::{self, Node, Tree};

/// A point of P-256 whose x is the SHA-256 of `nobody`, so that nobody has the private key.
const KEY_OF_NOBODY: [&str; 2] =
    ["Y4KzzIgUErd7_K7tAmABwA2eMCXmbCD25-kvB5hRRio", "McTdId0eflQ843ur-rTJdfQkIPiKwDsLOGgTvuyZmag"];

/// Whether a claim can become a header.
pub(super) fn can_be_sent(header: &str, claim: &Node) -> Result<(), String> {
    let headers = Tree::Object(vec![(header.to_owned(), claim.clone())]).into();
    forwarded(object([("headers", headers)]))
}

/// Whether a header can be removed from every request.
pub(super) fn can_be_removed(header: &str) -> bool {
    forwarded(object([("remove", texts([header]))])).is_ok()
}

/// Whether requests with something in a header can be refused, by [an issuer](of_nobody) that has its tokens there.
pub(super) fn can_be_refused(header: &str) -> bool {
    accepted(&object([("issuers", list([of_nobody(header)]))])).is_ok()
}

/// An issuer without tokens, whose place is a header. Whatever is in the header is then a token that nobody accepts, or a
/// second one.
pub(super) fn of_nobody(header: &str) -> Node {
    let [x, y] = KEY_OF_NOBODY;
    let key =
        object([("kty", text("EC")), ("crv", text("P-256")), ("alg", text("ES256")), ("x", text(x)), ("y", text(y))]);
    object([
        ("issuer", text(format!("nobody:{header}"))),
        ("audiences", texts(["nobody"])),
        ("jwks", object([("inline", object([("keys", list([key]))]))])),
        ("token_header", object([("name", text(header))])),
    ])
}

fn forwarded(forward: Node) -> Result<(), String> {
    let jwks = object([("uri", text("https://issuer.example/keys")), ("cluster", text("issuer"))]);
    let issuer = object([("issuer", text("https://issuer.example")), ("audiences", texts(["a"])), ("jwks", jwks)]);
    accepted(&object([("issuers", list([issuer])), ("forward", forward)]))
}

fn accepted(root: &Node) -> Result<(), String> {
    config::compile(root, &any_secret).map(drop).map_err(|error| {
        error.0.first().map(|problem| format!("{}; {}", problem.what, problem.remedy)).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_done_with_a_header_is_what_the_module_accepts() {
        let all =
            |header: &str| [can_be_sent(header, &text("sub")).is_ok(), can_be_removed(header), can_be_refused(header)];
        for (header, wanted) in [
            ("x-jwt", [true, true, true]),
            ("x-forwarded-user", [false, true, false]),
            ("x-forwarded-for", [false, false, false]),
            ("x-envoy-foo", [false, false, false]),
            ("cookie", [false, false, false]),
            ("authorization", [false, false, false]),
        ] {
            assert_eq!(all(header), wanted, "{header}");
        }
    }
}
