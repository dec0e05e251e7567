//! `scopegate check` with `forward.by: router`: what the route configuration has to do, and who reads it too early.

use crate::check::check;
use crate::served::{MATCH, before_gate, behind_gate, by_router, edit, filter, found, strict};
use crate::world::shipped;

#[test]
fn what_the_router_is_to_edit_is_demanded_of_the_route_configuration() {
    let file = by_router();
    let right = || file.clone();
    let checked = strict(&right());
    assert_eq!((checked.status, checked.stdout.trim()), (0, "no problems found"), "{checked:?}");
    let removal = "            request_headers_to_remove: [authorization, x-auth-subject, x-auth-scope]\n";
    let scope = "            - header: {key: x-auth-scope, value: \"%FILTER_STATE(wasm.scopegate.scope:PLAIN)%\"}\n              append_action: OVERWRITE_IF_EXISTS_OR_ADD\n";
    let additions = || {
        let start = file.find("            request_headers_to_add:\n").unwrap();
        let end = file.find(scope).unwrap() + scope.len();
        file[start..end].to_owned()
    };
    let deeper = |text: &str| text.lines().map(|line| format!("  {line}\n")).collect::<Vec<_>>().concat();
    let all = format!("{removal}{}", additions());
    // The same on every virtual host, in the place of the route configuration.
    let host = "              domains: [\"*\"]\n";
    let moved = |what: &str| edit(&edit(&file, what, ""), host, &format!("{host}{}", deeper(what)));
    let case = |words: &'static str, text: String| ("router-edits", words, text, right());
    let removed_on_host = edit(&edit(&file, removal, ""), host, &format!("{host}{}", deeper(removal)));
    let public = edit(
        &edit(&file, "[authorization, x-auth-subject", "[x-auth-subject"),
        "                route: {cluster: upstream}\n                # What a route needs",
        "                request_headers_to_remove: [authorization]\n                route: {cluster: upstream}\n                # What a route needs",
    );
    let open = |text: &str, metadata: &str| {
        let removing = text.replace(
            "                match: {path_separated_prefix: /internal}\n",
            "                match: {path_separated_prefix: /internal}\n                request_headers_to_remove: [authorization]\n",
        );
        edit(
            &removing,
            &format!("                {MATCH}\n"),
            &format!(
                "                {MATCH}\n                metadata: {{filter_metadata: {{scopegate: {metadata}}}}}\n"
            ),
        )
    };
    let forward = "                    forward:\n";
    let restricting =
        |text: &str| edit(text, forward, &format!("                    route_metadata: restrict\n{forward}"));
    found(&[
        case("sends authorization on", edit(&file, "[authorization, x-auth-subject", "[x-auth-subject")),
        case("does not remove what the client sent", edit(&file, ", x-auth-scope]", "]")),
        case("nothing sets x-auth-scope", edit(&file, scope, "")),
        case("from something else", edit(&file, "wasm.scopegate.scope:PLAIN", "wasm.scopegate.scope:TYPED")),
        case(
            "from something else",
            edit(&file, "%FILTER_STATE(wasm.scopegate.scope:PLAIN)%", "%FILTER_STATE(wasm.scopegate.subject:PLAIN)%"),
        ),
        case(
            "adds x-auth-scope to what may be there",
            edit(&file, scope, &scope.replace("OVERWRITE_IF_EXISTS_OR_ADD", "APPEND_IF_EXISTS_OR_ADD")),
        ),
        case(
            "empty where the token has no such claim",
            edit(&file, scope, &format!("{scope}              keep_empty_value: true\n")),
        ),
        (
            "router-edits",
            "comes to later removes it",
            edit(&edit(&file, &additions(), ""), host, &format!("{host}{}", deeper(&additions()))),
            moved(&all),
        ),
        // The other way round where the most specific level comes last.
        (
            "router-edits",
            "comes to later removes it",
            edit(
                &removed_on_host,
                "            request_headers_to_add:\n",
                "            most_specific_header_mutations_wins: true\n            request_headers_to_add:\n",
            ),
            removed_on_host.clone(),
        ),
        case(
            "edits authorization for one cluster",
            edit(
                &file,
                &format!("                {MATCH}\n                route: {{cluster: upstream}}\n"),
                &format!(
                    "                {MATCH}\n                route: {{weighted_clusters: {{clusters: [{{name: upstream, weight: 1, request_headers_to_add: [{{header: {{key: authorization, value: a}}}}]}}]}}}}\n"
                ),
            ),
        ),
        ("router-edits", "sends authorization on", open(&public, "{scopes: [a]}"), open(&public, "{public: true}")),
        // Metadata that restricts opens nothing: the token is read, and would go on.
        (
            "router-edits",
            "sends authorization on",
            restricting(&open(&public, "{public: true}")),
            open(&public, "{public: true}"),
        ),
    ]);
    // A route that leads nowhere is not edited, and needs nothing.
    let nowhere = edit(
        &public,
        &format!("                {MATCH}\n                route: {{cluster: upstream}}\n"),
        &format!("                {MATCH}\n                direct_response: {{status: 404}}\n"),
    );
    let stdout = check(&nowhere).stdout;
    let edits = stdout.lines().filter(|line| line.contains("error[router-edits]")).collect::<Vec<_>>();
    assert!(!edits.iter().any(|line| line.contains("routes[2]")), "{stdout}");
}

#[test]
fn a_filter_that_reads_what_the_router_has_yet_to_edit_is_named() {
    let says = |text: &str, words: &str| {
        let checked = check(text);
        assert_eq!(checked.status, 0, "{checked:?}");
        checked.stdout.lines().any(|line| line.contains("warning[reads-before-router]") && line.contains(words))
    };
    let behind = |kind: &str, rest: &str| behind_gate(&by_router(), &filter("f", kind, rest));
    assert!(says(
        &behind("ext_authz.v3.ExtAuthz", ""),
        "ext_authz stands between the gate and the router and still sees the token in authorization"
    ));
    assert!(says(&behind("ext_authz.v3.ExtAuthz", ""), "does not see x-auth-subject"));
    assert!(says(&behind("basic_auth.v3.BasicAuth", ""), "authorization"));
    let rule = ", rules: {policies: {a: {permissions: [{header: {name: x-auth-subject, string_match: {exact: a}}}], principals: [{any: true}]}}}";
    assert!(says(
        &behind("rbac.v3.RBAC", rule),
        "rbac stands between the gate and the router and does not see x-auth-subject"
    ));
    assert!(!says(&behind("rbac.v3.RBAC", rule), "x-auth-scope"));
    assert!(!says(&behind("compressor.v3.Compressor", ""), ""));
    assert!(!says(&before_gate(&by_router(), &filter("f", "ext_authz.v3.ExtAuthz", "")), ""));
    assert!(!says(&behind_gate(&shipped(), &filter("f", "ext_authz.v3.ExtAuthz", "")), ""));
}
