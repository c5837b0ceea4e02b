//! Who is told of an order whose money is there: a folder, a printer, a program; each until it has taken it.
//!
//! What was told stands in the order, so nobody is told twice of what he took. Whether a printer has printed what it was
//! sent, or a program done something before it was killed, nobody knows: then it is told again.

use super::Shop;
use super::change::{Change, Decision, Draft};
use super::failing::Failing;
use super::order::{Order, OrderSettings, OrderState};
use protocol::id::RequestId;
use protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a notice goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Channel {
    /// A slip in a folder.
    Folder,
    /// A receipt printer.
    Printer,
    /// A program.
    Command,
}

impl Channel {
    /// All of them.
    pub const ALL: [Channel; 3] = [Channel::Folder, Channel::Printer, Channel::Command];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Channel::Folder => "folder",
            Channel::Printer => "printer",
            Channel::Command => "command",
        }
    }

    /// Where it leads, if somebody has set it.
    pub fn target(self, settings: &OrderSettings) -> Option<&String> {
        match self {
            Channel::Folder => settings.folder.as_ref(),
            Channel::Printer => settings.printer.as_ref(),
            Channel::Command => settings.command.as_ref(),
        }
    }
}

/// Who has been told of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noticed {
    folder: bool,
    printer: bool,
    command: bool,
}

impl Noticed {
    /// Whether it was told there.
    pub fn by(self, channel: Channel) -> bool {
        match channel {
            Channel::Folder => self.folder,
            Channel::Printer => self.printer,
            Channel::Command => self.command,
        }
    }

    fn note(&mut self, channel: Channel) {
        match channel {
            Channel::Folder => self.folder = true,
            Channel::Printer => self.printer = true,
            Channel::Command => self.command = true,
        }
    }
}

impl Shop {
    /// Orders that have to be told there, the oldest first; and where that is.
    pub fn notices_due(&self, channel: Channel) -> Option<(String, Vec<Order>)> {
        let target = channel.target(self.order_settings())?.clone();
        let due =
            |order: &&Order| order.state == OrderState::Held && !order.noticed && !order.told.by(channel);
        let mut orders: Vec<Order> = self.live_orders().filter(due).cloned().collect();
        orders.sort_by_key(|order| (order.placed, order.id()));
        Some((target, orders))
    }

    /// Since when nobody is told there.
    pub fn notices_failing(&self) -> impl Iterator<Item = (Channel, &Failing)> {
        self.notices.iter().map(|(channel, failing)| (*channel, failing))
    }

    /// What came of telling.
    pub fn notice_went(
        &self,
        channel: Channel,
        id: &RequestId,
        came: Result<(), String>,
        now: Timestamp,
    ) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        let known = self.notices.get(&channel);
        match came {
            Ok(()) => {
                if let Some(order) = self.live_orders().find(|order| order.id() == *id) {
                    let mut order = order.clone();
                    order.told.note(channel);
                    let wanted = |one: &Channel| one.target(self.order_settings()).is_some();
                    order.noticed |=
                        Channel::ALL.iter().filter(|one| wanted(one)).all(|one| order.told.by(*one));
                    draft.put(Change::Order(order));
                }
                if known.is_some() {
                    draft.put(Change::Notices(channel, None));
                }
            }
            Err(why) => draft.put(Change::Notices(channel, Some(Failing::again(known, &why, now)))),
        }
        draft.decide(())
    }

    /// Nothing is told there any more, or nothing is left to tell: then nothing fails.
    pub fn notices_rest(&self, channel: Channel, now: Timestamp) -> Option<Decision<()>> {
        self.notices.get(&channel)?;
        let mut draft = Draft::at(self, now);
        draft.put(Change::Notices(channel, None));
        Some(draft.decide(()))
    }
}
