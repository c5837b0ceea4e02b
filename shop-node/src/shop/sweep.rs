//! Sweep: what a shop took goes to the company that owns it, with the signed list, once and only once (N10, SPEC §4.18).
//!
//! ```text
//! Z report, or asked ─▶ Depositing ─▶ Sending ─▶ Done
//! ```
//! Every paid sale and every refund that was carried out leaves a line. A decision makes sweeps of the lines: number, list
//! and every field of the body are on disk before anything leaves, so what is sent again is the same. Only the first sweep
//! that is not done is carried on: the bank takes them in their order.

use super::change::{Change, Decision, Draft, Happening};
use super::rights::Actor;
use super::{Refusal, Shop};
use protocol::bank;
use protocol::body;
use protocol::id::{Digest, RequestId};
use protocol::money::Units;
use protocol::time::{Day, Timestamp};
use protocol::wire::{self, SALES_MAX, Sale as Line, SaleKind, SalesList, sales_digest};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Room in a list for all that is not lines.
const FRAME: usize = 64;
/// How long a sweep waits after the bank said no.
const AGAIN_SECONDS: u64 = 60;
/// The longest such wait.
const AGAIN_MAX: u64 = 3600;

/// Where a sweep stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SweepState {
    /// The units go from the till into the shop's account.
    Depositing,
    /// They are in the account; the bank is asked to pass them on.
    Sending,
    /// The company has them: the bank's letter of this number, and when it was heard.
    Done(u64, Timestamp),
}

impl SweepState {
    /// Its word for programs.
    pub fn word(self) -> &'static str {
        match self {
            SweepState::Depositing => "depositing",
            SweepState::Sending => "sending",
            SweepState::Done(..) => "done",
        }
    }

    /// Whether something is still to come.
    pub fn is_open(self) -> bool {
        !matches!(self, SweepState::Done(..))
    }
}

/// Takings on their way to the company. The list lies beside it in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// Its number at the bank.
    pub number: u64,
    /// Names its deposits at the wallet, for ever the same.
    pub id: RequestId,
    /// Names the request at the bank: another one after the bank has declined it.
    pub request: RequestId,
    /// When that request was made.
    pub created: Timestamp,
    /// The day.
    pub day: Day,
    /// How much.
    pub units: Units,
    /// Of what was taken, what is on the account already: the bank released it for orders.
    pub ordered: Units,
    /// Lines of the list.
    pub sales: u32,
    /// Digest of the list.
    pub list: Digest,
    /// Where it stands.
    pub state: SweepState,
    /// What has gone into the account for it.
    pub deposited: Units,
    /// The number of the deposit that is next or on its way.
    pub part: u32,
    /// Whether what the till lacks is taken from what the account holds.
    pub from_account: bool,
    /// What keeps it waiting.
    pub held: String,
    /// How often the bank said no.
    pub tries: u32,
    /// Not to be tried before.
    pub not_before: Timestamp,
    /// Whether the bank does not take its number.
    pub misnumbered: bool,
}

impl Sweep {
    /// What has still to go from the till into the account.
    pub fn left(&self) -> Units {
        self.from_till().minus(self.deposited).unwrap_or_default()
    }

    /// What the till gives. Refunds that orders pay for leave nothing for it to give.
    pub fn from_till(&self) -> Units {
        self.units.minus(self.ordered).unwrap_or_default()
    }
}

/// What came of a deposit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deposit {
    /// So much is in the account.
    Done(Units),
    /// It came to nothing: why.
    Void(String),
    /// The till will not have it, and the owner said that the account shall pay.
    FromAccount,
}

/// What the bank said to a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BankWord {
    /// Done, with its letter's number.
    Swept(u64),
    /// The account holds too little. This request is answered for ever.
    Declined,
    /// Not now.
    Refused(String),
    /// Another number is due.
    Misnumbered(String),
}

fn name(what: &str, number: u64, list: &Digest, tries: u32) -> RequestId {
    let digest = body::digest(what, &[&number.to_be_bytes()[..], &list.0, &tries.to_be_bytes()].concat());
    let (name, _) = digest.0.split_first_chunk().expect("a digest has 32 bytes");
    RequestId(*name)
}

/// Lines of one sweep after the other, and those that stay. A refund goes with sales that carry it, so that no sweep is
/// below zero; a day that is below zero stays whole for the next one. Orders come last: what the till gave back is taken
/// from what it took, as far as that goes.
fn parts(lines: Vec<(u64, Line)>) -> (Vec<SalesList>, Vec<(u64, Line)>) {
    let whole = SalesList { sales: lines.iter().map(|(_, line)| line.clone()).collect() };
    if whole.units().is_err() {
        return (Vec::new(), lines);
    }
    let (mut refunds, mut sales): (VecDeque<_>, VecDeque<_>) =
        lines.into_iter().partition(|(_, line)| line.kind == SaleKind::Refund);
    sales.make_contiguous().sort_by_key(|(_, line)| line.kind == SaleKind::Order);
    let (mut lists, mut part) = (Vec::new(), Vec::new());
    let (mut sum, mut bytes) = (Units::ZERO, FRAME);
    loop {
        let carried = refunds.front().and_then(|(_, line)| sum.minus(line.units).ok());
        let (from, after) = match (carried, sales.front()) {
            (Some(after), _) => (&mut refunds, after),
            (None, Some((_, line))) => match sum.plus(line.units) {
                Ok(after) => (&mut sales, after),
                Err(_) => break,
            },
            (None, None) => break,
        };
        let Some(line) = from.pop_front() else { break };
        let size = wire::encode(&SalesList { sales: vec![line.1.clone()] }).len();
        if bytes + size > SALES_MAX {
            // It is the first of the next list, if it is one that can be: there, too, sales come first.
            from.push_front(line);
            lists.push(list_of(std::mem::take(&mut part)));
            (sum, bytes) = (Units::ZERO, FRAME);
            continue;
        }
        (sum, bytes) = (after, bytes + size);
        part.push(line);
    }
    if !part.is_empty() {
        lists.push(list_of(part));
    }
    (lists, sales.into_iter().chain(refunds).collect())
}

/// In the order in which they were booked.
fn list_of(mut part: Vec<(u64, Line)>) -> SalesList {
    part.sort_by_key(|(at, _)| *at);
    SalesList { sales: part.into_iter().map(|(_, line)| line).collect() }
}

impl Draft {
    /// A line for the next sweep.
    pub(super) fn take(&mut self, line: Line) {
        self.put(Change::Taking(self.next_taking, line));
        self.next_taking += 1;
    }

    pub(super) fn put_sweep(&mut self, sweep: Sweep) {
        self.event(Happening::Sweep {
            number: sweep.number,
            day: sweep.day,
            state: sweep.state.word().to_owned(),
            units: sweep.units,
            note: sweep.held.clone(),
        });
        self.put(Change::Sweep(sweep));
    }

    /// Sweeps of these lines; how many.
    pub(super) fn sweep(&mut self, shop: &Shop, lines: Vec<(u64, Line)>, day: Day) -> u64 {
        let Some(last) = lines.last().map(|(at, _)| *at) else { return 0 };
        let (lists, stay) = parts(lines);
        if lists.is_empty() {
            return 0;
        }
        self.put(Change::Taken(last));
        let mut number = shop.next_sweep;
        for list in lists {
            let bytes = wire::encode(&list);
            let digest = sales_digest(&bytes);
            let (units, ordered) = (list.units().unwrap_or_default(), list.ordered().unwrap_or_default());
            let sweep = Sweep {
                number,
                id: name("shop-takings", number, &digest, 0),
                request: name("shop-sweep", number, &digest, 0),
                created: self.now(),
                day,
                units,
                ordered,
                sales: u32::try_from(list.sales.len()).unwrap_or(u32::MAX),
                list: digest,
                state: if units <= ordered { SweepState::Sending } else { SweepState::Depositing },
                deposited: Units::ZERO,
                part: 0,
                from_account: false,
                held: String::new(),
                tries: 0,
                not_before: self.now(),
                misnumbered: false,
            };
            self.put(Change::SweepList(sweep.id, bytes));
            self.put_sweep(sweep);
            number += 1;
        }
        for (_, line) in stay {
            self.take(line);
        }
        number - shop.next_sweep
    }

    /// What the day took stays with the shop.
    pub(super) fn keep_takings(&mut self, lines: &[(u64, Line)]) {
        if let Some((last, _)) = lines.last() {
            self.put(Change::Taken(*last));
        }
    }
}

impl Shop {
    /// Sweeps that are not done, in their order.
    pub fn open_sweeps(&self) -> impl Iterator<Item = &Sweep> {
        self.sweeps.values()
    }

    /// The number of the next sweep.
    pub fn next_sweep_number(&self) -> u64 {
        self.next_sweep
    }

    /// The sweep to carry on now.
    pub fn sweep_due(&self, now: Timestamp) -> Option<Sweep> {
        let may = self.settings().sweep && self.sweeps_unknown().is_none();
        let first = self.sweeps.values().next().filter(|_| may)?;
        (first.not_before <= now).then(|| first.clone())
    }

    /// The body of a sweep: every time the same until the bank has declined it.
    pub fn sweep_body(&self, sweep: &Sweep) -> bank::Sweep {
        bank::Sweep {
            bank: self.keeper().bank,
            request: sweep.request,
            owner: self.keeper().key,
            number: sweep.number,
            day: sweep.day,
            units: sweep.units,
            ordered: sweep.ordered,
            sales: sweep.sales,
            list: sweep.list,
            created: sweep.created,
        }
    }

    /// What was taken since the last sweep goes to the company now, and what waits is tried at once; how many are new.
    pub fn sweep_now(
        &self,
        lines: Vec<(u64, Line)>,
        from_account: bool,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Decision<u64>, Refusal> {
        if !self.settings().sweep {
            let why = "a shop that its company owns turns it on: settings set --sweep on";
            return Err(Refusal::State { what: "sweep", state: "off", why });
        }
        self.may_sweep()?;
        let mut draft = Draft::at(self, now);
        for sweep in self.sweeps.values() {
            let from_account = from_account || sweep.from_account;
            draft.put(Change::Sweep(Sweep { not_before: now, from_account, ..sweep.clone() }));
        }
        let made = draft.sweep(self, lines, self.today(now));
        draft.audit(actor, "sweep.now", "done", made);
        Ok(draft.decide(made))
    }

    /// The bank counts otherwise: the sweeps that are not done go on from `next`.
    pub fn renumber_sweeps(&self, next: u64, actor: &Actor, now: Timestamp) -> Result<Decision<()>, Refusal> {
        let first = self.sweeps.values().next().filter(|first| first.misnumbered);
        if first.is_none_or(|first| next <= first.number) {
            let why =
                "only when the bank has refused the number of the first one that waits, and to higher ones";
            return Err(Refusal::State { what: "sweep", state: "numbered", why });
        }
        let mut draft = Draft::at(self, now);
        draft.put(Change::Renumbered(self.sweeps.keys().copied().collect()));
        for (number, sweep) in (next..).zip(self.sweeps.values()) {
            let request = name("shop-sweep", number, &sweep.list, sweep.tries);
            let held = String::new();
            let fresh = Sweep { number, request, held, misnumbered: false, not_before: now, ..sweep.clone() };
            draft.put_sweep(fresh);
        }
        draft.audit(actor, "sweep.renumber", "done", next);
        Ok(draft.decide(()))
    }

    /// What came of the deposit with number `part`.
    pub fn sweep_deposit(&self, number: u64, part: u32, came: Deposit, now: Timestamp) -> Decision<()> {
        let open = self.sweeps.get(&number);
        let open = open.filter(|sweep| sweep.state == SweepState::Depositing && sweep.part == part);
        let Some(sweep) = open.cloned() else { return Decision::reply(()) };
        let mut draft = Draft::at(self, now);
        let next = match came {
            Deposit::Done(units) => {
                let deposited = sweep.deposited.plus(units).unwrap_or(Units::MAX);
                let state =
                    if deposited >= sweep.from_till() { SweepState::Sending } else { SweepState::Depositing };
                Sweep { deposited, state, part: part + 1, held: String::new(), not_before: now, ..sweep }
            }
            Deposit::FromAccount => Sweep { state: SweepState::Sending, held: String::new(), ..sweep },
            Deposit::Void(held) => {
                let not_before = now.plus_seconds(AGAIN_SECONDS);
                Sweep { part: part + 1, held, not_before, ..sweep }
            }
        };
        draft.put_sweep(next);
        draft.decide(())
    }

    /// It has to wait: said once for each reason.
    pub fn sweep_waits(&self, number: u64, held: String, now: Timestamp) -> Decision<()> {
        let Some(sweep) = self.sweeps.get(&number).filter(|sweep| sweep.held != held).cloned() else {
            return Decision::reply(());
        };
        let mut draft = Draft::at(self, now);
        draft.put_sweep(Sweep { held, ..sweep });
        draft.decide(())
    }

    /// What the bank said.
    pub fn sweep_told(&self, number: u64, said: BankWord, now: Timestamp) -> Decision<()> {
        let open = self.sweeps.get(&number).filter(|sweep| sweep.state == SweepState::Sending);
        let Some(sweep) = open.cloned() else { return Decision::reply(()) };
        let wait = AGAIN_MAX.min(AGAIN_SECONDS << sweep.tries.min(6));
        let (tries, not_before) = (sweep.tries.saturating_add(1), now.plus_seconds(wait));
        let next = match said {
            BankWord::Swept(letter) => {
                Sweep { state: SweepState::Done(letter, now), held: String::new(), ..sweep }
            }
            BankWord::Declined => {
                let held = "the account holds less than these takings: deposit what is missing, \
                    then «shop-node sweep now»";
                let request = name("shop-sweep", number, &sweep.list, tries);
                Sweep { request, created: now, tries, not_before, held: held.to_owned(), ..sweep }
            }
            BankWord::Refused(held) => Sweep { tries, not_before, held, ..sweep },
            BankWord::Misnumbered(held) => Sweep { tries, not_before, held, misnumbered: true, ..sweep },
        };
        let mut draft = Draft::at(self, now);
        draft.put_sweep(next);
        draft.decide(())
    }
}
