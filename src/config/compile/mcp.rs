//! `mcp` of a requirement: what is asked of the messages of an MCP client.

use super::requirement::{self, Context};
use super::{credentials, csrf, matching, optional, replay};
use crate::config::Environment;
use crate::config::cursor::{Cursor, Object};
use crate::config::fields::{self, Shape};
use crate::config::tree::Tree;
use crate::mcp::version::Version;
use crate::policy::{
    CredentialRule, DEFAULT_BODY_BYTES, Item, ItemRule, ItemRules, Lists, Mcp, Pattern, SessionKeys, TokenRequirement,
};
use std::rc::Rc;

/// The longest message that can be admitted, in bytes.
const MAX_BODY_BYTES: u32 = 4_194_304;
/// Rules in one list.
const MAX_RULES: usize = 10_000;
/// Keys of sessions: an id that none of them has signed is tried with each.
const MAX_KEYS: usize = 8;
/// The revisions, as they are written.
const VERSIONS: [(&str, Version); 4] = [
    ("2025-03-26", Version::V2025_03_26),
    ("2025-06-18", Version::V2025_06_18),
    ("2025-11-25", Version::V2025_11_25),
    ("2026-07-28", Version::V2026_07_28),
];

/// What lists show, as it is written.
const LISTS: [(&str, Lists); 2] = [("all", Lists::All), ("granted", Lists::Granted)];

/// What the requirement around it says.
#[derive(Clone, Copy)]
pub(super) struct Around<'c> {
    /// What conditions and issuers refer to.
    pub(super) context: Context<'c>,
    /// The credentials that are good there: an item is asked of them, and not of others.
    pub(super) credentials: Option<&'c CredentialRule>,
    /// The origin of its resource, whose pages may send messages.
    pub(super) own_origin: Option<&'c str>,
}

/// `mcp` of a requirement.
pub(super) fn read(cursor: &Cursor<'_>, around: Around<'_>) -> Option<Mcp> {
    let object = cursor.object(&fields::MCP)?;
    let tools = list(&object, "tools", (&fields::MCP_TOOLS, &fields::MCP_TOOL, "tool"), around);
    let prompts = list(&object, "prompts", (&fields::MCP_PROMPTS, &fields::MCP_PROMPT, "prompt"), around);
    let resources = list(&object, "resources", (&fields::MCP_RESOURCES, &fields::MCP_RESOURCE, "uri"), around);
    let methods = list(&object, "methods", (&fields::MCP_METHODS, &fields::MCP_METHOD, "method"), around);
    let lists = optional(&object, "lists", Lists::All, |c| c.word(&LISTS));
    let session = optional(&object, "session", None, |c| session(c, around.context.environment).map(Some));
    let origins = optional(&object, "origins", Vec::new(), |c| Some(csrf::origins(c)?.origins));
    let origins = origins.map(|mut origins| {
        origins.extend(around.own_origin.map(str::to_owned));
        origins
    });
    let hosts = optional(&object, "hosts", Vec::new(), hosts);
    let versions =
        optional(&object, "versions", Version::ALL.to_vec(), |c| c.list_of("version", |item| item.word(&VERSIONS)));
    let hold_headers = optional(&object, "hold_headers", false, Cursor::flag);
    let body_bytes = optional(&object, "body_bytes", DEFAULT_BODY_BYTES, |c| c.whole(1..=MAX_BODY_BYTES));
    let is_stateless = |versions: &Vec<Version>| versions.iter().all(|version| version.is_stateless());
    if let (Some(Some(_)), true) = (&session, versions.as_ref().is_some_and(is_stateless)) {
        object.get("session").unwrap_or_else(|| object.cursor().clone()).wrong::<()>(
            "binds session ids, and `versions` has no revision with sessions",
            "leave it out, or accept 2025-11-25 too",
        );
    }
    Some(Mcp {
        tools: tools?,
        prompts: prompts?,
        resources: resources?,
        methods: methods?,
        lists: lists?,
        origins: origins?,
        hosts: hosts?,
        versions: versions?,
        hold_headers: hold_headers?,
        body_bytes: body_bytes?,
        session: session?,
    })
}

/// The keys that session ids are bound with.
fn session(cursor: &Cursor<'_>, environment: Environment<'_>) -> Option<Rc<SessionKeys>> {
    let object = cursor.object(&fields::MCP_SESSION)?;
    let list = object.need("keys", "list {env: NAME} of each key; the first signs")?;
    let keys = list.list_of("key", |item| replay::shared_key(item, environment))?;
    if keys.len() > MAX_KEYS {
        return list.wrong(format!("has {} keys", keys.len()), format!("write {MAX_KEYS} at most"));
    }
    for (index, item) in list.list()?.iter().enumerate() {
        let own = keys.get(index);
        if keys.iter().take(index).any(|earlier| Some(earlier) == own) {
            item.wrong::<()>("is the same key as one before it", "keep one");
        }
    }
    Some(Rc::new(SessionKeys::new(keys.into_iter().map(Vec::into_boxed_slice).collect())))
}

/// A list may be empty: any host.
fn hosts(cursor: &Cursor<'_>) -> Option<Vec<String>> {
    let items = cursor.list()?;
    let read = |item: &Cursor<'_>| {
        let text = item.text()?;
        matching::host_name(text)
            .or_else(|| item.wrong("is not a host", "write its name without port, such as mcp.example.com"))
    };
    let hosts: Vec<Option<String>> = items.iter().map(read).collect();
    hosts.into_iter().collect()
}

/// The rules for one kind of item. `naming` is the field of a rule with its patterns.
fn list(
    object: &Object<'_>,
    name: &str,
    (shape, rule_shape, naming): (&'static Shape, &'static Shape, &str),
    around: Around<'_>,
) -> Option<ItemRules> {
    optional(object, name, ItemRules::default(), |cursor| {
        let object = cursor.object(shape)?;
        let default = optional(&object, "default", Item::Nothing, |c| item(&c.object(&fields::MCP_ITEM)?, around));
        let rules = optional(&object, "rules", Vec::new(), |cursor| {
            let items = cursor.list()?;
            if items.len() > MAX_RULES {
                return cursor.wrong(format!("has {} rules", items.len()), format!("write {MAX_RULES} at most"));
            }
            let rules: Vec<Option<ItemRule>> = items.iter().map(|c| rule(c, rule_shape, naming, around)).collect();
            rules.into_iter().collect()
        });
        Some(ItemRules::new(rules?, default?))
    })
}

fn rule(cursor: &Cursor<'_>, shape: &Shape, naming: &str, around: Around<'_>) -> Option<ItemRule> {
    let object = cursor.object(shape)?;
    let patterns = object.need(naming, "write a name, or several; `*` is any run of characters").and_then(|cursor| {
        match cursor.value() {
            Tree::List(_) => cursor.list_of("name", |item| item.text().map(Pattern::new)),
            _ => Some(vec![Pattern::new(cursor.text()?)]),
        }
    });
    let item = item(&object, around);
    Some(ItemRule { patterns: patterns?, item: item? })
}

/// What is asked of one item.
fn item(object: &Object<'_>, around: Around<'_>) -> Option<Item> {
    let deny = optional(object, "deny", false, Cursor::flag);
    let ask = requirement::of_item(object, around.context);
    if let Some(rule) = around.credentials {
        credentials::check_of_tokens(object, rule, around.context.sources);
    }
    let (deny, ask) = (deny?, ask?);
    match (deny, ask == TokenRequirement::default()) {
        (true, true) => Some(Item::Deny),
        (true, false) => {
            object.cursor().wrong("has other fields beside `deny`", "`deny: true` stands alone; keep it or the others")
        }
        (false, true) => Some(Item::Nothing),
        (false, false) => {
            Some(Item::Ask(Rc::new(TokenRequirement { credentials: around.credentials.cloned(), ..ask })))
        }
    }
}
