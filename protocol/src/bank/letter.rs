//! Letters: the bank's signed word on what it did, or did not do, with the balance after it (SPEC §4.6, N4, N5).

use crate::body::{Body, Malformed, Reader, Writer};
use crate::id::{BankId, Digest, Key};
use crate::money::Units;
use crate::time::Timestamp;

/// What the letter is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LetterKind {
    /// The account was opened, with a first balance.
    Opening = 1,
    /// Withdrawn: units went from the account into the reserve (N4).
    Payment = 2,
    /// Deposited: units came from the reserve (N5).
    Deposit = 3,
    /// Not enough funds: `units` were asked for, `balance` is there; ask for no more than that (N4).
    Refusal = 4,
    /// The balance, as asked.
    Balance = 5,
    /// Reclaimed: units of the reserve that nobody else could show came to the account.
    Reclaim = 6,
    /// A claim was paid, or a part of it: units came to the account.
    Recovery = 7,
    /// A claim was judged: units were taken from the account.
    Charge = 8,
    /// Units of the account are kept for an order.
    Hold = 9,
    /// A hold ended: units came to the shop's account.
    Released = 10,
    /// Units of a hold came back to the buyer's account.
    Returned = 11,
    /// The takings went from the shop's account to its company's.
    SweepOut = 12,
    /// The takings of a shop came to its company's account.
    SweepIn = 13,
    /// Rent, or a part of it, was taken from the account.
    RentOut = 14,
    /// Rent, or a part of it, came to the account.
    RentIn = 15,
    /// The caution of a lease was taken from the account.
    Caution = 16,
    /// A lease ended: what is left of the caution came back to the account.
    CautionBack = 17,
    /// A lease ended: a part of the caution came to the company's account.
    CautionKept = 18,
}

impl LetterKind {
    /// Its word for programs.
    pub fn word(self) -> &'static str {
        match self {
            LetterKind::Opening => "opening",
            LetterKind::Payment => "payment",
            LetterKind::Deposit => "deposit",
            LetterKind::Refusal => "refusal",
            LetterKind::Balance => "balance",
            LetterKind::Reclaim => "reclaim",
            LetterKind::Recovery => "recovery",
            LetterKind::Charge => "charge",
            LetterKind::Hold => "hold",
            LetterKind::Released => "released",
            LetterKind::Returned => "returned",
            LetterKind::SweepOut => "sweep_out",
            LetterKind::SweepIn => "sweep_in",
            LetterKind::RentOut => "rent_out",
            LetterKind::RentIn => "rent_in",
            LetterKind::Caution => "caution",
            LetterKind::CautionBack => "caution_back",
            LetterKind::CautionKept => "caution_kept",
        }
    }

    /// Its title for people.
    pub fn title(self) -> &'static str {
        match self {
            LetterKind::Opening => "account opened",
            LetterKind::Payment => "payment letter",
            LetterKind::Deposit => "deposit letter",
            LetterKind::Refusal => "refusal letter",
            LetterKind::Balance => "statement of balance",
            LetterKind::Reclaim => "reclaim letter",
            LetterKind::Recovery => "recovery letter",
            LetterKind::Charge => "charge letter",
            LetterKind::Hold => "letter of a hold",
            LetterKind::Released => "release letter",
            LetterKind::Returned => "return letter",
            LetterKind::SweepOut => "letter of a sweep",
            LetterKind::SweepIn => "letter of takings",
            LetterKind::RentOut => "rent letter",
            LetterKind::RentIn => "letter of rent",
            LetterKind::Caution => "caution letter",
            LetterKind::CautionBack => "letter of a caution returned",
            LetterKind::CautionKept => "letter of a caution kept",
        }
    }
}

/// The bank's signed word; signed by the attest key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The bank.
    pub bank: BankId,
    /// The number of the bank's journal entry.
    pub number: u64,
    /// What it is about.
    pub kind: LetterKind,
    /// Whose account.
    pub owner: Key,
    /// Digest of the request that it answers.
    pub request: Digest,
    /// Units moved, or asked for in a refusal.
    pub units: Units,
    /// The account's balance after it.
    pub balance: Units,
    /// When.
    pub at: Timestamp,
}

impl Body for Letter {
    const TYPE: &'static str = "letter";

    fn write(&self, out: &mut Writer) {
        out.u8(1).raw(&self.bank.0).u64(self.number).u8(self.kind as u8).raw(&self.owner.0);
        out.raw(&self.request.0).u64(self.units.get()).u64(self.balance.get()).u64(self.at.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let bank = BankId(from.array()?);
        let number = from.u64()?;
        let kind = match from.u8()? {
            1 => LetterKind::Opening,
            2 => LetterKind::Payment,
            3 => LetterKind::Deposit,
            4 => LetterKind::Refusal,
            5 => LetterKind::Balance,
            6 => LetterKind::Reclaim,
            7 => LetterKind::Recovery,
            8 => LetterKind::Charge,
            9 => LetterKind::Hold,
            10 => LetterKind::Released,
            11 => LetterKind::Returned,
            12 => LetterKind::SweepOut,
            13 => LetterKind::SweepIn,
            14 => LetterKind::RentOut,
            15 => LetterKind::RentIn,
            16 => LetterKind::Caution,
            17 => LetterKind::CautionBack,
            18 => LetterKind::CautionKept,
            _ => return Err(from.flaw("unknown kind of letter")),
        };
        let owner = Key(from.array()?);
        let request = Digest(from.array()?);
        let units = Units::new(from.u64()?).map_err(|_| from.flaw("2^53 units or more"))?;
        let balance = Units::new(from.u64()?).map_err(|_| from.flaw("2^53 units or more"))?;
        Ok(Letter { bank, number, kind, owner, request, units, balance, at: Timestamp(from.u64()?) })
    }
}
