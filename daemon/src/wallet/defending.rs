//! What others' claims and reclaims ask of us, answered from what is kept (SPEC §3.8, §4.10, §4.11, threats X4, X5, Y14).
//!
//! A locked workstation shows whom it had units from, shows the refusal of an order, and shows chains that go on from
//! a reclaimed key: none of that needs the owner's key. Only to say that units are his own to pay does.

use super::claiming::Papers;
use super::paying::{Outgoing, State};
use super::reserve::OwnNote;
use super::{OpenKeys, Wallet};
use protocol::bank::{Admission, Reclaimed};
use protocol::id::{Digest, Key};
use protocol::note::{Destination, Note};
use protocol::pay::Defence;
use protocol::wire::{CasePart, CaseState};

/// What a case asks us about.
#[derive(Clone, Debug)]
pub struct Question {
    /// Digest of the root.
    pub root: Digest,
    /// Digest of the body that named our key.
    pub ours: Digest,
    /// Digest of the link that we are asked about.
    pub link: Digest,
    /// To whose note key it hands on.
    pub to: Key,
    /// Whether the two chains part at this link: our key has signed both.
    pub is_parting: bool,
}

/// What the store knows about a question.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The payment that we had the units from.
    pub from: Option<Papers>,
    /// Payments that we made to that key.
    pub paid: Vec<Outgoing>,
}

impl Question {
    /// What a case asks us; nothing if it does not, or asks what makes no sense.
    pub fn of(state: &CaseState) -> Option<Question> {
        let CasePart::Asked(links, link, _) = state.part else { return None };
        let [lost] = <[Note; 1]>::try_from(state.lost.clone().unpack().ok()?).ok()?;
        let place = usize::from(links).checked_sub(1)?;
        let asked = lost.links.get(place)?;
        let body = asked.unverified();
        let Destination::Key(to) = body.to else { return None };
        let won = state.won.clone().unpack().ok()?;
        let same_until = |won: &Note| {
            won.root.unverified() == lost.root.unverified()
                && won
                    .links
                    .iter()
                    .zip(&lost.links)
                    .take(place)
                    .all(|(a, b)| a.unverified() == b.unverified())
        };
        let parts = |won: &Note| won.links.get(place).is_some_and(|link| link.unverified() != body);
        let is_parting = won.iter().any(|won| same_until(won) && parts(won));
        let root = lost.root.digest();
        (asked.digest() == link).then_some(Question { root, ours: body.prev, link, to, is_parting })
    }

    /// The note of ours that it is about.
    pub fn note<'a>(&self, notes: &'a [OwnNote]) -> Option<&'a OwnNote> {
        notes.iter().find(|own| own.note.holding().is_ok_and(|holding| holding.tip == self.ours))
    }
}

impl Wallet {
    /// What we answer by ourselves, the best first: the next counts if the bank does not take one. Nothing if only the
    /// owner can say what happened.
    pub fn defences(
        &self,
        case: u64,
        asked: &Question,
        kept: &Kept,
        keys: Option<&OpenKeys>,
    ) -> Vec<Defence> {
        let payment = kept.paid.iter().find(|payment| payment.handed_out(&asked.link));
        // He who refused had no right to go on with the units, wherever the chains part.
        let refused = payment.and_then(|payment| payment.refusal.clone()).map(Defence::Refused);
        let from = kept.from.as_ref().filter(|_| !asked.is_parting);
        let upstream = from.and_then(Papers::evidence).map(|evidence| Defence::Upstream(Box::new(evidence)));
        let back = |payment: &Outgoing| {
            matches!(payment.state, State::Returned(_) | State::Reclaimed) || !payment.back.is_zero()
        };
        let came_back = asked.is_parting && payment.is_some_and(back);
        let admission = Admission { bank: self.bank(), case, owner: self.owner().key };
        let admitted = keys.filter(|_| came_back).map(|keys| Defence::Admitted(keys.owner().sign(admission)));
        [refused, upstream, admitted].into_iter().flatten().collect()
    }
}

impl Outgoing {
    /// Whether this link was one of the payment's.
    fn handed_out(&self, link: &Digest) -> bool {
        let notes = self.message.as_ref().and_then(|message| message.notes.clone().unpack().ok());
        let is_it = |note: &Note| note.holding().is_ok_and(|holding| holding.tip == *link);
        notes.unwrap_or_default().iter().any(is_it)
    }
}

/// Of the notes that we hold or held: those that go on from reclaimed keys over reclaimed units, by a link to a key.
/// Whoever shows them to the bank ends the reclaim; it says no name.
pub fn contests(reclaimed: &[Reclaimed], notes: &[OwnNote]) -> Vec<Note> {
    let goes_on = |own: &&OwnNote| {
        let Ok(holding) = own.note.holding() else { return false };
        reclaimed.iter().any(|entry| {
            let by_it = |link: &protocol::note::Link| {
                link.prev == entry.tip && matches!(link.to, Destination::Key(_))
            };
            entry.root == holding.root
                && entry.range.overlaps(holding.range)
                && own.note.links.iter().any(|link| by_it(link.unverified()))
        })
    };
    notes.iter().filter(goes_on).map(|own| own.note.clone()).collect()
}
