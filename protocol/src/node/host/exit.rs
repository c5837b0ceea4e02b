//! How a command ends: the number a script sees.

use std::process::ExitCode;

use crate::node::rpc::{CallError, Retry, RpcError};

/// The exit codes of every command; the manual lists the same table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: failed for a reason that is none of the others.
    Failed,
    /// 2: the command line was not understood.
    Usage,
    /// 3: what was asked for does not exist.
    NotFound,
    /// 4: refused by a rule: funds, limit, locked, no permission.
    Refused,
    /// 5: in doubt or still pending: it may have happened. Ask again with the same key.
    InDoubt,
    /// 6: the daemon cannot be reached.
    Unreachable,
    /// 130: interrupted by the person.
    Interrupted,
}

impl Exit {
    /// Every way to end, for manuals and tests.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::NotFound,
        Self::Refused,
        Self::InDoubt,
        Self::Unreachable,
        Self::Interrupted,
    ];

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Refused => 4,
            Self::InDoubt => 5,
            Self::Unreachable => 6,
            Self::Interrupted => 130,
        }
    }

    /// The sentence for the manual.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "the command line was not understood",
            Self::NotFound => "not found",
            Self::Refused => "refused by a rule: funds, limit, locked, no permission",
            Self::InDoubt => "in doubt or pending: it may have happened, ask again with the same key",
            Self::Unreachable => "the daemon cannot be reached",
            Self::Interrupted => "interrupted",
        }
    }

    /// The end that fits a failed call. `by_reason` knows the application's own reasons; what it does
    /// not know falls back on what every contract shares.
    pub fn of(error: &CallError, by_reason: impl Fn(&RpcError) -> Option<Self>) -> Self {
        match error {
            CallError::Unreachable { .. } => Self::Unreachable,
            CallError::Lost { .. } => Self::InDoubt,
            CallError::Protocol(_) => Self::Failed,
            CallError::Rpc(refusal) => by_reason(refusal).unwrap_or_else(|| shared(refusal)),
        }
    }
}

fn shared(error: &RpcError) -> Exit {
    match (error.reason.as_ref(), error.retry) {
        ("invalid_params" | "method_not_found", _) => Exit::Usage,
        ("unauthorized" | "forbidden", _) => Exit::Refused,
        (_, Retry::SameKey) => Exit::InDoubt,
        (_, Retry::Never | Retry::Later) => Exit::Failed,
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_its_own_number() {
        let codes: std::collections::BTreeSet<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 130]);
    }

    #[test]
    fn a_lost_answer_is_doubt_and_a_known_reason_is_the_applications_word() {
        let by_reason = |error: &RpcError| (error.reason == "funds").then_some(Exit::Refused);
        let of = |error| Exit::of(&error, by_reason);
        assert_eq!(of(CallError::Lost { why: "cut".into() }), Exit::InDoubt);
        assert_eq!(of(CallError::Rpc(RpcError::new(-6, "funds", "the reserve holds 3"))), Exit::Refused);
        assert_eq!(of(CallError::Rpc(RpcError::deadline())), Exit::InDoubt);
        assert_eq!(of(CallError::Rpc(RpcError::invalid_params("x"))), Exit::Usage);
        // A failed commit may be durable all the same.
        assert_eq!(of(CallError::Rpc(RpcError::internal())), Exit::InDoubt);
        assert_eq!(of(CallError::Rpc(RpcError::new(-1, "no_paper", "the printer is empty"))), Exit::Failed);
    }
}
