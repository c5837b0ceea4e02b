//! A note, and what makes it valid: a root of the bank and links from owner to owner (SPEC §2.10).

use super::{Destination, Link, Root};
use crate::body::{self, Body};
use crate::error::ErrorCode;
use crate::id::{Digest, Key};
use crate::key::bank::BankKeys;
use crate::range::Range;
use crate::sign::{BadSignature, Signed, Signer};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::ops::Deref;

/// Most links a note may have (threats Y1). The last place is kept for the way to the bank: what a payee
/// may take he can always redeem.
pub const LINKS_MAX: usize = 16;

/// A root and the links that led to its present owner; nobody has checked them yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The bank's part.
    pub root: Signed<Root>,
    /// The owners' parts, first hand first.
    pub links: Vec<Signed<Link>>,
}

/// Which rule a chain breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainFlaw {
    /// Another bank's root.
    #[error("the note is another bank's")]
    OtherBank,
    /// No certified issue key of that epoch may sign on that day.
    #[error("no issue key of epoch {0} is known for the note's day")]
    UnknownEpoch(u32),
    /// A last direct day that is before the day of issue, or more than 60 days after it.
    #[error("the note's last direct day does not fit its day of issue")]
    DirectDay,
    /// More links than a note may have.
    #[error("the note has {0} links: {LINKS_MAX} are allowed, and the last of them only to the bank")]
    TooDeep(usize),
    /// A link that does not name the body before it.
    #[error("link {0} of the note does not follow the body before it")]
    NotLinked(usize),
    /// A link over units that the body before it does not have.
    #[error("link {0} of the note hands on units that were not there")]
    OutsideParent(usize),
    /// A link after the units went to the bank.
    #[error("link {0} of the note follows a hand-over to the bank")]
    AfterSink(usize),
    /// The root or a link is not signed by whom it must be.
    #[error("{0} in the note")]
    Signature(#[from] BadSignature),
}

impl ChainFlaw {
    /// Its number on the wire.
    pub fn code(&self) -> ErrorCode {
        match self {
            ChainFlaw::TooDeep(_) => ErrorCode::TooDeep,
            ChainFlaw::UnknownEpoch(_) => ErrorCode::RevokedEpoch,
            ChainFlaw::Signature(_) => ErrorCode::BadSignature,
            ChainFlaw::OtherBank
            | ChainFlaw::DirectDay
            | ChainFlaw::NotLinked(_)
            | ChainFlaw::OutsideParent(_)
            | ChainFlaw::AfterSink(_) => ErrorCode::BadChain,
        }
    }
}

/// What a chain hands to its last owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Digest of the root.
    pub root: Digest,
    /// Digest of the last body: names the note among all that hang on the root.
    pub tip: Digest,
    /// The units.
    pub range: Range,
    /// The last owner.
    pub to: Destination,
}

impl Note {
    /// A note as the bank issues it.
    pub fn fresh(root: Signed<Root>) -> Note {
        Note { root, links: Vec::new() }
    }

    /// What the chain hands to its last owner, if ranges and digests follow each other; signatures are not looked at.
    pub fn holding(&self) -> Result<Holding, ChainFlaw> {
        let root = self.root.unverified();
        let root_digest = self.root.digest();
        let start = Holding {
            root: root_digest,
            tip: root_digest,
            range: root.range(),
            to: Destination::Key(root.to),
        };
        let ends_at_key = self.links.last().is_none_or(|l| matches!(l.unverified().to, Destination::Key(_)));
        if self.links.len() > LINKS_MAX || (self.links.len() == LINKS_MAX && ends_at_key) {
            return Err(ChainFlaw::TooDeep(self.links.len()));
        }
        self.links.iter().enumerate().try_fold(start, |before, (at, link)| {
            let body = link.unverified();
            if !matches!(before.to, Destination::Key(_)) {
                return Err(ChainFlaw::AfterSink(at));
            }
            if body.prev != before.tip {
                return Err(ChainFlaw::NotLinked(at));
            }
            if !before.range.contains(body.range) {
                return Err(ChainFlaw::OutsideParent(at));
            }
            Ok(Holding { root: root_digest, tip: link.digest(), range: body.range, to: body.to })
        })
    }

    /// The note as proved: the root by the bank's issue key of its day, each link by the owner before it.
    ///
    /// The cheap rules come first. `checked` remembers signatures already found good, so that what
    /// several notes of a message share is verified once.
    pub fn verify(self, keys: &BankKeys, checked: &mut Checked) -> Result<VerifiedNote, ChainFlaw> {
        let holding = self.holding()?;
        let root = self.root.unverified();
        if root.bank != keys.bank() {
            return Err(ChainFlaw::OtherBank);
        }
        // Without this bound a stolen issue key would make direct money for ever (threats H3, Y4).
        let last = root.issued_day.plus_days(super::DIRECT_DAYS);
        if root.direct_until_day < root.issued_day || last < root.direct_until_day {
            return Err(ChainFlaw::DirectDay);
        }
        let issue = keys.issue(root.epoch, root.issued_day).ok_or(ChainFlaw::UnknownEpoch(root.epoch))?;
        checked.check(&self.root, &issue)?;
        self.check_links(checked)?;
        Ok(VerifiedNote { note: self, holding })
    }

    /// Checks that each link is signed by the owner before it; for whoever knows the root already, as the bank does.
    pub fn check_links(&self, checked: &mut Checked) -> Result<(), BadSignature> {
        let mut owner = self.root.unverified().to;
        for link in &self.links {
            checked.check(link, &owner)?;
            if let Destination::Key(next) = link.unverified().to {
                owner = next;
            }
        }
        Ok(())
    }

    /// The note with one more link: `range` handed on to `to`, signed by its present owner.
    pub fn hand_on(&self, range: Range, to: Destination, owner: &Signer) -> Result<Note, ChainFlaw> {
        let prev = self.holding()?.tip;
        let mut note = self.clone();
        note.links.push(owner.sign(Link { prev, range, to }));
        note.holding()?;
        Ok(note)
    }
}

/// Signatures found good, by digest of key and signed bytes.
#[derive(Debug, Default)]
pub struct Checked(HashSet<Digest>);

impl Checked {
    fn check<T: Body>(&mut self, signed: &Signed<T>, key: &Key) -> Result<(), BadSignature> {
        let name = body::digest("checked", &[&key.0[..], &signed.to_bytes()].concat());
        if !self.0.contains(&name) {
            signed.check_by(key)?;
            self.0.insert(name);
        }
        Ok(())
    }
}

/// A note whose chain has been checked, down to every signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedNote {
    note: Note,
    holding: Holding,
}

impl VerifiedNote {
    /// What it hands to its last owner.
    pub fn holding(&self) -> Holding {
        self.holding
    }

    /// The note, to keep.
    pub fn into_note(self) -> Note {
        self.note
    }
}

impl Deref for VerifiedNote {
    type Target = Note;

    fn deref(&self) -> &Note {
        &self.note
    }
}
