//! Vaults in a world: what an engine does to send its log to the bank, and what a restore does with it.

use super::books::Books;
use super::disk::Disk;
use super::memory::Memory;
use super::person::Person;
use super::{Cannot, Who, World};
use daemon::store::{RedbStore, ReplayFlaw};
use daemon::wallet::policy::Policy;
use daemon::wallet::vault::{Origin, Place, Quarantine};
use protocol::bank::{AccountQuery, Identity, Purpose, VaultAppend, VaultHead};
use protocol::id::{Key, RequestId};
use protocol::key::bank::BankKeys;
use protocol::seal::ViewKey;
use protocol::sign::{Signed, Signer};
use protocol::time::DAY_SECONDS;
use protocol::wire::{BankAnswer, BankAsk, ErrorCode};
use serde_bytes::ByteBuf;

impl Person {
    /// The keys that mail to him opens with, and whether these are all: those of earlier generations are there while
    /// he is unlocked.
    pub(super) fn views(&self) -> (Vec<ViewKey>, bool) {
        let past = (1..self.generation).rev().filter(|_| !self.locked);
        let past = past.map(|n| self.keys.seed().view(n));
        let all = self.generation == 1 || !self.locked;
        (std::iter::once(self.view.clone()).chain(past).collect(), all)
    }

    /// Every node key that was ever his, the present one first.
    pub fn nodes(&self) -> Vec<Key> {
        let past = (1..self.generation).rev().map(|n| Signer::from_secret(&self.keys.seed().node(n)).key());
        std::iter::once(self.node.key()).chain(past).collect()
    }

    /// Begins a vault: from now on each commit is queued for it.
    pub fn begin_vault(&self) {
        let origin = Origin { account: self.wallet.owner().account, joined: super::NOON };
        let begun = self.store().expect("he is up").begin_vault(self.keys.seed().vault().key(), &origin);
        begun.expect("the disk works");
    }

    fn vault_is_kept(&mut self) {
        self.wallet.keep_vault();
    }
}

impl World {
    /// From now on somebody's commits go into the vault.
    pub fn keep_vault(&mut self, who: Who) {
        self.person(who).begin_vault();
        self.person_mut(who).vault_is_kept();
        assert!(self.is_in_vault(who), "a new vault takes everything");
    }

    /// Sends what is missing in somebody's vault. Whether the bank has everything now; always, where there is no vault.
    pub fn is_in_vault(&mut self, who: Who) -> bool {
        let Ok(store) = self.person(who).store() else { return false };
        let Ok(Some(_)) = store.vault_key() else { return true };
        if self.person(who).wallet().quarantine().is_some() {
            return false;
        }
        let query = self.signed_query(who, Purpose::Vault, 0);
        match self.ask_bank(who, BankAsk::VaultHead(query)) {
            Some(BankAnswer::Vault(there)) => self.fill_vault(who, there),
            Some(BankAnswer::Error(ErrorCode::OlderGeneration)) => {
                self.quarantine(who, Quarantine::OlderGeneration);
                false
            }
            _ => false,
        }
    }

    fn fill_vault(&mut self, who: Who, mut there: VaultHead) -> bool {
        loop {
            // It may go down over any of its own writes.
            let Ok(store) = self.person(who).store() else { return false };
            let (sent, here) =
                (store.vault_sent().expect("the disk works"), store.vault_head().expect("the disk works"));
            let waiting = store.vault_waiting(there).expect("the disk works");
            match Place::of(there, sent, here, waiting.is_some()) {
                Place::Ours => {}
                Place::Lost => {
                    if store.vault_again(there).is_err() {
                        return false;
                    }
                    continue;
                }
                Place::Others(why) => {
                    self.quarantine(who, why);
                    return false;
                }
            }
            let waiting = waiting.expect("it is our own log");
            if waiting.records.is_empty() {
                return store.vault_was_sent(there).is_ok();
            }
            let person = self.person(who);
            let append = person.node.sign(VaultAppend {
                bank: self.bank.keys().bank(),
                owner: person.key(),
                node: person.node.key(),
                generation: person.generation,
                after: waiting.before.records,
                head: waiting.after.digest,
            });
            match self.ask_bank(who, BankAsk::VaultAppend(append, waiting.records)) {
                Some(BankAnswer::Vault(head)) => there = head,
                _ => return false,
            }
        }
    }

    fn quarantine(&mut self, who: Who, why: Quarantine) {
        let decision = self.person(who).wallet().put_in_quarantine(why, self.clock(who));
        // A machine that goes down over it finds out again when it is started.
        let _down = self.person_mut(who).commit(decision);
    }

    /// All records of somebody's vault, as his phrase gets them from the bank.
    pub fn vault_of(&mut self, who: Who) -> Vec<ByteBuf> {
        let mut all: Vec<ByteBuf> = Vec::new();
        loop {
            let query = AccountQuery {
                bank: self.bank.keys().bank(),
                request: RequestId(self.chance.bytes()),
                owner: self.person(who).key(),
                created: self.clock(who),
            };
            let query = self.person(who).keys.owner().sign(query);
            match self.ask_bank(who, BankAsk::VaultRead(query, all.len() as u64)) {
                Some(BankAnswer::VaultRecords(records, head)) if head.records > all.len() as u64 => {
                    all.extend(records);
                }
                Some(BankAnswer::VaultRecords(..)) => return all,
                other => panic!("{other:?}"),
            }
        }
    }

    /// A store that is made of records alone.
    pub fn replayed(&self, who: Who, records: &[ByteBuf]) -> Result<RedbStore, ReplayFlaw> {
        let (store, _) = self.replayed_on(who, records)?;
        Ok(store)
    }

    fn replayed_on(&self, who: Who, records: &[ByteBuf]) -> Result<(RedbStore, Disk), ReplayFlaw> {
        let person = self.person(who);
        let (key, account) = (person.keys.seed().vault(), person.wallet().owner().account);
        let disk = Disk::new();
        let store = RedbStore::on(disk.clone()).expect("a new disk does not fail");
        let mut head = VaultHead::default();
        // In pages, as the bank gives them.
        for page in records.chunks(3) {
            head = store.replay(&key, account, head, page)?;
        }
        Ok((store, disk))
    }

    /// A new machine of the same kind as the old one, made of records alone.
    fn machine_of(&self, who: Who, records: &[ByteBuf]) -> (Books, Disk) {
        let person = self.person(who);
        if self.paper == super::Paper::Redb {
            let (store, disk) = self.replayed_on(who, records).expect("his own vault");
            return (Books::Redb(store), disk);
        }
        let disk = Disk::new();
        let owner = (person.wallet.owner().clone(), BankKeys::pinned(self.bank.keys().master()));
        let memory = Memory::replayed(disk.clone(), owner, person.keys.seed().vault().key(), records);
        (Books::Memory(memory.expect("a vault of this world")), disk)
    }

    /// Somebody's machine is gone; a new one is made of the phrase and the vault, as `stermina restore` does it.
    pub fn restore(&mut self, who: Who) {
        // As the directory has it: the machine that is there may be an older one.
        let (newest, sequence) = self.bank.identity(&self.person(who).key());
        let generation = newest + 1;
        let identity = self.next_identity(who, generation, sequence);
        let published = self.ask_bank(who, BankAsk::Publish(identity.clone()));
        assert_eq!(published, Some(BankAnswer::Published));
        let records = self.vault_of(who);
        let (store, disk) = self.machine_of(who, &records);
        let (now, mut chance, master) = (self.clock(who), self.chance.clone(), self.bank.keys().master());
        let person = self.person_mut(who);
        let owner = person.wallet.owner().clone();
        let policy = Policy::of(&owner.currency);
        let keys = BankKeys::pinned(master);
        person.wallet = store.load(owner, keys, policy).expect("what was replayed can be read");
        (person.store, person.disk) = (Some(store), disk);
        person.node = Signer::from_secret(&person.keys.seed().node(generation));
        person.view = person.keys.seed().view(generation);
        person.introduction.identity = identity;
        person.generation = generation;
        person.tickets.clear();
        (person.refresh_due, person.slow_due) = (true, true);
        let restored = person.wallet.restored(now);
        person.commit(restored).expect("a new disk does not fail");
        person.fill_tickets(&mut chance, now).expect("a new disk does not fail");
        self.chance = chance;
        self.learn_keys(who).expect("a new disk does not fail");
        // Before anybody is answered: who has heard nothing from the bank takes a quarter, and refuses the rest for good.
        self.pull_bulletins(who).expect("a new disk does not fail");
        assert!(self.is_in_vault(who));
    }

    fn next_identity(&mut self, who: Who, generation: u32, before: u64) -> Signed<Identity> {
        let (bank, now) = (self.bank.keys().bank(), self.clock(who));
        let person = self.person(who);
        let seed = person.keys.seed();
        person.keys.owner().sign(Identity {
            bank,
            owner: person.key(),
            view: seed.view(generation).key(),
            node: Signer::from_secret(&seed.node(generation)).key(),
            generation,
            sequence: now.0.max(before + 1),
            expires: now.plus_seconds(300 * DAY_SECONDS),
        })
    }

    /// Payers are told of what is in the vault by now.
    pub(super) fn tell_what_is_safe(&mut self, who: Who) -> Result<(), Cannot> {
        let waiting = self.person(who).store()?.to_tell(64).map_err(super::Down::from)?;
        if waiting.is_empty() || !self.person(who).wallet().is_vaulted() || !self.is_in_vault(who) {
            return Ok(());
        }
        for incoming in waiting {
            self.confirm(who, &incoming.payer, incoming.payment)?;
            let told = self.person(who).wallet().told(incoming.payer, incoming.payment, self.clock(who));
            self.settle_decision(who, told)?;
        }
        Ok(())
    }

    /// What a restored workstation had is asked back.
    pub(super) fn reclaim_what_was_had(&mut self, who: Who) -> Result<(), Cannot> {
        loop {
            let (fresh, now) = (self.fresh(), self.clock(who));
            let person = self.person(who);
            let Some(keys) = person.open_keys().filter(|_| person.wallet.fence().is_some()) else {
                return Ok(());
            };
            let Some(decision) = person.wallet.reclaim_behind_fence(keys, fresh, now) else { return Ok(()) };
            self.settle_decision(who, decision)?;
        }
    }

    /// Puts another machine in somebody's place, and gives out the one that was there.
    pub fn change_machine(&mut self, who: Who, other: Person) -> Person {
        std::mem::replace(self.person_mut(who), other)
    }
}

/// A bank's vault of somebody, as it was.
pub struct OldVault(Vec<(bank_node::store::shelf::Table, Vec<u8>, Vec<u8>)>);

impl super::Bank {
    /// What the bank has of somebody's vault now.
    pub fn vault(&self, owner: &Key) -> OldVault {
        OldVault(self.vault_head_of(owner))
    }

    /// The bank's disk forgets what came to somebody's vault since.
    pub fn puts_vault_back(&mut self, _: &Key, old: OldVault) {
        self.write_raw(old.0);
    }
}
