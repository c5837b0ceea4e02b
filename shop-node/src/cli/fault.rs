//! Why a command did not do what was asked, and the number it ends with.

use daemon::settings::SettingsFault;
use protocol::node::host::exit::Exit;
use protocol::node::host::paths::PathsError;
use protocol::node::host::private_file::PrivateFileError;
use protocol::node::rpc::CallError;
use serde_json::{Value, json};

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The shop said no, or its answer was lost.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The settings are of no use.
    #[error(transparent)]
    Settings(#[from] SettingsFault),
    /// The folders can't be used.
    #[error(transparent)]
    Paths(#[from] PathsError),
    /// A private file can't be read.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The answer can't be written, or a file not read.
    #[error("{0}")]
    Output(#[from] std::io::Error),
    /// The shop ended by itself.
    #[error("{0}")]
    Run(String),
}

/// The shop's own reasons; the others are the workstation's.
const REASONS: &[(&str, Exit)] = &[
    ("bad_cart", Exit::Usage),
    ("bad_value", Exit::Usage),
    ("bad_file", Exit::Usage),
    ("no_till", Exit::Usage),
    ("no_backup", Exit::Failed),
    ("wrong_state", Exit::Refused),
    ("over_paid", Exit::Refused),
    ("over_cap", Exit::Refused),
    ("day_closed", Exit::Refused),
    ("maybe_given", Exit::Refused),
    ("too_many", Exit::Refused),
    ("not_your_role", Exit::Refused),
];

fn of_reason(reason: &str) -> Option<Exit> {
    let own = REASONS.iter().find(|(word, _)| *word == reason).map(|(_, exit)| *exit);
    own.or_else(|| daemon::cli::end_of(reason))
}

impl Fault {
    /// The number the command ends with.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Fault::Usage(_) | Fault::Settings(_) => Exit::Usage,
            Fault::Call(error) => Exit::of(error, |refusal| of_reason(&refusal.reason)),
            Fault::Paths(_) | Fault::File(_) | Fault::Output(_) | Fault::Run(_) => Exit::Failed,
        }
    }

    /// What programs are told.
    pub(super) fn document(&self, exit: Exit) -> Value {
        let (reason, details) = match self {
            Fault::Usage(_) => ("usage".to_owned(), Value::Null),
            Fault::Call(CallError::Rpc(error)) => (error.reason.to_string(), json!(error.details)),
            Fault::Call(CallError::Unreachable { .. }) => ("not_running".to_owned(), Value::Null),
            Fault::Call(CallError::Lost { .. }) => ("lost".to_owned(), Value::Null),
            Fault::Call(CallError::Protocol(_)) => ("protocol".to_owned(), Value::Null),
            Fault::Settings(_) => ("settings".to_owned(), Value::Null),
            Fault::Paths(_) | Fault::File(_) | Fault::Output(_) => ("file".to_owned(), Value::Null),
            Fault::Run(_) => ("ended".to_owned(), Value::Null),
        };
        json!({ "error": { "reason": reason, "message": self.to_string(), "exit": exit.code(), "details": details } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_shop_has_an_end() {
        let missing: Vec<&str> = crate::rpc::ERRORS
            .iter()
            .map(|info| info.reason)
            .filter(|word| of_reason(word).is_none())
            .collect();
        // These end as their `retry` says.
        assert_eq!(missing, ["storage_failed", "stopping"]);
    }
}
