//! Many notes in one message, shared beginnings once (SPEC §2.12).

use super::{LINKS_MAX, Link, Note, Root};
use crate::error::ErrorCode;
use crate::id::Digest;
use crate::sign::Signed;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// Most notes in a message.
pub const NOTES_MAX: usize = 64;
/// Most links in a message.
pub const LINKS_PER_MESSAGE_MAX: usize = 512;

/// Roots and links, each once, and the last body of every note.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteTable {
    roots: Vec<Signed<Root>>,
    links: Vec<Signed<Link>>,
    tips: Vec<Digest>,
}

/// Why a table is no list of notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableFlaw {
    /// More notes or links than a message may have.
    #[error("more than {NOTES_MAX} notes or {LINKS_PER_MESSAGE_MAX} links in a message")]
    TooMany,
    /// A body that stands twice, that no note uses, or that stands out of order.
    #[error("a root or link stands twice, belongs to no note or stands out of order")]
    Superfluous,
    /// A note that does not lead back to a root.
    #[error("a note does not lead back to a root")]
    NoRoot,
    /// A note with too many links.
    #[error("a note has more than {LINKS_MAX} links")]
    TooDeep,
}

impl TableFlaw {
    /// Its number on the wire.
    pub fn code(self) -> ErrorCode {
        match self {
            TableFlaw::TooMany => ErrorCode::TooMany,
            TableFlaw::TooDeep => ErrorCode::TooDeep,
            TableFlaw::Superfluous | TableFlaw::NoRoot => ErrorCode::BadChain,
        }
    }
}

impl NoteTable {
    /// Packs notes in their order; each root and each link stands where the first note needs it.
    pub fn pack<'a>(notes: impl IntoIterator<Item = &'a Note>) -> NoteTable {
        let mut table = NoteTable::default();
        let mut known = HashSet::new();
        for note in notes {
            let root = note.root.digest();
            if known.insert(root) {
                table.roots.push(note.root.clone());
            }
            let mut tip = root;
            for link in &note.links {
                tip = link.digest();
                if known.insert(tip) {
                    table.links.push(link.clone());
                }
            }
            table.tips.push(tip);
        }
        table
    }

    /// The epochs of its roots' issue keys.
    pub fn epochs(&self) -> impl Iterator<Item = u32> + '_ {
        self.roots.iter().map(|root| root.unverified().epoch)
    }

    /// The notes in their order; the table must hold them and nothing else.
    pub fn unpack(self) -> Result<Vec<Note>, TableFlaw> {
        if self.tips.len() > NOTES_MAX
            || self.roots.len() > NOTES_MAX
            || self.links.len() > LINKS_PER_MESSAGE_MAX
        {
            return Err(TableFlaw::TooMany);
        }
        let roots: HashMap<Digest, Signed<Root>> =
            self.roots.iter().map(|r| (r.digest(), r.clone())).collect();
        let links: HashMap<Digest, Signed<Link>> =
            self.links.iter().map(|l| (l.digest(), l.clone())).collect();
        if roots.len() != self.roots.len() || links.len() != self.links.len() {
            return Err(TableFlaw::Superfluous);
        }
        let notes: Vec<Note> =
            self.tips.iter().map(|tip| walk(*tip, &roots, &links)).collect::<Result<_, _>>()?;
        // A list of notes has one table: nothing superfluous, each body where it is first needed.
        if NoteTable::pack(&notes) != self {
            return Err(TableFlaw::Superfluous);
        }
        Ok(notes)
    }

    /// How many notes are inside.
    pub fn len(&self) -> usize {
        self.tips.len()
    }

    /// Whether no note is inside.
    pub fn is_empty(&self) -> bool {
        self.tips.is_empty()
    }
}

/// From the last body back to the root.
fn walk(
    tip: Digest,
    roots: &HashMap<Digest, Signed<Root>>,
    links: &HashMap<Digest, Signed<Link>>,
) -> Result<Note, TableFlaw> {
    let mut backwards = Vec::new();
    let mut at = tip;
    while let Some(link) = links.get(&at) {
        if backwards.len() == LINKS_MAX {
            return Err(TableFlaw::TooDeep);
        }
        backwards.push(link.clone());
        at = link.unverified().prev;
    }
    let root = roots.get(&at).ok_or(TableFlaw::NoRoot)?.clone();
    backwards.reverse();
    Ok(Note { root, links: backwards })
}
