//! The vault as programs see it: what a lost machine would bring back.

use crate::engine::vault::VaultState;
use crate::wallet::Wallet;
use protocol::money::Units;
use protocol::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the vault stands.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct VaultView {
    /// Which workstation of this owner it is; raised by each restore.
    pub generation: u32,
    /// Records that were made here.
    pub here: u64,
    /// Records that the bank has.
    pub there: u64,
    /// `none`, `safe` (the bank has everything), `behind`, `refused` or `quarantined`.
    pub state: String,
    /// Why the bank takes no more records, or why this workstation is in quarantine: a word.
    pub reason: Option<String>,
    /// Since when the bank takes no more records.
    pub since: Option<Timestamp>,
    /// When the bank was found to have lost records that it had taken; it was given everything again.
    pub lost: Option<Timestamp>,
    /// When this machine was restored.
    pub restored: Option<Timestamp>,
    /// What the machine before it had, and is still to be asked back.
    pub fenced: Units,
    /// What it means and what can be done: a sentence.
    pub note: String,
}

pub(super) fn view(wallet: &Wallet, state: VaultState, generation: u32) -> VaultView {
    let (word, reason, note) = match (wallet.quarantine(), state) {
        (Some(why), _) => (
            "quarantined",
            Some(why.word().to_owned()),
            format!(
                "{why}. Nothing is spent or taken here any more: stop sterminad and run «stermina restore»"
            ),
        ),
        (None, VaultState { begun: false, .. }) => {
            ("none", None, "there is no vault yet: unlock once, and it is begun".to_owned())
        }
        (None, VaultState { refused: Some((code, _)), .. }) => (
            "refused",
            Some(code.word().to_owned()),
            format!(
                "the bank takes no more records: {} Money moves on; what is not in the vault is lost with this machine. \
                 Ask the bank; until then deposit what you can't afford to lose",
                code.text()
            ),
        ),
        (None, state) if state.there < state.here => (
            "behind",
            None,
            format!("{} records wait for the bank; they are sent by themselves", state.here - state.there),
        ),
        (None, _) => {
            ("safe", None, "the bank has everything: your recovery phrase brings it back".to_owned())
        }
    };
    VaultView {
        generation,
        here: state.here,
        there: state.there,
        state: word.to_owned(),
        reason,
        since: state.refused.map(|(_, since)| since),
        lost: state.lost,
        restored: wallet.fence().map(|fence| fence.at),
        fenced: wallet.fenced(),
        note,
    }
}
