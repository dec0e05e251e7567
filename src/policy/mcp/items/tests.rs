use super::*;
use proptest::prelude::*;

impl ItemRules {
    fn add<'p>(&'p self, name: &str, items: &mut Items<'p>) -> Result<(), Refused> {
        self.of_name(name, &mut |_, item| item.add(items))
    }

    fn add_uri<'p>(&'p self, uri: &str, items: &mut Items<'p>) -> Result<(), Refused> {
        self.of_uri(uri, &mut |_, item| item.add(items))
    }

    fn add_template<'p>(&'p self, template: &str, items: &mut Items<'p>) -> Result<(), Refused> {
        self.of_template(template, &mut |_, item| item.add(items))
    }
}

fn deny(patterns: &[&str]) -> ItemRule {
    ItemRule { patterns: patterns.iter().map(|text| Pattern::new(text)).collect(), item: Item::Deny }
}

#[test]
fn a_uri_in_another_spelling_does_not_pass_by_the_rule_that_denies_it() {
    for rules in
        [vec![deny(&["memo://secret", "file:///secret/a"])], vec![deny(&["memo://secret*", "file:///secret/*"])]]
    {
        let rules = ItemRules::new(rules, Item::Nothing);
        for uri in ["memo://secret", "file:///secret/a"] {
            assert_eq!(rules.add_uri(uri, &mut Items::new()), Err(Refused::Denied), "{uri}");
        }
        for uri in [
            "MEMO://secret",
            "memo://%73ecret",
            "memo://x/../secret",
            " memo://secret",
            "file:/secret/a",
            "file://localhost/secret/a",
            "file:////secret/a",
            "FILE:///secret/a",
        ] {
            assert_eq!(rules.add_uri(uri, &mut Items::new()), Err(Refused::AmbiguousUri), "{uri}");
        }
        assert_eq!(rules.add_template("FILE:///secret/{x}", &mut Items::new()), Err(Refused::AmbiguousUri));
        assert_eq!(rules.add_uri("memo://public", &mut Items::new()), Ok(()));
    }
}

#[test]
fn an_ambiguous_uri_is_judged_by_a_rule_that_names_it_in_full_or_where_no_rule_is() {
    let ambiguous = "repo://owner%2Fname";
    let open = ItemRule { item: Item::Nothing, ..deny(&[ambiguous]) };
    let named = ItemRules::new(vec![open.clone(), deny(&["*"])], Item::Deny);
    assert_eq!(named.add_uri(ambiguous, &mut Items::new()), Ok(()));
    let later = ItemRules::new(vec![deny(&["x*"]), open], Item::Deny);
    assert_eq!(later.add_uri(ambiguous, &mut Items::new()), Err(Refused::AmbiguousUri));
    assert_eq!(ItemRules::default().add_uri(ambiguous, &mut Items::new()), Ok(()));
}

#[test]
fn what_many_items_of_one_message_ask_is_asked_once() {
    let ask = Item::Ask(Rc::new(TokenRequirement { single_use: true, ..TokenRequirement::default() }));
    let rules = ItemRules::new(vec![ItemRule { item: ask, ..deny(&["a:*"]) }], Item::Ask(Rc::default()));
    let mut items = Items::new();
    for uri in ["a:1", "a:2", "b:1", "a:3", "b:2"] {
        assert_eq!(rules.add_uri(uri, &mut items), Ok(()));
    }
    assert_eq!(items.iter().map(|item| item.single_use).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_template_without_a_variable_is_judged_as_the_uri_that_it_is() {
    let open = ItemRule { item: Item::Nothing, ..deny(&["memo://a"]) };
    let rules = ItemRules::new(vec![open, deny(&["memo://*"])], Item::Deny);
    assert_eq!(rules.add_template("memo://a", &mut Items::new()), Ok(()));
    assert_eq!(rules.add_template("memo://b", &mut Items::new()), Err(Refused::Denied));
}

/// Any run of characters for each `*`, by trying all of them.
fn naive(pattern: &[char], name: &[char]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some(('*', rest)) => (0..=name.len()).any(|taken| naive(rest, &name[taken..])),
        Some((first, rest)) => name.first() == Some(first) && naive(rest, &name[1..]),
    }
}

proptest! {
    #[test]
    fn a_template_is_denied_if_something_that_it_can_become_is(
        rules in prop::collection::vec((any::<bool>(), prop::collection::vec("[ab*]{0,4}", 1..3)), 0..6),
        closed in any::<bool>(),
        beginning in "[ab]{0,3}",
        rest in "[ab]{0,3}",
    ) {
        let item = |is_open: bool| if is_open { Item::Nothing } else { Item::Deny };
        let rule = |(is_open, patterns): &(bool, Vec<String>)| {
            let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
            ItemRule { item: item(*is_open), ..deny(&patterns) }
        };
        let compiled = ItemRules::new(rules.iter().map(rule).collect(), item(!closed));
        let becomes = compiled.add(&format!("{beginning}{rest}"), &mut Items::new());
        let template = compiled.add_template(&format!("{beginning}{{x}}"), &mut Items::new());
        prop_assert!(becomes.is_ok() || template.is_err(), "{} {} {:?}", beginning, rest, rules);
    }

    #[test]
    fn the_first_rule_that_matches_is_found_as_if_each_were_tried(
        rules in prop::collection::vec(prop::collection::vec("[abé*]{0,5}", 1..4), 0..8),
        names in prop::collection::vec("[abé*]{0,6}", 1..8),
    ) {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let texts: Vec<Vec<&str>> = rules.iter().map(|rule| rule.iter().map(String::as_str).collect()).collect();
        let compiled = ItemRules::new(texts.iter().map(|patterns| deny(patterns)).collect(), Item::Nothing);
        for name in names {
            let first = rules.iter().position(|rule| rule.iter().any(|it| naive(&chars(it), &chars(&name))));
            prop_assert_eq!(compiled.find(&name), first, "{} {:?}", name, rules);
        }
    }
}
