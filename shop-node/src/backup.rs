//! Backups of the shop's book: made while it is open, by hand or after each Z report, and put back (ADR 0006).
//!
//! What the book holds is nowhere else: the wallet's vault has the money, its history and its events. So a book that is put back
//! hears the wallet from where it was on; see `shop/back.rs` for what else it learns, and from whom.

use crate::aside::{Bench, Hangs};
use crate::hooks::jittered;
use crate::room::{Room, RoomFault};
use crate::shop::back::{Back, TheirSweep};
use crate::shop::hearing::Cursor;
use crate::shop::keeping::Copied;
use crate::shop::rights::{Actor, Role};
use crate::shop::{Keeper, Refusal};
use crate::store::backup::{About, BackupFlaw, about, bring_back, reread};
use crate::store::{HEAD_FILE, STORE_FILE, ShopStore};
use daemon::engine::link::BankLink;
use daemon::engine::{Engine, Input};
use daemon::keyring::{Keyring, UnlockRefusal};
use daemon::profile::{Profile, ProfileFault};
use daemon::store::{Page, RedbStore, Store as _, StoreFault};
use protocol::body;
use protocol::id::{Digest, Key};
use protocol::node::host::lock::{InstanceLock, LockError};
use protocol::node::host::paths::Paths;
use protocol::time::{Day, Timestamp};
use protocol::wire::{BankAnswer, BankAsk, LineKind, SalesList, Span, decode, sales_digest};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How often it is looked at when nothing happens.
const REST: Duration = Duration::from_secs(60);
/// How long a copy may take before it counts as one that hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// The new book's file while it is being filled.
const NEW_STORE: &str = "shop.restoring";
/// Copies in a folder are called so, with the shop's mark between.
const COPY: (&str, &str) = ("shop-book-", ".stermina");
/// Most pages of the statement that are looked through for sweeps.
const PAGES_MAX: usize = 4096;

/// Why there is no backup, or none was put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupFault {
    /// The file.
    #[error("{}: {flaw}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        flaw: BackupFlaw,
    },
    /// There is nothing to seal it with.
    #[error("there is no key to seal it with yet: unlock the till once (shop-node wallet unlock)")]
    NoKey,
    /// What was written reads back otherwise.
    #[error("{} does not read back as it was written: the disk is bad", .0.display())]
    Differs(PathBuf),
    /// The folder does not come to an end.
    #[error("the folder or its disk: {0}")]
    Hangs(#[from] Hangs),
    /// The shop.
    #[error(transparent)]
    Room(#[from] RoomFault),
    /// The wallet's file, or the shop's.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// Somebody else's.
    #[error("this is the book of another shop, or of another bank")]
    NotOurs,
    /// There is a book.
    #[error(
        "there is a book here already, up to event {has}; the backup goes up to {backup}. If you mean it: --replace; the one that \
         is here is kept beside it"
    )]
    There {
        /// Its newest event.
        has: u64,
        /// The backup's.
        backup: u64,
    },
    /// The number of the last Z report makes no sense.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The private code.
    #[error(transparent)]
    Code(#[from] UnlockRefusal),
    /// The shop runs.
    #[error(transparent)]
    Busy(#[from] LockError),
    /// Nobody has joined, or the money is not back yet.
    #[error(transparent)]
    Profile(#[from] ProfileFault),
}

/// A file could not be used.
fn file(path: &Path) -> impl Fn(BackupFlaw) -> BackupFault + '_ {
    move |flaw| BackupFault::File { path: path.to_owned(), flaw }
}

fn disk(path: &Path) -> impl Fn(std::io::Error) -> BackupFault + '_ {
    move |why| BackupFault::File { path: path.to_owned(), flaw: why.into() }
}

/// A backup that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// What it says of itself.
    pub about: About,
    /// Bytes.
    pub bytes: u64,
}

/// What the wallet looks like at a place: one that was forked there looks otherwise.
pub fn look_of(wallet: &RedbStore, at: Cursor) -> Result<Digest, StoreFault> {
    let event = wallet.events(at.event.saturating_sub(1), 1)?.into_iter().find(|event| event.seq == at.event);
    let line = wallet.history(Page { before: Some(at.line.saturating_add(1)), limit: 1 })?.into_iter().next();
    let mut seen = Vec::new();
    if let Some(event) = event {
        seen.extend([event.seq, event.at.0].into_iter().flat_map(u64::to_be_bytes));
    }
    if let Some(line) = line.filter(|line| line.seq == at.line) {
        seen.extend([line.seq, line.at.0, line.units.get()].into_iter().flat_map(u64::to_be_bytes));
        seen.extend(line.id);
    }
    Ok(body::digest("shop-heard", &seen))
}

/// Makes backups of a shop that is open.
pub struct Backups {
    room: Room,
    engine: Engine,
    link: Arc<BankLink>,
    /// The one that somebody makes by hand.
    by_hand: Mutex<Bench<PathBuf, Result<Made, BackupFault>>>,
}

/// The copy that is under way to a folder.
type Copying = Bench<String, Result<Copied, BackupFault>>;

impl Backups {
    /// Of this shop.
    pub fn new(room: Room, engine: Engine, link: Arc<BankLink>) -> Backups {
        Backups { room, engine, link, by_hand: Mutex::default() }
    }

    fn now(&self) -> Timestamp {
        self.engine.shared.now()
    }

    /// Makes one, reads it again, and puts it where it shall be: whoever looks there sees whole files only.
    pub async fn make(&self, path: PathBuf) -> Result<Made, BackupFault> {
        let (keeper, writing) = self.writing().await?;
        // One at a time: else each call to a folder that hangs would leave a thread behind.
        let mut by_hand = self.by_hand.try_lock().map_err(|_| Hangs::Before)?;
        let to = path.clone();
        by_hand.work(path, PATIENCE, move || writing(&keeper, &to)).await?
    }

    /// The book's owner, and what writes it: not before it is called, and wherever that is.
    async fn writing(
        &self,
    ) -> Result<(Keeper, impl FnOnce(&Keeper, &Path) -> Result<Made, BackupFault> + use<>), BackupFault> {
        let (store, shared, now) = (self.room.store.clone(), self.engine.shared.clone(), self.now());
        let keeper = self.room.look(|shop| shop.keeper().clone()).await?;
        Ok((keeper, move |keeper: &Keeper, path: &Path| write(&store, &shared.store, keeper, path, now)))
    }

    /// Copies after each Z report, and what the bank has to tell to a book that was put back; until the room ends.
    pub async fn run(self: Arc<Self>) {
        let mut news = self.room.newest_event.subscribe();
        let mut copying = Copying::default();
        loop {
            news.borrow_and_update();
            let wait = match self.carry_on(&mut copying).await {
                Ok(wait) => wait,
                Err(BackupFault::Room(RoomFault::Stopped)) => return,
                Err(fault) => {
                    tracing::warn!(%fault, "the book's backup could not be carried on");
                    Some(REST)
                }
            };
            match wait {
                // What just failed is not tried again because something else has happened.
                Some(wait) => tokio::time::sleep(wait).await,
                None => tokio::select! {
                    () = tokio::time::sleep(REST) => {}
                    changed = news.changed() => if changed.is_err() { return },
                },
            }
        }
    }

    async fn carry_on(&self, copying: &mut Copying) -> Result<Option<Duration>, BackupFault> {
        let wait = self.ask_for_sweeps().await?;
        let Some((folder, keep)) = self.room.look(|shop| shop.copy_due()).await? else { return Ok(wait) };
        let now = self.now();
        let came = self.copy(copying, folder, keep).await;
        if let Err(fault) = &came {
            tracing::error!(%fault, "the book has no new backup");
        }
        let came = came.map_err(|fault| fault.to_string());
        let copies = self.room.decide(move |shop, _| Ok(shop.copy_went(came, now))).await?;
        Ok(copies.failing.map(|failing| jittered(failing.wait())).or(wait))
    }

    /// Everything that touches the folder happens aside: one that hangs stops neither the shop nor its end.
    async fn copy(&self, copying: &mut Copying, folder: String, keep: u32) -> Result<Copied, BackupFault> {
        if copying.under_way.as_ref().is_some_and(|(to, _)| *to != folder) {
            // Another folder is tried at once.
            *copying = Copying::default();
        }
        let (keeper, writing) = self.writing().await?;
        let period = self.room.look(|shop| (shop.period().closed, shop.period().reports)).await?;
        let file = name_of(&keeper.key, period.0, period.1);
        let to = folder.clone();
        let job = move || {
            let place = Path::new(&to);
            std::fs::create_dir_all(place).map_err(disk(place))?;
            let made = writing(&keeper, &place.join(&file))?;
            forget(place, &keeper.key, keep).map_err(disk(place))?;
            let About { reports, event, made: at, .. } = made.about;
            Ok(Copied { folder: to, file, reports, event, at })
        };
        let copied = copying.work(folder, PATIENCE, job).await??;
        tracing::info!(file = copied.file, "the book has a new backup");
        Ok(copied)
    }

    /// A book that was put back asks the bank which sweeps it does not know.
    async fn ask_for_sweeps(&self) -> Result<Option<Duration>, BackupFault> {
        let Some(first) = self.room.look(|shop| shop.sweeps_unknown()).await? else { return Ok(None) };
        let Some(theirs) = self.sweeps_from(first).await else { return Ok(Some(Duration::from_secs(1))) };
        let now = self.now();
        let rule = move |shop: &crate::shop::Shop, store: &ShopStore| {
            Ok(shop.sweeps_told(theirs, &store.takings()?, now))
        };
        self.room.decide(rule).await?;
        Ok(None)
    }

    /// The bank's sweeps of this shop from a number on; nothing while it is away, or the till is locked.
    async fn sweeps_from(&self, first: u64) -> Option<Vec<TheirSweep>> {
        let (mut theirs, mut before) = (Vec::new(), u64::MAX);
        for _ in 0..PAGES_MAX {
            let asked = |query| BankAsk::Statement(query, Span::Before(before));
            let BankAnswer::Statement(lines, next) = self.ask(asked).await? else { return None };
            for line in lines.into_iter().filter(|line| line.kind == LineKind::SweptOut) {
                let found = self.ask(|query| BankAsk::SweepList(query, line.entry)).await?;
                let BankAnswer::SweepList(signed, bytes) = found else { return None };
                let owner = self.engine.shared.persona.owner;
                let sweep = signed.verify_by(&owner).ok()?.signed().unverified().clone();
                if sweep.number < first {
                    theirs.reverse();
                    return Some(theirs);
                }
                let list: SalesList = decode(&bytes).ok()?;
                if sales_digest(&bytes) != sweep.list {
                    return None;
                }
                theirs.push(TheirSweep { sweep, list, bytes: bytes.into_vec() });
            }
            match next {
                Some(Span::Before(place)) if place < before => before = place,
                _ => break,
            }
        }
        theirs.reverse();
        Some(theirs)
    }

    async fn ask(
        &self,
        ask: impl FnOnce(protocol::sign::Signed<protocol::bank::AccountQuery>) -> BankAsk,
    ) -> Option<BankAnswer> {
        let query = self.engine.ask(Input::SignQuery).await.ok()?.ok()?;
        self.link.ask(&ask(query)).await.ok()
    }
}

fn write(
    store: &ShopStore,
    wallet: &RedbStore,
    keeper: &Keeper,
    path: &Path,
    now: Timestamp,
) -> Result<Made, BackupFault> {
    let key = wallet.vault_key()?.ok_or(BackupFault::NoKey)?;
    let snapshot = store.snapshot()?;
    let about = About {
        bank: keeper.bank,
        shop: keeper.key,
        made: now,
        event: snapshot.event,
        reports: snapshot.period.reports,
        closed: snapshot.period.closed,
        wallet: look_of(wallet, snapshot.cursor)?,
    };
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part);
    let out = out.map_err(disk(&part))?;
    let digest = snapshot.write(&about, &key, BufWriter::new(&out)).map_err(file(&part))?;
    out.sync_all().map_err(disk(&part))?;
    drop(out);
    let again = File::open(&part).map_err(disk(&part))?;
    let bytes = again.metadata().map_err(disk(&part))?.len();
    if reread(&mut BufReader::new(again)).map_err(file(&part))? != digest {
        return Err(BackupFault::Differs(part));
    }
    moved(&part, path)?;
    Ok(Made { about, bytes })
}

fn moved(from: &Path, to: &Path) -> Result<(), BackupFault> {
    std::fs::rename(from, to).map_err(disk(to))?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(disk(folder))
}

/// A shop's copies begin with it: several shops may have one folder, and each keeps its own.
fn mark(shop: &Key) -> String {
    format!("{}{}-", COPY.0, hex::encode(shop.0.split_at(4).0))
}

fn name_of(shop: &Key, closed: Option<Day>, reports: u64) -> String {
    let day = closed.map_or_else(|| "begun".to_owned(), |day| day.to_string());
    format!("{}{day}-z{reports}{}", mark(shop), COPY.1)
}

/// Removes all copies of this shop but the newest ones, by the number of their last report.
fn forget(folder: &Path, shop: &Key, keep: u32) -> std::io::Result<()> {
    let (mark, mut copies) = (mark(shop), Vec::new());
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some(number) = name.to_str().and_then(|name| number_of(name, &mark)) else { continue };
        copies.push((number, name));
    }
    copies.sort();
    let keep = usize::try_from(keep).unwrap_or(usize::MAX);
    let old = copies.len().saturating_sub(keep);
    copies.iter().take(old).try_for_each(|(_, name)| std::fs::remove_file(folder.join(name)))
}

fn number_of(name: &str, mark: &str) -> Option<u64> {
    let inner = name.strip_prefix(mark)?.strip_suffix(COPY.1)?;
    inner.rsplit_once("-z")?.1.parse().ok()
}

/// What a backup says of itself.
pub fn read_about(path: &Path) -> Result<About, BackupFault> {
    let found = File::open(path).map_err(disk(path))?;
    about(&mut BufReader::new(found)).map_err(file(path))
}

/// Puts a book back into a folder in which the money is already; the shop must not run.
pub fn restore(
    paths: &Paths,
    path: &Path,
    code: &str,
    (last, replace): (u64, bool),
    now: Timestamp,
) -> Result<(About, Back), BackupFault> {
    let _one = InstanceLock::take(&paths.data)?;
    let profile = Profile::load(paths)?;
    let owner = profile.owner();
    let told = read_about(path)?;
    if (told.shop, told.bank) != (owner.key, profile.bank_keys().bank()) {
        return Err(BackupFault::NotOurs);
    }
    let keeper = Keeper {
        bank: told.bank,
        key: owner.key,
        name: owner.name.clone(),
        currency: owner.currency.clone(),
    };
    let place = paths.data.join(STORE_FILE);
    if place.exists() && !replace {
        let has = ShopStore::open(&place)?.snapshot()?.event;
        if has > 0 {
            return Err(BackupFault::There { has, backup: told.event });
        }
    }
    let mut keyring = Keyring::new(profile.sealed_seed(), Profile::attempts_file(paths));
    keyring.unlock(code, now, 60)?;
    let mine = keyring.open(now).map(|keys| keys.seed().vault()).ok_or(BackupFault::NoKey)?;
    let fresh = paths.data.join(NEW_STORE);
    match std::fs::remove_file(&fresh) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => return Err(disk(&fresh)(why)),
        _ => {}
    }
    let store = ShopStore::open(&fresh)?;
    let found = File::open(path).map_err(disk(path))?;
    bring_back(&mut BufReader::new(found), &mine, &store).map_err(file(path))?;
    drop(store);
    // Opened again: what it came with has to be of this program's form.
    let store = ShopStore::open(&fresh)?;
    let mut shop = store.load(keeper)?;
    let boss = Actor { name: "owner".to_owned(), role: Role::Owner, staff: None, token: None };
    let decided = shop.put_back((told.made, told.wallet), last, &boss, now)?;
    let back = decided.commit(&mut shop, |changes| store.commit(changes))?;
    drop(store);
    if place.exists() {
        moved(&place, &paths.data.join(format!("{STORE_FILE}.before-{}", now.0)))?;
    }
    let head = paths.data.join(HEAD_FILE);
    if head.exists() {
        moved(&head, &paths.data.join(format!("{HEAD_FILE}.before-{}", now.0)))?;
    }
    moved(&fresh, &place)?;
    Ok((told, back))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Issue 4, B6: two shops with one folder keep their own copies: neither replaces nor removes the other's.
    #[test]
    fn two_shops_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (bakery, cafe) = (Key([0xab; 32]), Key([0xcd; 32]));
        assert_eq!(name_of(&bakery, Some(Day(20_000)), 7), "shop-book-abababab-2024-10-04-z7.stermina");
        let put = |shop, day, reports| {
            std::fs::write(folder.path().join(name_of(shop, day, reports)), "a book").unwrap();
        };
        for reports in 195..200 {
            put(&bakery, Some(Day(20_000)), reports);
        }
        put(&cafe, None, 0);
        put(&cafe, Some(Day(20_000)), 12);
        put(&cafe, Some(Day(20_000)), 199);
        std::fs::write(folder.path().join("shop-book-2024-10-04-z3.stermina"), "somebody's").unwrap();
        forget(folder.path(), &bakery, 2).unwrap();
        forget(folder.path(), &cafe, 60).unwrap();
        let mut left: Vec<String> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(
            left,
            [
                "shop-book-2024-10-04-z3.stermina",
                "shop-book-abababab-2024-10-04-z198.stermina",
                "shop-book-abababab-2024-10-04-z199.stermina",
                "shop-book-cdcdcdcd-2024-10-04-z12.stermina",
                "shop-book-cdcdcdcd-2024-10-04-z199.stermina",
                "shop-book-cdcdcdcd-begun-z0.stermina",
            ]
        );
    }
}
