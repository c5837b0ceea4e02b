//! What shops need of the bank (SPEC §4.16 to §4.18).
//!
//! | file | what it does |
//! |---|---|
//! | `hold` | money of an account is kept for an order |
//! | `acts` | what buyer and shop say about it |
//! | `ends` | where it goes, and what the calendar does |
//! | `split` | two operators decide what is disputed |
//! | `tenure`, `rent`, `hand_over` | whose a shop is |
//! | `sweep` | takings go to the company |
//! | `letters`, `statement` | what the bank wrote unasked, and what moved money, is read |

mod acts;
mod ends;
mod hand_over;
mod hold;
mod letters;
pub(super) mod rent;
mod split;
pub mod statement;
mod sweep;
pub mod tenure;

use super::query::examine_query;
use super::{Desk, Reply, Stop};
use crate::ledger::books::{Tx, View};
use protocol::bank::{Hold, HoldAct, NodeQuery, Purpose, Sweep};
use protocol::sign::{Signed, Verified};
use protocol::wire::{BankAnswer, BankAsk, ErrorCode, HOLDS_PAGE};
use serde_bytes::ByteBuf;

/// A request of a shop's or about one, examined.
#[derive(Clone, Debug)]
pub enum ShopWork {
    /// Keep units for an order.
    Hold(Verified<Hold>),
    /// A word about a hold.
    Act(Verified<HoldAct>),
    /// Takings to the company, and the list of sales.
    Sweep(Verified<Sweep>, ByteBuf),
}

/// What examining comes to.
#[derive(Debug)]
pub enum Ready {
    /// It needs no commit.
    Answered(Box<BankAnswer>),
    /// It may go to the desk.
    Examined(Box<ShopWork>),
}

impl From<BankAnswer> for Ready {
    fn from(answer: BankAnswer) -> Ready {
        Ready::Answered(Box::new(answer))
    }
}

impl From<ShopWork> for Ready {
    fn from(work: ShopWork) -> Ready {
        Ready::Examined(Box::new(work))
    }
}

/// All checks that need no write.
pub fn examine(desk: Desk<'_>, view: &impl View, ask: BankAsk) -> Result<Ready, Stop> {
    match ask {
        BankAsk::Hold(asked) => hold::examine(desk, view, asked).map(|asked| ShopWork::Hold(asked).into()),
        BankAsk::HoldAct(asked) => acts::examine(desk, view, asked),
        BankAsk::Holds(query) => desk.holds(view, query).map(Ready::from),
        BankAsk::Letters(query) => desk.letters(view, query).map(Ready::from),
        BankAsk::Sweep(asked, list) => sweep::examine(desk, view, asked, list),
        BankAsk::SweepList(query, entry) => desk.sweep_list(view, &query, entry).map(Ready::from),
        BankAsk::Statement(query, span) => desk.statement(view, &query, span).map(Ready::from),
        // The counter sends nothing else here.
        _ => Err(ErrorCode::Unsupported.into()),
    }
}

impl Desk<'_> {
    /// Carries it out inside a batch.
    pub fn shop(&self, tx: &mut impl Tx, work: &ShopWork) -> Reply {
        match work {
            ShopWork::Hold(asked) => self.hold(tx, asked),
            ShopWork::Act(asked) => self.hold_act(tx, asked),
            ShopWork::Sweep(asked, list) => self.sweep(tx, asked, list),
        }
    }

    /// The holds in which the asker has a part and that changed after an entry, in the order in which they did.
    fn holds(&self, view: &impl View, asked: Signed<NodeQuery>) -> Reply {
        let (account, query) = examine_query(self.keys.bank(), self.now, view, asked, Purpose::Holds)?;
        let mut held = view.holds_changed(account.number, query.number, HOLDS_PAGE + 1)?;
        let more = held.len() > HOLDS_PAGE;
        held.truncate(HOLDS_PAGE);
        Ok(BankAnswer::Holds(held.iter().map(|held| held.state()).collect(), more))
    }
}
