//! What the bank tells everybody: pulled from it, or pushed by anybody.

use super::{Cannot, Who, World};
use daemon::wallet::bulletins::{Source, Worth};
use protocol::bank::Bulletin;
use protocol::sign::Signed;
use protocol::wire::{BankAnswer, BankAsk};

impl World {
    /// Somebody is shown a bulletin.
    pub fn hear(&mut self, who: Who, bulletin: Signed<Bulletin>, source: Source) -> Worth {
        let decision = self.person(who).wallet().hear(bulletin, source, self.clock(who));
        self.settle_decision(who, decision).expect("he is up")
    }

    /// Somebody asks the bank for its bulletins and revocations until there are no more, as the engine does.
    pub fn pull_bulletins(&mut self, who: Who) -> Result<(), Cannot> {
        loop {
            let after = self.person(who).wallet().heard().number();
            let Some(BankAnswer::Bulletins(page)) = self.ask_bank(who, BankAsk::Bulletins(after)) else {
                return Ok(());
            };
            let learned = self.person(who).wallet().learn_keys(page.keys, self.clock(who));
            self.settle_decision(who, learned)?;
            let obeyed = self.person(who).wallet().obey(page.revoked, self.clock(who));
            self.settle_decision(who, obeyed)?;
            if self.person(who).wallet().heard().number() < after {
                // What we had was signed by a key that is revoked now: asked again from where that leaves us.
                continue;
            }
            let mut more = false;
            for bulletin in page.bulletins {
                if bulletin.unverified().number < after {
                    let behind = self.person(who).wallet().bank_is_behind(bulletin, self.clock(who));
                    self.settle_decision(who, behind)?;
                } else {
                    let decision = self.person(who).wallet().hear(bulletin, Source::Bank, self.clock(who));
                    more = self.settle_decision(who, decision)? == Worth::Taken;
                }
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// Somebody takes his own newest papers from the directory, as the engine does.
    pub fn renew_papers(&mut self, who: Who) {
        self.copy_directory(who);
        let key = self.person(who).key();
        let listed = self.person(who).store().ok().and_then(|store| store.contact(&key).ok().flatten());
        if let Some(listed) = listed {
            self.person_mut(who).introduction.certificate = listed.certificate;
        }
    }
}
