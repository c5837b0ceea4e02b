//! Activate: an account becomes somebody's, with the code from its letter (SPEC §4.3).

use super::publish::check_identity;
use super::{Desk, Question, Reply, Stop, Word};
use crate::ledger::Account;
use crate::ledger::books::{Tx, View};
use crate::ledger::posting::{Asked, Booking, EntryKind};
use protocol::bank::{Activation, CODE_LENGTH, Identity, LetterKind};
use protocol::body;
use protocol::id::{BankId, Digest};
use protocol::sign::{Signed, Verified};
use protocol::time::Timestamp;
use protocol::wire::{BankAnswer, ErrorCode};
use std::collections::HashMap;

/// Wrong codes that an account takes in [`WINDOW_SECONDS`].
const WRONG_MAX: u32 = 5;
const WINDOW_SECONDS: u64 = 60;
/// Accounts of which wrong codes are counted.
const COUNTED_MAX: usize = 4096;

/// What the books keep of a code. The code has 128 bits, so a plain hash gives nothing away.
pub fn code_hash(account: u64, code: &[u8; CODE_LENGTH]) -> Digest {
    body::digest("activation-code", &[&account.to_be_bytes()[..], code].concat())
}

/// Counts wrong codes, so that a guesser soon learns nothing any more.
#[derive(Debug, Default)]
pub struct Attempts(HashMap<u64, (u32, Timestamp)>);

impl Attempts {
    /// Whether the account takes another wrong code now.
    pub fn allow(&self, account: u64, now: Timestamp) -> bool {
        self.0
            .get(&account)
            .is_none_or(|(wrong, since)| *wrong < WRONG_MAX || now.seconds_since(*since) >= WINDOW_SECONDS)
    }

    /// A wrong code was shown.
    pub fn wrong(&mut self, account: u64, now: Timestamp) {
        if self.0.len() >= COUNTED_MAX {
            self.0.retain(|_, (_, since)| now.seconds_since(*since) < WINDOW_SECONDS);
        }
        if self.0.len() < COUNTED_MAX || self.0.contains_key(&account) {
            let count = self.0.entry(account).or_insert((0, now));
            if now.seconds_since(count.1) >= WINDOW_SECONDS {
                *count = (0, now);
            }
            count.0 = count.0.saturating_add(1);
        }
    }
}

/// An activation whose signatures are checked.
#[derive(Clone, Debug)]
pub struct Claim {
    activation: Verified<Activation>,
    identity: Verified<Identity>,
}

impl Claim {
    /// The account that is claimed.
    pub fn account(&self) -> u64 {
        self.activation.account
    }
}

/// What needs no books. The owner key must be free of torsion: everything he will sign rests on it.
pub fn examine(
    bank: BankId,
    now: Timestamp,
    activation: Signed<Activation>,
    identity: Signed<Identity>,
) -> Result<Claim, Stop> {
    let claim = activation.unverified();
    if claim.bank != bank {
        return Err(ErrorCode::NotMine.into());
    }
    if claim.owner != identity.unverified().owner {
        return Err(ErrorCode::Malformed.into());
    }
    let owner = claim.owner.parse_owner().map_err(|_| ErrorCode::Malformed)?;
    check_identity(bank, now, identity.unverified())?;
    let activation = activation.verify(&owner).map_err(|_| ErrorCode::BadSignature)?;
    let identity = identity.verify(&owner).map_err(|_| ErrorCode::BadSignature)?;
    Ok(Claim { activation, identity })
}

impl Desk<'_> {
    /// Gives the account to the owner key, with certificate and opening letter. The same owner gets the same
    /// answer again, whatever id he asks under; another one learns nothing.
    pub fn activate(&self, tx: &mut impl Tx, claim: &Claim) -> Reply {
        let Claim { activation, identity } = claim;
        let question = Question::plain(activation.request, activation.digest());
        if let Some(answer) = question.answered(tx)? {
            return Ok(answer);
        }
        let number = crate::ledger::AccountNumber(activation.account);
        let account = tx.account(number)?.filter(|a| a.customer().is_some()).ok_or(ErrorCode::NotFound)?;
        // The hash of a secret of 128 random bits may be compared in any time.
        if account.member.letters == 0
            || account.member.code != code_hash(activation.account, &activation.code)
        {
            return Err(ErrorCode::NotFound.into());
        }
        match account.member.owner {
            Some(owner) if owner == activation.owner => first_answer(tx, &account),
            Some(_) => Err(ErrorCode::NotFound.into()),
            None if tx.account_of(&activation.owner)?.is_some() => Err(ErrorCode::NotAllowed.into()),
            None => self.join(tx, account, activation, identity, question),
        }
    }

    fn join(
        &self,
        tx: &mut impl Tx,
        mut account: Account,
        activation: &Activation,
        identity: &Verified<Identity>,
        question: Question,
    ) -> Reply {
        let entry = Booking {
            at: self.now,
            kind: EntryKind::Activate,
            account: Some(account.number),
            units: account.balance(),
            asked: Some(Asked::Customer(activation.request)),
            reason: String::new(),
            by: String::new(),
        }
        .write(tx)?;
        account.member.owner = Some(activation.owner);
        account.member.joined = Some(activation.request);
        let certificate = self.certify(tx, &mut account)?.ok_or(ErrorCode::NotAllowed)?;
        self.enter(tx, &mut account, identity.signed())?;
        tx.keep_account(&account)?;
        let letter = self.letter(&Word {
            number: entry.number,
            kind: LetterKind::Opening,
            owner: activation.owner,
            request: question.digest,
            units: entry.units,
            balance: entry.balance,
        });
        let answer = BankAnswer::Activated(certificate, letter);
        question.keep(tx, Some(entry.number), &answer)?;
        Ok(answer)
    }
}

fn first_answer(tx: &impl View, account: &Account) -> Reply {
    let joined = account.member.joined.ok_or(ErrorCode::NotFound)?;
    let answer = tx.answer_to(&Asked::Customer(joined))?.ok_or(ErrorCode::NotFound)?;
    super::read_answer(&answer)
}
