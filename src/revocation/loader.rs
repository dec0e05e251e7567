//! From a document to a list, in steps that delay no request.

use super::binary::{self, OrderCheck, Section};
use super::build::Writer;
use super::chunks::Chunks;
use super::lines::{LineReader, MAX_LINES_BYTES};
use super::list::List;
use super::signed::{self, Head};
use super::{ListError, Revision, Signature};
use crate::base::time::UnixSeconds;
use crate::crypto::{Sha256, Verifier};
use crate::jose::KeySet;
use std::rc::Rc;

/// The bytes of JSON that are read in one step: a few milliseconds in the VM.
const LINES_STEP_BYTES: usize = 128 << 10;
/// The records that are written in one step.
const WRITE_STEP_RECORDS: usize = 20_000;
/// The bytes that are hashed in one step.
const DIGEST_STEP_BYTES: usize = 512 << 10;
/// The records whose order is looked at in one step.
const ORDER_STEP_RECORDS: usize = 100_000;

/// What a list must be to be used.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What the list is called.
    pub name: String,
    /// The longest document, in bytes.
    pub max_bytes: usize,
    /// The keys of which one must have signed it.
    pub signed_by: Option<Rc<KeySet>>,
}

/// Reads a document, step by step.
#[derive(Debug)]
pub struct Loader {
    bytes: Chunks,
    signature: Option<Signature>,
    revision: Revision,
    work: Work,
}

#[derive(Debug)]
enum Work {
    /// Computes the digest, of which the revision is a part. That of a signed list is compared before anything else of the
    /// list is looked at.
    Digest {
        digest: Sha256,
        at: usize,
        wanted: Option<[u8; 32]>,
        start: usize,
        now: UnixSeconds,
    },
    Lines(Box<LineReader>),
    Writing(Writer),
    Order {
        sections: Vec<Section>,
        check: OrderCheck,
    },
}

impl Loader {
    /// Begins to read a document, of which the signature is checked at once.
    ///
    /// `in_use` is the signature of the list that this one is to replace: an older one does not.
    ///
    /// # Errors
    /// When it can be told already that the document is no list for these terms.
    pub fn begin(
        bytes: Chunks,
        terms: &Terms,
        in_use: Option<Signature>,
        verifier: &dyn Verifier,
        now: UnixSeconds,
    ) -> Result<Self, ListError> {
        if bytes.len() > terms.max_bytes {
            return Err(ListError::TooLarge(terms.max_bytes));
        }
        if bytes.is_empty() {
            return Err(ListError::Empty);
        }
        let Some(keys) = &terms.signed_by else {
            if signed::looks_signed(&bytes) {
                return Err(ListError::SignedForNobody);
            }
            // What is no list is refused before it is read through.
            Work::of(&bytes, 0, now)?;
            return Ok(Self::digesting(bytes, None, None, 0, now));
        };
        if !signed::looks_signed(&bytes) {
            return Err(ListError::NotSigned);
        }
        let Head { signature, digest: wanted, end } = signed::check(&bytes, &terms.name, keys, verifier, now)?;
        if in_use.is_some_and(|in_use| signature.issued_at < in_use.issued_at) {
            return Err(ListError::Older);
        }
        Ok(Self::digesting(bytes, Some(signature), Some(wanted), end, now))
    }

    /// Begins with the digest of the list that begins at `start`.
    fn digesting(
        bytes: Chunks,
        signature: Option<Signature>,
        wanted: Option<[u8; 32]>,
        start: usize,
        now: UnixSeconds,
    ) -> Self {
        let work = Work::Digest { digest: Sha256::default(), at: start, wanted, start, now };
        Self { bytes, signature, revision: Revision::default(), work }
    }

    /// Does the next piece of work. Returns the list when that was the last.
    ///
    /// # Errors
    /// When the document is no list. It is not to be asked again then.
    pub fn step(&mut self) -> Result<Option<List>, ListError> {
        match &mut self.work {
            Work::Digest { digest, at, wanted, start, now } => {
                let end = at.saturating_add(DIGEST_STEP_BYTES).min(self.bytes.len());
                self.bytes.slices(*at..end).for_each(|slice| digest.update(slice));
                *at = end;
                if end < self.bytes.len() {
                    return Ok(None);
                }
                let found = std::mem::take(digest).finish();
                if wanted.is_some_and(|wanted| wanted != found) {
                    return Err(ListError::Signature("the list is not the one that was signed"));
                }
                self.revision = Revision::of_digest(&found);
                self.work = Work::of(&self.bytes, *start, *now)?;
                Ok(None)
            }
            Work::Lines(reader) => {
                if !reader.step(&self.bytes, LINES_STEP_BYTES)? {
                    return Ok(None);
                }
                // The list holds its own data; the text is not needed any more.
                drop(std::mem::take(&mut self.bytes));
                let nothing = LineReader::new(0, UnixSeconds(0));
                let reader = std::mem::replace(&mut **reader, nothing);
                self.work = Work::Writing(reader.finish(self.signature));
                Ok(None)
            }
            Work::Writing(writer) => Ok(writer.step(WRITE_STEP_RECORDS).map(|list| list.of_revision(self.revision))),
            Work::Order { sections, check } => {
                if !check.step(&self.bytes, sections, ORDER_STEP_RECORDS)? {
                    return Ok(None);
                }
                let (bytes, sections) = (std::mem::take(&mut self.bytes), std::mem::take(sections));
                Ok(Some(List::new(bytes, sections, self.signature).of_revision(self.revision)))
            }
        }
    }

    /// Does all steps, where nothing is held up.
    ///
    /// # Errors
    /// When the document is no list.
    pub fn finish(mut self) -> Result<List, ListError> {
        loop {
            if let Some(list) = self.step()? {
                return Ok(list);
            }
        }
    }
}

impl Work {
    /// What is to be done with the list that begins at `start`.
    fn of(bytes: &Chunks, start: usize, now: UnixSeconds) -> Result<Self, ListError> {
        let Some(first) = bytes.byte(start) else { return Err(ListError::Empty) };
        if Some(&first) == binary::MAGIC.first() {
            let sections = binary::sections(bytes, start)?;
            return Ok(Self::Order { sections, check: OrderCheck::default() });
        }
        if !first.is_ascii_whitespace() && first != b'{' {
            return Err(ListError::UnknownForm);
        }
        if bytes.len() > MAX_LINES_BYTES {
            return Err(ListError::TooLarge(MAX_LINES_BYTES));
        }
        Ok(Self::Lines(Box::new(LineReader::new(start, now))))
    }
}
