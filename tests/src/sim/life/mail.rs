//! Mail that arrives, and what it tells about what happens.

use super::{Life, OLD_MAIL, tries};
use crate::sim::truth::Violation;
use crate::world::{Mail, Who};
use protocol::note::Destination;
use protocol::pay::Mode;
use protocol::wire::{self, BankAnswer, ErrorCode, Letterhead, PayAnswer, PayAsk};

impl Life {
    pub(super) fn keep(&mut self, mail: Mail) {
        if self.old_mail.len() < OLD_MAIL {
            self.old_mail.push(mail);
        } else {
            let place = self.steps % OLD_MAIL;
            if let Some(old) = self.old_mail.get_mut(place) {
                *old = mail;
            }
        }
    }

    pub(super) fn delivers(&mut self, place: usize) -> Result<(), Violation> {
        let Some(mail) = self.world.post.take(place) else { return Ok(()) };
        if self.steps.is_multiple_of(4) {
            self.keep(mail.clone());
        }
        let (from, to) = mail.ends();
        if self.cuts.parts(from, to) {
            self.tally.count("mail-cut");
            return Ok(());
        }
        self.look_at(&mail)?;
        if let Mail::Ask(from, to, id, bytes) = &mail
            && to.place() >= self.setting.honest()
            && let Ok(Letterhead { from: papers, ask: PayAsk::Pay(payment) }) = wire::decode(bytes)
        {
            self.evil_is_paid((*from, *to, *id), papers, *payment);
            return Ok(());
        }
        // What a workstation that is down should have got is lost; whoever sent it will ask again.
        tries(self.world.arrive(mail));
        Ok(())
    }

    /// What mail tells about what happens.
    pub(super) fn look_at(&mut self, mail: &Mail) -> Result<(), Violation> {
        match mail {
            Mail::FromBank(who, id, answer) => {
                self.tally.count(match &**answer {
                    BankAnswer::Withdrawn(..) => "answer-withdrawn",
                    BankAnswer::Declined(_) => "answer-declined",
                    BankAnswer::Deposited(items, _)
                        if items.iter().any(|item| matches!(item, wire::Item::Clash(_))) =>
                    {
                        "answer-clash"
                    }
                    BankAnswer::Deposited(..) => "answer-deposited",
                    BankAnswer::Reissued(_) => "answer-reissued",
                    BankAnswer::Denied(_) => "answer-clash",
                    _ => "answer-error",
                });
                self.truth.explain(&self.world, *who, id, answer)?;
            }
            Mail::Paid(_, _, _, PayAnswer::Error(code)) => self.tally.count(refused(*code)),
            Mail::Paid(_, _, _, PayAnswer::Refused(refusal)) => {
                self.tally.count(refused(refusal.unverified().code));
            }
            Mail::Confirm(..) => self.tally.count("confirmed"),
            // Opening each message once more would cost as much as checking it.
            Mail::Ask(_, to, _, bytes) if self.steps.is_multiple_of(8) => self.look_at_notes(*to, bytes),
            Mail::Ask(..) | Mail::Offered(..) | Mail::Paid(..) | Mail::ToBank(..) => {}
        }
        Ok(())
    }

    pub(super) fn look_at_notes(&mut self, to: Who, bytes: &[u8]) {
        let Ok(Letterhead { ask: PayAsk::Pay(payment), .. }) = wire::decode(bytes) else { return };
        if payment.order.unverified().mode == Mode::Certified {
            self.tally.count("certified");
        }
        for note in payment.notes.unpack().unwrap_or_default() {
            if note.links.len() > 6 {
                self.tally.count("long-chain");
            }
            let mine = |key| self.truth.is_key_of(key, to);
            let links = note.links.iter().rev().skip(1).map(|link| link.unverified().to);
            let keys = links.chain([Destination::Key(note.root.unverified().to)]);
            if keys.into_iter().any(|to| matches!(to, Destination::Key(key) if mine(key))) {
                self.tally.count("came-home");
            }
        }
    }
}

fn refused(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Expired => "refused-expired",
        ErrorCode::Fork => "refused-fork",
        ErrorCode::DuplicateNote => "refused-duplicate-note",
        ErrorCode::NeedCertified => "refused-need-certified",
        ErrorCode::Suspended => "refused-suspended",
        ErrorCode::RequestUsed => "refused-request-used",
        ErrorCode::Clash => "refused-clash",
        ErrorCode::Busy => "refused-busy",
        ErrorCode::IdReused => "refused-id-reused",
        ErrorCode::UnknownRequest => "refused-unknown-request",
        _ => "refused-otherwise",
    }
}
