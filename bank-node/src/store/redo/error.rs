//! Why books and redo log are not opened, each with what to do.

use crate::ledger::Fault;
use protocol::node::host::lock::LockError;
use protocol::node::host::paths::PathsError;
use std::io;
use std::path::PathBuf;

/// Why books and redo log can't be opened together. Nothing was changed that the books had.
#[derive(Debug, thiserror::Error)]
pub enum RedoError {
    /// Another bank-node has the log open.
    #[error("the redo log: {0}")]
    Lease(#[from] LockError),
    /// The log's folder.
    #[error("the redo log: {0}")]
    Folder(#[from] PathsError),
    /// The store.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The disk said no.
    #[error("the redo log, {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A frame in the middle can't be read, or does not follow on the one before.
    #[error(
        "{} is damaged after frame {after}, and what follows was answered for: nothing was changed. Bring an undamaged \
         copy of the redo log, or go on with a newer backup: bank-node restore --from BACKUP", path.display()
    )]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// The last frame that is good.
        after: u64,
    },
    /// Books and log have different pasts.
    #[error(
        "books and redo log part at frame {frame}: one of them is another bank's, or a copy of this bank was opened \
         elsewhere. Put those together that belong together; nothing was changed"
    )]
    Parted {
        /// The first frame that differs.
        frame: u64,
    },
    /// Frames between books and log are missing.
    #[error(
        "the books end at frame {books} and the redo log in {} begins at frame {log}: bring the segments between, or \
         restore a newer backup", folder.display()
    )]
    Gap {
        /// The books' frame.
        books: u64,
        /// The log's first.
        log: u64,
        /// The log's folder.
        folder: PathBuf,
    },
    /// The log has less than the books, or nothing.
    #[error(
        "the redo log in {} ends at frame {log} and the books at frame {books}: its medium is not mounted, or is an \
         older copy. Bring the right one. If it is lost for good, move what is left of it away and open the bank with \
         the newest journal number that it has signed, from its last bulletin or a customer's newest letter: \
         bank-node run --said NUMBER", folder.display()
    )]
    LogBehind {
        /// The log's folder.
        folder: PathBuf,
        /// Its last frame.
        log: u64,
        /// The books' frame.
        books: u64,
    },
    /// Books and log together have less than the bank has signed for.
    #[error(
        "the books end at journal entry {entry} (frame {frame}), and the bank has answered up to entry {said} (frame \
         {said_frame}): whoever opens old books pays today's money out again. Bring the newest redo log back and \
         run: bank-node restore --from BACKUP --redo FOLDER"
    )]
    Behind {
        /// The books' newest journal entry.
        entry: u64,
        /// Their frame.
        frame: u64,
        /// What was said.
        said: u64,
        /// At which frame.
        said_frame: u64,
    },
    /// The bank was shown a letter of its own that is above these books.
    #[error(
        "the books end at journal entry {entry}, and the bank was shown its own letter of entry {number} (kept in {}). If \
         these are old books, bring the newest redo log and run: bank-node restore --from BACKUP --redo FOLDER. If this is \
         the log that the bank has always written, and neither its last bulletin nor other customers' letters come near \
         {number}, somebody has signed it with a stolen key: revoke the attest key (bank-node keys list, keys revoke), and \
         the letter counts no more. If you can't do that now: bank-node run --not-said {number}", path.display()
    )]
    Witnessed {
        /// The books' newest journal entry.
        entry: u64,
        /// The letter's.
        number: u64,
        /// Where the letter is kept.
        path: PathBuf,
    },
    /// Nobody has shown such a letter.
    #[error("--not-said {0}: the bank was shown no letter of that number; nothing was opened")]
    NoWitness(u64),
    /// A kept letter can't be read.
    #[error("{} is damaged: it holds a letter that the bank was shown. If the same one lies whole beside the books or the log, remove this one", .0.display())]
    BadWitness(PathBuf),
    /// No books, and no log from the beginning to write them from.
    #[error("{} holds no books: bring them back with bank-node restore --from BACKUP", .0.display())]
    NoBooks(PathBuf),
    /// A new bank wants an empty folder.
    #[error(
        "{} holds a redo log already, of another bank or of an init that did not finish: choose another redo.path, or \
         move it away", .0.display()
    )]
    NotEmpty(PathBuf),
    /// The small file can't be read.
    #[error(
        "{} is damaged: it says how far the bank has come. If the one beside the books or the log is whole, remove this one",
        .0.display()
    )]
    BadHead(PathBuf),
}
