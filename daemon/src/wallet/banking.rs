//! What the wallet asks of the bank (SPEC §4, N4, N5, B7); `answers` says what it makes of the answers.
//!
//! ```text
//! Asked ─┬▶ Done        the effect and the answer are one commit at the bank; asking again gets the same answer
//!        ├▶ Declined    not enough funds, with the bank's letter
//!        └▶ Refused     void at the bank: the units that were promised are free again
//! ```
//! After a crash every request that is still *asked* is sent again, the same bytes. «Busy» and silence
//! say nothing, so they change nothing.

use super::change::{Answered, Change, Decision, Draft, Effect, Happening, Started};
use super::history::{Movement, NewEntry};
use super::reclaiming::ReclaimTold;
use super::reserve::{Holder, Piece, Short, Taker};
use super::{OpenKeys, Wallet};
use protocol::bank::{Outcome, RedeemKind, Withdrawal};
use protocol::body::{Body, Text};
use protocol::id::{Digest, Hint, Key, PaymentId, RequestId};
use protocol::money::Units;
use protocol::note::{ChainFlaw, Destination, NoteTable};
use protocol::sign::BadSignature;
use protocol::time::Timestamp;
use protocol::wire::{self, BankAsk, ErrorCode};
use serde::{Deserialize, Serialize};

/// A request to the bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BankOp {
    /// Names it.
    pub id: RequestId,
    /// What is asked.
    pub what: Operation,
    /// Digest of the request's body.
    pub digest: Digest,
    /// What is sent, each time the same.
    #[serde(with = "serde_bytes")]
    pub ask: Vec<u8>,
    /// How much it moves.
    pub amount: Units,
    /// What the bank shall issue, if it shall.
    #[serde(with = "outcome_as_pair")]
    pub outcome: Option<Outcome>,
    /// What our key in the outcome is derived from, if it is ours.
    pub hint: Option<Hint>,
    /// Our units that go into it.
    pub uses: Vec<Piece>,
    /// Where it stands.
    pub state: OpState,
    /// When it was first asked.
    pub created: Timestamp,
    /// What the bank last told of it, where that takes its time.
    #[serde(default)]
    pub told: Option<ReclaimTold>,
}

/// What is asked of the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Account to reserve.
    Withdraw,
    /// Reserve to account.
    Deposit,
    /// Our notes to one fresh note of ours.
    Refresh,
    /// Our notes to a fresh note of the payee's.
    Certify(PaymentId),
    /// A refused payment's notes to a fresh note of ours.
    TakeBack(PaymentId),
    /// An unanswered payment's notes to the account, unless somebody shows a chain that goes on.
    Reclaim(PaymentId),
    /// Everything that a restored workstation can't know to be unspent, to the account.
    Restore,
    /// Units that somebody else had redeemed: the claim with this id.
    Claim(RequestId),
    /// A payment into the payee's mailbox.
    Post(PaymentId),
    /// The money of an order is to be held.
    Hold(RequestId),
    /// What we say about the hold with this name.
    HoldAct(RequestId),
}

impl Operation {
    /// Its word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Operation::Withdraw => "withdraw",
            Operation::Deposit => "deposit",
            Operation::Refresh => "refresh",
            Operation::Certify(_) => "certify",
            Operation::TakeBack(_) => "take_back",
            Operation::Reclaim(_) => "reclaim",
            Operation::Restore => "restore",
            Operation::Claim(_) => "claim",
            Operation::Post(_) => "post",
            Operation::Hold(_) => "hold",
            Operation::HoldAct(_) => "hold_act",
        }
    }

    /// Whether it names nobody, so that it should reach the bank over a throw-away identity.
    pub fn is_anonymous(&self) -> bool {
        matches!(self, Operation::Refresh | Operation::Certify(_) | Operation::TakeBack(_))
    }
}

/// Where a request to the bank stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpState {
    /// Asked, and asked again until there is an answer.
    Asked,
    /// Done; the letter with this number says so, where there is one.
    Done(Option<u64>),
    /// Not enough funds; the letter with this number says what is there.
    Declined(u64),
    /// Void.
    Refused(ErrorCode),
}

impl OpState {
    /// Its word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            OpState::Asked => "asked",
            OpState::Done(_) => "done",
            OpState::Declined(_) => "declined",
            OpState::Refused(_) => "refused",
        }
    }
}

impl BankOp {
    /// Whether the answer is still awaited.
    pub fn is_open(&self) -> bool {
        self.state == OpState::Asked
    }
}

/// New names for a request to the bank, chosen at random.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// Names the request.
    pub request: RequestId,
    /// For the key that the bank shall issue to.
    pub hint: Hint,
}

/// A caller's key with the method and the digest of the call.
pub type CallKey = Option<(String, String, Digest)>;

/// Why nothing is asked of the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BankRefusal {
    /// Nothing to move.
    #[error("an amount of nothing can't be moved")]
    Nothing,
    /// The reserve does not hold that much (N5).
    #[error("the reserve holds {free}, the deposit asks {asked}")]
    Short {
        /// What is free.
        free: Units,
        /// What was asked.
        asked: Units,
    },
    /// The reserve holds it, in too many notes for one request.
    #[error("the notes are too many for one deposit: deposit {payable} first")]
    Scattered {
        /// What one request can carry.
        payable: Units,
    },
}

/// An answer that the bank could not have given if it kept its own rules: it changes nothing, and the request stays asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BankFlaw {
    /// Not signed by the key it must be.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// A root that is not valid.
    #[error(transparent)]
    Chain(#[from] ChainFlaw),
    /// An answer to something else.
    #[error("the bank's answer does not fit what was asked")]
    DoesNotFit,
    /// Units said to be gone, and no chain that has them.
    #[error("the bank says that units are gone and shows no chain that has them")]
    NoProof,
}

impl Wallet {
    /// Asks for units from the account.
    pub fn withdraw(
        &self,
        units: Units,
        keys: &OpenKeys,
        fresh: Fresh,
        call: CallKey,
        now: Timestamp,
    ) -> Result<Decision<RequestId>, BankRefusal> {
        if units.is_zero() {
            return Err(BankRefusal::Nothing);
        }
        let outcome = Outcome { to: keys.seed().note(&fresh.hint).key(), units };
        let body = Withdrawal {
            bank: self.bank(),
            request: fresh.request,
            owner: self.owner().key,
            created: now,
            outcomes: vec![outcome],
        };
        let digest = body.digest();
        let op = BankOp {
            id: fresh.request,
            what: Operation::Withdraw,
            digest,
            ask: wire::encode(&BankAsk::Withdraw(keys.owner().sign(body))),
            amount: units,
            outcome: Some(outcome),
            hint: Some(fresh.hint),
            uses: Vec::new(),
            state: OpState::Asked,
            created: now,
            told: None,
        };
        Ok(self.begin(op, call, now))
    }

    /// Asks to credit units of the reserve to the account.
    pub fn deposit(
        &self,
        units: Units,
        keys: &OpenKeys,
        fresh: Fresh,
        call: CallKey,
        now: Timestamp,
    ) -> Result<Decision<RequestId>, BankRefusal> {
        if units.is_zero() {
            return Err(BankRefusal::Nothing);
        }
        let uses = self.select(units, Taker::Bank).map_err(|short| match short {
            Short::Funds { free } => BankRefusal::Short { free, asked: units },
            Short::Form { payable } => BankRefusal::Scattered { payable },
        })?;
        let outcome = Outcome { to: self.owner().key, units };
        let redemption = self.redemption(RedeemKind::Deposit, fresh.request, outcome);
        let digest = redemption.digest();
        let notes = self.hand_on(&uses, Destination::Redeem(digest), keys);
        let op = BankOp {
            id: fresh.request,
            what: Operation::Deposit,
            digest,
            ask: wire::encode(&BankAsk::Deposit(keys.owner().sign(redemption), NoteTable::pack(&notes))),
            amount: units,
            outcome: None,
            hint: None,
            uses,
            state: OpState::Asked,
            created: now,
            told: None,
        };
        Ok(self.begin(op, call, now))
    }

    /// Asks for one fresh note for what is unconfirmed, scattered or long; nothing if there is none.
    pub fn refresh(&self, keys: &OpenKeys, fresh: Fresh, now: Timestamp) -> Option<Decision<RequestId>> {
        let uses = self.worth_refreshing();
        let units = Units::sum(uses.iter().map(|p| p.range.units())).ok().filter(|u| !u.is_zero())?;
        let outcome = Outcome { to: keys.seed().note(&fresh.hint).key(), units };
        let redemption = self.redemption(RedeemKind::Reissue, fresh.request, outcome);
        let op = self.reissue_op(redemption, Operation::Refresh, uses, Some(fresh.hint), keys, now);
        Some(self.begin(op, None, now))
    }

    /// Asks again, and alone, for units that the bank refused without proof.
    pub fn ask_for_proof(
        &self,
        keys: &OpenKeys,
        fresh: Fresh,
        now: Timestamp,
    ) -> Option<Decision<RequestId>> {
        let disputed = Holder::Disputed(None);
        let mut uses = self.held_by(disputed);
        uses.truncate(1);
        // What a lost machine had may have been paid away: it comes back by a reclaim, or not at all.
        if uses.iter().any(|piece| self.note(piece.note).is_some_and(|note| self.is_fenced(note))) {
            return Some(self.reclaim_disputed(&uses, keys, fresh, now));
        }
        let units = Units::sum(uses.iter().map(|p| p.range.units())).ok().filter(|u| !u.is_zero())?;
        let outcome = Outcome { to: keys.seed().note(&fresh.hint).key(), units };
        let redemption = self.redemption(RedeemKind::Reissue, fresh.request, outcome);
        let op = self.reissue_op(redemption, Operation::Refresh, uses, Some(fresh.hint), keys, now);
        Some(self.ask_for_disputed(op, now))
    }

    /// Units that the bank owes a proof for are the request's from now on.
    pub(super) fn ask_for_disputed(&self, op: BankOp, now: Timestamp) -> Decision<RequestId> {
        let disputed = Holder::Disputed(None);
        let mut draft = Draft::at(self, now);
        for piece in &op.uses {
            let Some(mut note) = self.note(piece.note).cloned() else { continue };
            note.held.retain(|hold| hold.by != disputed || hold.range != piece.range);
            note.hold(piece.range, Holder::Bank(op.id));
            draft.put(Change::Note(note));
        }
        let id = op.id;
        draft.put_op(op, OpState::Asked);
        Decision::new(draft, id)
    }

    pub(super) fn begin(&self, op: BankOp, call: CallKey, now: Timestamp) -> Decision<RequestId> {
        let mut draft = Draft::at(self, now);
        let id = op.id;
        if let Some((method, key, params)) = call {
            draft.put(Change::Answered(Answered { method, key, params, started: Started::Bank(id) }));
        }
        self.hold(&mut draft, &op.uses, Holder::Bank(id));
        draft.put_op(op, OpState::Asked);
        Decision::new(draft, id)
    }
}

impl BankOp {
    pub(super) fn entry(&self, movement: Movement, units: Units) -> NewEntry {
        let name = Text::new("bank", 255).unwrap_or_default();
        NewEntry { movement, units, party: Key::default(), name, memo: Text::default(), id: self.id.0 }
    }
}

impl Draft {
    /// Puts a request to the bank; asked ones are sent once they are on disk.
    pub(super) fn put_op(&mut self, mut op: BankOp, state: OpState) {
        op.state = state;
        let (request, operation, units) = (op.id, op.what.word().to_owned(), op.amount);
        if op.is_open() {
            self.then(Effect::Bank(op.id));
        }
        self.put(Change::BankOp(op));
        self.event(Happening::Bank { request, operation, state: state.word().to_owned(), units });
    }
}

/// `Outcome` is a part of bodies and has no MessagePack form of its own.
mod outcome_as_pair {
    use super::{Key, Outcome, Units};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(outcome: &Option<Outcome>, to: S) -> Result<S::Ok, S::Error> {
        outcome.map(|o| (o.to, o.units)).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Outcome>, D::Error> {
        let pair = Option::<(Key, Units)>::deserialize(from)?;
        Ok(pair.map(|(to, units)| Outcome { to, units }))
    }
}
