//! Claims: against which entry a unit is judged, who is asked, who is liable, who pays (SPEC §4.10, threats X2, X3, X5).
//!
//! ```text
//! claim   root ─ link 0 ─ link 1 ─ link 2 ─ link 3 ─ sink        links 0 … n-1 lead to the claimant's key
//! entry   root ─ link 0 ─ link 1 ─ other …                       parts at 2: whoever signed link 2 signed twice
//! walk    the claimant shows the order for link 3 ─▶ its payer is asked
//!         he shows the order for link 2           ─▶ its payer is asked: he is the signer, and it is his to pay
//! ```
//! Everything here is decided from what is shown; nothing reads or writes.

use super::account::AccountNumber;
use super::books::Fault;
use protocol::bank::{Claim, Letter};
use protocol::error::ErrorCode;
use protocol::id::{BankId, Digest, Key};
use protocol::money::Units;
use protocol::note::{Destination, Link};
use protocol::pay::{Defence, Evidence};
use protocol::range::Range;
use protocol::sign::Signed;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Since when a chain counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Since this journal entry.
    Entry(u64),
    /// Since then.
    Time(Timestamp),
}

/// A chain that counts for some units: a redeemed interval or a settled claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    /// Since when it counts.
    pub at: Since,
    /// The units.
    pub range: Range,
    /// The chain; it ends in a sink.
    pub links: Vec<Signed<Link>>,
}

/// Where the chain that lost leaves the one that won.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parting {
    /// The first link that differs: its signer signed twice.
    pub at: usize,
    /// Whether both links hand to keys. A sink beside a payment is a debt, and no offence.
    pub offence: bool,
}

/// How many leading links two chains over one root share.
pub fn common(a: &[Signed<Link>], b: &[Signed<Link>]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a.unverified() == b.unverified()).count()
}

/// Where `lost` leaves `won`; `None` if `won` goes on where `lost` ends: then the claimant signed onward himself.
pub fn parting(lost: &[Signed<Link>], won: &[Signed<Link>]) -> Option<Parting> {
    let at = common(lost, won);
    let to_key = |link: &Signed<Link>| matches!(link.unverified().to, Destination::Key(_));
    let lost = lost.get(at)?;
    Some(Parting { at, offence: to_key(lost) && won.get(at).is_some_and(to_key) })
}

/// The units of `range` that have an entry, cut so that each piece is judged against one: the entry with the
/// longest common prefix, the first of several.
pub fn segments<'e>(
    range: Range,
    lost: &[Signed<Link>],
    entries: &'e [Entered],
) -> Vec<(Range, &'e Entered)> {
    let mut ranked: Vec<(usize, &Entered)> = entries
        .iter()
        .filter(|entry| entry.range.overlaps(range))
        .map(|entry| (common(lost, &entry.links), entry))
        .collect();
    // A stable sort: among equals the first stays first.
    ranked.sort_by_key(|(shared, _)| std::cmp::Reverse(*shared));
    let borders: BTreeSet<u64> = ranked
        .iter()
        .flat_map(|(_, entry)| [entry.range.start(), entry.range.end()])
        .filter(|border| (range.start()..range.end()).contains(border))
        .chain([range.start(), range.end()])
        .collect();
    let mut pieces: Vec<(Range, &Entered)> = Vec::new();
    for (start, end) in borders.iter().zip(borders.iter().skip(1)) {
        let Ok(piece) = Range::new(*start, *end) else { continue };
        let Some((_, entry)) = ranked.iter().find(|(_, entry)| entry.range.contains(piece)) else { continue };
        match pieces.last_mut() {
            Some((last, same)) if last.end() == *start && std::ptr::eq(*same, *entry) => {
                *last = Range::new(last.start(), *end).unwrap_or(piece);
            }
            Some(_) | None => pieces.push((piece, entry)),
        }
    }
    pieces
}

/// An order that was shown in a case, with the accounts of its parties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The order and what ties it to the link.
    pub evidence: Evidence,
    /// Who signed it.
    pub payer: AccountNumber,
    /// Who was paid by it, and showed it.
    pub payee: AccountNumber,
}

/// A claim to some units that are judged against one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its number, from 1 without gaps.
    pub number: u64,
    /// The claim.
    pub claim: Signed<Claim>,
    /// The claimant's account.
    pub account: AccountNumber,
    /// The root's serial.
    pub serial: u64,
    /// The units of this case.
    pub range: Range,
    /// The chain that lost; its last link is the sink that names the claim.
    pub links: Vec<Signed<Link>>,
    /// The chain that won, as far as it is known now.
    pub won: Vec<Signed<Link>>,
    /// The orders shown so far: for the last link first.
    pub shown: Vec<Shown>,
    /// When it was filed.
    pub opened: Timestamp,
    /// Where it stands.
    pub stage: Stage,
    /// Whether its chain counts as redeemed from now on.
    pub entered: bool,
    /// Letters about it, and whose they are.
    pub letters: Vec<(AccountNumber, Signed<Letter>)>,
    /// The link whose payee had refused it and was judged for handing it on, counted from 0.
    #[serde(default)]
    pub refused: Option<usize>,
    /// When it was decided.
    #[serde(default)]
    pub ended: Option<Timestamp>,
}

/// Where a case stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// The payer of the last order shown is asked until then.
    Open(Timestamp),
    /// The claimant gets nothing.
    Dismissed(ErrorCode),
    /// Somebody is liable.
    Judged(Debt),
}

/// Who owes what in a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debt {
    /// Whose it is to pay.
    pub liable: AccountNumber,
    /// Whether he signed two payments of the same units.
    pub offence: bool,
    /// His own payee in the chain that lost, unless that is the claimant: he chose to trust him.
    pub bearer: Option<AccountNumber>,
    /// How much.
    pub units: Units,
    /// What the liable party has paid.
    pub from_liable: Units,
    /// What the guarantee paid in his stead.
    pub from_guarantee: Units,
    /// What the bearer paid in his stead.
    pub from_bearer: Units,
    /// What the claimant has.
    pub to_claimant: Units,
    /// What the bearer has got back.
    pub to_bearer: Units,
}

/// From where money comes in a case, or where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The liable party.
    Liable,
    /// The bank's guarantee.
    Guarantee,
    /// The liable party's own payee.
    Bearer,
    /// Whoever filed the claim.
    Claimant,
}

/// What the parties' accounts hold when a debt is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Funds {
    /// The liable party's balance.
    pub liable: Units,
    /// What the guarantee may still pay for him: its balance, and no more than what is left of the cap.
    pub guarantee: Units,
    /// The bearer's balance.
    pub bearer: Units,
}

/// What an end of the walk comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// This party owes the units.
    Liable {
        /// Whose they are to pay.
        liable: AccountNumber,
        /// His own payee in the chain that lost.
        bearer: Option<AccountNumber>,
        /// Whether he signed two payments of the same units.
        offence: bool,
        /// Whether the chain that lost counts as redeemed from now on.
        enter: bool,
    },
    /// Nobody owes the claimant anything.
    Dismissed {
        /// The reason.
        code: ErrorCode,
        /// Whether the chain counts as redeemed all the same: the claimant owed it to himself.
        enter: bool,
    },
}

/// What an answer of somebody who is asked comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// He had the units from this payer: now that one is asked.
    Upstream(Box<Evidence>, Key),
    /// The case ends.
    End(Judgement),
}

fn lesser(a: Units, b: Units) -> Units {
    a.min(b)
}

fn rest(whole: Units, part: Units) -> Units {
    whole.minus(part).unwrap_or(Units::ZERO)
}

fn more(a: Units, b: Units) -> Units {
    a.plus(b).unwrap_or(Units::MAX)
}

impl Debt {
    /// What is still to be recovered from the liable party.
    pub fn owed(&self) -> Units {
        rest(self.units, self.from_liable)
    }

    /// What happens at the judgement: the liable party as far as his account goes, then the guarantee, then the bearer.
    pub fn settle(&mut self, funds: Funds) -> Vec<(Side, Side, Units)> {
        let mut moves = Vec::new();
        let mut open = self.units;
        let bearer = if self.bearer.is_some() { funds.bearer } else { Units::ZERO };
        let purses = [
            (Side::Liable, funds.liable, &mut self.from_liable),
            (Side::Guarantee, funds.guarantee, &mut self.from_guarantee),
            (Side::Bearer, bearer, &mut self.from_bearer),
        ];
        for (from, holds, given) in purses {
            let units = lesser(open, holds);
            if units.is_zero() {
                continue;
            }
            open = rest(open, units);
            *given = more(*given, units);
            self.to_claimant = more(self.to_claimant, units);
            moves.push((from, Side::Claimant, units));
        }
        moves
    }

    /// What happens with `funds` that have come to the liable party's account: first to the claimant, then to
    /// whoever paid in his stead.
    pub fn collect(&mut self, funds: Units) -> Vec<(Side, Side, Units)> {
        let mut moves = Vec::new();
        let mut left = lesser(funds, self.owed());
        let wants = [
            (Side::Claimant, rest(self.units, self.to_claimant)),
            (Side::Bearer, rest(self.from_bearer, self.to_bearer)),
            (Side::Guarantee, Units::MAX),
        ];
        for (to, wanted) in wants {
            let units = lesser(left, wanted);
            if units.is_zero() {
                continue;
            }
            left = rest(left, units);
            self.from_liable = more(self.from_liable, units);
            match to {
                Side::Claimant => self.to_claimant = more(self.to_claimant, units),
                Side::Bearer => self.to_bearer = more(self.to_bearer, units),
                Side::Guarantee | Side::Liable => {}
            }
            moves.push((Side::Liable, to, units));
        }
        moves
    }

    /// What the guarantee has paid and not got back.
    pub fn guaranteed(&self) -> Units {
        let back = rest(rest(self.from_liable, self.liable_to_claimant()), self.to_bearer);
        rest(self.from_guarantee, back)
    }

    /// What went from the liable party to the claimant.
    fn liable_to_claimant(&self) -> Units {
        rest(rest(self.to_claimant, self.from_guarantee), self.from_bearer)
    }
}

impl Case {
    /// The chain that lost, up to the claimant's key.
    pub fn lost(&self) -> &[Signed<Link>] {
        self.links.split_last().map_or(&[], |(_, links)| links)
    }

    /// The link whose order's payer is asked, counted from 0.
    pub fn position(&self) -> usize {
        self.lost().len().saturating_sub(self.shown.len())
    }

    /// The last order shown: its payer is asked.
    pub fn last(&self) -> Option<&Shown> {
        self.shown.last()
    }

    /// Who is asked now.
    pub fn asked(&self) -> Option<AccountNumber> {
        self.last().filter(|_| self.is_open()).map(|shown| shown.payer)
    }

    /// Whether somebody is asked.
    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_))
    }

    /// Everybody who has a part in it.
    pub fn parties(&self) -> BTreeSet<AccountNumber> {
        let shown = self.shown.iter().flat_map(|shown| [shown.payer, shown.payee]);
        shown.chain([self.account]).collect()
    }

    /// The winner has changed: the walk goes back to the signer of the new parting key if it has passed him.
    /// Says whether somebody else is asked now.
    pub fn turn(&mut self, at: usize) -> bool {
        let heard = self.lost().len().saturating_sub(at).max(1);
        let passed = self.shown.len() > heard;
        self.shown.truncate(heard);
        passed
    }

    /// What the answer of whoever is asked comes to; `nodes` are the node keys that the payee of the order has had.
    pub fn hear(&self, bank: BankId, defence: &Defence, nodes: &[Key]) -> Result<Heard, ErrorCode> {
        let parting = parting(self.lost(), &self.won).ok_or(ErrorCode::NotAllowed)?;
        let shown = self.last().ok_or(ErrorCode::NotFound)?;
        let order = shown.evidence.order.unverified();
        match defence {
            Defence::Upstream(evidence) => {
                let before = self.position().checked_sub(1).filter(|_| self.position() > parting.at);
                let link = before.and_then(|at| self.lost().get(at)).ok_or(ErrorCode::NotAllowed)?;
                let payer = paid_link(bank, evidence, &order.payer, link)?;
                Ok(Heard::Upstream(evidence.clone(), payer))
            }
            Defence::Refused(refusal) => {
                if refusal.unverified().order != shown.evidence.order.digest() {
                    return Err(ErrorCode::NotMine);
                }
                let node = shown.evidence.request.unverified().node;
                let mut signers = [node, order.payee].into_iter().chain(nodes.iter().copied());
                if !signers.any(|signer| refusal.check_by(&signer).is_ok()) {
                    return Err(ErrorCode::BadSignature);
                }
                Ok(Heard::End(self.refused()))
            }
            Defence::Admitted(admission) => {
                let said = admission.unverified();
                if said.bank != bank || said.case != self.number || said.owner != order.payer {
                    return Err(ErrorCode::NotMine);
                }
                admission.check_by(&order.payer).map_err(|_| ErrorCode::BadSignature)?;
                Ok(Heard::End(self.liable(parting)))
            }
        }
    }

    /// Whoever is asked has no defence: he is liable, because he signed the order.
    pub fn silent(&self) -> Judgement {
        match parting(self.lost(), &self.won) {
            Some(parting) => self.liable(parting),
            None => Judgement::Dismissed { code: ErrorCode::NotAllowed, enter: false },
        }
    }

    fn liable(&self, parting: Parting) -> Judgement {
        let Some(shown) = self.last() else {
            return Judgement::Dismissed { code: ErrorCode::NotAllowed, enter: false };
        };
        // He may only be called an offender if it is his key at which the chains part.
        let offence = parting.offence && self.position() == parting.at;
        self.owes(shown.payer, Some(shown.payee), offence, true)
    }

    /// Whether its chain counts against another that lost. One that a refusal decided counts only against those that go
    /// on behind the refused link: the payee has paid for handing it on once. The payer has a claim of his own.
    pub fn counts_against(&self, lost: &[Signed<Link>]) -> bool {
        let behind = |at: usize| lost.len() > at + 1 && common(lost, &self.links) > at;
        self.entered || self.refused.is_some_and(behind)
    }

    /// The payee of the order refused it: whoever showed it had no right to go on with these units. The chain is
    /// not entered, as the payer has a claim of his own to units that never became the payee's.
    fn refused(&self) -> Judgement {
        let mut shown = self.shown.iter().rev();
        let shower = shown.next().map(|shown| shown.payee);
        let his_payee = shown.next().map(|shown| shown.payee);
        match shower {
            Some(liable) if liable != self.account => self.owes(liable, his_payee, false, false),
            Some(_) | None => Judgement::Dismissed { code: ErrorCode::Void, enter: false },
        }
    }

    fn owes(
        &self,
        liable: AccountNumber,
        bearer: Option<AccountNumber>,
        offence: bool,
        enter: bool,
    ) -> Judgement {
        if liable == self.account {
            return Judgement::Dismissed { code: ErrorCode::NotAllowed, enter };
        }
        let bearer = bearer.filter(|bearer| *bearer != self.account && *bearer != liable);
        Judgement::Liable { liable, bearer, offence, enter }
    }
}

/// Who paid `payee` this link, by the order shown.
pub fn paid_link(
    bank: BankId,
    evidence: &Evidence,
    payee: &Key,
    link: &Signed<Link>,
) -> Result<Key, ErrorCode> {
    let Destination::Key(key) = link.unverified().to else { return Err(ErrorCode::BadChain) };
    let payer = evidence.payer(bank, payee, &link.digest(), &key)?;
    if payer == *payee {
        return Err(ErrorCode::SelfPayment);
    }
    Ok(payer)
}

/// What the rules ask of a store about cases.
pub trait CaseView {
    /// The case of this number.
    fn case(&self, number: u64) -> Result<Option<Case>, Fault>;
    /// The highest number, 0 before the first.
    fn last_case(&self) -> Result<u64, Fault>;
    /// Cases with higher numbers, in order.
    fn cases_after(&self, number: u64, limit: usize) -> Result<Vec<Case>, Fault>;
    /// The cases over this root, in order.
    fn cases_over(&self, serial: u64) -> Result<Vec<Case>, Fault>;
    /// The cases with higher numbers in which the account has a part, in order.
    fn cases_of(&self, account: AccountNumber, after: u64, limit: usize) -> Result<Vec<Case>, Fault>;
    /// The same of those in which the account is asked now.
    fn cases_asking(&self, account: AccountNumber, after: u64, limit: usize) -> Result<Vec<Case>, Fault>;
    /// The cases in which the account owes something, in order.
    fn debts_of(&self, account: AccountNumber) -> Result<Vec<u64>, Fault>;
    /// The same of all accounts: account and case, in order, after these two.
    fn debts_after(
        &self,
        after: (AccountNumber, u64),
        limit: usize,
    ) -> Result<Vec<(AccountNumber, u64)>, Fault>;
}

/// Writing cases.
pub trait CaseTx: CaseView {
    /// Writes a case, and finds it by its root, its parties and its debt from now on.
    fn keep_case(&mut self, case: &Case) -> Result<(), Fault>;
}

/// What is to be done at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A reclaim is closed.
    Reclaim(u64),
    /// Somebody who was asked in a case has not answered.
    Case(u64),
    /// A hold ends by its date or at its end.
    Hold(u64),
    /// Rent of the shop with this account number.
    Rent(u64),
}

/// What the rules ask of a store about times.
pub trait DueView {
    /// What is to be done from the first thing not done on, in order.
    fn due(&self, limit: usize) -> Result<Vec<(Timestamp, Due)>, Fault>;
}

/// Writing times.
pub trait DueTx: DueView {
    /// Notes something to be done at `at`, or at the first time that is not over.
    fn keep_due(&mut self, at: Timestamp, due: Due) -> Result<(), Fault>;
    /// Everything up to this one is done.
    fn done_due(&mut self, at: Timestamp, due: Due) -> Result<(), Fault>;
}

/// Digest of the body that names the key at the end of a chain of links over the root with digest `root`.
pub fn tip_of(root: Digest, links: &[Signed<Link>]) -> Digest {
    links.last().map_or(root, Signed::digest)
}
