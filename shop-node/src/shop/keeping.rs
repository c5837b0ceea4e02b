//! Where copies of the book go, and what came of the last one.

use super::Shop;
use super::change::{Change, Decision, Draft};
use super::failing::Failing;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The last copy, and since when none can be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copies {
    /// The last one.
    pub last: Option<Copied>,
    /// Since when none can be made.
    pub failing: Option<Failing>,
}

/// A copy that was made and read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// The folder.
    pub folder: String,
    /// The file in it.
    pub file: String,
    /// Z reports in it.
    pub reports: u64,
    /// The newest event in it.
    pub event: u64,
    /// When.
    pub at: Timestamp,
}

impl Shop {
    /// How copying stands.
    pub fn copies(&self) -> &Copies {
        &self.copies
    }

    /// The folder that has no copy since the last Z report, and how many are kept there.
    pub fn copy_due(&self) -> Option<(String, u32)> {
        let folder = self.settings().backup_folder.as_ref()?;
        let last = self.copies.last.as_ref().filter(|last| last.folder == *folder);
        let due = last.is_none_or(|last| last.reports < self.period().reports);
        due.then(|| (folder.clone(), self.settings().backup_keep))
    }

    /// What came of a copy.
    pub fn copy_went(&self, came: Result<Copied, String>, now: Timestamp) -> Decision<Copies> {
        let copies = match came {
            Ok(copied) => Copies { last: Some(copied), failing: None },
            Err(why) => {
                let failing = Some(Failing::again(self.copies.failing.as_ref(), &why, now));
                Copies { failing, ..self.copies.clone() }
            }
        };
        let mut draft = Draft::at(self, now);
        draft.put(Change::Copies(copies.clone()));
        draft.decide(copies)
    }
}
