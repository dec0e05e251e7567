//! What to look into: reused tokens, tokens that live too long, least privilege, report-only.

use super::calls::few;
use super::{ROWS, code, counted, left_out, none, number, number_cell, section, share, table, text, to_u64};
use crate::cli::log_report::privilege::{ENOUGH, has_scopes, uncalled, unused, weaker};
use crate::cli::log_report::tokens::{clients, refused_for_age};
use crate::cli::log_report::{chart, span, tokens};
use crate::cli::matrix;
use crate::cli::usage::{Usage, parts};

/// Tokens that were seen from several clients.
pub(super) fn reused(usage: &Usage) -> String {
    let found = tokens::reused(usage);
    let rows: Vec<String> = found
        .iter()
        .take(ROWS)
        .map(|(name, token)| {
            let name_of = |part: &Option<Box<str>>| part.as_deref().map(code).unwrap_or_default();
            let window = if token.window > 0 { format!(" within {}", span(token.window)) } else { String::new() };
            format!(
                "<tr><th scope=\"row\" class=\"whole\">{}</th><td class=\"n\">{}{}</td><td>{}</td><td>{}</td><td>{}</td>{}\
                 <td class=\"whole\">{}</td></tr>\n",
                code(name),
                number(clients(token)),
                text(&window),
                name_of(&token.subject),
                name_of(&token.issuer),
                few(&token.networks),
                number_cell(token.counts.total()),
                token.last.map(|at| text(&at.written())).unwrap_or_default()
            )
        })
        .collect();
    let body = if rows.is_empty() {
        none(
            "No token was. The log has events of it if the configuration has `reuse`, and the networks of clients with \
             `audit: {fields: full}`.",
        )
    } else {
        let heads = ["token", "#clients", "subject", "issuer", "networks", "#requests", "last seen"];
        let note = "<p class=\"soft\">A phone that changes its network looks like this too. <code>scopegate report --fingerprint</code> \
                    tells everything that one token did, and <code>scopegate token revoke --fingerprint</code> revokes it.</p>\n";
        format!("{note}{}{}", table(&heads, &rows), left_out(to_u64(found.len().saturating_sub(ROWS)), "more"))
    };
    section("reuse", "Tokens seen from several clients", &body)
}

/// Tokens that live longer than the policy wants.
pub(super) fn long_lived(usage: &Usage) -> String {
    let issuers: Vec<String> = usage
        .lifetimes
        .ranked()
        .iter()
        .map(|(name, row)| {
            format!(
                "<tr><th scope=\"row\">{}</th>{}{}<td>{}</td><td>{}</td></tr>\n",
                code(name),
                number_cell(row.requests),
                number_cell(row.over),
                text(&span(row.longest)),
                text(&span(usage.terms.lifetime(Some(name))))
            )
        })
        .collect();
    let found = tokens::long_lived(usage);
    let rows: Vec<String> = found
        .iter()
        .take(ROWS)
        .map(|(name, token, lifetime)| {
            let name_of = |part: &Option<Box<str>>| part.as_deref().map(code).unwrap_or_default();
            format!(
                "<tr><th scope=\"row\" class=\"whole\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td>{}</tr>\n",
                code(name),
                text(&span(*lifetime)),
                name_of(&token.issuer),
                name_of(&token.subject),
                name_of(&token.caller),
                number_cell(token.counts.total())
            )
        })
        .collect();
    let mut body = format!("<p class=\"soft\">The limit is {}.</p>\n", text(usage.terms.lifetime_source()));
    if issuers.is_empty() {
        body.push_str(&none("No record says how old a token is and when it expires (`token_age`, `expires_in`)."));
    } else {
        body.push_str(&table(
            &["issuer", "#requests with a known lifetime", "#over the limit", "longest", "limit"],
            &issuers,
        ));
    }
    if !rows.is_empty() {
        body.push_str("<h3>Tokens over the limit</h3>\n");
        body.push_str(&table(&["token", "lifetime", "issuer", "subject", "caller", "#requests"], &rows));
        body.push_str(&left_out(to_u64(found.len().saturating_sub(ROWS)), "more"));
    }
    let refused: Vec<String> =
        refused_for_age(usage).iter().map(|(reason, count)| format!("{} {}", code(reason), number(*count))).collect();
    if !refused.is_empty() {
        body.push_str(&format!(
            "<p class=\"none\">Refused for their age, or let pass by report-only: {}.</p>\n",
            refused.join(", ")
        ));
    }
    section("lifetimes", "Tokens that outlive the policy", &body)
}

/// What was granted and not used, what is not called, what could ask for more.
pub(super) fn privilege(usage: &Usage, sections: &[matrix::Section]) -> String {
    let tags = |scopes: &mut dyn Iterator<Item = &str>| -> String {
        scopes.map(|scope| format!("<span class=\"tag\">{}</span>", code(scope))).collect::<Vec<_>>().concat()
    };
    let mut body = "<h3>Scopes granted and never used</h3>\n".to_owned();
    let found = unused(usage);
    let rows: Vec<String> = found
        .iter()
        .take(ROWS)
        .map(|row| {
            format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td>{}<td>{}</td><td>{}</td></tr>\n",
                code(row.client),
                code(row.issuer),
                number_cell(row.requests),
                tags(&mut row.scopes.iter().map(|(scope, _)| *scope)),
                tags(&mut row.used.iter().copied())
            )
        })
        .collect();
    body.push_str(&if !has_scopes(usage) {
        none(
            "The records do not have the scopes of tokens, or not those that were needed: set `audit: {fields: full}`.",
        )
    } else if rows.is_empty() {
        none("Each scope of each client was needed by some request.")
    } else {
        table(&["client", "issuer", "#allowed requests", "never used", "used"], &rows)
    });
    body.push_str(&left_out(to_u64(found.len().saturating_sub(ROWS)), "more clients"));
    body.push_str(&not_called(usage, sections));
    body.push_str("<h3>Requirements weaker than what callers have</h3>\n");
    let found = weaker(sections, usage);
    let rows: Vec<String> = found
        .iter()
        .take(ROWS)
        .map(|row| {
            let could: Vec<String> = row.could.iter().map(|text| self::text(text)).collect();
            format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td>{}<td>{}</td></tr>\n",
                code(&row.place),
                code(&row.needs),
                number_cell(row.allowed),
                could.join("<br>")
            )
        })
        .collect();
    body.push_str(&if rows.is_empty() {
        none(&format!(
            "None, as far as the records tell; those with fewer than {ENOUGH} allowed requests are not judged."
        ))
    } else {
        table(&["requirement", "needs", "#allowed requests", "could ask for"], &rows)
    });
    body.push_str(&left_out(to_u64(found.len().saturating_sub(ROWS)), "more requirements"));
    section("privilege", "Least privilege", &body)
}

fn not_called(usage: &Usage, sections: &[matrix::Section]) -> String {
    let mut body = "<h3 id=\"uncalled\">Requirements that no request came to</h3>\n".to_owned();
    if sections.is_empty() {
        body.push_str(&none("A log has only what was called: give the policy with --policy."));
        return body;
    }
    let found = uncalled(sections, usage);
    let rows: Vec<String> = found
        .iter()
        .map(|row| {
            format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                text(row.place),
                code(row.matching),
                text(row.methods),
                code(row.needs)
            )
        })
        .collect();
    body.push_str(&if rows.is_empty() {
        none("Each requirement had a request.")
    } else {
        table(&["where", "match", "methods", "needs"], &rows)
    });
    body
}

/// What report-only would have refused.
pub(super) fn would_deny(usage: &Usage) -> String {
    let would = &usage.counts.would_deny;
    if would.total() == 0 {
        return section(
            "report-only",
            "What report-only would have refused",
            &none("Nothing: no request was let pass by it."),
        );
    }
    let ranked = usage.would_deny.ranked();
    let rows: Vec<String> = ranked
        .iter()
        .take(ROWS)
        .map(|(name, row)| {
            let mut parts = parts(name).into_iter();
            let mut next = || code(parts.next().unwrap_or_default());
            let (reason, requirement, route) = (next(), next(), next());
            format!(
                "<tr><th scope=\"row\">{reason}</th><td>{requirement}</td><td>{route}</td>{}<td>{}</td><td>{}</td></tr>\n",
                number_cell(row.requests),
                few(&row.clients),
                few(&row.further)
            )
        })
        .collect();
    let total = usage.counts.total();
    let chart = if usage.series.between().is_some() {
        chart::columns(usage, would, |span| &span.would_deny)
    } else {
        String::new()
    };
    let heads = ["reason", "requirement", "route", "#requests", "callers", "further reasons"];
    let (dropped, _) = usage.would_deny.dropped;
    let rest = to_u64(ranked.len().saturating_sub(ROWS)).saturating_add(dropped);
    let body = format!(
        "<p class=\"soft\">If it were lifted, {} would be refused, {} of all.</p>\n{chart}{}{}",
        counted(would.total(), "request", "requests"),
        share(would.total(), total),
        table(&heads, &rows),
        left_out(rest, "more")
    );
    section("report-only", "What report-only would have refused", &body)
}
