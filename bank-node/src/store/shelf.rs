//! What a store of ordered keys has to be able to do.

use crate::ledger::Fault;
use protocol::bank::Letter;
use protocol::sign::Signed;

/// The tables. Keys are big-endian, so that their order in bytes is their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// `format` → the version of this layout.
    Meta,
    /// account number → account.
    Accounts,
    /// owner key → account number.
    Owners,
    /// entry number → entry.
    Journal,
    /// account number, entry number → nothing.
    Statements,
    /// serial → root.
    Roots,
    /// serial, start → redeemed interval.
    Redeemed,
    /// who asked → answer.
    Answers,
    /// line number → directory line.
    Directory,
    /// number → bulletin.
    Bulletins,
    /// number → reclaim.
    Reclaims,
    /// serial, number → nothing.
    ReclaimsOver,
    /// number → case.
    Cases,
    /// serial, number → nothing.
    CasesOver,
    /// account number, case number → nothing.
    CasesOf,
    /// account number, case number → whether something is owed.
    Debts,
    /// time, kind, number → nothing.
    Due,
    /// name → operator.
    Operators,
    /// account number → how far its vault goes.
    Vaults,
    /// account number, record number → sealed record.
    VaultRecords,
    /// account number, number → an item of its mailbox.
    Mail,
    /// account number, number → the envelope.
    Envelopes,
    /// kind of record, name → what else the post remembers.
    Post,
    /// number → hold.
    Holds,
    /// account number, entry that changed it last → number of a hold.
    HoldsOf,
    /// account number, entry number → letter to fetch.
    Letters,
    /// kind of record, account number → whose a shop is.
    Tenures,
    /// kind of record, numbers → sweeps and their lists.
    Sweeps,
}

impl Table {
    /// All of them, in order.
    pub const ALL: [Table; 28] = [
        Table::Meta,
        Table::Accounts,
        Table::Owners,
        Table::Journal,
        Table::Statements,
        Table::Roots,
        Table::Redeemed,
        Table::Answers,
        Table::Directory,
        Table::Bulletins,
        Table::Reclaims,
        Table::ReclaimsOver,
        Table::Cases,
        Table::CasesOver,
        Table::CasesOf,
        Table::Debts,
        Table::Due,
        Table::Operators,
        Table::Vaults,
        Table::VaultRecords,
        Table::Mail,
        Table::Envelopes,
        Table::Post,
        Table::Holds,
        Table::HoldsOf,
        Table::Letters,
        Table::Tenures,
        Table::Sweeps,
    ];

    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Accounts => "accounts",
            Table::Owners => "owners",
            Table::Journal => "journal",
            Table::Statements => "statements",
            Table::Roots => "roots",
            Table::Redeemed => "redeemed",
            Table::Answers => "answers",
            Table::Directory => "directory",
            Table::Bulletins => "bulletins",
            Table::Reclaims => "reclaims",
            Table::ReclaimsOver => "reclaims_over",
            Table::Cases => "cases",
            Table::CasesOver => "cases_over",
            Table::CasesOf => "cases_of",
            Table::Debts => "debts",
            Table::Due => "due",
            Table::Operators => "operators",
            Table::Vaults => "vaults",
            Table::VaultRecords => "vault_records",
            Table::Mail => "mail",
            Table::Envelopes => "envelopes",
            Table::Post => "post",
            Table::Holds => "holds",
            Table::HoldsOf => "holds_of",
            Table::Letters => "letters",
            Table::Tenures => "tenures",
            Table::Sweeps => "sweeps",
        }
    }
}

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Reading.
pub trait Shelf {
    /// The value of a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;
    /// The pair with the highest key below `key`.
    fn before(&self, table: Table, key: &[u8]) -> Result<Option<Pair>, Fault>;
    /// The pairs from `key` on, in order, at most `limit`.
    fn from(&self, table: Table, key: &[u8], limit: usize) -> Result<Vec<Pair>, Fault>;
}

/// Writing; sees its own writes.
pub trait ShelfMut: Shelf {
    /// Sets the value of a key.
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Fault>;
    /// Takes a key away; nothing happens if it is not there.
    fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), Fault>;
}

/// A store of ordered keys.
pub trait Store: Send + Sync + 'static {
    /// How it is read.
    type Reader: Shelf + Send;
    /// How it is written.
    type Writer<'w>: ShelfMut;

    /// What is durable now.
    fn read(&self) -> Result<Self::Reader, Fault>;

    /// Carries out `work` and makes its writes durable, all or none.
    fn write<T>(&self, work: impl FnOnce(&mut Self::Writer<'_>) -> Result<T, Fault>) -> Result<T, Fault>;

    /// Remembers that the bank has given its word up to this journal entry. A store without a redo log forgets it.
    fn said(&self, entry: u64) -> Result<(), Fault> {
        let _ = entry;
        Ok(())
    }

    /// Keeps a letter that is above the books' end. A store without a redo log forgets it.
    fn witnessed(&self, letter: &Signed<Letter>) -> Result<(), Fault> {
        let _ = letter;
        Ok(())
    }
}
