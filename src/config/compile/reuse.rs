//! How it is told that one credential is shown by more clients than it should be.

use super::credentials::Sources;
use super::optional;
use crate::base::network::Block;
use crate::base::time::Seconds;
use crate::config::cursor::{Cursor, Object};
use crate::config::fields;
use crate::policy::{ClientForm, CredentialRule, MAX_CLIENTS, Reuse, ReuseAction};

/// `reuse`, at the top or of a requirement.
pub(super) fn read(cursor: &Cursor<'_>) -> Option<Reuse> {
    let object = cursor.object(&fields::REUSE)?;
    let default = Reuse::default();
    let window: Option<Seconds> = optional(&object, "window", default.window, |c| c.seconds(60..=86_400));
    let max_clients = optional(&object, "max_clients", default.max_clients, |c| c.whole(1..=MAX_CLIENTS - 1));
    let client = optional(&object, "client", ClientForm::default(), client);
    let action = optional(&object, "action", default.action, |cursor| {
        let all = [ReuseAction::Report, ReuseAction::Challenge, ReuseAction::Deny, ReuseAction::Revoke];
        cursor.word(&all.map(|action| (action.name(), action)))
    });
    let exempt = optional(&object, "exempt", Vec::new(), |cursor| cursor.list_of("block of addresses", block));
    Some(Reuse { window: window?, max_clients: max_clients?, client: client?, action: action?, exempt: exempt? })
}

/// Notes that a requirement revokes what never ends: its entry would be needed for ever.
pub(super) fn refuse_endless(object: &Object<'_>, reuse: &Reuse, rule: &CredentialRule, sources: Sources<'_>) {
    if !reuse.revokes() || sources.always_has_token(rule) {
        return;
    }
    let place = object.get("reuse").unwrap_or_else(|| object.cursor().clone());
    let what = if object.has("reuse") { "revokes" } else { "inherits a `reuse` that revokes" };
    place.wrong::<()>(
        format!(
            "{what}, and `credentials` accepts what has no end without a token: a key, a password or a certificate"
        ),
        "write reuse: {action: deny} here, or name bearer in each alternative of `credentials`",
    );
}

fn client(cursor: &Cursor<'_>) -> Option<ClientForm> {
    let object = cursor.object(&fields::REUSE_CLIENT)?;
    let default = ClientForm::default();
    let ipv4_prefix = optional(&object, "ipv4_prefix", default.ipv4_prefix, |c| c.whole(0..=32));
    let ipv6_prefix = optional(&object, "ipv6_prefix", default.ipv6_prefix, |c| c.whole(0..=128));
    let user_agent = optional(&object, "user_agent", default.user_agent, Cursor::flag);
    let tls = optional(&object, "tls", default.tls, Cursor::flag);
    let form = ClientForm { ipv4_prefix: ipv4_prefix?, ipv6_prefix: ipv6_prefix?, user_agent: user_agent?, tls: tls? };
    if form.ipv4_prefix == 0 && form.ipv6_prefix == 0 && !form.user_agent && !form.tls {
        return cursor.wrong("tells no client from another", "let one of them count");
    }
    Some(form)
}

fn block(cursor: &Cursor<'_>) -> Option<Block> {
    match Block::parse(cursor.text()?) {
        Ok(block) => Some(block),
        Err(why) => {
            cursor.wrong(why, "write an address and the length of its prefix, such as 10.0.0.0/8 or 2001:db8::/32")
        }
    }
}
