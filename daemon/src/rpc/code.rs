//! What goes wrong, as programs see it: `reason` is the contract, the number a courtesy, the sentence for people.

use crate::engine::CallFault;
use crate::keyring::UnlockRefusal;
use crate::store::StoreFault;
use crate::wallet::banking::BankRefusal;
use crate::wallet::ordering::OrderRefusal;
use crate::wallet::paying::PayRefusal;
use crate::wallet::reclaiming::ReclaimRefusal;
use protocol::code::CodeFlaw;
use protocol::money::Currency;
use protocol::node::rpc::{ErrorInfo, Retry, RpcError};

/// Every reason that this program's own calls can give.
pub const ERRORS: &[ErrorInfo] = &[
    ErrorInfo { code: -6, reason: "insufficient_funds", meaning: "the reserve does not hold that much" },
    ErrorInfo { code: -6, reason: "notes_scattered", meaning: "the notes are too many for one request" },
    ErrorInfo { code: -6, reason: "over_cap", meaning: "the token's cap does not allow that much" },
    ErrorInfo { code: -8, reason: "bad_amount", meaning: "not an amount that can be moved" },
    ErrorInfo { code: -8, reason: "bad_code", meaning: "not a public code, link or request" },
    ErrorInfo {
        code: -8,
        reason: "bad_text",
        meaning: "a memo or name that is too long or has control characters",
    },
    ErrorInfo { code: -8, reason: "bad_key", meaning: "an idempotency key has 1 to 64 characters" },
    ErrorInfo { code: -8, reason: "other_amount", meaning: "the request asks for another amount" },
    ErrorInfo { code: -8, reason: "self_payment", meaning: "paying oneself" },
    ErrorInfo { code: -8, reason: "expired", meaning: "the request has expired" },
    ErrorInfo {
        code: -26,
        reason: "not_in_mailbox",
        meaning: "the payment does not wait in a mailbox alone",
    },
    ErrorInfo { code: -5, reason: "not_found", meaning: "nothing by this name is on record" },
    ErrorInfo { code: -13, reason: "locked", meaning: "the reserve is locked" },
    ErrorInfo { code: -14, reason: "wrong_code", meaning: "wrong private code" },
    ErrorInfo { code: -15, reason: "too_many_tries", meaning: "wait before the next try of a private code" },
    ErrorInfo { code: -16, reason: "key_reused", meaning: "the key was used for another call" },
    ErrorInfo { code: -17, reason: "bank_unreachable", meaning: "the bank can't be reached" },
    ErrorInfo {
        code: -18,
        reason: "no_tickets",
        meaning: "no more requests until the workstation is unlocked",
    },
    ErrorInfo { code: -19, reason: "disk_low", meaning: "the disk is nearly full" },
    ErrorInfo {
        code: -20,
        reason: "storage_failed",
        meaning: "the disk failed; whether the call took effect is unknown",
    },
    ErrorInfo { code: -21, reason: "stopping", meaning: "the workstation is stopping" },
    ErrorInfo {
        code: -23,
        reason: "not_reclaimable",
        meaning: "only a payment that was sent directly and not answered can be reclaimed",
    },
    ErrorInfo { code: -27, reason: "bad_dates", meaning: "dates of an order that do not fit" },
    ErrorInfo { code: -27, reason: "too_many", meaning: "too many orders are open" },
    ErrorInfo { code: -27, reason: "not_held", meaning: "the bank does not hold the money of this order" },
    ErrorInfo {
        code: -27,
        reason: "other_catalogue",
        meaning: "the shop does not sell this, or not at this price",
    },
    ErrorInfo { code: -27, reason: "shop_unreachable", meaning: "the shop can't be reached" },
    ErrorInfo { code: -27, reason: "no_shop", meaning: "this is no shop, or it says no" },
    ErrorInfo { code: -28, reason: "several_shops", meaning: "several shops near by have a name like this" },
    ErrorInfo { code: -28, reason: "other_till_code", meaning: "no till of the shop shows this code now" },
    ErrorInfo { code: -28, reason: "nothing_to_pay", meaning: "no sale waits at the till" },
    ErrorInfo { code: -28, reason: "too_many_codes", meaning: "too many wrong codes of tills: wait" },
    ErrorInfo { code: -28, reason: "which_till", meaning: "several tills of the shop show this code" },
    ErrorInfo { code: -22, reason: "history_broken", meaning: "the history's chain does not hold" },
];

/// An error with a reason of the list above.
pub fn reason_of(reason: &'static str, message: impl Into<String>) -> RpcError {
    let code = ERRORS.iter().find(|info| info.reason == reason).map_or(-1, |info| info.code);
    RpcError::new(code, reason, message)
}

pub(super) fn call(fault: CallFault, currency: &Currency) -> RpcError {
    let message = fault.to_string();
    match fault {
        CallFault::Quarantined(why) => {
            reason_of("quarantined", message).hint("stermina restore").detail("why", why.word())
        }
        CallFault::Locked => reason_of("locked", message).hint("stermina unlock"),
        CallFault::KeyReused(first) => reason_of("key_reused", message)
            .detail("first", first.to_string())
            .hint("use a new key for a new call"),
        CallFault::Pay(refusal) => pay(refusal, currency),
        CallFault::Bank(refusal) => bank(refusal, currency),
        CallFault::Reclaim(ReclaimRefusal::NotFound) => reason_of("not_found", message),
        CallFault::Reclaim(_) => reason_of("not_reclaimable", message),
        CallFault::Order(OrderRefusal::NotFound) => reason_of("not_found", message),
        CallFault::Order(OrderRefusal::Yourself) => reason_of("self_payment", message),
        CallFault::Order(OrderRefusal::Lines) => reason_of("bad_amount", message),
        CallFault::Order(OrderRefusal::Address) => reason_of("bad_text", message),
        CallFault::Order(OrderRefusal::Dates) => reason_of("bad_dates", message),
        CallFault::Order(OrderRefusal::TooMany) => reason_of("too_many", message).retry(Retry::Later),
        CallFault::Order(OrderRefusal::NotHeld(_)) => reason_of("not_held", message),
        CallFault::Back(_) => reason_of("not_in_mailbox", message),
        CallFault::NoTickets => reason_of("no_tickets", message).retry(Retry::Later).hint("stermina unlock"),
        CallFault::DiskLow => reason_of("disk_low", message).retry(Retry::SameKey),
        CallFault::Store(fault) => store(&fault),
        CallFault::Stopped => reason_of("stopping", message).retry(Retry::SameKey),
    }
}

fn pay(refusal: PayRefusal, currency: &Currency) -> RpcError {
    match refusal {
        PayRefusal::Nothing => reason_of("bad_amount", refusal.to_string()),
        PayRefusal::Yourself => reason_of("self_payment", refusal.to_string()),
        PayRefusal::OtherAmount => reason_of("other_amount", refusal.to_string()),
        PayRefusal::Short { free, asked } => {
            let (has, wants) = (currency.show_full(free), currency.show(asked));
            reason_of("insufficient_funds", format!("the reserve holds {has}, the payment asks {wants}"))
                .detail("reserve", free.get())
                .detail("asked", asked.get())
                .hint("stermina withdraw moves money from your account into the reserve")
        }
        PayRefusal::OverCap { left, asked } => {
            let (has, wants) = (currency.show_full(left), currency.show(asked));
            reason_of("over_cap", format!("the token may spend {has} more, the payment asks {wants}"))
                .detail("left", left.get())
        }
    }
}

fn bank(refusal: BankRefusal, currency: &Currency) -> RpcError {
    match refusal {
        BankRefusal::Nothing => reason_of("bad_amount", refusal.to_string()),
        BankRefusal::Short { free, asked } => {
            let (has, wants) = (currency.show_full(free), currency.show(asked));
            reason_of("insufficient_funds", format!("the reserve holds {has}, the deposit asks {wants}"))
                .detail("reserve", free.get())
                .detail("asked", asked.get())
        }
        BankRefusal::Scattered { payable } => {
            let can = currency.show_full(payable);
            reason_of(
                "notes_scattered",
                format!("the notes are too many for one deposit: deposit {can} first"),
            )
            .detail("payable", payable.get())
        }
    }
}

pub(super) fn store(fault: &StoreFault) -> RpcError {
    reason_of("storage_failed", fault.to_string()).retry(Retry::SameKey)
}

pub(super) fn unlock(refusal: UnlockRefusal) -> RpcError {
    let message = refusal.to_string();
    match refusal {
        UnlockRefusal::Wrong { wait_seconds, tries } => {
            reason_of("wrong_code", message).detail("tries", tries).detail("wait_seconds", wait_seconds)
        }
        UnlockRefusal::Wait { seconds } => {
            reason_of("too_many_tries", message).retry(Retry::Later).detail("wait_seconds", seconds)
        }
        UnlockRefusal::Quarantined(why) => reason_of("quarantined", message).detail("why", why.word()),
        _ => reason_of("storage_failed", message),
    }
}

pub(super) fn code(flaw: &CodeFlaw) -> RpcError {
    reason_of("bad_code", flaw.to_string())
}
