//! Scopes that others include, by the word of the configuration: an issuer's `admin` that is a `write` too.

use super::Scope;

/// Which scopes of an issuer include others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImpliedScopes {
    /// Each scope that others include, with all those, by way of others too.
    included: Vec<(Scope, Vec<Scope>)>,
}

impl ImpliedScopes {
    /// Reads what is written: each scope with those that it includes.
    ///
    /// # Errors
    /// A scope that includes itself, by way of others or not.
    pub fn new(written: &[(Scope, Vec<Scope>)]) -> Result<Self, Scope> {
        let mut all = Self::default();
        for (scope, _) in written {
            for included in reached(scope, written) {
                if included == scope {
                    return Err(scope.clone());
                }
                match all.included.iter_mut().find(|(known, _)| known == included) {
                    Some((_, by)) => by.push(scope.clone()),
                    None => all.included.push((included.clone(), vec![scope.clone()])),
                }
            }
        }
        Ok(all)
    }

    /// The scopes of which each includes this one.
    #[must_use]
    pub fn including(&self, scope: &Scope) -> &[Scope] {
        self.included.iter().find(|(included, _)| included == scope).map_or(&[], |(_, by)| by)
    }

    /// The scopes that others include, with those.
    #[must_use]
    pub fn all(&self) -> &[(Scope, Vec<Scope>)] {
        &self.included
    }
}

/// Every scope that one includes, once each.
fn reached<'s>(from: &Scope, written: &'s [(Scope, Vec<Scope>)]) -> Vec<&'s Scope> {
    let of = |scope: &Scope| written.iter().find(|(other, _)| other == scope).map_or(&[][..], |(_, all)| all);
    let mut found: Vec<&Scope> = Vec::new();
    let mut next: Vec<&Scope> = of(from).iter().collect();
    while let Some(scope) = next.pop() {
        if !found.contains(&scope) {
            found.push(scope);
            next.extend(of(scope));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::new(text).expect("a scope")
    }

    fn read(written: &[(&str, &[&str])]) -> Result<ImpliedScopes, Scope> {
        let entry = |(from, to): &(&str, &[&str])| (scope(from), to.iter().map(|text| scope(text)).collect());
        ImpliedScopes::new(&written.iter().map(entry).collect::<Vec<_>>())
    }

    fn including(all: &ImpliedScopes, of: &str) -> String {
        all.including(&scope(of)).iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_scope_includes_what_those_include_that_it_includes() {
        let all =
            read(&[("admin", &["write", "audit"]), ("write", &["read"]), ("owner", &["admin", "read"])]).expect("ok");
        assert_eq!(including(&all, "write"), "admin owner");
        assert_eq!(including(&all, "read"), "admin write owner");
        assert_eq!(including(&all, "admin"), "owner");
        assert_eq!(including(&all, "owner"), "");
        assert_eq!(including(&all, "other"), "");
    }

    #[test]
    fn a_scope_that_includes_itself_is_a_mistake() {
        assert_eq!(read(&[("a", &["a"])]), Err(scope("a")));
        assert_eq!(read(&[("x", &["a"]), ("a", &["b"]), ("b", &["c"]), ("c", &["a"])]), Err(scope("a")));
        assert!(read(&[("a", &["b", "c"]), ("b", &["d"]), ("c", &["d"])]).is_ok(), "two ways to one scope");
    }
}
