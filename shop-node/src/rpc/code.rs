//! What goes wrong, as programs see it.

use crate::hands::HandsFault;
use crate::room::{RoomFault, word};
use crate::shop::Refusal;
use daemon::engine::CallFault;
use protocol::money::Currency;
use protocol::node::rpc::{ErrorInfo, Retry, RpcError};

/// Every reason that the shop's own calls can give.
pub const ERRORS: &[ErrorInfo] = &[
    ErrorInfo { code: -5, reason: "not_found", meaning: "nothing by this name is on record" },
    ErrorInfo { code: -8, reason: "bad_amount", meaning: "not an amount that can be sold or given back" },
    ErrorInfo { code: -8, reason: "bad_cart", meaning: "a line of the cart can't be sold like this" },
    ErrorInfo { code: -8, reason: "bad_text", meaning: "a text that is too long or has control characters" },
    ErrorInfo { code: -8, reason: "bad_value", meaning: "a value that makes no sense" },
    ErrorInfo { code: -8, reason: "bad_key", meaning: "an idempotency key has 1 to 64 characters" },
    ErrorInfo { code: -8, reason: "bad_file", meaning: "a file with mistakes; nothing of it was taken over" },
    ErrorInfo { code: -8, reason: "no_till", meaning: "the settings name no such till" },
    ErrorInfo { code: -16, reason: "key_reused", meaning: "the key was used for another call" },
    ErrorInfo { code: -20, reason: "storage_failed", meaning: "the disk failed; start again" },
    ErrorInfo { code: -21, reason: "stopping", meaning: "the shop is stopping" },
    ErrorInfo { code: -30, reason: "wrong_state", meaning: "it is not in the state for that" },
    ErrorInfo { code: -31, reason: "over_paid", meaning: "more than was paid and not given back yet" },
    ErrorInfo { code: -32, reason: "over_cap", meaning: "above what this person may give back" },
    ErrorInfo { code: -33, reason: "day_closed", meaning: "the business day has its Z report" },
    ErrorInfo { code: -34, reason: "too_many", meaning: "too much at once" },
    ErrorInfo { code: -36, reason: "no_backup", meaning: "the book could not be copied" },
    ErrorInfo {
        code: -37,
        reason: "maybe_given",
        meaning: "a book that was put back may not know that it was given back already",
    },
    ErrorInfo { code: -35, reason: "not_your_role", meaning: "the caller's role may not do that" },
];

pub(super) fn reason_of(reason: &'static str, message: impl Into<String>) -> RpcError {
    let code = ERRORS.iter().find(|info| info.reason == reason).map_or(-1, |info| info.code);
    RpcError::new(code, reason, message)
}

pub(super) fn room(fault: RoomFault, currency: &Currency) -> RpcError {
    match fault {
        RoomFault::Refused(refusal) => refused(refusal, currency),
        RoomFault::Store(fault) => store(&fault),
        RoomFault::Stopped => reason_of("stopping", fault.to_string()).retry(Retry::SameKey),
    }
}

pub(super) fn store(fault: &daemon::store::StoreFault) -> RpcError {
    reason_of("storage_failed", fault.to_string()).retry(Retry::SameKey)
}

fn refused(refusal: Refusal, currency: &Currency) -> RpcError {
    let reason = word(&refusal);
    let show = |units| currency.show_full(units);
    match refusal {
        Refusal::OverPaid { left, asked } => reason_of(
            reason,
            format!("of this sale {} can still be given back, {} was asked", show(left), show(asked)),
        )
        .detail("left", left.get()),
        Refusal::OverCap { left, asked } => {
            let (left_text, asked) = (show(left), show(asked));
            reason_of(reason, format!("you may give back {left_text}, {asked} was asked: call the manager"))
                .detail("left", left.get())
        }
        Refusal::DayClosed { number, .. } => reason_of(reason, refusal.to_string()).detail("report", number),
        other => reason_of(reason, other.to_string()),
    }
}

pub(super) fn hands(fault: HandsFault, currency: &Currency) -> RpcError {
    let message = fault.to_string();
    match fault {
        HandsFault::Room(fault) => room(fault, currency),
        HandsFault::PaidMeanwhile => reason_of("wrong_state", message),
        HandsFault::Wallet(CallFault::NoTickets) => {
            let hint = "stermina unlock";
            daemon::rpc::reason_of("no_tickets", message).retry(Retry::Later).hint(hint)
        }
        HandsFault::Wallet(CallFault::DiskLow) => {
            daemon::rpc::reason_of("disk_low", message).retry(Retry::SameKey)
        }
        HandsFault::Wallet(_) => reason_of("stopping", message).retry(Retry::SameKey),
    }
}
