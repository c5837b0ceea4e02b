//! Reading the redo log: from where the books stand to its end, every digest checked (SPEC §4.10).

use super::frame::{Frame, Mark, holds_frame_above};
use super::{RedoError, SEGMENT_BYTES};
use std::fs::{self, File};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// What the names of segments end with.
const SUFFIX: &str = ".redo";
/// Most bytes behind the last whole frame that are looked through for another one.
const TORN_MAX: u64 = SEGMENT_BYTES * 4;

/// A file of the log.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// The number of its first frame.
    first: u64,
}

/// Where the log ends.
#[derive(Clone, Debug)]
pub(super) struct End {
    /// The last whole frame, or where the reading began if there is none after it.
    pub(super) mark: Mark,
    /// The segment that goes on, and its bytes up to the last whole frame.
    pub(super) segment: Option<(Segment, u64)>,
    /// Whether bytes follow that are no whole frame.
    pub(super) torn: bool,
}

pub(super) fn file_name(first: u64) -> String {
    format!("{first:020}{SUFFIX}")
}

/// The log's files in order; none if there is no folder.
pub(super) fn segments(folder: &Path) -> Result<Vec<Segment>, RedoError> {
    let io = |source| RedoError::Io { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(io(why)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(Ok(first)) = name.strip_suffix(SUFFIX).map(str::parse::<u64>) {
            found.push(Segment { path, first });
        }
    }
    found.sort_by_key(|segment| segment.first);
    Ok(found)
}

/// Goes from the books' `base` to the log's end; `each` gets what the books do not have yet.
pub(super) fn read(
    folder: &Path,
    base: &Mark,
    each: &mut dyn FnMut(Frame) -> Result<(), RedoError>,
) -> Result<End, RedoError> {
    let all = segments(folder)?;
    let Some(oldest) = all.first() else {
        return Ok(End { mark: base.clone(), segment: None, torn: false });
    };
    let next = base.frame.saturating_add(1);
    if oldest.first > next {
        return Err(RedoError::Gap { books: base.frame, log: oldest.first, folder: folder.to_owned() });
    }
    let begin = all.iter().rposition(|segment| segment.first <= next).unwrap_or(0);
    let mut walk = Walk { base, last: None, each };
    let mut end = None;
    let count = all.len();
    for (at, segment) in all.into_iter().enumerate().skip(begin) {
        let (length, torn) = walk.through(&segment)?;
        if torn && at + 1 < count {
            return Err(walk.damaged(&segment.path));
        }
        end = Some((segment, length, torn));
    }
    let mut mark = walk.mark();
    if let (None, Some((segment, ..))) = (&walk.last, &end) {
        // A segment without a whole frame: the log ends before it, wherever the books are.
        mark.frame = mark.frame.min(segment.first.saturating_sub(1));
    }
    let torn = end.as_ref().is_some_and(|(_, _, torn)| *torn);
    Ok(End { mark, segment: end.map(|(segment, length, _)| (segment, length)), torn })
}

struct Walk<'w> {
    base: &'w Mark,
    last: Option<Mark>,
    each: &'w mut dyn FnMut(Frame) -> Result<(), RedoError>,
}

impl Walk<'_> {
    /// The last frame that was seen; an empty segment after the books' own frame has none.
    fn mark(&self) -> Mark {
        self.last.clone().unwrap_or_else(|| self.base.clone())
    }

    /// Goes through a segment: how many bytes are whole frames, and whether others follow.
    fn through(&mut self, segment: &Segment) -> Result<(u64, bool), RedoError> {
        let io = |source| RedoError::Io { path: segment.path.clone(), source };
        let mut file = BufReader::with_capacity(1 << 20, File::open(&segment.path).map_err(io)?);
        let length = file.get_ref().metadata().map_err(io)?.len();
        if self.last.as_ref().is_some_and(|last| last.frame.checked_add(1) != Some(segment.first)) {
            return Err(self.damaged(&segment.path));
        }
        let (mut number, mut at) = (segment.first, 0);
        while at < length {
            let Some(frame) = Frame::next(&mut file, length - at).map_err(io)? else {
                return self.torn(&mut file, segment, at, number).map(|()| (at, true));
            };
            if frame.mark.frame != number {
                return Err(self.damaged(&segment.path));
            }
            at += frame.length();
            number = number.saturating_add(1);
            self.step(frame)?;
        }
        Ok((at, false))
    }

    fn step(&mut self, frame: Frame) -> Result<(), RedoError> {
        let (base, number) = (self.base, frame.mark.frame);
        let before = match &self.last {
            Some(last) => Some(last.digest),
            None => (number.checked_sub(1) == Some(base.frame)).then_some(base.digest),
        };
        let follows = before.is_none_or(|before| before == frame.before);
        let agrees = number != base.frame || frame.mark.digest == base.digest;
        if !follows || !agrees {
            return Err(RedoError::Parted { frame: number });
        }
        self.last = Some(frame.mark.clone());
        if number > base.frame { (self.each)(frame) } else { Ok(()) }
    }

    /// An end that a crash tore has nothing whole behind it.
    fn torn(
        &self,
        file: &mut BufReader<File>,
        segment: &Segment,
        at: u64,
        number: u64,
    ) -> Result<(), RedoError> {
        let io = |source| RedoError::Io { path: segment.path.clone(), source };
        let mut rest = Vec::new();
        file.seek(SeekFrom::Start(at)).map_err(io)?;
        file.take(TORN_MAX).read_to_end(&mut rest).map_err(io)?;
        if holds_frame_above(&rest, number) {
            return Err(self.damaged(&segment.path));
        }
        Ok(())
    }

    fn damaged(&self, path: &Path) -> RedoError {
        RedoError::Damaged { path: path.to_owned(), after: self.mark().frame }
    }
}
