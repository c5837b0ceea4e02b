//! Acts: the small things that lives are made of, and the words they are written down in.
//!
//! An act that can't be done in the present state does nothing, and all its chance comes from its own number.
//! So acts can be left out of a schedule, and what is left still means the same.

use super::setting::Setting;
use crate::world::Chance;

/// What an act needs to be drawn at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// Somebody evil in the world.
    Evil,
    /// The rules for restoring a workstation.
    Restore,
    /// Shops in the world.
    Shop,
    /// Somebody who breaks the world on purpose: never drawn, only put in by tests.
    Sabotage,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident $word:literal $weight:literal $need:ident;)*) => {
        /// What happens.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[doc = $doc])* $name,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Kind] = &[$(Kind::$name),*];

            /// Its word.
            pub const fn word(self) -> &'static str {
                match self { $(Kind::$name => $word,)* }
            }

            const fn weight(self) -> u64 {
                match self { $(Kind::$name => $weight,)* }
            }

            /// What it needs.
            pub const fn need(self) -> Need {
                match self { $(Kind::$name => Need::$need,)* }
            }
        }
    };
}

kinds! {
    /// The next mail arrives.
    Deliver "deliver" 0 Nothing;
    /// Another mail arrives before it.
    Overtake "overtake" 0 Nothing;
    /// A mail is lost.
    Lose "lose" 0 Nothing;
    /// A mail arrives, and will arrive once more.
    Repeat "repeat" 0 Nothing;
    /// A mail that arrived, or was lost, long ago is sent again.
    Replay "replay" 4 Nothing;
    /// Somebody pays somebody.
    Pay "pay" 34 Nothing;
    /// Somebody pays certified.
    PayCertified "pay-certified" 4 Nothing;
    /// Somebody makes a request for anybody.
    Ask "ask" 5 Nothing;
    /// Somebody pays such a request.
    PayRequest "pay-request" 8 Nothing;
    /// A payee could not be reached in time.
    GiveUp "give-up" 2 Nothing;
    /// Account to reserve.
    Withdraw "withdraw" 6 Nothing;
    /// Reserve to account.
    Deposit "deposit" 5 Nothing;
    /// Notes are renewed.
    Refresh "refresh" 4 Nothing;
    /// What is open is sent once more.
    Remind "remind" 16 Nothing;
    /// A workstation is locked.
    Lock "lock" 2 Nothing;
    /// A workstation is unlocked.
    Unlock "unlock" 5 Nothing;
    /// Seconds or minutes pass.
    Moment "moment" 8 Nothing;
    /// Hours pass.
    Hours "hours" 4 Nothing;
    /// Days pass.
    Days "days" 1 Nothing;
    /// A clock goes wrong, within what honest clocks may.
    Skew "skew" 2 Nothing;
    /// Somebody goes off line.
    Leave "leave" 2 Nothing;
    /// Somebody comes back on line.
    Return "return" 5 Nothing;
    /// The network falls apart.
    Part "part" 1 Nothing;
    /// The network is whole again.
    Heal "heal" 3 Nothing;
    /// The bank can't be reached.
    BankLeaves "bank-leaves" 1 Nothing;
    /// The bank can be reached again.
    BankReturns "bank-returns" 4 Nothing;
    /// Somebody copies the directory.
    Directory "directory" 2 Nothing;
    /// The operators suspend somebody.
    Suspend "suspend" 1 Nothing;
    /// The operators take it back.
    Reinstate "reinstate" 3 Nothing;
    /// Cash in.
    PayIn "pay-in" 1 Nothing;
    /// Cash out.
    PayOut "pay-out" 1 Nothing;
    /// Other rules for taking money directly.
    Policy "policy" 1 Nothing;
    /// A workstation crashes and is started again.
    Crash "crash" 3 Nothing;
    /// A workstation's disk fails a few writes on.
    FailDisk "fail-disk" 3 Nothing;
    /// Whoever is down is started again.
    Start "start" 8 Nothing;
    /// The bank's disk fails a few writes on.
    FailBank "fail-bank" 2 Nothing;
    /// Somebody evil signs the same units to two payees.
    DoubleSpend "double-spend" 7 Evil;
    /// Somebody evil redeems units by hand, whoever has them now.
    RedeemByHand "redeem-by-hand" 3 Evil;
    /// Somebody evil changes his manners: takes, takes and refuses, takes and is silent, forges receipts.
    Manners "manners" 3 Evil;
    /// Somebody evil shows a receipt that is none.
    FalseReceipt "false-receipt" 2 Evil;
    /// Somebody evil takes all he has from his account in cash.
    EmptyAccount "empty-account" 2 Evil;
    /// Somebody evil copies his workstation and runs both.
    Copy "copy" 1 Evil;
    /// The copy pays.
    CopyPays "copy-pays" 4 Evil;
    /// The copy goes to the bank.
    CopyBanks "copy-banks" 2 Evil;
    /// Somebody asks for a payment back that nobody answers.
    Reclaim "reclaim" 2 Nothing;
    /// The bank's next bulletin: whoever reaches the bank reads it, and objects to reclaims.
    Bulletin "bulletin" 3 Nothing;
    /// Somebody reads the bulletins.
    Pull "pull" 1 Nothing;
    /// Somebody leaves requests at the bank.
    LeaveRequests "leave-requests" 4 Nothing;
    /// Somebody pays into a mailbox.
    PayByMail "pay-by-mail" 6 Nothing;
    /// Somebody wants a payment back out of a mailbox.
    Cancel "cancel" 2 Nothing;
    /// Somebody collects his mail.
    Collect "collect" 5 Nothing;
    /// Somebody's machine is gone; a new one is made of his phrase and the vault.
    LoseMachine "lose-machine" 1 Nothing;
    /// A workstation's disk is copied aside.
    Backup "backup" 1 Restore;
    /// A workstation comes back with the disk that was copied aside.
    RollBack "roll-back" 1 Restore;
    /// The disk that was copied aside runs in a second workstation.
    Twin "twin" 1 Restore;
    /// The second workstation pays.
    TwinPays "twin-pays" 2 Restore;
    /// Somebody orders of a shop.
    Order "order" 22 Shop;
    /// A shop's word about an order reaches its buyer.
    ShopWord "shop-word" 34 Shop;
    /// A buyer has what he ordered.
    Confirm "confirm" 3 Shop;
    /// Buyer or shop disagree.
    Dispute "dispute" 4 Shop;
    /// A shop tells a code: the right one, a wrong one, one after the other.
    Code "code" 7 Shop;
    /// A shop gives money of an order back.
    HoldRefund "hold-refund" 4 Shop;
    /// Somebody says about a hold what is not his to say.
    Meddle "meddle" 3 Shop;
    /// Operators decide what is disputed.
    Split "split" 3 Shop;
    /// Takings go to the company, or are sent once more.
    Sweep "sweep" 8 Shop;
    /// Other takings under the same number.
    SweepOther "sweep-other" 2 Shop;
    /// Lease, end of a lease, hand-over, cash, standing.
    Tenure "tenure" 9 Shop;
    /// What a shop has said to the bank is said again.
    ShopReplay "shop-replay" 4 Shop;
    /// The shop opens a sale and asks for its money.
    Sell "sell" 8 Shop;
    /// Somebody pays a sale.
    PaySale "pay-sale" 20 Shop;
    /// The till hears its wallet, and hands it what is owed.
    Till "till" 14 Shop;
    /// The shop gives a part of a sale back.
    GiveBack "give-back" 8 Shop;
    /// The day is closed, or takings are sent off before.
    CloseDay "close-day" 3 Shop;
    /// The till's disk fails a few writes on.
    TillFails "till-fails" 1 Shop;
    /// The bank doubts its clock: its calendar waits.
    DoubtClock "doubt-clock" 1 Shop;
    /// The bank's clock is right again.
    TrustClock "trust-clock" 4 Shop;
    /// The bank forgets what it has redeemed.
    ForgetRedeemed "forget-redeemed" 0 Sabotage;
    /// The bank credits an account with nothing behind it.
    CreditNothing "credit-nothing" 0 Sabotage;
    /// A wallet takes spent units for free ones.
    FreeAgain "free-again" 0 Sabotage;
    /// A line of a history is edited.
    EditHistory "edit-history" 0 Sabotage;
    /// A wallet takes more for free than its note ever had.
    StretchNote "stretch-note" 0 Sabotage;
    /// The bank forgets that somebody disagrees about a hold.
    ForgetDispute "forget-dispute" 0 Sabotage;
    /// The bank loses a unit of a hold.
    LoseHeld "lose-held" 0 Sabotage;
    /// The bank forgets that a period's rent came due.
    ForgetPeriod "forget-period" 0 Sabotage;
    /// The bank forgets a shop's last sweep.
    ForgetSweep "forget-sweep" 0 Sabotage;
    /// A shop pays a refund under two names.
    GiveBackTwice "give-back-twice" 0 Sabotage;
}

/// One act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Act {
    /// What happens.
    pub kind: Kind,
    /// To whom, or by whom.
    pub who: u8,
    /// With whom.
    pub other: u8,
    /// How much, how long, which one.
    pub much: u32,
    /// All its chance.
    pub number: u64,
}

impl Act {
    /// Draws the next act; `waiting` is how much mail is on its way.
    pub fn draw(chance: &mut Chance, setting: &Setting, waiting: usize) -> Act {
        let mail = match waiting {
            0 => 0,
            1..=20 => 62,
            21..=60 => 80,
            _ => 95,
        };
        let kind = if chance.percent(mail) {
            match chance.below(100) {
                0..=69 => Kind::Deliver,
                70..=88 => Kind::Overtake,
                89..=93 => Kind::Lose,
                _ => Kind::Repeat,
            }
        } else {
            by_weight(chance, setting)
        };
        let small = |chance: &mut Chance| u8::try_from(chance.below(240)).unwrap_or(0);
        let much = match chance.below(6) {
            0 => chance.below(6),
            1 | 2 => chance.below(300),
            _ => chance.below(60),
        };
        let (who, other) = (small(chance), small(chance));
        Act { kind, who, other, much: u32::try_from(much).unwrap_or(0) + 1, number: chance.number() }
    }
}

fn by_weight(chance: &mut Chance, setting: &Setting) -> Kind {
    let weight = |kind: &Kind| match kind.need() {
        Need::Evil if setting.evil == 0 => 0,
        Need::Restore if !setting.features.restore => 0,
        Need::Shop if !setting.shop => 0,
        Need::Sabotage => 0,
        _ => kind.weight(),
    };
    let all: u64 = Kind::ALL.iter().map(weight).sum();
    let mut drawn = chance.below(all);
    for kind in Kind::ALL {
        match drawn.checked_sub(weight(kind)) {
            Some(rest) => drawn = rest,
            None => return *kind,
        }
    }
    Kind::Deliver
}

impl std::fmt::Display for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Act { kind, who, other, much, number } = self;
        write!(f, "{}.{who}.{other}.{much}.{number:x}", kind.word())
    }
}

impl std::str::FromStr for Act {
    type Err = String;

    fn from_str(text: &str) -> Result<Act, String> {
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or_else(|| format!("«{text}» is no act"));
        let (word, who, other, much, number) = (next()?, next()?, next()?, next()?, next()?);
        let kind = Kind::ALL.iter().find(|kind| kind.word() == word);
        let bad = |_| format!("«{text}» has a number that is none");
        Ok(Act {
            kind: *kind.ok_or_else(|| format!("nobody knows the act «{word}»"))?,
            who: who.parse().map_err(bad)?,
            other: other.parse().map_err(bad)?,
            much: much.parse().map_err(bad)?,
            number: u64::from_str_radix(number, 16).map_err(bad)?,
        })
    }
}
