//! The history: every movement with both balances after it, as a chain that can't be edited (N6).

use super::change::{Change, Draft};
use protocol::body::{Body, Malformed, Reader, Text, Writer};
use protocol::id::{Digest, Key};
use protocol::money::Units;
use protocol::time::Timestamp;

/// What kind of movement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Movement {
    /// From the account into the reserve.
    Withdrawal = 1,
    /// From the reserve into the account.
    Deposit = 2,
    /// Paid to somebody.
    Sent = 3,
    /// Received from somebody.
    Received = 4,
    /// A payment that came to nothing, back in the reserve.
    Returned = 5,
    /// Units somebody paid us that the bank refused: they were spent before.
    Lost = 6,
    /// A payment that nobody answered, back on the account.
    Reclaimed = 7,
    /// Lost units that the bank has paid to the account.
    Recovered = 8,
    /// Units that the bank has taken from the account: a claim of somebody else's was ours to pay.
    Charged = 9,
    /// Units that an earlier workstation of ours had handed on.
    Passed = 10,
    /// From the account: the bank holds it for an order.
    Held = 11,
    /// To the account: what the bank held for an order, and gave back.
    HeldBack = 12,
}

impl Movement {
    /// All kinds.
    pub const ALL: [Movement; 12] = [
        Movement::Withdrawal,
        Movement::Deposit,
        Movement::Sent,
        Movement::Received,
        Movement::Returned,
        Movement::Lost,
        Movement::Reclaimed,
        Movement::Recovered,
        Movement::Charged,
        Movement::Passed,
        Movement::Held,
        Movement::HeldBack,
    ];

    /// Its word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Movement::Withdrawal => "withdrawal",
            Movement::Deposit => "deposit",
            Movement::Sent => "sent",
            Movement::Received => "received",
            Movement::Returned => "returned",
            Movement::Lost => "lost",
            Movement::Reclaimed => "reclaimed",
            Movement::Recovered => "recovered",
            Movement::Charged => "charged",
            Movement::Passed => "passed",
            Movement::Held => "held",
            Movement::HeldBack => "held_back",
        }
    }

    /// The reserve after `units` of this movement; none if it would leave its bounds.
    pub fn moves(self, reserve: Units, units: Units) -> Option<Units> {
        match self {
            Movement::Withdrawal | Movement::Received | Movement::Returned => reserve.plus(units).ok(),
            Movement::Deposit | Movement::Sent | Movement::Lost | Movement::Passed => {
                reserve.minus(units).ok()
            }
            // Between the bank and the account: the reserve has nothing to do with it.
            Movement::Reclaimed
            | Movement::Recovered
            | Movement::Charged
            | Movement::Held
            | Movement::HeldBack => Some(reserve),
        }
    }
}

/// A line of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1.
    pub seq: u64,
    /// Digest of the line before it; zero for the first.
    pub prev: Digest,
    /// When.
    pub at: Timestamp,
    /// What kind of movement.
    pub movement: Movement,
    /// How much.
    pub units: Units,
    /// The reserve after it.
    pub reserve: Units,
    /// The account after it, as the bank last told; zero with `account_known` false when it never did.
    pub account: Units,
    /// Whether the bank ever told the account's balance.
    pub account_known: bool,
    /// The other party's owner key; zero when it is the bank.
    pub party: Key,
    /// The other party's certified name.
    pub name: Text,
    /// What for.
    pub memo: Text,
    /// The payment's id or the bank request's.
    pub id: [u8; 16],
}

impl Entry {
    /// The history's head after this line.
    pub fn head(&self) -> HistoryHead {
        HistoryHead { seq: self.seq, digest: self.digest(), reserve: self.reserve }
    }
}

impl Body for Entry {
    const TYPE: &'static str = "history";

    fn write(&self, out: &mut Writer) {
        out.u8(1).u64(self.seq).raw(&self.prev.0).u64(self.at.0).u8(self.movement as u8);
        out.u64(self.units.get())
            .u64(self.reserve.get())
            .u64(self.account.get())
            .u8(u8::from(self.account_known));
        out.raw(&self.party.0).text(self.name.as_str()).text(self.memo.as_str()).raw(&self.id);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let seq = from.u64()?;
        let prev = Digest(from.array()?);
        let at = Timestamp(from.u64()?);
        let kind = from.u8()?;
        let movement = Movement::ALL.into_iter().find(|m| *m as u8 == kind);
        let movement = movement.ok_or(from.flaw("unknown movement"))?;
        let mut units = || Units::new(from.u64()?).map_err(|_| from.flaw("2^53 units or more"));
        let (amount, reserve, account) = (units()?, units()?, units()?);
        Ok(Entry {
            seq,
            prev,
            at,
            movement,
            units: amount,
            reserve,
            account,
            account_known: from.u8()? == 1,
            party: Key(from.array()?),
            name: from.text(255)?,
            memo: from.text(255)?,
            id: from.array()?,
        })
    }
}

/// The newest line's number, digest and reserve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryHead {
    /// How many lines there are.
    pub seq: u64,
    /// Digest of the newest.
    pub digest: Digest,
    /// The reserve after it.
    pub reserve: Units,
}

/// A movement before it has its place in the history.
#[derive(Clone, Debug)]
pub(super) struct NewEntry {
    pub(super) movement: Movement,
    pub(super) units: Units,
    pub(super) party: Key,
    pub(super) name: Text,
    pub(super) memo: Text,
    pub(super) id: [u8; 16],
}

impl Draft {
    /// Appends a line; `account` is the balance as last told.
    pub(super) fn record(&mut self, new: NewEntry, account: Option<Units>) {
        let reserve = new.movement.moves(self.history.reserve, new.units);
        let entry = Entry {
            seq: self.history.seq + 1,
            prev: self.history.digest,
            at: self.now(),
            movement: new.movement,
            units: new.units,
            reserve: reserve
                .expect("only units that the reserve holds leave it, and all units are below 2^53"),
            account: account.unwrap_or_default(),
            account_known: account.is_some(),
            party: new.party,
            name: new.name,
            memo: new.memo,
            id: new.id,
        };
        self.history = entry.head();
        self.put(Change::History(entry));
    }
}

/// Why a history can't be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryFlaw {
    /// A line that does not follow the one before it.
    #[error("line {0} of the history does not follow the one before it: it was edited, or a line is missing")]
    Broken(u64),
    /// A running balance that is not the sum of what came before.
    #[error("line {0} of the history has a wrong running balance")]
    Balance(u64),
}

impl Entry {
    /// The head after this line, if it follows `before` and its running balance is right.
    pub fn follows(&self, before: &HistoryHead) -> Result<HistoryHead, HistoryFlaw> {
        if self.seq != before.seq + 1 || self.prev != before.digest {
            return Err(HistoryFlaw::Broken(self.seq));
        }
        if self.movement.moves(before.reserve, self.units) != Some(self.reserve) {
            return Err(HistoryFlaw::Balance(self.seq));
        }
        Ok(self.head())
    }
}
