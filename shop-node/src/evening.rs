//! Carries sweeps on: the till's units into the account, and from there to the company (N10, SPEC §4.18).
//!
//! ```text
//! room: the first sweep ─▶ deposit (the wallet's, under the sweep's name) ─▶ owner's signature ─▶ bank ─▶ room
//! ```
//! Each step can be repeated: a deposit by its name is the same one, and the body that is signed is on disk to the last byte.

use crate::carrying::{self, HandsFault};
use crate::room::Room;
use crate::shop::sweep::{BankWord, Deposit, Sweep, SweepState};
use daemon::engine::link::BankLink;
use daemon::engine::{BankCall, CallFault, Engine, Input};
use daemon::store::Store as _;
use daemon::wallet::banking::{BankRefusal, CallKey, OpState};
use protocol::bank::LetterKind;
use protocol::id::Digest;
use protocol::money::Units;
use protocol::time::Timestamp;
use protocol::wire::{BankAnswer, BankAsk, ErrorCode};
use serde_bytes::ByteBuf;
use std::sync::Arc;

/// Most steps in one go.
const STEPS_MAX: usize = 256;
const LOCKED: &str = "the till is locked: unlock it, it goes on by itself";
const AWAY: &str = "the bank is away: it goes on when it is there";

/// What carries sweeps on.
pub struct Evening {
    room: Room,
    engine: Engine,
    link: Arc<BankLink>,
}

impl Evening {
    /// For this shop and its wallet.
    pub fn new(room: Room, engine: Engine, link: Arc<BankLink>) -> Evening {
        Evening { room, engine, link }
    }

    /// Goes on if the wallet has just told something that a deposit may have waited for.
    pub async fn goes_on(&self) -> Result<(), HandsFault> {
        let now = self.engine.shared.now();
        let due = self.room.look(move |shop| shop.sweep_due(now)).await?;
        match due.is_some_and(|sweep| sweep.state == SweepState::Depositing) && self.link.is_there() {
            true => self.carry_on().await,
            false => Ok(()),
        }
    }

    /// Goes on as far as it goes now.
    pub async fn carry_on(&self) -> Result<(), HandsFault> {
        for _ in 0..STEPS_MAX {
            let now = self.engine.shared.now();
            let Some(sweep) = self.room.look(move |shop| shop.sweep_due(now)).await? else { break };
            let number = sweep.number;
            let waits = match sweep.state {
                SweepState::Depositing => self.deposit(sweep, now).await?,
                SweepState::Sending => self.send(sweep, now).await?,
                SweepState::Done(..) => None,
            };
            if let Some(why) = waits {
                self.room.decide(move |shop, _| Ok(shop.sweep_waits(number, why, now))).await?;
                break;
            }
        }
        Ok(())
    }

    /// A step of the deposit; or why it has to wait.
    async fn deposit(&self, sweep: Sweep, now: Timestamp) -> Result<Option<String>, HandsFault> {
        let asked = match self.ask_deposit(&sweep, sweep.left()).await {
            // Too many notes for one request: as much as one carries, then the rest.
            Err(CallFault::Bank(BankRefusal::Scattered { payable })) if !payable.is_zero() => {
                self.ask_deposit(&sweep, payable).await
            }
            // The account pays what the till lacks, and no more.
            Err(CallFault::Bank(BankRefusal::Short { free, .. }))
                if sweep.from_account && !free.is_zero() =>
            {
                self.ask_deposit(&sweep, free).await
            }
            asked => asked,
        };
        let (number, part) = (sweep.number, sweep.part);
        let came = match asked {
            Ok(id) => {
                let op = self.engine.shared.store.bank_op(&id)?;
                let Some(op) = op else { return Ok(Some("the deposit is being made".to_owned())) };
                match op.state {
                    OpState::Asked if self.link.is_there() => {
                        return Ok(Some("the deposit is on its way".to_owned()));
                    }
                    OpState::Asked => return Ok(Some(AWAY.to_owned())),
                    OpState::Done(_) => Deposit::Done(op.amount),
                    OpState::Declined(_) => Deposit::Void("the bank declined the deposit".to_owned()),
                    OpState::Refused(code) => Deposit::Void(format!(
                        "the bank did not take a deposit ({}): see «shop-node wallet doubt»; tried again",
                        code.text()
                    )),
                }
            }
            Err(CallFault::Bank(_)) if sweep.from_account => Deposit::FromAccount,
            Err(CallFault::Bank(BankRefusal::Short { free, .. })) => {
                return Ok(Some(self.short(free, sweep.left()).await?));
            }
            Err(CallFault::Locked) => return Ok(Some(LOCKED.to_owned())),
            Err(CallFault::Stopped) => return Err(CallFault::Stopped.into()),
            Err(CallFault::Store(fault)) => return Err(fault.into()),
            Err(fault) => return Ok(Some(fault.to_string())),
        };
        self.room.decide(move |shop, _| Ok(shop.sweep_deposit(number, part, came, now))).await?;
        Ok(None)
    }

    async fn ask_deposit(&self, sweep: &Sweep, units: Units) -> Result<protocol::id::RequestId, CallFault> {
        self.engine.bank(BankCall::Deposit(units), key(sweep)).await
    }

    /// Why the till does not give that much now.
    async fn short(&self, free: Units, wanted: Units) -> Result<String, HandsFault> {
        let holds = |wallet: &daemon::wallet::Wallet, _| {
            let holdings = wallet.holdings();
            (wallet.history().reserve, holdings.at_bank, wallet.owner().currency.clone())
        };
        let (reserve, at_bank, currency) = self.engine.look(holds).await?;
        if reserve >= wanted && !at_bank.is_zero() && !self.link.is_there() {
            return Ok(AWAY.to_owned());
        }
        if reserve >= wanted && !at_bank.is_zero() {
            return Ok("a part of the till is being renewed at the bank: it goes on afterwards".to_owned());
        }
        Ok(format!(
            "the till has {} to give, {} are missing: it goes on when they are there, by sales or «shop-node wallet \
             withdraw»; or take them from the account with «shop-node sweep now --from-account»",
            currency.show_full(free),
            currency.show_full(wanted.minus(free).unwrap_or_default())
        ))
    }

    /// Asks the bank to pass the units on; or why that has to wait.
    async fn send(&self, sweep: Sweep, now: Timestamp) -> Result<Option<String>, HandsFault> {
        if !self.link.is_there() {
            return Ok(Some(AWAY.to_owned()));
        }
        let known = sweep.clone();
        let body = self.room.look(move |shop| shop.sweep_body(&known)).await?;
        let signed = match self.engine.sign_sweep(body).await {
            Ok(signed) => signed,
            Err(CallFault::Stopped) => return Err(CallFault::Stopped.into()),
            Err(_) => return Ok(Some(LOCKED.to_owned())),
        };
        let digest = signed.digest();
        let list = ByteBuf::from(self.room.store.sweep_list(&sweep.id)?);
        let answer = match self.link.ask(&BankAsk::Sweep(signed, list)).await {
            Ok(answer) => answer,
            Err(fault) => return Ok(Some(fault.to_string())),
        };
        let Some(word) = self.word(&sweep, &digest, answer).await? else {
            return Ok(Some("the bank's answer does not fit; it is asked again".to_owned()));
        };
        let number = sweep.number;
        self.room.decide(move |shop, _| Ok(shop.sweep_told(number, word, now))).await?;
        Ok(None)
    }

    /// What an answer says; nothing, when it says nothing about this sweep.
    async fn word(
        &self,
        sweep: &Sweep,
        digest: &Digest,
        answer: BankAnswer,
    ) -> Result<Option<BankWord>, HandsFault> {
        let (letter, kind, word) = match answer {
            BankAnswer::Swept(letter) => {
                let number = letter.unverified().number;
                (letter, LetterKind::SweepOut, BankWord::Swept(number))
            }
            BankAnswer::Declined(letter) => (letter, LetterKind::Refusal, BankWord::Declined),
            BankAnswer::Error(code) => return Ok(refused(sweep.number, code)),
            _ => return Ok(None),
        };
        let told = letter.unverified();
        if (told.kind, &told.request, told.units) != (kind, digest, sweep.units) {
            return Ok(None);
        }
        // The wallet checks that it is the bank's, and keeps it.
        Ok(self.engine.ask(|reply| Input::Letter(letter, reply)).await?.then_some(word))
    }
}

/// A deposit's name at the wallet: the same sweep asks for the same part once.
fn key(sweep: &Sweep) -> CallKey {
    carrying::key("shop.sweep", &sweep.id, sweep.part)
}

fn refused(number: u64, code: ErrorCode) -> Option<BankWord> {
    let refused = |why: &str| Some(BankWord::Refused(why.to_owned()));
    match code {
        code if code.is_passing() => refused("the bank is busy: it is asked again"),
        ErrorCode::NotAllowed => refused(
            "no company owns this shop at the bank: its operators say so (bank-node shop own); or turn sweeping off",
        ),
        ErrorCode::Suspended => refused("the shop is suspended at the bank: it is asked again"),
        ErrorCode::NotFound => refused("the bank misses an earlier sweep of this shop: call the bank"),
        ErrorCode::Expired => {
            refused("this machine's clock is ahead of the bank's: set it; it is asked again")
        }
        ErrorCode::IdReused => Some(BankWord::Misnumbered(format!(
            "the bank has a sweep {number} already, with another list: this shop's file is older than its books. See the \
             last number in «shop-node wallet sweep list», then «shop-node sweep renumber NEXT»"
        ))),
        code => Some(BankWord::Refused(format!("the bank refuses it: {}", code.text()))),
    }
}
