//! Shops in a world: orders whose money the bank holds, what is said about it, and a shop that is an account and two keys.
//!
//! A shop with a workstation is a person like everybody. A [`Stall`] has none: it takes orders and sweeps its account, and
//! changes its people by a hand-over, with new keys each time.

use super::{Cannot, Down, Who, World};
use bank_node::desk::office::{Done, Opening, Operation, ShopOrder};
use bank_node::ledger::{AccountNumber, CustomerKind};
use daemon::wallet::ordering::{FreshOrder, NewPurchase, OrderRefusal};
use protocol::bank::{Act, Activation, HoldAct, Identity, NodeQuery, Purpose, Sweep};
use protocol::id::{Key, RequestId};
use protocol::key::Seed;
use protocol::money::Units;
use protocol::shop::{OrderWord, Word};
use protocol::sign::{Signed, Signer};
use protocol::time::DAY_SECONDS;
use protocol::wire::{BankAnswer, BankAsk, HoldState, OrderState};

/// Why an order is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoOrder {
    /// The workstation.
    Cannot(Cannot),
    /// A rule of ordering.
    Refused(OrderRefusal),
}

impl From<Cannot> for NoOrder {
    fn from(why: Cannot) -> NoOrder {
        NoOrder::Cannot(why)
    }
}

impl From<Down> for NoOrder {
    fn from(why: Down) -> NoOrder {
        NoOrder::Cannot(why.into())
    }
}

/// A shop without a workstation of its own.
#[derive(Clone)]
pub struct Stall {
    /// Its account.
    pub account: AccountNumber,
    /// Its owner key.
    pub owner: Signer,
    /// Its node key.
    pub node: Signer,
}

/// With which of his keys somebody speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// He is there.
    Owner,
    /// His workstation may be locked.
    Node,
}

impl World {
    /// Somebody of another kind opens an account and joins.
    pub fn join_as(&mut self, kind: CustomerKind, name: &str, balance: u64) -> Who {
        let opened = self.opens(kind, name, balance);
        self.join_with(opened, name, balance)
    }

    fn opens(&mut self, kind: CustomerKind, name: &str, balance: u64) -> Done {
        let opening = Opening {
            kind,
            name: name.to_owned(),
            balance: super::units(balance),
            offline_limit: super::units(200),
        };
        self.bank.order(Operation::Open(opening)).expect("a good opening")
    }

    /// A stall opens.
    pub fn open_stall(&mut self, name: &str) -> Stall {
        let opened = self.opens(CustomerKind::Shop, name, 0);
        self.take_over(opened)
    }

    /// Other people take a stall over, if the bank lets them: with an account and keys of their own.
    pub fn hand_over(&mut self, shop: AccountNumber, name: &str) -> Option<Stall> {
        let order = ShopOrder::HandOver { shop, name: name.to_owned() };
        let opened = self.bank.order(Operation::Shop(order, "anna".to_owned())).ok()?;
        Some(self.take_over(opened))
    }

    fn take_over(&mut self, opened: Done) -> Stall {
        let letter = opened.letter.expect("a new account has a letter");
        let seed = Seed::from_bytes(self.chance.bytes());
        let (owner, node) = (seed.owner(), Signer::from_secret(&seed.node(1)));
        let bank = self.bank.keys().bank();
        let activation = Activation {
            bank,
            request: RequestId(self.chance.bytes()),
            account: opened.account.0,
            owner: owner.key(),
            code: *self.bank.keys().activation_code(opened.account.0, letter),
        };
        let identity = owner.sign(Identity {
            bank,
            owner: owner.key(),
            view: seed.view(1).key(),
            node: node.key(),
            generation: 1,
            sequence: 1,
            expires: self.now.plus_seconds(300 * DAY_SECONDS),
        });
        let answer = self.bank.ask(BankAsk::Activate(owner.sign(activation), identity));
        assert!(matches!(answer, Some(BankAnswer::Activated(..))), "a good activation: {answer:?}");
        Stall { account: opened.account, owner, node }
    }

    /// Somebody orders of a shop: on his disk, and nowhere else so far.
    pub fn order_of_shop(
        &mut self,
        who: Who,
        new: NewPurchase,
        fresh: FreshOrder,
    ) -> Result<RequestId, NoOrder> {
        let now = self.clock(who);
        let person = self.person(who);
        person.store()?;
        let keys = person.open_keys().ok_or(Cannot::Locked)?;
        let decision = person.wallet().order_of_shop(new, keys, fresh, None, now);
        Ok(self.settle_decision(who, decision.map_err(NoOrder::Refused)?)?)
    }

    /// A shop's word about an order reaches its buyer; `node` is the key of the shop's workstation.
    pub fn shop_says(
        &mut self,
        who: Who,
        order: &RequestId,
        word: Word,
        node: &Signer,
    ) -> Result<(), Cannot> {
        let (now, bank) = (self.clock(who), self.bank.keys().bank());
        let person = self.person(who);
        person.store()?;
        let Some(purchase) = person.wallet().open_purchase(order) else { return Ok(()) };
        let (shop, order_digest) = (purchase.order().shop, purchase.placed.order.digest());
        let word = node.sign(OrderWord { bank, shop, order: order_digest, at: now, word });
        let told = OrderState { word: Some(word), held: false, goods: Vec::new() };
        let decision = person.wallet().order_told(order, told, &node.key(), now);
        self.settle_decision(who, decision.expect("the shop's own word"))
    }

    /// Somebody with a workstation says something of a hold: asked at the bank until it answers.
    pub fn say_of_hold(
        &mut self,
        who: Who,
        about: (RequestId, Units),
        act: Act,
        voice: Voice,
        request: RequestId,
    ) -> Result<(), Cannot> {
        let now = self.clock(who);
        let person = self.person(who);
        person.store()?;
        let signer = match voice {
            Voice::Owner => person.open_keys().ok_or(Cannot::Locked)?.owner().clone(),
            Voice::Node => person.node.clone(),
        };
        let decision = person.wallet().say_of_hold(about, act, &signer, request, None, now);
        self.settle_decision(who, decision).map(drop)
    }

    /// A word about a hold, signed by hand.
    pub fn word_of_hold(&self, signer: &Signer, hold: RequestId, act: Act, request: RequestId) -> BankAsk {
        let (bank, created) = (self.bank.keys().bank(), self.now);
        BankAsk::HoldAct(signer.sign(HoldAct { bank, request, hold, signer: signer.key(), created, act }))
    }

    /// A sweep, signed by hand.
    pub fn sign_sweep(&self, owner: &Signer, sweep: Sweep) -> Signed<Sweep> {
        let bank = self.bank.keys().bank();
        owner.sign(Sweep { bank, owner: owner.key(), created: self.now, ..sweep })
    }

    /// How holds stand after a journal entry, as the bank tells those keys; nothing if it did not answer.
    pub fn holds_of(&mut self, owner: Key, node: &Signer, after: u64) -> Option<Vec<HoldState>> {
        let (mut all, mut after) = (Vec::new(), after);
        loop {
            let query = NodeQuery {
                bank: self.bank.keys().bank(),
                request: RequestId(self.chance.bytes()),
                owner,
                node: node.key(),
                purpose: Purpose::Holds,
                number: after,
                subject: protocol::id::Digest::default(),
                created: self.now,
            };
            let Some(BankAnswer::Holds(page, more)) = self.bank.ask(BankAsk::Holds(node.sign(query))) else {
                return None;
            };
            let last = page.iter().map(|state| state.changed).max();
            all.extend(page);
            match last.filter(|last| more && *last > after) {
                Some(last) => after = last,
                None => return Some(all),
            }
        }
    }

    /// What an engine does for orders: asks how holds stand, ends what no shop has answered.
    pub(super) fn look_after_orders(&mut self, who: Who) -> Result<(), Cannot> {
        if let Some(late) = self.person(who).wallet().late_orders(self.clock(who)) {
            self.settle_decision(who, late)?;
        }
        let person = self.person(who);
        if !person.wallet().awaits_holds() || person.cut_off {
            return Ok(());
        }
        let (owner, node, after) = (person.key(), person.node.clone(), person.wallet().holds_known());
        let Some(states) = self.holds_of(owner, &node, after) else { return Ok(()) };
        let told = self.person(who).wallet().holds_told(states, self.clock(who));
        self.settle_decision(who, told)
    }
}
