//! The ledger's records as keys and values: whatever has a shelf can answer the questions of `ledger::books`.

use super::shelf::{Pair, Shelf, ShelfMut, Store, Table};
use crate::ledger::books::{Books, Fault, Line, Operator, Tx, View};
use crate::ledger::{Account, AccountKind, AccountNumber, Answer, Asked, Entry, Issued, Redeemed};
use crate::ledger::{CASH, DEPOSITS, GUARANTEE, HELD, OUTSTANDING};
use protocol::bank::{Bulletin, Letter};
use protocol::id::{Digest, Key};
use protocol::range::Range;
use protocol::sign::Signed;
use protocol::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version of this layout.
const FORMAT: u8 = 5;
/// Where books say which one they have.
const FORMAT_KEY: &[u8] = b"format";
/// Above every key.
const TOP: &[u8] = &[0xff; 40];

/// Whether these are books of this layout, or empty ones: `false` if they are empty. To be asked before anything is
/// written beside them.
pub(crate) fn has_format(shelf: &impl Shelf) -> Result<bool, Fault> {
    match shelf.get(Table::Meta, FORMAT_KEY)?.as_deref() {
        Some([FORMAT]) => Ok(true),
        Some(other) => {
            // Every format's number is one byte.
            let books = other.first().copied().unwrap_or_default();
            Err(Fault::Format { books, ours: FORMAT })
        }
        None => Ok(false),
    }
}

/// Books on a store of ordered keys.
#[derive(Debug)]
pub struct Ledger<S> {
    store: S,
}

impl<S: Store> Ledger<S> {
    /// Opens the books; new ones get the bank's own accounts.
    pub fn open(store: S) -> Result<Ledger<S>, Fault> {
        store.write(|shelf| match has_format(shelf)? {
            true => Ok(()),
            false => {
                let own = [
                    (CASH, AccountKind::Cash, "cash"),
                    (OUTSTANDING, AccountKind::Outstanding, "notes"),
                    (GUARANTEE, AccountKind::Guarantee, "guarantee"),
                    (HELD, AccountKind::Held, "held"),
                    (DEPOSITS, AccountKind::Deposits, "deposits"),
                ];
                for (number, kind, name) in own {
                    shelf.keep_account(&Account::new(number, kind, name, Timestamp(0)))?;
                }
                shelf.put(Table::Meta, FORMAT_KEY, &[FORMAT])
            }
        })?;
        Ok(Ledger { store })
    }
}

impl<S: Store> Books for Ledger<S> {
    type Snapshot = S::Reader;
    type Tx<'t> = S::Writer<'t>;

    fn snapshot(&self) -> Result<S::Reader, Fault> {
        self.store.read()
    }

    fn in_one_commit<T>(
        &self,
        work: impl FnOnce(&mut S::Writer<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.store.write(work)
    }

    fn said(&self, entry: u64) -> Result<(), Fault> {
        self.store.said(entry)
    }

    fn witnessed(&self, letter: &Signed<Letter>) -> Result<(), Fault> {
        self.store.witnessed(letter)
    }
}

/// Redeemed intervals without what their key says already.
#[derive(Serialize, serde::Deserialize)]
struct RedeemedValue {
    range: Range,
    request: Digest,
    entry: u64,
    links: Vec<Signed<protocol::note::Link>>,
}

pub(super) fn write<T: Serialize>(record: &T) -> Result<Vec<u8>, Fault> {
    rmp_serde::to_vec(record).map_err(|why| Fault::Damaged(why.to_string()))
}

pub(super) fn read<T: DeserializeOwned>(table: Table, bytes: &[u8]) -> Result<T, Fault> {
    rmp_serde::from_slice(bytes).map_err(|why| Fault::Damaged(format!("a record in {}: {why}", table.name())))
}

pub(super) fn number_in(table: Table, bytes: &[u8]) -> Result<u64, Fault> {
    let array = bytes.try_into();
    array.map(u64::from_be_bytes).map_err(|_| Fault::Damaged(format!("a key in {}", table.name())))
}

pub(super) fn pair_key(first: u64, second: u64) -> [u8; 16] {
    let mut key = [0; 16];
    let (high, low) = key.split_at_mut(8);
    high.copy_from_slice(&first.to_be_bytes());
    low.copy_from_slice(&second.to_be_bytes());
    key
}

/// The key after `number`; there is none after the last.
pub(super) fn above(number: u64) -> Option<[u8; 8]> {
    number.checked_add(1).map(u64::to_be_bytes)
}

fn answer_key(asked: &Asked) -> Vec<u8> {
    match asked {
        Asked::Customer(id) => [b"c", &id.0[..]].concat(),
        Asked::Operator(key) => [b"o", key.as_bytes()].concat(),
    }
}

fn redeemed(pair: &Pair) -> Result<Redeemed, Fault> {
    let (serial, _) = pair.0.split_at_checked(8).unwrap_or_default();
    let serial = number_in(Table::Redeemed, serial)?;
    let RedeemedValue { range, request, entry, links } = read(Table::Redeemed, &pair.1)?;
    Ok(Redeemed { serial, range, request, entry, links })
}

pub(super) fn last_key<S: Shelf>(shelf: &S, table: Table) -> Result<u64, Fault> {
    match shelf.before(table, TOP)? {
        Some((key, _)) => number_in(table, &key),
        None => Ok(0),
    }
}

pub(super) fn records_after<S: Shelf, T: DeserializeOwned>(
    shelf: &S,
    table: Table,
    number: u64,
    limit: usize,
) -> Result<Vec<T>, Fault> {
    let Some(from) = above(number) else { return Ok(Vec::new()) };
    shelf.from(table, &from, limit)?.iter().map(|(_, value)| read(table, value)).collect()
}

pub(super) fn record<S: Shelf, T: DeserializeOwned>(
    shelf: &S,
    table: Table,
    key: &[u8],
) -> Result<Option<T>, Fault> {
    shelf.get(table, key)?.map(|value| read(table, &value)).transpose()
}

impl<S: Shelf> View for S {
    fn account(&self, number: AccountNumber) -> Result<Option<Account>, Fault> {
        record(self, Table::Accounts, &number.0.to_be_bytes())
    }

    fn account_of(&self, owner: &Key) -> Result<Option<Account>, Fault> {
        match self.get(Table::Owners, &owner.0)? {
            Some(number) => record(self, Table::Accounts, &number),
            None => Ok(None),
        }
    }

    fn accounts_after(&self, number: AccountNumber, limit: usize) -> Result<Vec<Account>, Fault> {
        records_after(self, Table::Accounts, number.0, limit)
    }

    fn last_account(&self) -> Result<AccountNumber, Fault> {
        last_key(self, Table::Accounts).map(AccountNumber)
    }

    fn answer_to(&self, asked: &Asked) -> Result<Option<Answer>, Fault> {
        record(self, Table::Answers, &answer_key(asked))
    }

    fn journal_head(&self) -> Result<u64, Fault> {
        last_key(self, Table::Journal)
    }

    fn entries_after(&self, number: u64, limit: usize) -> Result<Vec<Entry>, Fault> {
        records_after(self, Table::Journal, number, limit)
    }

    fn entries_of(&self, account: AccountNumber, after: u64, limit: usize) -> Result<Vec<Entry>, Fault> {
        let Some(from) = after.checked_add(1) else { return Ok(Vec::new()) };
        let mut entries = Vec::new();
        for (key, _) in self.from(Table::Statements, &pair_key(account.0, from), limit)? {
            let (whose, number) = key.split_at_checked(8).unwrap_or_default();
            if whose != account.0.to_be_bytes() {
                break;
            }
            entries.extend(record::<_, Entry>(self, Table::Journal, number)?);
        }
        Ok(entries)
    }

    fn entry_before(&self, account: AccountNumber, below: u64) -> Result<Option<Entry>, Fault> {
        let Some((key, _)) = self.before(Table::Statements, &pair_key(account.0, below))? else {
            return Ok(None);
        };
        let (whose, number) = key.split_at_checked(8).unwrap_or_default();
        if whose == account.0.to_be_bytes() { record(self, Table::Journal, number) } else { Ok(None) }
    }

    fn last_serial(&self) -> Result<u64, Fault> {
        last_key(self, Table::Roots)
    }

    fn issued(&self, serial: u64) -> Result<Option<Issued>, Fault> {
        record(self, Table::Roots, &serial.to_be_bytes())
    }

    fn issued_after(&self, serial: u64, limit: usize) -> Result<Vec<Issued>, Fault> {
        records_after(self, Table::Roots, serial, limit)
    }

    fn redeemed_before(&self, serial: u64, below: u64) -> Result<Option<Redeemed>, Fault> {
        match self.before(Table::Redeemed, &pair_key(serial, below))? {
            Some(pair) if pair.0.starts_with(&serial.to_be_bytes()) => redeemed(&pair).map(Some),
            Some(_) | None => Ok(None),
        }
    }

    fn redeemed_from(&self, serial: u64, start: u64, limit: usize) -> Result<Vec<Redeemed>, Fault> {
        self.from(Table::Redeemed, &pair_key(serial, start), limit)?.iter().map(redeemed).collect()
    }

    fn operator(&self, name: &str) -> Result<Option<Operator>, Fault> {
        record(self, Table::Operators, name.as_bytes())
    }

    fn operators(&self) -> Result<Vec<Operator>, Fault> {
        let all = self.from(Table::Operators, &[], usize::MAX)?;
        all.iter().map(|(_, value)| read(Table::Operators, value)).collect()
    }

    fn directory_head(&self) -> Result<(u64, Digest), Fault> {
        match self.before(Table::Directory, TOP)? {
            Some((_, value)) => read::<Line>(Table::Directory, &value).map(|line| (line.number, line.head)),
            None => Ok((0, Digest::default())),
        }
    }

    fn directory_after(&self, number: u64, limit: usize) -> Result<Vec<Line>, Fault> {
        records_after(self, Table::Directory, number, limit)
    }

    fn last_bulletin(&self) -> Result<Option<Signed<Bulletin>>, Fault> {
        let last = self.before(Table::Bulletins, TOP)?;
        last.map(|(_, value)| read(Table::Bulletins, &value)).transpose()
    }

    fn bulletins_after(&self, number: u64, limit: usize) -> Result<Vec<Signed<Bulletin>>, Fault> {
        records_after(self, Table::Bulletins, number, limit)
    }
}

impl<S: ShelfMut> Tx for S {
    fn keep_account(&mut self, account: &Account) -> Result<(), Fault> {
        let number = account.number.0.to_be_bytes();
        self.put(Table::Accounts, &number, &write(account)?)?;
        match account.member.owner {
            // Owner keys come in no order, so their pages are dear: written once, when it is claimed.
            Some(owner) if self.get(Table::Owners, &owner.0)?.is_none() => {
                self.put(Table::Owners, &owner.0, &number)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn keep_answer(&mut self, asked: &Asked, answer: &Answer) -> Result<(), Fault> {
        self.put(Table::Answers, &answer_key(asked), &write(answer)?)
    }

    fn keep_entry(&mut self, entry: &Entry) -> Result<(), Fault> {
        self.put(Table::Journal, &entry.number.to_be_bytes(), &write(entry)?)?;
        match entry.account {
            Some(account) => self.put(Table::Statements, &pair_key(account.0, entry.number), &[]),
            None => Ok(()),
        }
    }

    fn keep_issued(&mut self, issued: &Issued) -> Result<(), Fault> {
        self.put(Table::Roots, &issued.serial().to_be_bytes(), &write(issued)?)
    }

    fn keep_redeemed(&mut self, redeemed: &Redeemed) -> Result<(), Fault> {
        let Redeemed { serial, range, request, entry, links } = redeemed.clone();
        let value = RedeemedValue { range, request, entry, links };
        self.put(Table::Redeemed, &pair_key(serial, range.start()), &write(&value)?)
    }

    fn keep_operator(&mut self, operator: &Operator) -> Result<(), Fault> {
        self.put(Table::Operators, operator.name.as_bytes(), &write(operator)?)
    }

    fn keep_line(&mut self, line: &Line) -> Result<(), Fault> {
        self.put(Table::Directory, &line.number.to_be_bytes(), &write(line)?)
    }

    fn keep_bulletin(&mut self, bulletin: &Signed<Bulletin>) -> Result<(), Fault> {
        self.put(Table::Bulletins, &bulletin.unverified().number.to_be_bytes(), &write(bulletin)?)
    }
}
