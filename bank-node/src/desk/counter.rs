//! Where requests come in: what needs no commit is answered, the rest becomes work for the batch.

use super::activate::{self, Attempts, Claim};
use super::post::{self, PostWork};
use super::query::examine_query;
use super::redeem::{self, Examined, Ready};
use super::shop::{self, ShopWork};
use super::{Desk, Reply, claim, publish, reclaim, settle, status, vault, withdraw};
use crate::ledger::books::{Fault, Tx, View};
use protocol::bank::{Identity, Purpose, Withdrawal};
use protocol::money::{Currency, Units};
use protocol::pay::Defence;
use protocol::sign::Verified;
use protocol::wire::{BankAnswer, BankAsk, ErrorCode};

/// A request that is examined and needs the books to be written.
#[derive(Clone, Debug)]
pub enum Work {
    /// Claim an account.
    Activate(Box<Claim>),
    /// A newer identity record.
    Publish(Box<Verified<Identity>>),
    /// Account to reserve.
    Withdraw(Box<Verified<Withdrawal>>),
    /// Notes to an account or to new notes.
    Redeem(Box<Examined>),
    /// Records for a vault.
    Vault(Box<vault::Append>),
    /// Units back whose fate is not known.
    Reclaim(Box<reclaim::Examined>),
    /// Chains that go on from reclaimed keys.
    Contest(Vec<reclaim::Proof>),
    /// Units that somebody else redeemed.
    Claim(Box<claim::Examined>),
    /// An answer in a case.
    Defend(u64, Box<Defence>),
    /// Mail, and requests that are left for payers.
    Post(Box<PostWork>),
    /// Holds and takings.
    Shop(Box<ShopWork>),
}

/// What the counter can do with a request.
#[derive(Debug)]
pub enum Prepared {
    /// Answer it.
    Answer(Box<BankAnswer>),
    /// Hand it on.
    Work(Work),
}

/// How the bank is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// Its name.
    pub name: String,
    /// What its units are called.
    pub currency: Currency,
}

/// Examines a request on what is durable. Takes the time that signatures take, and writes nothing.
pub fn prepare(desk: Desk<'_>, sign: &Sign, view: &impl View, ask: BankAsk) -> Result<Prepared, Fault> {
    let (bank, now) = (desk.keys.bank(), desk.now);
    let answer = |reply: Reply| settle(reply).map(|answer| Prepared::Answer(Box::new(answer)));
    let prepared = match ask {
        BankAsk::Terms => return answer(Ok(BankAnswer::Terms(desk.terms(&sign.name, &sign.currency)))),
        BankAsk::Status(id, digest) => return answer(status::status(view, id, digest)),
        BankAsk::Balance(query) => return answer(desk.balance(view, &query)),
        BankAsk::Witness(letter) => return answer(desk.witness(view, &letter)),
        BankAsk::IssueKeys(epochs) => return answer(desk.issue_keys(&epochs)),
        BankAsk::Directory(after) => {
            let page = desk.directory(view, after);
            return answer(page.map(|page| BankAnswer::Directory(Box::new(page))));
        }
        BankAsk::Bulletins(after) => {
            let page = desk.bulletins(view, after);
            return answer(page.map(|page| BankAnswer::Bulletins(Box::new(page))));
        }
        BankAsk::Activate(activation, identity) => {
            activate::examine(bank, now, activation, identity).map(|claim| Work::Activate(Box::new(claim)))
        }
        BankAsk::Publish(identity) => {
            publish::examine(bank, now, view, identity).map(|identity| Work::Publish(Box::new(identity)))
        }
        BankAsk::Withdraw(asked) => {
            withdraw::examine(bank, now, view, asked).map(|asked| Work::Withdraw(Box::new(asked)))
        }
        BankAsk::Deposit(asked, notes) => match redeem::examine_deposit(bank, view, asked, notes) {
            Ok(Ready::Answered(answer)) => return Ok(Prepared::Answer(answer)),
            Ok(Ready::Examined(examined)) => Ok(Work::Redeem(examined)),
            Err(stop) => Err(stop),
        },
        BankAsk::Reissue(asked, notes) => match redeem::examine_reissue(bank, view, &asked, notes) {
            Ok(Ready::Answered(answer)) => return Ok(Prepared::Answer(answer)),
            Ok(Ready::Examined(examined)) => Ok(Work::Redeem(examined)),
            Err(stop) => Err(stop),
        },
        BankAsk::VaultHead(asked) => return answer(desk.vault_head(view, asked)),
        BankAsk::VaultRead(asked, after) => return answer(desk.read_vault(view, &asked, after)),
        BankAsk::VaultAppend(asked, records) => {
            vault::examine_append(bank, view, asked, records).map(|append| Work::Vault(Box::new(append)))
        }
        BankAsk::Reclaim(asked, notes) => match reclaim::examine(bank, now, view, asked, notes) {
            Ok(reclaim::Ready::Answered(answer)) => return Ok(Prepared::Answer(answer)),
            Ok(reclaim::Ready::Examined(examined)) => Ok(Work::Reclaim(examined)),
            Err(stop) => Err(stop),
        },
        BankAsk::Contest(notes) => match reclaim::examine_contest(view, notes) {
            Ok(Some(proofs)) => Ok(Work::Contest(proofs)),
            Ok(None) => return answer(Ok(BankAnswer::Contested(Units::ZERO))),
            Err(stop) => Err(stop),
        },
        BankAsk::Claim(asked, notes, evidence) => {
            match claim::examine(bank, now, view, asked, notes, *evidence) {
                Ok(claim::Ready::Answered(answer)) => return Ok(Prepared::Answer(answer)),
                Ok(claim::Ready::Examined(examined)) => Ok(Work::Claim(examined)),
                Err(stop) => Err(stop),
            }
        }
        BankAsk::Defend(case, defence) => match claim::examine_defence(bank, view, case, &defence) {
            Ok(Some(told)) => return answer(Ok(told)),
            Ok(None) => Ok(Work::Defend(case, Box::new(defence))),
            Err(stop) => Err(stop),
        },
        BankAsk::Cases(query) => {
            let asked = examine_query(bank, now, view, query, Purpose::Cases);
            return answer(
                asked.and_then(|(account, query)| Ok(claim::cases(view, account.number, query.number)?)),
            );
        }
        // Answered before it comes here, by the service that keeps the day's tree.
        BankAsk::RootPath(_) => return answer(Err(ErrorCode::Unsupported.into())),
        ask @ (BankAsk::Mail(..)
        | BankAsk::Collect(_)
        | BankAsk::MailBack(_)
        | BankAsk::LeaveRequests(..)
        | BankAsk::TakeRequest(_)) => match post::examine(bank, now, view, ask) {
            Ok(post::Ready::Answered(answer)) => return Ok(Prepared::Answer(answer)),
            Ok(post::Ready::Examined(work)) => Ok(Work::Post(work)),
            Err(stop) => Err(stop),
        },
        ask @ (BankAsk::Hold(_)
        | BankAsk::HoldAct(_)
        | BankAsk::Holds(_)
        | BankAsk::Letters(_)
        | BankAsk::Sweep(..)
        | BankAsk::SweepList(..)
        | BankAsk::Statement(..)) => match shop::examine(desk, view, ask) {
            Ok(shop::Ready::Answered(answer)) => return Ok(Prepared::Answer(answer)),
            Ok(shop::Ready::Examined(work)) => Ok(Work::Shop(work)),
            Err(stop) => Err(stop),
        },
    };
    match prepared {
        Ok(work) => Ok(Prepared::Work(work)),
        Err(stop) => answer(Err(stop)),
    }
}

impl Work {
    /// Carries it out inside a batch.
    pub fn perform(
        &self,
        desk: Desk<'_>,
        tx: &mut impl Tx,
        attempts: &mut Attempts,
    ) -> Result<BankAnswer, Fault> {
        match self {
            Work::Activate(claim) => claim_account(desk, tx, attempts, claim),
            Work::Publish(identity) => settle(desk.publish(tx, identity)),
            Work::Withdraw(asked) => settle(desk.withdraw(tx, asked)),
            Work::Redeem(examined) => settle(desk.redeem(tx, examined)),
            Work::Vault(append) => settle(desk.append_to_vault(tx, append)),
            Work::Reclaim(examined) => settle(desk.reclaim(tx, examined)),
            Work::Contest(proofs) => settle(desk.contest(tx, proofs)),
            Work::Claim(examined) => settle(desk.claim(tx, examined)),
            Work::Defend(case, defence) => settle(desk.defend(tx, *case, defence)),
            Work::Post(work) => settle(desk.post(tx, work)),
            Work::Shop(work) => settle(desk.shop(tx, work)),
        }
    }
}

fn claim_account(
    desk: Desk<'_>,
    tx: &mut impl Tx,
    attempts: &mut Attempts,
    claim: &Claim,
) -> Result<BankAnswer, Fault> {
    let answer = settle(desk.activate(tx, claim))?;
    if answer != BankAnswer::Error(ErrorCode::NotFound) {
        return Ok(answer);
    }
    // The right code always works, or anybody could lock the owner of the letter out.
    if !attempts.allow(claim.account(), desk.now) {
        return Ok(BankAnswer::Error(ErrorCode::Busy));
    }
    attempts.wrong(claim.account(), desk.now);
    Ok(answer)
}
