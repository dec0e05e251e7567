//! Rules for what messages name. The first rule that matches decides.

use super::uri::{is_ambiguous, is_ambiguous_template};
use super::{Pattern, Refused};
use crate::policy::TokenRequirement;
use std::rc::Rc;

/// What is asked of whoever names an item.
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
    /// The names without a `*`, sorted, each with the first rule that has it.
    names: Vec<Place>,
    /// The beginnings of patterns with a `*`, sorted, each with the rule and the pattern.
    beginnings: Vec<Place>,
    /// The lengths of those beginnings.
    lengths: Vec<usize>,
    /// The first rule with a `*`.
    first_open: Option<usize>,
}

/// A text and where it is in the rules.
#[derive(Clone, Debug, PartialEq)]
struct Place {
    text: String,
    rule: usize,
    pattern: usize,
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
        let (mut names, mut beginnings, mut lengths) = (Vec::<Place>::new(), Vec::<Place>::new(), Vec::new());
        let mut first_open = None;
        for (rule, ItemRule { patterns, .. }) in rules.iter().enumerate() {
            for (number, pattern) in patterns.iter().enumerate() {
                let text = pattern.beginning().to_owned();
                let list = if pattern.is_open() {
                    first_open = first_open.or(Some(rule));
                    if !lengths.contains(&text.len()) {
                        lengths.push(text.len());
                    }
                    &mut beginnings
                } else {
                    &mut names
                };
                // Behind those with the same text, so that the first rule comes first.
                let at = list.partition_point(|place| *place.text <= *text);
                list.insert(at, Place { text, rule, pattern: number });
            }
        }
        Self { rules, default, names, beginnings, lengths, first_open }
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
        let exact = of_text(&self.names, name).next().map(|place| place.rule);
        let open = self.lengths.iter().filter_map(|&length| name.get(..length)).filter_map(|beginning| {
            let matching = |place: &&Place| {
                let pattern = self.rules.get(place.rule).and_then(|rule| rule.patterns.get(place.pattern));
                pattern.is_some_and(|pattern| pattern.matches(name))
            };
            of_text(&self.beginnings, beginning).find(matching).map(|place| place.rule)
        });
        open.chain(exact).min()
    }

    /// Adds what is asked of a name.
    pub(super) fn add<'p>(&'p self, name: &str, items: &mut Items<'p>) -> Result<(), Refused> {
        let found = self.find(name).and_then(|rule| self.rules.get(rule));
        found.map_or(&self.default, |rule| &rule.item).add(items)
    }

    /// Adds what is asked of a URI. One that servers read in more than one way is judged by no rule with a `*`, and not by
    /// the default after rules that its other readings may match.
    pub(super) fn add_uri<'p>(&'p self, uri: &str, items: &mut Items<'p>) -> Result<(), Refused> {
        let is_named = || {
            let named = of_text(&self.names, uri).next().map(|place| place.rule);
            named.is_some_and(|named| self.first_open.is_none_or(|open| named < open))
        };
        if !self.rules.is_empty() && is_ambiguous(uri) && !is_named() {
            return Err(Refused::AmbiguousUri);
        }
        self.add(uri, items)
    }

    /// Adds what is asked of all that a template can become (RFC 6570): what every rule asks that may match, until one
    /// matches whatever it becomes.
    pub(super) fn add_template<'p>(&'p self, template: &str, items: &mut Items<'p>) -> Result<(), Refused> {
        let beginning = template.split('{').next().unwrap_or(template);
        if !self.rules.is_empty() && is_ambiguous_template(template) {
            return Err(Refused::AmbiguousUri);
        }
        for rule in &self.rules {
            let may_match = |pattern: &Pattern| {
                let own = pattern.beginning();
                beginning.starts_with(own) && (pattern.is_open() || own.len() == template.len())
                    || own.starts_with(beginning)
            };
            if rule.patterns.iter().any(may_match) {
                rule.item.add(items)?;
            }
            if rule.patterns.iter().any(|pattern| pattern.covers(beginning)) {
                return Ok(());
            }
        }
        self.default.add(items)
    }
}

impl Item {
    fn add<'p>(&'p self, items: &mut Items<'p>) -> Result<(), Refused> {
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

/// The places of a text in a sorted list, in the order of their rules.
fn of_text<'l>(list: &'l [Place], text: &str) -> impl Iterator<Item = &'l Place> {
    let from = list.partition_point(|place| *place.text < *text);
    list.iter().skip(from).take_while(move |place| place.text == text)
}

#[cfg(test)]
mod tests;
