//! The callouts that are under way: what each was made for, by the token under which its answer comes.

use super::documents::DocumentId;

/// What a callout was made for. `C` is a claim that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<C> {
    /// To fetch a document.
    Document {
        /// The document.
        document: DocumentId,
        /// Whether the request was conditional (`If-None-Match`).
        is_conditional: bool,
        /// The longest answer, in bytes.
        max_bytes: usize,
    },
    /// To ask for events, at this place among those that are asked.
    Poll(usize),
    /// To ask the service of the fleet.
    Claim(C),
}

/// The callouts under way. The host answers each of them once, or loses it.
#[derive(Debug)]
pub struct Callouts<C>(Vec<(u32, Purpose<C>)>);

impl<C> Default for Callouts<C> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<C> Callouts<C> {
    /// Notes a callout. An earlier one for the same document, or to the same place for events, is over: an answer to it is ignored.
    pub fn sent(&mut self, token: u32, purpose: Purpose<C>) {
        self.0.retain(|(_, other)| match (&purpose, other) {
            (Purpose::Document { document, .. }, Purpose::Document { document: other, .. }) => other != document,
            (Purpose::Poll(place), Purpose::Poll(other)) => other != place,
            _ => true,
        });
        self.0.push((token, purpose));
    }

    /// Takes out the callout that is answered under `token`, and returns what it was made for.
    pub fn answered(&mut self, token: u32) -> Option<Purpose<C>> {
        let place = self.0.iter().position(|(other, _)| *other == token)?;
        Some(self.0.swap_remove(place).1)
    }

    /// How many claims wait for an answer.
    pub fn claims(&self) -> usize {
        self.0.iter().filter(|(_, purpose)| matches!(purpose, Purpose::Claim(_))).count()
    }

    /// Takes out the claims that `is_lost`, and returns them.
    pub fn lost(&mut self, is_lost: impl Fn(&C) -> bool) -> Vec<C> {
        let is_lost = |purpose: &Purpose<C>| matches!(purpose, Purpose::Claim(claim) if is_lost(claim));
        let lost = self.0.extract_if(.., |(_, purpose)| is_lost(purpose));
        lost.filter_map(|(_, purpose)| if let Purpose::Claim(claim) = purpose { Some(claim) } else { None }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::IssuerId;

    const fn keys(issuer: usize, is_conditional: bool) -> Purpose<u32> {
        Purpose::Document { document: DocumentId::Keys(IssuerId(issuer)), is_conditional, max_bytes: 9 }
    }

    #[test]
    fn an_answer_is_for_what_its_callout_was_made_for_once() {
        let mut callouts = Callouts::default();
        callouts.sent(7, keys(0, false));
        callouts.sent(8, keys(1, true));
        callouts.sent(9, Purpose::Claim(1));
        assert_eq!(callouts.answered(10), None);
        assert_eq!([callouts.answered(8), callouts.answered(8)], [Some(keys(1, true)), None]);
        assert_eq!([callouts.answered(9), callouts.answered(9)], [Some(Purpose::Claim(1)), None]);
        assert_eq!(callouts.answered(7), Some(keys(0, false)));
    }

    #[test]
    fn a_later_callout_for_the_same_document_takes_the_place_of_one_that_was_lost() {
        let mut callouts = Callouts::default();
        callouts.sent(1000, Purpose::Claim(1));
        (0..100).for_each(|token| callouts.sent(token, keys(0, false)));
        assert_eq!((callouts.answered(98), callouts.answered(99)), (None, Some(keys(0, false))));
        assert_eq!(callouts.answered(1000), Some(Purpose::Claim(1)), "a claim stays");
        (0..3).for_each(|token| callouts.sent(token, Purpose::Poll(0)));
        callouts.sent(3, Purpose::Poll(1));
        assert_eq!([0, 1, 2, 3].map(|token| callouts.answered(token).is_some()), [false, false, true, true]);
    }

    #[test]
    fn claims_are_counted_and_those_whose_answer_is_lost_are_taken_out() {
        let mut callouts = Callouts::default();
        callouts.sent(0, keys(0, false));
        (1..=4).for_each(|claim| callouts.sent(claim, Purpose::Claim(claim)));
        assert_eq!(callouts.claims(), 4);
        assert_eq!(callouts.lost(|claim| claim % 2 == 0), [2, 4]);
        assert_eq!((callouts.claims(), callouts.answered(2), callouts.answered(3)), (2, None, Some(Purpose::Claim(3))));
    }
}
