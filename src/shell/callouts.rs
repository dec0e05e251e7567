//! The callouts that are under way: what each was made for, by the token under which its answer comes.

use super::documents::DocumentId;

/// What a callout was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To fetch a document.
    Document {
        /// The document.
        document: DocumentId,
        /// Whether the request was conditional (`If-None-Match`).
        is_conditional: bool,
        /// The longest answer, in bytes.
        max_bytes: usize,
    },
}

/// The callouts under way. The host answers each of them once, or loses it.
#[derive(Debug, Default)]
pub struct Callouts(Vec<(u32, Purpose)>);

impl Callouts {
    /// Notes a callout. An earlier one for this document is over: an answer to it is ignored.
    pub fn sent(&mut self, token: u32, purpose: Purpose) {
        let Purpose::Document { document, .. } = purpose;
        self.0.retain(|(_, Purpose::Document { document: earlier, .. })| *earlier != document);
        self.0.push((token, purpose));
    }

    /// Takes out the callout that is answered under `token`, and returns what it was made for.
    pub fn answered(&mut self, token: u32) -> Option<Purpose> {
        let place = self.0.iter().position(|(other, _)| *other == token)?;
        Some(self.0.swap_remove(place).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::IssuerId;

    const fn keys(issuer: usize, is_conditional: bool) -> Purpose {
        Purpose::Document { document: DocumentId::Keys(IssuerId(issuer)), is_conditional, max_bytes: 9 }
    }

    #[test]
    fn an_answer_is_for_what_its_callout_was_made_for_once() {
        let mut callouts = Callouts::default();
        callouts.sent(7, keys(0, false));
        callouts.sent(8, keys(1, true));
        assert_eq!(callouts.answered(9), None);
        assert_eq!([callouts.answered(8), callouts.answered(8)], [Some(keys(1, true)), None]);
        assert_eq!(callouts.answered(7), Some(keys(0, false)));
    }

    #[test]
    fn a_later_callout_for_the_same_document_takes_the_place_of_one_that_was_lost() {
        let mut callouts = Callouts::default();
        (0..100).for_each(|token| callouts.sent(token, keys(0, false)));
        assert_eq!((callouts.answered(98), callouts.answered(99)), (None, Some(keys(0, false))));
    }
}
