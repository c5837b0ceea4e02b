//! Bulletins on their way in: pushed by whoever is connected, pulled from the bank, and what follows from them
//! (SPEC §4.14).
//!
//! ```text
//! swarm ─▶ Gate (signed? new?) ─ passed on ─▶ bounded queue ┐
//! bank is back, 90 minutes old, a gap ─▶ pulled page by page ┴▶ engine: kept, obeyed ─▶ reclaimed keys looked up
//! ```

use super::handle::Shared;
use super::input::Input;
use super::link::BankLink;
use super::{Core, Engine};
use crate::store::StoreFault;
use crate::wallet::bulletins::{Source, Worth, genuine};
use protocol::bank::Bulletin;
use protocol::id::Key;
use protocol::key::bank::{Revocation, Usage};
use protocol::node::address::AddressCheck;
use protocol::node::net::{Multiaddr, Net, RecordCheck, Rumour};
use protocol::sign::Signed;
use protocol::wire::{BankAnswer, BankAsk, BulletinPage};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// Rumours that wait for the engine; more are dropped, and pulled later.
const RUMOURS_MAX: usize = 64;
/// A signed revocation has always this length, and every bulletin is longer.
const REVOCATION_BYTES: usize = 110;
/// Two bulletins of one number are passed on, as a proof; more tell nothing new.
const OF_ONE_NUMBER: u32 = 2;
/// Numbers of which it is known how often they were passed on.
const NUMBERS_MAX: usize = 64;
/// A bulletin comes every hour; when the newest is older than this, the bank is asked.
const OLD_SECONDS: u64 = 5400;
/// How often its age is looked at.
const LOOK: Duration = Duration::from_secs(60);
/// Most pages pulled in one go: more than a week of hours.
const PAGES_MAX: usize = 64;

/// Judges what comes from the network before it is passed on: address records and rumours.
pub struct Gate<Known> {
    addresses: AddressCheck<Known>,
    shared: Arc<Shared>,
    passed: Mutex<BTreeMap<u64, u32>>,
    news: mpsc::Sender<Heard>,
}

/// What was heard and is worth the engine's time.
#[derive(Debug)]
pub enum Heard {
    /// A bulletin.
    Bulletin(Box<Signed<Bulletin>>),
    /// A key that counts no more.
    Revocation(Signed<Revocation>),
}

impl<Known> Gate<Known> {
    /// A gate, and where what it lets in comes out.
    pub fn new(addresses: AddressCheck<Known>, shared: Arc<Shared>) -> (Gate<Known>, mpsc::Receiver<Heard>) {
        let (news, heard) = mpsc::channel(RUMOURS_MAX);
        (Gate { addresses, shared, passed: Mutex::default(), news }, heard)
    }

    fn revocation(&self, bytes: &[u8]) -> Rumour {
        let Ok(revocation) = Signed::<Revocation>::from_bytes(bytes) else { return Rumour::False };
        let mut keys = (*self.shared.keys()).clone();
        match keys.revoke(revocation.clone()) {
            // A full queue loses it for now; the bank's next page has it again.
            Ok(true) => drop(self.news.try_send(Heard::Revocation(revocation))),
            Ok(false) => return Rumour::Known,
            Err(_) => return Rumour::False,
        }
        Rumour::News
    }

    fn bulletin(&self, bytes: &[u8]) -> Rumour {
        let Ok(bulletin) = Signed::<Bulletin>::from_bytes(bytes) else { return Rumour::False };
        let keys = self.shared.keys();
        let body = bulletin.unverified();
        // Several banks may share a network: another one's words are not false, only not ours.
        if body.bank != keys.bank() || !self.shared.heard().may_be_new(&bulletin) {
            return Rumour::Known;
        }
        if !genuine(&bulletin, &keys) {
            return Rumour::False;
        }
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let times = passed.entry(body.number).or_default();
        *times += 1;
        let too_often = *times > OF_ONE_NUMBER;
        if passed.len() > NUMBERS_MAX {
            passed.pop_first();
        }
        drop(passed);
        if too_often || self.news.try_send(Heard::Bulletin(Box::new(bulletin))).is_err() {
            return Rumour::Known;
        }
        Rumour::News
    }
}

impl<Known: Fn(&Key) -> bool + Send + Sync> RecordCheck for Gate<Known> {
    fn check(&self, key: &[u8], value: &[u8]) -> Option<u64> {
        self.addresses.check(key, value)
    }

    fn addresses(&self, value: &[u8]) -> Vec<Multiaddr> {
        self.addresses.addresses(value)
    }

    fn hears_rumours(&self) -> bool {
        true
    }

    fn rumour(&self, bytes: &[u8]) -> Rumour {
        if bytes.len() == REVOCATION_BYTES { self.revocation(bytes) } else { self.bulletin(bytes) }
    }
}

/// Brings to the engine what was heard, and asks the bank for what was not, for ever.
pub async fn keep_bulletins(engine: Engine, link: Arc<BankLink>, net: Net, mut heard: mpsc::Receiver<Heard>) {
    let mut status = net.status();
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut was_there = false;
    loop {
        let pull = tokio::select! {
            rumour = heard.recv() => match rumour {
                Some(Heard::Bulletin(bulletin)) => take(&engine, *bulletin, Source::Pushed).await == Some(Worth::Gap),
                Some(Heard::Revocation(revocation)) => {
                    // The bank has renewed what the key had signed.
                    engine.ask(|reply| Input::Revoked(vec![revocation], reply)).await.unwrap_or(false)
                }
                None => return,
            },
            changed = status.changed() => {
                if changed.is_err() {
                    return;
                }
                let is_there = status.borrow_and_update().bootstrap;
                let was_there = std::mem::replace(&mut was_there, is_there);
                is_there && !was_there
            }
            _ = ticks.tick() => is_old(&engine.shared),
        };
        if pull && net.status().borrow().bootstrap {
            pull_all(&engine, &link).await;
        }
    }
}

fn is_old(shared: &Shared) -> bool {
    let now = shared.now();
    shared.heard().newest().is_none_or(|newest| now.seconds_since(newest.at) > OLD_SECONDS)
}

async fn take(engine: &Engine, bulletin: Signed<Bulletin>, source: Source) -> Option<Worth> {
    engine.ask(|reply| Input::Bulletin(Box::new(bulletin), source, reply)).await.ok()
}

/// Asks the bank for what is new.
pub(super) async fn pull_all(engine: &Engine, link: &BankLink) {
    for _ in 0..PAGES_MAX {
        let after = engine.shared.heard().number();
        let page = match link.ask(&BankAsk::Bulletins(after)).await {
            Ok(BankAnswer::Bulletins(page)) => page,
            Ok(_) => return tracing::warn!("the bank did not answer with bulletins"),
            Err(fault) => return tracing::debug!(%fault, "bulletins were not pulled"),
        };
        if !take_page(engine, *page, after).await {
            return;
        }
    }
}

/// Keys first, then what is revoked, then what they have signed. True if there may be more.
async fn take_page(engine: &Engine, page: BulletinPage, after: u64) -> bool {
    engine.tell(Input::BankKeys(page.keys)).await;
    if !page.revoked.is_empty() && engine.ask(|reply| Input::Revoked(page.revoked, reply)).await.is_err() {
        return false;
    }
    if engine.shared.heard().number() < after {
        // What we had was signed by a key that is revoked now: asked again from where that leaves us.
        return true;
    }
    let mut more = false;
    for bulletin in page.bulletins {
        let (number, worth) = if bulletin.unverified().number < after {
            engine.tell(Input::BankBehind(Box::new(bulletin))).await;
            continue;
        } else {
            (bulletin.unverified().number, take(engine, bulletin, Source::Bank).await)
        };
        more = worth == Some(Worth::Taken);
        if worth == Some(Worth::False) {
            tracing::warn!(number, "a bulletin that no key of the bank's has signed, or one that is revoked");
        }
    }
    more
}

impl Core {
    pub(super) fn bulletin(
        &mut self,
        bulletin: Signed<Bulletin>,
        source: Source,
    ) -> Result<Worth, StoreFault> {
        let reclaimed = bulletin.unverified().reclaimed.clone();
        let decision = self.wallet.hear(bulletin, source, self.now());
        let worth = self.take(decision);
        let committed = self.flush()?;
        let worth = worth.open(&committed);
        if worth == Worth::Taken && !reclaimed.is_empty() {
            self.contest(&reclaimed)?;
        }
        Ok(worth)
    }

    pub(super) fn revoked(&mut self, revocations: Vec<Signed<Revocation>>) -> Result<bool, StoreFault> {
        let attest = revocations.iter().any(|word| word.unverified().usage == Usage::Attest);
        let decision = self.wallet.obey(revocations, self.now());
        let news = self.take(decision);
        let committed = self.flush()?;
        let news = news.open(&committed);
        if news {
            tracing::warn!(attest, "the bank has revoked a key");
        }
        Ok(news)
    }
}
