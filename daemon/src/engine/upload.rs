//! The way of the vault's records to the bank: in order, one message at a time, for ever (SPEC §4.13).
//!
//! ```text
//! start, bank is back, fork ─▶ ask how far ─┬▶ a place in our own log ─▶ send what follows ─▶ (told how far)
//!                                           ├▶ fewer than it took ─▶ everything once more, on top of what is there
//!                                           ├▶ «older generation» ─▶ quarantine if the directory has our own newer record
//!                                           └▶ anything else ─▶ quarantine: another copy writes
//! ```

use super::Engine;
use super::input::Input;
use super::link::{BankLink, LinkFault};
use super::vault::VaultWord;
use crate::store::{RedbStore, StoreFault, Waiting};
use crate::wallet::vault::{Place, Quarantine};
use protocol::bank::{NodeQuery, Purpose, VaultAppend, VaultHead};
use protocol::id::{Digest, RequestId};
use protocol::node::chance::chance_bytes;
use protocol::wire::{BankAnswer, BankAsk, ErrorCode};
use std::sync::Arc;
use std::time::Duration;

/// How long a bank that did not answer, or would not, is left alone.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a bank that takes no records is left alone.
const LONG_PAUSE: Duration = Duration::from_secs(600);
/// How long a disk that can't be read is left alone: requests to the bank wait for the vault, so it is tried again.
const DISK_PAUSE: Duration = Duration::from_secs(30);
/// Records that may lie here although the bank has them.
const SWEEP: u64 = 256;

/// Carries records to the bank.
pub struct Upload {
    engine: Engine,
    link: Arc<BankLink>,
    generation: u32,
}

/// Why nothing can be sent just now.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Link(#[from] LinkFault),
    #[error("the bank says: {}", .0.text())]
    Later(ErrorCode),
    #[error("the bank takes no records: {}", .0.text())]
    Refused(ErrorCode),
    #[error("{0}")]
    Quarantine(Quarantine),
    #[error("the bank says that another workstation is the newest, and shows no record of it")]
    Older,
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Upload {
    /// An upload for the workstation of this generation.
    pub fn new(engine: Engine, link: Arc<BankLink>, generation: u32) -> Upload {
        Upload { engine, link, generation }
    }

    /// Sends whatever there is to send, for ever.
    pub async fn run(self) {
        let mut news = self.engine.shared.vault.subscribe();
        let mut line = self.link.status();
        let mut sent: Option<VaultHead> = None;
        loop {
            let state = *news.borrow_and_update();
            let up = line.borrow_and_update().bootstrap;
            if !up {
                // Whatever the bank does while we do not see it: it is asked again.
                sent = None;
            }
            let done = up && state.begun && sent.is_some_and(|sent| sent.records >= state.here);
            let pause = if !up || !state.begun || done {
                None
            } else {
                match self.send(&mut sent).await {
                    Ok(()) => continue,
                    Err(stop) => {
                        sent = None;
                        tracing::debug!(%stop, "the vault waits");
                        match self.give_up(stop).await {
                            Some(pause) => Some(pause),
                            None => return,
                        }
                    }
                }
            };
            tokio::select! {
                changed = news.changed(), if pause.is_none() => if changed.is_err() { return },
                changed = line.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(pause.unwrap_or(LONG_PAUSE)) => {}
            }
        }
    }

    /// Tells the engine what has to be told; how long to wait, or nothing when it is over.
    async fn give_up(&self, stop: Stop) -> Option<Duration> {
        match stop {
            Stop::Link(_) | Stop::Later(_) => {}
            Stop::Refused(code) => self.tell(VaultWord::Takes(code)).await,
            Stop::Quarantine(why) => self.tell(VaultWord::Quarantine(why)).await,
            Stop::Older => {
                // The bank's word alone stops nobody: a newer record that our own owner key has signed does.
                self.link.sync_directory().await;
                if self.engine.shared.is_replaced() {
                    self.tell(VaultWord::Quarantine(Quarantine::OlderGeneration)).await;
                    return None;
                }
                tracing::warn!("{stop}: the vault waits");
            }
            Stop::Store(ref fault) => tracing::error!(%fault, "the vault's records can't be read"),
        }
        pause_after(&stop)
    }

    async fn tell(&self, word: VaultWord) {
        self.engine.tell(Input::Vault(word)).await;
    }

    /// One message; the first asks how far the vault goes.
    async fn send(&self, sent: &mut Option<VaultHead>) -> Result<(), Stop> {
        let before = match *sent {
            Some(before) => before,
            None => {
                let found = self.find_place().await?;
                self.tell(VaultWord::Has(found.records)).await;
                *sent.insert(found)
            }
        };
        let Some(waiting) = self.on_disk(move |store| store.vault_waiting(before)).await? else {
            *sent = None;
            return Ok(());
        };
        if waiting.records.is_empty() {
            return Ok(());
        }
        let after = waiting.after;
        match self.append(waiting).await? {
            BankAnswer::Vault(head) if head == after => {}
            // Asked how far it goes, the bank tells whether it was another copy.
            BankAnswer::Error(ErrorCode::Fork) => {
                *sent = None;
                self.find_place().await?;
                return Err(Stop::Later(ErrorCode::Fork));
            }
            BankAnswer::Error(code) => return Err(refused(code)),
            _ => return Err(LinkFault::Garbled.into()),
        }
        *sent = Some(after);
        self.tell(VaultWord::Has(after.records)).await;
        self.sweep(after).await
    }

    /// How far the bank has our log; it is the same on both sides, or something is wrong.
    async fn find_place(&self) -> Result<VaultHead, Stop> {
        let there = match self.link.ask(&BankAsk::VaultHead(self.query())).await? {
            BankAnswer::Vault(head) => head,
            BankAnswer::Error(code) => return Err(refused(code)),
            _ => return Err(LinkFault::Garbled.into()),
        };
        let (sent, here, known) = self
            .on_disk(move |store| {
                Ok((store.vault_sent()?, store.vault_head()?, store.vault_waiting(there)?.is_some()))
            })
            .await?;
        match Place::of(there, sent, here, known) {
            Place::Ours => Ok(there),
            Place::Lost => {
                self.on_disk(move |store| store.vault_again(there)).await?;
                self.tell(VaultWord::Lost(there.records)).await;
                Ok(there)
            }
            Place::Others(why) => Err(Stop::Quarantine(why)),
        }
    }

    async fn append(&self, waiting: Waiting) -> Result<BankAnswer, LinkFault> {
        let persona = &self.engine.shared.persona;
        let append = persona.node.sign(VaultAppend {
            bank: self.engine.shared.keys().bank(),
            owner: persona.owner,
            node: persona.node.key(),
            generation: self.generation,
            after: waiting.before.records,
            head: waiting.after.digest,
        });
        self.link.ask(&BankAsk::VaultAppend(append, waiting.records)).await
    }

    fn query(&self) -> protocol::sign::Signed<NodeQuery> {
        let shared = &self.engine.shared;
        let persona = &shared.persona;
        persona.node.sign(NodeQuery {
            bank: shared.keys().bank(),
            request: RequestId(chance_bytes()),
            owner: persona.owner,
            node: persona.node.key(),
            purpose: Purpose::Vault,
            number: 0,
            subject: Digest::default(),
            created: shared.now(),
        })
    }

    /// What the bank has need not lie here; a few records are left until it is worth a write.
    async fn sweep(&self, sent: VaultHead) -> Result<(), Stop> {
        let noted = self.on_disk(|store| store.vault_sent()).await?;
        if sent.records - noted.records.min(sent.records) >= SWEEP {
            self.on_disk(move |store| store.vault_was_sent(sent)).await?;
        }
        Ok(())
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&RedbStore) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, StoreFault> {
        let store = self.engine.shared.store.clone();
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        done.map_err(|broken| StoreFault::Broken(broken.to_string()))?
    }
}

/// How long to wait; only a quarantine ends it.
fn pause_after(stop: &Stop) -> Option<Duration> {
    match stop {
        Stop::Link(_) | Stop::Later(_) => Some(PAUSE),
        Stop::Refused(_) | Stop::Older => Some(LONG_PAUSE),
        Stop::Store(_) => Some(DISK_PAUSE),
        Stop::Quarantine(_) => None,
    }
}

fn refused(code: ErrorCode) -> Stop {
    match code {
        ErrorCode::OlderGeneration => Stop::Older,
        // Our clock, or the bank's: a query is signed anew.
        ErrorCode::Expired => Stop::Later(code),
        code if code.leaves_it_open() => Stop::Later(code),
        code => Stop::Refused(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Y6, X6: whatever a bank answers, its word alone does not put a workstation into quarantine.
    #[test]
    fn no_code_of_the_banks_is_a_quarantine() {
        for code in ErrorCode::ALL {
            let stop = refused(*code);
            assert!(!matches!(stop, Stop::Quarantine(_)), "{}", code.word());
            assert!(pause_after(&stop).is_some());
        }
        assert!(matches!(refused(ErrorCode::OlderGeneration), Stop::Older));
    }

    /// B7: a disk that could not be read once is tried again: requests to the bank wait for the vault.
    #[test]
    fn a_disk_that_fails_once_does_not_end_the_upload() {
        assert_eq!(pause_after(&Stop::Store(StoreFault::Broken("torn".to_owned()))), Some(DISK_PAUSE));
        assert_eq!(pause_after(&Stop::Quarantine(Quarantine::StoreBehind)), None);
    }
}
