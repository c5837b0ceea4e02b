//! Backups of an open bank, and banks from them, on real files.

use super::*;
use crate::desk::counter::Sign;
use crate::desk::office::{Opening, Operation, Order};
use crate::desk::tests::{NOON, secret_of, units};
use crate::home::{Home, Kept};
use crate::ledger::books::{Books as _, View as _};
use crate::ledger::{Audit, CustomerKind, audit};
use crate::service::{Bank, World, start};
use crate::store::shelf::{Pair, Shelf as _, Table};
use protocol::money::Currency;
use protocol::node::clock::Clock;

struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    /// A bank's home, with its redo log on another medium.
    fn new() -> Scene {
        let scene = Scene { folder: tempfile::tempdir().unwrap() };
        let sign = Sign { name: "Banca di prova".to_owned(), currency: Currency::default() };
        let mut n = 0;
        let mut chance = || {
            n += 1;
            secret_of(n)
        };
        scene.home("bank").init(&sign, NOON.day(), 2, &mut chance).unwrap();
        scene
    }

    fn home(&self, name: &str) -> Home {
        let home = Home::find(Some(&self.folder.path().join(name))).unwrap();
        home.with_redo(self.redo().to_str())
    }

    fn redo(&self) -> PathBuf {
        self.folder.path().join("second-disk")
    }

    fn safe(&self) -> PathBuf {
        self.folder.path().join("safe")
    }

    fn open(&self, name: &str) -> (Bank<Kept>, Home) {
        let home = self.home(name);
        let facts = home.facts().unwrap();
        let keys = home.keys().read(facts.master).unwrap();
        let sign = Sign { name: facts.name, currency: facts.currency };
        let world = World::roomy(Clock::manual(NOON.0));
        (start(home.books().unwrap(), keys, sign, world).unwrap(), home)
    }

    fn restore(&self, name: &str, backup: &Made, said: Option<u64>) -> Result<Restored, BackupError> {
        let source = Source { backup: backup.folder.clone(), redo: None, said, lost: said.is_some() };
        restore(&self.home(name), &source)
    }
}

async fn opens_accounts(bank: &Bank<Kept>, names: std::ops::Range<u64>) {
    for n in names {
        let name = format!("customer {n}");
        let (balance, offline_limit) = (units(10 + n), units(5));
        let operation =
            Operation::Open(Opening { kind: CustomerKind::Resident, name, balance, offline_limit });
        bank.order(Order { key: Some(format!("open-{n}")), operation }).await.unwrap();
    }
}

/// Stops, and waits until the last one who reads has let go.
async fn closes(bank: Bank<Kept>) {
    bank.stop().await;
}

fn looked_at(home: &Home) -> (Audit, Vec<(Table, Vec<Pair>)>) {
    let books = home.books().unwrap();
    let view = books.snapshot().unwrap();
    let tables = Table::ALL.into_iter().filter(|table| *table != Table::Meta);
    let all = tables.map(|table| (table, view.from(table, b"", usize::MAX).unwrap())).collect();
    (audit(&view).unwrap(), all)
}

/// B9, threats X7: a backup made while the bank works, and the redo log since, are the bank as it closed: record by
/// record. The backup alone is refused, and so is a log that lacks the end.
#[tokio::test(flavor = "multi_thread")]
async fn backup_and_log_are_the_bank_as_it_closed() {
    let scene = Scene::new();
    let (bank, home) = scene.open("bank");
    opens_accounts(&bank, 0..20).await;
    let backups = Backups::new(bank.clone(), home.clone());
    let (safe, busy) = (scene.safe(), bank.clone());
    let goes_on = tokio::spawn(async move { opens_accounts(&busy, 20..60).await });
    let made = tokio::task::spawn_blocking(move || (backups.make(&safe, true), backups)).await.unwrap();
    let (backup, backups) = (made.0.unwrap(), made.1);
    goes_on.await.unwrap();
    opens_accounts(&bank, 60..70).await;
    assert!((20..=60).contains(&backup.manifest.journal) && backup.manifest.keys);
    assert_eq!(Manifest::read(&backup.folder).unwrap(), backup.manifest);
    let relative = backups.make(Path::new("here"), false);
    assert!(matches!(relative, Err(BackupError::NotAbsolute(_))));
    drop(backups);
    closes(bank).await;
    let (audit, records) = looked_at(&home);
    assert!(audit.ok && audit.entries == 70);

    // Without the log it is refused, and nothing that looks like a bank is left behind.
    let hidden = scene.folder.path().join("hidden");
    fs::rename(scene.redo(), &hidden).unwrap();
    assert!(matches!(scene.restore("new", &backup, None), Err(BackupError::NoRedo { .. })));
    assert!(matches!(scene.restore("new", &backup, Some(70)), Err(BackupError::Behind { said: 70, .. })));
    assert!(!scene.home("new").books_file().exists());
    fs::rename(&hidden, scene.redo()).unwrap();

    // A log that lost its newest frames: its own head still says how far the bank has come.
    let files = fs::read_dir(scene.redo()).unwrap().map(|entry| entry.unwrap().path());
    let segment = files.filter(|path| path.extension().is_some_and(|end| end == "redo")).max().unwrap();
    let whole = fs::read(&segment).unwrap();
    fs::write(&segment, &whole[..whole.len() - 1]).unwrap();
    let short = scene.restore("new", &backup, None);
    assert!(matches!(short, Err(BackupError::Behind { .. })), "{short:?}");
    fs::write(&segment, &whole).unwrap();

    let restored = scene.restore("new", &backup, None).unwrap();
    assert!(restored.keys && restored.frames > 0);
    assert_eq!((restored.backup_journal, restored.journal), (backup.manifest.journal, 70));
    let (again, same) = looked_at(&scene.home("new"));
    assert!((&again, &same) == (&audit, &records), "equal in every record");
    assert!(matches!(scene.restore("new", &backup, None), Err(BackupError::Taken(_))), "never written over");
    let moved = Home::find(Some(&scene.folder.path().join("moved"))).unwrap();
    let source = Source { backup: backup.folder.clone(), redo: Some(scene.redo()), said: None, lost: false };
    assert_eq!(restore(&moved, &source).unwrap().journal, 70, "the log may go on elsewhere");
    assert!(looked_at(&moved) == (audit, records) && looked_at(&moved).0.ok);
    let old = home.books();
    assert!(old.is_ok(), "the old home's books are brought up to the same log: {:?}", old.err());
}

/// B9: what a backup holds is checked again when it is used: a changed book, another bank's facts, no manifest.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_backup_is_refused() {
    let scene = Scene::new();
    let (bank, home) = scene.open("bank");
    opens_accounts(&bank, 0..5).await;
    let backups = Backups::new(bank.clone(), home.clone());
    let backup = tokio::task::spawn_blocking(move || backups.make(&scene_safe(&home), false));
    let backup = backup.await.unwrap().unwrap();
    assert!(!backup.manifest.keys && !backup.folder.join(KEYS).exists(), "no secrets unless asked for");
    closes(bank).await;

    let books = backup.folder.join(BOOKS);
    let whole = fs::read(&books).unwrap();
    let mut changed = whole.clone();
    let last = changed.len() - 1;
    changed[last / 2] ^= 1;
    fs::write(&books, &changed).unwrap();
    let refused = scene.restore("new", &backup, None);
    assert!(matches!(refused, Err(BackupError::Wrong { .. })), "{refused:?}");
    fs::write(&books, &whole).unwrap();

    let other = Scene::new();
    let source = Source { backup: backup.folder.clone(), redo: None, said: None, lost: false };
    let elsewhere = restore(&other.home("bank"), &source);
    assert!(matches!(elsewhere, Err(BackupError::Taken(_))));
    let restored = scene.restore("new", &backup, None).unwrap();
    assert!(!restored.keys, "the keys have to be brought");
    fs::remove_file(backup.folder.join("manifest.toml")).unwrap();
    let unfinished = scene.restore("third", &backup, None);
    assert!(matches!(unfinished, Err(BackupError::File(_))), "{unfinished:?}");
}

/// One at a time, and only where there is room: a backup that fills its disk leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_waits_for_room_and_for_the_one_before() {
    let scene = Scene::new();
    let (bank, home) = scene.open("bank");
    let backups = Backups::new(bank.clone(), home);
    let begun = backups.begun();
    assert!(matches!(backups.make(&scene.safe(), false), Err(BackupError::UnderWay)));
    drop(begun);
    let full = backups.on_a_disk_with(|_| Ok(1 << 20));
    assert!(matches!(full.make(&scene.safe(), false), Err(BackupError::NoRoom { .. })));
    assert_eq!(fs::read_dir(scene.safe()).unwrap().count(), 0);
    let roomy = full.on_a_disk_with(|_| Ok(1 << 40));
    assert!(tokio::task::block_in_place(|| roomy.make(&scene.safe(), false)).is_ok());
    closes(bank).await;
}

/// Threats X7: without a log nobody says that nothing is missing, and nobody goes on without having said that he knows.
#[tokio::test(flavor = "multi_thread")]
async fn what_followed_without_a_log_is_lost() {
    let scene = Scene::new();
    let (bank, home) = scene.open("bank");
    opens_accounts(&bank, 0..5).await;
    let backups = Backups::new(bank.clone(), home);
    let backup = tokio::task::block_in_place(|| backups.make(&scene.safe(), false)).unwrap();
    drop(backups);
    closes(bank).await;
    fs::remove_dir_all(scene.redo()).unwrap();
    let unknowing = Source { backup: backup.folder.clone(), redo: None, said: Some(5), lost: false };
    let refused = restore(&scene.home("new"), &unknowing);
    assert!(matches!(refused, Err(BackupError::Lost { entry: 5 })), "{refused:?}");
    assert!(!scene.home("new").books_file().exists());
    let restored = restore(&scene.home("new"), &Source { lost: true, ..unknowing }).unwrap();
    assert_eq!((restored.has_log, restored.journal), (false, 5));
}

/// A restore that was killed while it copied the keys: the next one has all of them, or it would open a bank without.
#[tokio::test(flavor = "multi_thread")]
async fn half_the_keys_are_no_keys() {
    let scene = Scene::new();
    let (bank, home) = scene.open("bank");
    let backups = Backups::new(bank.clone(), home.clone());
    let backup = tokio::task::block_in_place(|| backups.make(&scene.safe(), true)).unwrap();
    drop(backups);
    closes(bank).await;
    let new = scene.home("new");
    new.paths.prepare().unwrap();
    let half = new.paths.data.join("keys.restoring");
    private_folder(&half).unwrap();
    fs::copy(home.keys().path().join("attest"), half.join("attest")).unwrap();
    assert!(scene.restore("new", &backup, None).unwrap().keys);
    let names = |folder: &Path| {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(new.keys().path()), names(home.keys().path()));
    assert!(!half.exists());
}

fn scene_safe(home: &Home) -> PathBuf {
    home.paths.data.join("../../safe").components().collect()
}

/// B9: the books' own medium is lost, and the log goes back to the first day: it is the bank.
#[tokio::test(flavor = "multi_thread")]
async fn a_whole_log_brings_lost_books_back() {
    let scene = Scene::new();
    let (bank, home) = scene.open("bank");
    opens_accounts(&bank, 0..30).await;
    closes(bank).await;
    let before = looked_at(&home);
    fs::remove_file(home.books_file()).unwrap();
    assert!(looked_at(&home) == before);
    let books = home.books().unwrap();
    assert_eq!(books.snapshot().unwrap().journal_head().unwrap(), 30);
}
