//! A wallet's store: the real one on a disk that may be bad, or a quick one in memory.
//! What bytes do, the real one shows.

use super::memory::Memory;
use daemon::store::{Contact, DirectoryFlaw, Page, RedbStore, Store, StoreFault, Waiting};
use daemon::wallet::banking::BankOp;
use daemon::wallet::change::{Answered, Change, Event};
use daemon::wallet::claiming::{CaseRecord, Claiming, Papers};
use daemon::wallet::defending::{Kept, Question};
use daemon::wallet::forks::ForkRecord;
use daemon::wallet::history::{Entry, HistoryFlaw, HistoryHead};
use daemon::wallet::paying::Outgoing;
use daemon::wallet::policy::Policy;
use daemon::wallet::receiving::{Incoming, RequestRecord};
use daemon::wallet::reserve::OwnNote;
use daemon::wallet::vault::Origin;
use daemon::wallet::{Owner, Wallet};
use protocol::bank::{Letter, VaultHead};
use protocol::id::{Digest, Key, PaymentId, RequestId};
use protocol::key::bank::BankKeys;
use protocol::sign::Signed;
use protocol::wire::DirectoryPage;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Paper {
    /// The real store: it writes bytes to the disk.
    Redb,
    /// The quick one.
    Memory,
}

/// A wallet's store.
#[derive(Debug)]
pub enum Books {
    /// The real one.
    Redb(RedbStore),
    /// The quick one.
    Memory(Memory),
}

impl Books {
    /// The real one, if it is that.
    pub fn real(&self) -> Option<&RedbStore> {
        match self {
            Books::Redb(redb) => Some(redb),
            Books::Memory(_) => None,
        }
    }

    /// The wallet as the last commit left it.
    pub fn load(&self, owner: Owner, keys: BankKeys, policy: Policy) -> Result<Wallet, StoreFault> {
        match self {
            Books::Redb(redb) => redb.load(owner, keys, policy),
            Books::Memory(memory) => Ok(memory.load()),
        }
    }

    /// Checks the whole history, line by line.
    pub fn check_history(&self) -> Result<Result<HistoryHead, HistoryFlaw>, StoreFault> {
        match self {
            Books::Redb(redb) => redb.check_history(),
            Books::Memory(memory) => Ok(memory.check_history()),
        }
    }

    /// What the directory says of an owner.
    pub fn contact(&self, owner: &Key) -> Result<Option<Contact>, StoreFault> {
        match self {
            Books::Redb(redb) => redb.contact(owner),
            Books::Memory(memory) => Ok(memory.contact(owner)),
        }
    }

    /// How much of the directory has been copied.
    pub fn directory_head(&self) -> Result<(u64, Digest), StoreFault> {
        match self {
            Books::Redb(redb) => redb.directory_head(),
            Books::Memory(memory) => Ok(memory.directory_head()),
        }
    }

    /// Takes a page of the directory over. True if more is to come.
    pub fn take_directory(&self, page: DirectoryPage, keys: &BankKeys) -> Result<bool, DirectoryFlaw> {
        match self {
            Books::Redb(redb) => redb.take_directory(page, keys),
            Books::Memory(memory) => Ok(memory.take_directory(page)),
        }
    }

    /// All claims that were ever made here.
    pub fn claims(&self) -> Result<Vec<Claiming>, StoreFault> {
        match self {
            Books::Redb(redb) => redb.claims(),
            Books::Memory(memory) => Ok(memory.claims()),
        }
    }

    /// All cases in which its owner had a part.
    pub fn cases(&self) -> Result<Vec<CaseRecord>, StoreFault> {
        match self {
            Books::Redb(redb) => redb.cases(),
            Books::Memory(memory) => Ok(memory.cases()),
        }
    }

    /// Cases by number.
    pub fn cases_numbered(&self, numbers: impl Iterator<Item = u64>) -> Result<Vec<CaseRecord>, StoreFault> {
        match self {
            Books::Redb(redb) => redb.cases_numbered(numbers),
            Books::Memory(memory) => Ok(memory.cases_numbered(numbers)),
        }
    }

    /// Forks that were seen over a root.
    pub fn forks_over(&self, root: &Digest) -> Result<Vec<ForkRecord>, StoreFault> {
        match self {
            Books::Redb(redb) => redb.forks_over(root),
            Books::Memory(memory) => Ok(memory.forks_over(root)),
        }
    }

    /// The papers of a payment that came in.
    pub fn papers(&self, payer: &Key, payment: &PaymentId) -> Result<Option<Papers>, StoreFault> {
        match self {
            Books::Redb(redb) => redb.papers(payer, payment),
            Books::Memory(memory) => Ok(memory.papers(payer, payment)),
        }
    }

    /// Payments that hand on to a note key.
    pub fn payments_to(&self, key: &Key) -> Result<Vec<Outgoing>, StoreFault> {
        match self {
            Books::Redb(redb) => redb.payments_to(key),
            Books::Memory(memory) => Ok(memory.payments_to(key)),
        }
    }

    /// Payments with a receipt that says nothing of the bank yet.
    pub fn receipted(&self, limit: usize) -> Result<Vec<PaymentId>, StoreFault> {
        match self {
            Books::Redb(redb) => redb.receipted(limit),
            Books::Memory(memory) => Ok(memory.receipted(limit)),
        }
    }

    /// Payments that are safe, and whose payers do not know it yet.
    pub fn to_tell(&self, limit: usize) -> Result<Vec<Incoming>, StoreFault> {
        match self {
            Books::Redb(redb) => redb.to_tell(limit),
            Books::Memory(memory) => Ok(memory.to_tell(limit)),
        }
    }

    /// The key that records are sealed to.
    pub fn vault_key(&self) -> Result<Option<Key>, StoreFault> {
        match self {
            Books::Redb(redb) => redb.vault_key(),
            Books::Memory(memory) => Ok(memory.vault_key()),
        }
    }

    /// How far the vault goes with what still waits here.
    pub fn vault_head(&self) -> Result<VaultHead, StoreFault> {
        match self {
            Books::Redb(redb) => redb.vault_head(),
            Books::Memory(memory) => Ok(memory.vault_head()),
        }
    }

    /// How far the bank has it, as last noted.
    pub fn vault_sent(&self) -> Result<VaultHead, StoreFault> {
        match self {
            Books::Redb(redb) => redb.vault_sent(),
            Books::Memory(memory) => Ok(memory.vault_sent()),
        }
    }

    /// What the bank does not have after `sent`.
    pub fn vault_waiting(&self, sent: VaultHead) -> Result<Option<Waiting>, StoreFault> {
        match self {
            Books::Redb(redb) => redb.vault_waiting(sent),
            Books::Memory(memory) => Ok(memory.vault_waiting(sent)),
        }
    }

    /// The bank has lost records that it had taken.
    pub fn vault_again(&self, there: VaultHead) -> Result<(), StoreFault> {
        match self {
            Books::Redb(redb) => redb.vault_again(there),
            Books::Memory(memory) => memory.vault_again(there),
        }
    }

    /// What is kept about a case's question.
    pub fn kept_about(&self, question: &Question) -> Result<Kept, StoreFault> {
        let notes = self.notes_over(&question.root)?;
        let from = match question.note(&notes).and_then(|own| own.from) {
            Some((payer, payment)) => self.papers(&payer, &payment)?,
            None => None,
        };
        Ok(Kept { from, paid: self.payments_to(&question.to)? })
    }

    /// From now on, every commit goes into the vault, too.
    pub fn begin_vault(&self, key: Key, origin: &Origin) -> Result<(), StoreFault> {
        match self {
            Books::Redb(redb) => redb.begin_vault(key, origin),
            Books::Memory(memory) => memory.begin_vault(key),
        }
    }

    /// The bank has everything up to `sent`.
    pub fn vault_was_sent(&self, sent: VaultHead) -> Result<(), StoreFault> {
        match self {
            Books::Redb(redb) => redb.vault_was_sent(sent),
            Books::Memory(memory) => {
                memory.vault_was_sent(sent);
                Ok(())
            }
        }
    }
}

macro_rules! either {
    ($self:ident, $store:ident => $asked:expr) => {
        match $self {
            Books::Redb($store) => $asked,
            Books::Memory($store) => $asked,
        }
    };
}

impl Store for Books {
    fn commit(&self, changes: &[Change]) -> Result<(), StoreFault> {
        either!(self, store => store.commit(changes))
    }

    fn answered(&self, method: &str, key: &str) -> Result<Option<Answered>, StoreFault> {
        either!(self, store => store.answered(method, key))
    }

    fn outgoing(&self, id: &PaymentId) -> Result<Option<Outgoing>, StoreFault> {
        either!(self, store => store.outgoing(id))
    }

    fn incoming(&self, payer: &Key, id: &PaymentId) -> Result<Option<Incoming>, StoreFault> {
        either!(self, store => store.incoming(payer, id))
    }

    fn request(&self, id: &RequestId) -> Result<Option<RequestRecord>, StoreFault> {
        either!(self, store => store.request(id))
    }

    fn bank_op(&self, id: &RequestId) -> Result<Option<BankOp>, StoreFault> {
        either!(self, store => store.bank_op(id))
    }

    fn notes_over(&self, root: &Digest) -> Result<Vec<OwnNote>, StoreFault> {
        either!(self, store => store.notes_over(root))
    }

    fn history(&self, page: Page) -> Result<Vec<Entry>, StoreFault> {
        either!(self, store => store.history(page))
    }

    fn events(&self, since: u64, limit: usize) -> Result<Vec<Event>, StoreFault> {
        either!(self, store => store.events(since, limit))
    }

    fn letter(&self, number: u64) -> Result<Option<Signed<Letter>>, StoreFault> {
        either!(self, store => store.letter(number))
    }

    fn letters(&self, page: Page) -> Result<Vec<Signed<Letter>>, StoreFault> {
        either!(self, store => store.letters(page))
    }
}
