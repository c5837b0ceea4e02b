//! Why a command did not do what was asked, and the number it ends with.

use crate::join::JoinFault;
use crate::keyring::UnlockRefusal;
use crate::restore::RestoreFault;
use crate::settings::SettingsFault;
use protocol::node::host::exit::Exit;
use protocol::node::host::paths::PathsError;
use protocol::node::host::private_file::PrivateFileError;
use protocol::node::rpc::CallError;
use protocol::wire::ErrorCode;
use serde_json::{Map, Value, json};
use std::io;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Nobody answers.
    #[error("{0}")]
    NotRunning(String),
    /// The daemon said no, or its answer was lost.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Joining came to nothing.
    #[error(transparent)]
    Join(#[from] Box<JoinFault>),
    /// Restoring came to nothing yet.
    #[error(transparent)]
    Restore(#[from] Box<RestoreFault>),
    /// The settings are of no use.
    #[error(transparent)]
    Settings(#[from] SettingsFault),
    /// The folders can't be used.
    #[error(transparent)]
    Paths(#[from] PathsError),
    /// A private file can't be read.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The answer can't be written.
    #[error("the answer can't be written: {0}")]
    Output(#[from] io::Error),
    /// The daemon answered something that can't be.
    #[error("the daemon's answer makes no sense: {0}")]
    Nonsense(&'static str),
}

impl Fault {
    /// The number the command ends with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Fault::Usage(_) => Exit::Usage,
            Fault::NotRunning(_) => Exit::Unreachable,
            Fault::Call(error) => Exit::of(error, |refusal| of_reason(&refusal.reason)),
            Fault::Join(fault) => of_join(fault),
            Fault::Restore(fault) => of_restore(fault),
            Fault::Settings(_) => Exit::Usage,
            Fault::Paths(_) | Fault::File(_) | Fault::Output(_) | Fault::Nonsense(_) => Exit::Failed,
        }
    }

    /// What programs are told beside the sentence.
    pub(crate) fn facts(&self) -> Map<String, Value> {
        let mut facts = Map::new();
        let reason = match self {
            Fault::Usage(_) => "usage",
            Fault::NotRunning(_) => "not_running",
            Fault::Call(CallError::Rpc(refusal)) => {
                facts.insert("retry".to_owned(), json!(refusal.retry));
                facts.insert("hint".to_owned(), json!(refusal.hint));
                facts.insert("details".to_owned(), Value::Object(refusal.details.clone()));
                &*refusal.reason
            }
            Fault::Call(CallError::Unreachable { .. }) => "unreachable",
            Fault::Call(CallError::Lost { .. }) => "lost",
            Fault::Call(CallError::Protocol(_)) | Fault::Nonsense(_) => "protocol",
            Fault::Join(fault) => join_reason(fault),
            Fault::Restore(fault) => restore_reason(fault),
            Fault::Settings(_) => "settings",
            Fault::Paths(_) | Fault::File(_) => "file",
            Fault::Output(_) => "output",
        };
        facts.insert("reason".to_owned(), reason.into());
        facts
    }
}

fn of_join(fault: &JoinFault) -> Exit {
    match fault {
        JoinFault::Already
        | JoinFault::Restoring
        | JoinFault::OtherLetter { .. }
        | JoinFault::OtherSecret { .. } => Exit::Refused,
        JoinFault::Phrase(_) | JoinFault::Code(_) | JoinFault::Letter(_) => Exit::Usage,
        JoinFault::NoAnswer(_) => Exit::InDoubt,
        JoinFault::Bank(code) => of_code(*code),
        JoinFault::Unreachable { .. }
        | JoinFault::NotTheBank(_)
        | JoinFault::Damaged(_)
        | JoinFault::Busy(_)
        | JoinFault::Folder(_)
        | JoinFault::Store(_)
        | JoinFault::Profile(_)
        | JoinFault::File(_)
        | JoinFault::Disk { .. } => Exit::Failed,
    }
}

fn of_restore(fault: &RestoreFault) -> Exit {
    match fault {
        RestoreFault::Bank(fault) => of_join(fault),
        RestoreFault::Phrase(_) | RestoreFault::NewCode(_) => Exit::Usage,
        RestoreFault::Code(_)
        | RestoreFault::OtherSecret { .. }
        | RestoreFault::NoAccount
        | RestoreFault::AnotherAccount(_)
        | RestoreFault::Overtaken
        | RestoreFault::Clock => Exit::Refused,
        RestoreFault::Damaged(_)
        | RestoreFault::Vault(_)
        | RestoreFault::Busy(_)
        | RestoreFault::Folder(_)
        | RestoreFault::Profile(_)
        | RestoreFault::Store(_)
        | RestoreFault::File(_)
        | RestoreFault::Disk { .. } => Exit::Failed,
    }
}

fn restore_reason(fault: &RestoreFault) -> &'static str {
    match fault {
        RestoreFault::Bank(fault) => join_reason(fault),
        RestoreFault::Phrase(_) => "bad_phrase",
        RestoreFault::NewCode(_) => "bad_code",
        RestoreFault::Code(UnlockRefusal::Wrong { .. }) => "wrong_code",
        RestoreFault::Code(UnlockRefusal::Wait { .. }) => "too_many_tries",
        RestoreFault::OtherSecret { .. } => "other_secret",
        RestoreFault::NoAccount => "no_account",
        RestoreFault::AnotherAccount(_) => "another_account",
        RestoreFault::Overtaken => "overtaken",
        RestoreFault::Clock => ErrorCode::Expired.word(),
        RestoreFault::Vault(_) => "bad_vault",
        RestoreFault::Busy(_) => "in_use",
        RestoreFault::Code(_)
        | RestoreFault::Damaged(_)
        | RestoreFault::Folder(_)
        | RestoreFault::Profile(_)
        | RestoreFault::Store(_)
        | RestoreFault::File(_)
        | RestoreFault::Disk { .. } => "file",
    }
}

fn join_reason(fault: &JoinFault) -> &'static str {
    match fault {
        JoinFault::Already => "already_joined",
        JoinFault::Restoring => "restore_begun",
        JoinFault::OtherLetter { .. } => "other_letter",
        JoinFault::OtherSecret { .. } => "other_secret",
        JoinFault::Phrase(_) => "bad_phrase",
        JoinFault::Code(_) => "bad_code",
        JoinFault::Letter(_) => "bad_letter",
        JoinFault::Unreachable { .. } => "bank_unreachable",
        JoinFault::NoAnswer(_) => "no_answer",
        JoinFault::Bank(code) => code.word(),
        JoinFault::NotTheBank(_) => "not_the_bank",
        JoinFault::Busy(_) => "in_use",
        JoinFault::Damaged(_)
        | JoinFault::Folder(_)
        | JoinFault::Store(_)
        | JoinFault::Profile(_)
        | JoinFault::File(_)
        | JoinFault::Disk { .. } => "file",
    }
}

/// The workstation's own reasons beyond those of the wire. One that is not here ends as its `retry` says.
const REASONS: &[(&str, Exit)] = &[
    ("bad_amount", Exit::Usage),
    ("bad_code", Exit::Usage),
    ("bad_text", Exit::Usage),
    ("bad_key", Exit::Usage),
    ("locked", Exit::Refused),
    ("wrong_code", Exit::Refused),
    ("too_many_tries", Exit::Refused),
    ("key_reused", Exit::Refused),
    ("several_shops", Exit::Refused),
    ("too_many_codes", Exit::Refused),
    ("other_amount", Exit::Refused),
    ("bad_request", Exit::Refused),
    ("notes_scattered", Exit::Refused),
    ("over_cap", Exit::Refused),
    ("not_reclaimable", Exit::Refused),
    ("reclaimed", Exit::Refused),
    ("not_in_mailbox", Exit::Refused),
    ("not_collected", Exit::Refused),
    ("bank_unreachable", Exit::Failed),
    ("unreachable", Exit::Failed),
    ("history_broken", Exit::Failed),
];

/// The end that fits a reason: the one place that maps them.
pub(crate) fn of_reason(reason: &str) -> Option<Exit> {
    let own = REASONS.iter().find(|(word, _)| *word == reason).map(|(_, exit)| *exit);
    own.or_else(|| ErrorCode::ALL.iter().find(|code| code.word() == reason).map(|code| of_code(*code)))
}

fn of_code(code: ErrorCode) -> Exit {
    match code {
        ErrorCode::NotFound | ErrorCode::UnknownRequest => Exit::NotFound,
        ErrorCode::Busy
        | ErrorCode::Unavailable
        | ErrorCode::Malformed
        | ErrorCode::TooBig
        | ErrorCode::Unsupported => Exit::Failed,
        _ => Exit::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::node::rpc::{Retry, RpcError};

    fn rpc(reason: &'static str) -> Fault {
        Fault::Call(CallError::Rpc(RpcError::new(-1, reason, "a sentence")))
    }

    #[test]
    fn each_reason_has_its_number() {
        let table = [
            (rpc("locked"), 4),
            (rpc("insufficient_funds"), 4),
            (rpc("self_payment"), 4),
            (rpc("suspended"), 4),
            (rpc("key_reused"), 4),
            (rpc("not_found"), 3),
            (rpc("unknown_request"), 3),
            (rpc("invalid_params"), 2),
            (rpc("bad_amount"), 2),
            (Fault::Call(CallError::Rpc(RpcError::new(-20, "storage_failed", "x").retry(Retry::SameKey))), 5),
            (rpc("busy"), 1),
            (rpc("bank_unreachable"), 1),
            (rpc("something_new"), 1),
            (rpc("forbidden"), 4),
            (Fault::Call(CallError::Rpc(RpcError::deadline())), 5),
            (Fault::Call(CallError::Lost { why: "cut".into() }), 5),
            (Fault::Call(CallError::Unreachable { place: "x".into(), why: "y".into() }), 6),
            (Fault::NotRunning("start it".into()), 6),
            (Fault::Usage("x".into()), 2),
            (Fault::Join(Box::new(JoinFault::Already)), 4),
            (Fault::Join(Box::new(JoinFault::Bank(ErrorCode::NotFound))), 3),
            (Fault::Join(Box::new(JoinFault::NoAnswer(protocol::node::net::AskError::TimedOut))), 5),
        ];
        for (fault, number) in table {
            assert_eq!(fault.exit().code(), number, "{fault:?}");
        }
    }

    #[test]
    fn every_word_of_the_wire_has_an_end() {
        assert!(ErrorCode::ALL.iter().all(|code| of_reason(code.word()).is_some()));
        assert_eq!(of_reason("something_new"), None);
    }
}
