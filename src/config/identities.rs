//! Identities that change: reads the document that is fetched for a set, in steps that delay no request.

use super::compile::credentials::{Digests, Holders, Proof, Terms};
use super::cursor::Cursor;
use super::problem::Problems;
use super::tree::Node;
use crate::base::json;
use crate::base::members::{Members, Raw};
use crate::base::text::shown;
use crate::base::time::UnixSeconds;
use crate::crypto::{SHA256_BYTES, Verifier, sha256};
use crate::policy::{CredentialSet, FetchedSet, HolderKind, IdentityTerms, SignatureTerms, in_order};
use crate::revocation::{Chunks, ListError, Signature, looks_signed, open_identities};
use std::cell::RefCell;
use std::rc::Rc;

/// The bytes of JSON that are read in one step: some milliseconds in the VM.
const STEP_BYTES: usize = 8 << 10;
/// The most identities of a document.
pub const MAX_IDENTITIES: usize = 20_000;
/// The longest cause that is told whole, in bytes: a name in it may be as long as the document.
const MAX_CAUSE: usize = 400;
/// The member with the identities.
const IDENTITIES: &str = "identities";

/// Reads a document, step by step.
#[derive(Debug)]
pub struct IdentityLoader(Work);

#[derive(Debug)]
enum Work {
    /// It is the document in use.
    Same(Rc<FetchedSet>),
    Reading(Box<Reading>),
}

#[derive(Debug)]
struct Reading {
    terms: IdentityTerms,
    /// The JSON of each identity.
    items: Vec<Box<str>>,
    /// How many have been read.
    done: usize,
    holders: Holders,
    /// The digests of all secrets so far, each with the place of its identity.
    digests: Vec<[u8; SHA256_BYTES]>,
    owners: Vec<usize>,
    signature: Option<Signature>,
    bytes: usize,
    digest: [u8; SHA256_BYTES],
}

impl IdentityLoader {
    /// Begins to read a document, of which the signature and the form are checked at once.
    ///
    /// `in_use` is what this one is to replace: a document that was signed earlier does not.
    ///
    /// # Errors
    /// When it can be told already that the document is none for these terms.
    pub fn begin(
        document: &Chunks,
        terms: IdentityTerms,
        in_use: Option<&Rc<FetchedSet>>,
        verifier: &dyn Verifier,
        now: UnixSeconds,
    ) -> Result<Self, ListError> {
        if document.len() > terms.max_bytes {
            return Err(ListError::TooLarge(terms.max_bytes));
        }
        let wrong = |why: &str| ListError::Identities(why.to_owned());
        let bytes = document.pieces().concat();
        let digest = sha256(&bytes);
        if let Some(same) = in_use.filter(|in_use| in_use.digest == digest)
            && same.signature.is_none_or(|signature| !signature.is_over(now))
        {
            return Ok(Self(Work::Same(Rc::clone(same))));
        }
        let is_signed = looks_signed(document);
        let (list, signature) = match &terms.signed_by {
            None if is_signed => return Err(ListError::SignedForNobody),
            Some(_) if !is_signed => return Err(ListError::NotSigned),
            None => {
                let document =
                    Members::parse(bytes).ok_or_else(|| wrong("it is no JSON object without duplicate members"))?;
                if document.len() > 1 {
                    return Err(wrong("it has members beside `identities`"));
                }
                (items(document.get(IDENTITIES))?, None)
            }
            Some(keys) => {
                let (claims, signature) = open_identities(&bytes, &terms.name, keys, verifier, now)?;
                if in_use.and_then(|in_use| in_use.signature).is_some_and(|old| signature.issued_at < old.issued_at) {
                    return Err(ListError::Older);
                }
                (items(claims.value(IDENTITIES))?, Some(signature))
            }
        };
        Ok(Self(Work::Reading(Box::new(Reading {
            items: list,
            done: 0,
            holders: Holders::new(terms.kind, true),
            digests: Vec::new(),
            owners: Vec::new(),
            terms,
            signature,
            bytes: document.len(),
            digest,
        }))))
    }

    /// Reads some more. Returns the set when all identities have been read.
    ///
    /// # Errors
    /// When an identity cannot be read, or is there twice, or has the secret of another entry. The document is refused whole
    /// then, and not to be asked again.
    pub fn step(&mut self) -> Result<Option<Rc<FetchedSet>>, ListError> {
        match &mut self.0 {
            Work::Same(same) => Ok(Some(Rc::clone(same))),
            Work::Reading(reading) => reading.step(),
        }
    }
}

/// The JSON of each identity.
fn items(list: Option<Raw<'_>>) -> Result<Vec<Box<str>>, ListError> {
    let list = list.and_then(Raw::items);
    let list = list.ok_or_else(|| ListError::Identities("its `identities` is no list".to_owned()))?;
    if list.len() > MAX_IDENTITIES {
        return Err(ListError::Identities(format!("it has more than {MAX_IDENTITIES} identities")));
    }
    let mut items = Vec::with_capacity(list.len());
    list.into_iter().for_each(|item| items.push(item.as_json().into()));
    Ok(items)
}

impl Reading {
    fn step(&mut self) -> Result<Option<Rc<FetchedSet>>, ListError> {
        let mut bytes = 0_usize;
        while let Some(item) = self.items.get(self.done) {
            if bytes >= STEP_BYTES {
                return Ok(None);
            }
            bytes = bytes.saturating_add(item.len());
            // It has been checked with the document.
            let node = Node::from(json::parse(item.as_bytes()).unwrap_or_default());
            self.read(&node)?;
        }
        self.check_repeated()?;
        let holders = std::mem::replace(&mut self.holders, Holders::new(self.terms.kind, true));
        // What is said of all proofs of the set, the policy says.
        let proof = match self.terms.kind {
            HolderKind::Signers => Proof::Signatures(SignatureTerms::default()),
            HolderKind::Keys | HolderKind::Users | HolderKind::Certificates => Proof::Keys(Vec::new()),
        };
        let (identities, kind) = holders.finish(proof);
        let set = CredentialSet::new(&self.terms.name, identities, kind);
        Ok(Some(Rc::new(FetchedSet { set, signature: self.signature, bytes: self.bytes, digest: self.digest })))
    }

    /// Reads the next identity.
    fn read(&mut self, node: &Node) -> Result<(), ListError> {
        let problems = RefCell::new(Problems::default());
        let cursor = Cursor::at(node, format!("{IDENTITIES}[{}]", self.done), &problems);
        let terms = Terms { scopes: Some(&self.terms.scopes), environment: None };
        let mut digests = Digests::default();
        let read = self.holders.add(&cursor, terms, &[], &mut digests);
        for digest in digests.all() {
            self.digests.push(digest);
            self.owners.push(self.done);
        }
        drop((cursor, digests));
        self.done = self.done.saturating_add(1);
        problems.into_inner().settle(read).map_err(|error| {
            let first = error.0.first().map(ToString::to_string).unwrap_or_default();
            ListError::Identities(if first.len() > MAX_CAUSE { shown(first.as_bytes()) } else { first })
        })
    }

    /// Refuses an id or a secret that is there twice, and a secret that another set has.
    fn check_repeated(&self) -> Result<(), ListError> {
        if let Some(place) = self.holders.repeated().first() {
            return Err(ListError::Identities(format!("{IDENTITIES}[{place}] has the `id` of one before it")));
        }
        let own = self.digests.iter().copied();
        let of_others = self.terms.others.iter().flat_map(|other| other.set.digests());
        let all = own.chain(self.terms.configured.iter().copied()).chain(of_others);
        for pair in in_order(all).windows(2) {
            let [(digest, first), (again, second)] = pair else { continue };
            if digest == again
                && let Some(owner) = self.owners.get(*second).or_else(|| self.owners.get(*first))
            {
                return Err(ListError::Identities(format!("{IDENTITIES}[{owner}] has the secret of another entry")));
            }
        }
        Ok(())
    }
}
