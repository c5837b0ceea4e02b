//! Where books and log are, and whether they may be opened together (SPEC §4.15).

use super::frame::Mark;
use super::{Disowned, RedoError, read};
use protocol::id::Key;
use std::path::PathBuf;

/// Where books and log are, and how they are to be opened.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder of the books, which keeps a head.
    pub data: PathBuf,
    /// The log's folder, best on another disk.
    pub log: PathBuf,
    /// The bank's master key: a log is one bank's.
    pub bank: Key,
    /// A new bank: there must be nothing yet.
    pub new: bool,
    /// A journal number that the bank is known to have signed: needed to go on without the log that was.
    pub said: Option<u64>,
    /// Which letters that the bank was shown do not count.
    pub disowned: Disowned,
}

impl Place {
    /// Whether the bank may be opened where its log ends; says where.
    pub(super) fn admit(
        &self,
        base: &Mark,
        end: &read::End,
        said: Option<(u64, u64)>,
    ) -> Result<Mark, RedoError> {
        let mark = &end.mark;
        let (frame, entry) = said.unwrap_or_default();
        let entry = entry.max(self.said.unwrap_or(0));
        let needed = frame.max(base.frame);
        if let (Some((segment, _)), true, true) = (&end.segment, end.torn, mark.frame < needed) {
            return Err(RedoError::Damaged { path: segment.path.clone(), after: mark.frame });
        }
        let begins_anew = end.segment.is_none() && (base.frame == 0 || self.said.is_some());
        if mark.frame < base.frame || (end.segment.is_none() && !begins_anew) {
            let log = if end.segment.is_none() { 0 } else { mark.frame };
            return Err(RedoError::LogBehind { folder: self.log.clone(), log, books: base.frame });
        }
        if mark.frame < frame || mark.entry < entry {
            let (said, said_frame) = (entry.max(mark.entry), frame.max(mark.frame));
            return Err(RedoError::Behind { entry: mark.entry, frame: mark.frame, said, said_frame });
        }
        Ok(mark.clone())
    }
}
