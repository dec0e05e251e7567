//! Rules for what messages name. The first rule that matches decides.

use super::uri::{is_ambiguous, is_ambiguous_template};
use super::{Pattern, Refused};
use crate::policy::TokenRequirement;
use crate::policy::prefixes::Prefixes;
use std::rc::Rc;

/// What is asked of those who name an item.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// Nothing beyond what is asked of every message.
    Nothing,
    /// This too.
    Ask(Rc<TokenRequirement>),
    /// Nothing is enough.
    Deny,
}

/// What rules ask of one message, besides the requirement of its route.
pub type Items<'p> = Vec<&'p Rc<TokenRequirement>>;

/// Takes what is asked of an item, and the number of the rule that asks it.
pub(super) type Take<'p, 't> = &'t mut dyn FnMut(usize, &'p Item) -> Result<(), Refused>;

/// A rule: what matches one of the patterns is asked for this.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemRule {
    /// Its patterns, of which there is one at least.
    pub patterns: Vec<Pattern>,
    /// What it asks.
    pub item: Item,
}

/// Rules, and what is asked where none matches. A lookup costs as much with a thousand names as with ten: names are found
/// in a sorted list, and patterns by what they begin with.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemRules {
    rules: Vec<ItemRule>,
    default: Item,
    /// The patterns without a `*`, sorted, each with the first rule that has it.
    names: Vec<(String, usize)>,
    /// The beginnings of the others.
    beginnings: Prefixes,
    /// The first rule with a `*`.
    first_open: Option<usize>,
}

impl Default for ItemRules {
    fn default() -> Self {
        Self::new(Vec::new(), Item::Nothing)
    }
}

impl ItemRules {
    /// Rules in their order, and what is asked where none matches.
    #[must_use]
    pub fn new(rules: Vec<ItemRule>, default: Item) -> Self {
        let (mut names, mut beginnings, mut first_open) = (Vec::<(String, usize)>::new(), Prefixes::default(), None);
        for (number, rule) in rules.iter().enumerate() {
            for pattern in &rule.patterns {
                let text = pattern.beginning();
                if pattern.is_open() {
                    first_open = first_open.or(Some(number));
                    beginnings.add(text.as_bytes().to_vec(), number);
                } else if let Err(at) = names.binary_search_by(|(name, _)| name.as_str().cmp(text)) {
                    names.insert(at, (text.to_owned(), number));
                }
            }
        }
        beginnings.finish();
        Self { rules, default, names, beginnings, first_open }
    }

    /// The rules, in their order.
    #[must_use]
    pub fn rules(&self) -> &[ItemRule] {
        &self.rules
    }

    /// What is asked where no rule matches.
    #[must_use]
    pub const fn default_item(&self) -> &Item {
        &self.default
    }

    /// Whether a rule names this.
    #[must_use]
    pub fn name(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The first rule that matches.
    fn find(&self, name: &str) -> Option<usize> {
        let mut open = Vec::new();
        self.beginnings.collect(name.as_bytes(), &mut open);
        let matches = |rule: &usize| {
            self.rules.get(*rule).is_some_and(|rule| rule.patterns.iter().any(|pattern| pattern.matches(name)))
        };
        open.into_iter().filter(matches).chain(self.named(name)).min()
    }

    /// The first rule that names this in full.
    fn named(&self, name: &str) -> Option<usize> {
        let at = self.names.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
        self.names.get(at).map(|(_, rule)| *rule)
    }

    /// Hands over what is asked of a name, with the number of its rule; the default has the number after the last one.
    pub(super) fn of_name<'p>(&'p self, name: &str, take: Take<'p, '_>) -> Result<(), Refused> {
        let found = self.find(name).and_then(|number| Some((number, &self.rules.get(number)?.item)));
        let (number, item) = found.unwrap_or((self.rules.len(), &self.default));
        take(number, item)
    }

    /// What is asked of a URI. One that servers read in more than one way is judged by no rule with a `*`, and not by
    /// the default after rules that its other readings may match.
    pub(super) fn of_uri<'p>(&'p self, uri: &str, take: Take<'p, '_>) -> Result<(), Refused> {
        let is_named = || self.named(uri).is_some_and(|named| self.first_open.is_none_or(|open| named < open));
        if !self.rules.is_empty() && is_ambiguous(uri) && !is_named() {
            return Err(Refused::AmbiguousUri);
        }
        self.of_name(uri, take)
    }

    /// What is asked of all that a template can become (RFC 6570): what every rule asks that may match, until one
    /// matches whatever it becomes. Without a variable it is a URI.
    pub(super) fn of_template<'p>(&'p self, template: &str, take: Take<'p, '_>) -> Result<(), Refused> {
        let Some((beginning, _)) = template.split_once('{') else { return self.of_uri(template, take) };
        if !self.rules.is_empty() && is_ambiguous_template(template) {
            return Err(Refused::AmbiguousUri);
        }
        for (number, rule) in self.rules.iter().enumerate() {
            let may_match = |pattern: &Pattern| {
                let own = pattern.beginning();
                own.starts_with(beginning) || pattern.is_open() && beginning.starts_with(own)
            };
            if rule.patterns.iter().any(may_match) {
                take(number, &rule.item)?;
            }
            if rule.patterns.iter().any(|pattern| pattern.covers(beginning)) {
                return Ok(());
            }
        }
        take(self.rules.len(), &self.default)
    }
}

impl Item {
    /// Adds what is asked to `items`.
    ///
    /// # Errors
    /// [`Refused::Denied`] where nothing is enough.
    pub(super) fn add<'p>(&'p self, items: &mut Items<'p>) -> Result<(), Refused> {
        match self {
            Self::Nothing => {}
            // A message may name thousands of items that ask for one thing.
            Self::Ask(ask) if items.iter().any(|asked| Rc::ptr_eq(asked, ask)) => {}
            Self::Ask(ask) => items.push(ask),
            Self::Deny => return Err(Refused::Denied),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
