//! People who keep no rules: what they sign, show and answer outside the wallet, with their own keys.
//!
//! They have a workstation and an account like everybody, so they also pay and are paid in good order; nobody
//! can tell them by that.

use super::act::{Act, Kind};
use super::life::{Life, tries};
use crate::world::{Mail, Who, units};
use bank_node::desk::office::Operation;
use daemon::wallet::reserve::OwnNote;
use protocol::bank::{Introduction, Outcome, RedeemKind, Redemption};
use protocol::body::Body;
use protocol::id::{Digest, PaymentId, RequestId};
use protocol::money::Units;
use protocol::note::{Destination, LINKS_MAX, NoteTable};
use protocol::pay::{AmountRule, Mode, Order, Payment, Receipt, Refusal, list_of_notes};
use protocol::range::Range;
use protocol::wire::{self, BankAsk, ErrorCode, PayAnswer, PayAsk};
use std::collections::{BTreeMap, BTreeSet};

/// What somebody evil does when he is paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Manners {
    /// What everybody does.
    #[default]
    Good,
    /// Keeps the notes, and says no.
    KeepAndRefuse,
    /// Keeps the notes, and says nothing.
    Swallow,
    /// Keeps the notes, and signs a receipt for something else.
    FalseReceipt,
}

/// What is known of those who keep no rules.
#[derive(Default)]
pub(super) struct Evil {
    manners: BTreeMap<usize, Manners>,
    /// Every note that one of them ever held: spent ones are as good to him as others.
    notes: BTreeMap<usize, Vec<OwnNote>>,
    seen: BTreeMap<usize, BTreeSet<u64>>,
    copies: BTreeMap<usize, Who>,
    settled: bool,
}

impl Evil {
    /// At the end nobody is silent about certified money any more: nobody but he can have it.
    pub(super) fn settles_down(&mut self) {
        self.settled = true;
    }

    fn remember(&mut self, life: &Life, who: Who) {
        let seen = self.seen.entry(who.place()).or_default();
        let notes = self.notes.entry(who.place()).or_default();
        for own in life.world.person(who).wallet().notes() {
            if seen.insert(own.number) && notes.len() < 64 {
                notes.push(own.clone());
            }
        }
    }
}

impl Life {
    pub(super) fn does_evil(&mut self, act: &Act) {
        let Some(who) = self.evil_one(act.who) else { return };
        if self.world.person(who).is_down() {
            return;
        }
        let mut evil = std::mem::take(&mut self.evil);
        evil.remember(self, who);
        self.evil = evil;
        match act.kind {
            Kind::DoubleSpend => self.double_spends(who, act),
            Kind::RedeemByHand => self.redeems_by_hand(who, act),
            Kind::Manners => {
                let manners = match act.other % 4 {
                    0 => Manners::Good,
                    1 => Manners::Swallow,
                    2 => Manners::FalseReceipt,
                    _ => Manners::KeepAndRefuse,
                };
                self.evil.manners.insert(who.place(), manners);
            }
            Kind::FalseReceipt => self.shows_false_receipt(who, act),
            Kind::EmptyAccount => {
                let left = self.world.account(who);
                self.orders(Operation::PayOut(self.account(who), units(left)));
            }
            Kind::Copy => self.copies_himself(who),
            Kind::CopyPays => {
                if let Some(copy) = self.evil.copies.get(&who.place()).copied() {
                    let payee = self.one(act.other);
                    if payee.place() < self.setting.honest()
                        && self.world.pay(copy, payee, u64::from(act.much)).is_ok()
                    {
                        self.tally.count("paid-by-copy");
                    }
                }
            }
            Kind::CopyBanks => {
                if let Some(copy) = self.evil.copies.get(&who.place()).copied() {
                    if act.other.is_multiple_of(2) {
                        tries(self.world.deposit(copy, u64::from(act.much)));
                    } else {
                        self.world.remind(copy);
                    }
                }
            }
            _ => {}
        }
    }

    /// Some units of a note that he holds or held.
    fn old_units(&mut self, who: Who, act: &Act) -> Option<(OwnNote, Range)> {
        let notes = self.evil.notes.get(&who.place())?;
        let at = usize::try_from(act.number).ok()?.checked_rem(notes.len())?;
        // Half of the time what he had last, which nobody has seen elsewhere yet.
        let at = if act.much.is_multiple_of(2) { notes.len() - 1 } else { at };
        let own = notes.get(at)?.clone();
        let holding = own.note.holding().ok()?;
        if own.note.links.len() + 2 > LINKS_MAX {
            return None;
        }
        let start = holding.range.start() + u64::from(act.other) % holding.range.units().get();
        let end = holding.range.end().min(start + u64::from(act.much));
        Some((own, Range::new(start, end).ok()?))
    }

    fn signs_by_hand(&mut self, who: Who, units: u64) {
        *self.truth.signed_by_hand.entry(who.place()).or_default() += units;
    }

    /// The same units to two payees, by hand.
    fn double_spends(&mut self, who: Who, act: &Act) {
        let Some((own, range)) = self.old_units(who, act) else { return };
        let honest = self.setting.honest();
        let first = usize::from(act.other) % honest;
        let second = (first + 1 + usize::from(act.who) / 7) % honest;
        for payee in [first, second] {
            if let Some(payment) = self.draft(who, Who::at(payee), &own, range) {
                self.signs_by_hand(who, range.units().get());
                self.tally.count("double-spent");
                let id = payment.order.unverified().payment;
                self.world.send_ask(who, Who::at(payee), id, PayAsk::Pay(Box::new(payment)));
            }
        }
    }

    /// A payment of one range, signed as its owner signs.
    fn draft(&mut self, who: Who, payee: Who, own: &OwnNote, range: Range) -> Option<Payment> {
        let (now, mut chance) = (self.world.clock(payee), self.world.chance.clone());
        self.world.person(payee).store().ok()?;
        let amount = AmountRule::Exactly(range.units());
        let expires = now.plus_seconds(3_600);
        let request = self.world.person_mut(payee).request(amount, Mode::Direct, expires, &mut chance, now);
        let id = PaymentId(chance.bytes());
        self.world.chance = chance;
        let request = request.ok()??;
        let person = self.world.person(who);
        let keys = person.secret_keys();
        let to = Destination::Key(request.unverified().key());
        let note = own.note.hand_on(range, to, &keys.seed().note(&own.hint)).ok()?;
        let tip = note.holding().ok()?.tip;
        let order = keys.owner().sign(Order {
            bank: person.wallet().bank(),
            payment: id,
            request: request.digest(),
            payer: person.key(),
            payee: request.unverified().payee(),
            amount: range.units(),
            created: now,
            expires: now.plus_seconds(7 * 86_400),
            mode: Mode::Direct,
            replaces: Digest::default(),
            memo: Order::memo_digest("twice"),
            list: list_of_notes(&[tip]),
        });
        let epoch = own.note.root.unverified().epoch;
        let certificate = person.wallet().keys().issue_certificate(epoch).cloned();
        Some(Payment {
            request,
            order,
            memo: "twice".to_owned(),
            keys: certificate.into_iter().collect(),
            notes: NoteTable::pack(&[note]),
        })
    }

    /// Units to his own account, whoever has them by now.
    fn redeems_by_hand(&mut self, who: Who, act: &Act) {
        let Some((own, range)) = self.old_units(who, act) else { return };
        let id = RequestId(self.world.chance.bytes());
        let person = self.world.person(who);
        let keys = person.secret_keys();
        let outcomes = vec![Outcome { to: person.key(), units: range.units() }];
        let redemption =
            Redemption { bank: person.wallet().bank(), request: id, kind: RedeemKind::Deposit, outcomes };
        let sink = Destination::Redeem(redemption.digest());
        let Ok(note) = own.note.hand_on(range, sink, &keys.seed().note(&own.hint)) else { return };
        let ask = BankAsk::Deposit(keys.owner().sign(redemption), NoteTable::pack(&[note]));
        self.signs_by_hand(who, range.units().get());
        self.tally.count("redeemed-by-hand");
        self.world.post.send(Mail::ToBank(who, id, wire::encode(&ask)));
    }

    /// Money for somebody evil: taken as always, and answered as it suits him.
    pub(super) fn evil_is_paid(
        &mut self,
        (from, to, id): (Who, Who, PaymentId),
        papers: Introduction,
        payment: Payment,
    ) {
        let manners = self.evil.manners.get(&to.place()).copied().unwrap_or_default();
        let (now, digest) = (self.world.clock(to), payment.order.digest());
        let (payee, amount) = (payment.order.unverified().payee, payment.order.unverified().amount);
        // Certified money can't be refused: whoever never says that he has it leaves his payer in doubt for ever.
        let last_word = self.evil.settled && payment.order.unverified().mode == Mode::Certified;
        let manners = if last_word { Manners::Good } else { manners };
        let Ok(honest) = self.world.person_mut(to).answer_payment(papers, payment, now) else { return };
        if manners != Manners::Good {
            // Whoever refuses what he keeps, and hands it on, has signed away what is his payer's again.
            self.signs_by_hand(to, amount.get());
        }
        let node = self.world.person(to).node.clone();
        let answer = match manners {
            Manners::Good => honest,
            Manners::Swallow => return self.tally.count("swallowed"),
            Manners::KeepAndRefuse => {
                self.tally.count("kept-and-refused");
                match digest.0.first().map_or(0, |byte| byte % 3) {
                    0 => PayAnswer::Error(ErrorCode::Expired),
                    1 => PayAnswer::Error(ErrorCode::NeedCertified),
                    _ => PayAnswer::Refused(node.sign(Refusal {
                        order: digest,
                        code: ErrorCode::Fork,
                        at: now,
                    })),
                }
            }
            Manners::FalseReceipt => {
                self.tally.count("false-receipt");
                let amount = amount.minus(Units::new(1).unwrap_or_default()).unwrap_or_default();
                let receipt = Receipt { order: digest, payee, amount, received: now, confirmed: true };
                PayAnswer::Receipt(node.sign(receipt))
            }
        };
        self.world.post.send(Mail::Paid(from, to, id, answer));
    }

    /// A receipt for somebody else's payment, in the payee's name and signed with the wrong key.
    fn shows_false_receipt(&mut self, who: Who, act: &Act) {
        let victim = self.one(act.other);
        let Some(id) = self.sent(victim).first().copied() else { return };
        let Ok(Some(payment)) = self.world.payment(victim, &id) else { return };
        let Some(order) = &payment.order else { return };
        let payee = self.world.everybody().into_iter().find(|p| self.world.person(*p).key() == payment.payee);
        let Some(payee) = payee.filter(|payee| payee.place() < self.setting.honest()) else { return };
        let receipt = Receipt {
            order: order.digest(),
            payee: payment.payee,
            amount: payment.amount,
            received: self.world.now,
            confirmed: true,
        };
        let node = self.world.person(who).node.clone();
        let receipt = node.sign(receipt);
        self.tally.count("false-receipt");
        let mail = if act.much.is_multiple_of(2) {
            Mail::Confirm(payee, victim, id, receipt)
        } else {
            Mail::Paid(victim, payee, id, PayAnswer::Receipt(receipt))
        };
        self.world.post.send(mail);
    }

    /// One workstation more with the same keys and the same notes.
    fn copies_himself(&mut self, who: Who) {
        if self.evil.copies.contains_key(&who.place()) || self.world.everybody().len() > 20 {
            return;
        }
        let notes = self.world.person(who).wallet().notes();
        let units: u64 = notes.map(|own| own.note.holding().map_or(0, |h| h.range.units().get())).sum();
        // Each of these units may now be signed twice by rules that do not know of each other.
        self.signs_by_hand(who, units);
        let copy = self.world.second_copy(who);
        self.truth.second_copy(&self.world, who, copy);
        self.evil.copies.insert(who.place(), copy);
        self.tally.count("copied");
    }
}
