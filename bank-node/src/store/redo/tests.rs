//! Books and redo log through crashes, torn ends, damage, old copies and second banks.

use super::*;
use crate::desk::office::Operation;
use crate::desk::tests::{Bank, Customer, units};
use crate::ledger::books::Books as _;
use crate::store::failing::{Failing, Fuse};
use crate::store::tests::{a_day, dies_and_another_goes_on, perform, tells_what_is};
use crate::store::{Ledger, Memory};
use protocol::node::host::private_file;
use protocol::wire::{BankAnswer, BankAsk, encode};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

/// A disk that syncs in no time.
struct Quick;

impl Medium for Quick {
    fn sync(&mut self, _: &File) -> io::Result<()> {
        Ok(())
    }
}

/// Dies in the middle of a write, or at a sync.
struct Dying(Fuse);

impl Medium for Dying {
    fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let torn = bytes.get(..bytes.len() / 2).unwrap();
        match self.0.burn() {
            Ok(()) => file.write_all(bytes),
            Err(why) => file.write_all(torn).and(Err(io::Error::other(why))),
        }
    }

    fn sync(&mut self, _: &File) -> io::Result<()> {
        self.0.burn().map_err(io::Error::other)
    }
}

/// Two media: one with the books, which a test may swap for older ones, and one with the log.
struct Media {
    folder: tempfile::TempDir,
    books: Memory,
}

impl Media {
    fn new() -> Media {
        let media = Media { folder: tempfile::tempdir().unwrap(), books: Memory::new() };
        private_folder(&media.place().data).unwrap();
        media
    }

    fn place(&self) -> Place {
        let at = |name| self.folder.path().join(name);
        Place {
            data: at("data"),
            log: at("log"),
            bank: Key([7; 32]),
            new: false,
            said: None,
            disowned: Disowned::default(),
        }
    }

    fn open_as(&self, place: &Place) -> Result<Logged<Memory>, RedoError> {
        let new = !is_there(&place.log).unwrap()
            && self.books.read().unwrap().from(Table::Meta, b"", 1).unwrap().is_empty();
        Logged::open_on(
            self.books.clone(),
            &Place { new: new || place.new, ..place.clone() },
            Box::new(Quick),
        )
    }

    fn try_open(&self) -> Result<Logged<Memory>, RedoError> {
        self.open_as(&self.place())
    }

    fn open(&self) -> Logged<Memory> {
        self.try_open().unwrap()
    }

    fn bank(&self) -> Bank<Logged<Memory>> {
        Bank::on(self.open())
    }

    /// The books as they are, for later.
    fn copied(&self) -> Memory {
        let (copy, now) = (Memory::new(), self.books.read().unwrap());
        let every = Table::ALL.into_iter().map(|table| (table, now.from(table, b"", usize::MAX).unwrap()));
        for (table, pairs) in every {
            copy.write(|shelf| pairs.iter().try_for_each(|(key, value)| shelf.put(table, key, value)))
                .unwrap();
        }
        copy
    }

    fn with_books(self, books: Memory) -> Media {
        Media { books, ..self }
    }

    fn segments(&self) -> Vec<PathBuf> {
        read::segments(&self.place().log).unwrap().into_iter().map(|segment| segment.path).collect()
    }

    fn last_segment(&self) -> PathBuf {
        self.segments().pop().unwrap()
    }

    /// The heads go with whoever loses both folders' small files.
    fn forget_heads(&self) {
        for folder in [self.place().data, self.place().log] {
            fs::remove_file(folder.join(head::FILE)).unwrap();
        }
    }
}

/// All records but the mark, which says only how often the books were opened.
fn content(books: &Memory) -> Vec<(Table, Vec<Pair>)> {
    let now = books.read().unwrap();
    let mut tables: Vec<_> =
        Table::ALL.into_iter().map(|t| (t, now.from(t, b"", usize::MAX).unwrap())).collect();
    tables.iter_mut().for_each(|(_, pairs)| pairs.retain(|(key, _)| key != MARK));
    tables
}

/// Something happens at the bank.
fn busy(bank: &Bank<Logged<Memory>>) -> Customer {
    // Names that no request of `a_day` has.
    while bank.fresh() < 1_000 {}
    let alice = bank.customer("Alice", 1_000);
    let key = bank.signer();
    for _ in 0..10 {
        bank.ask(BankAsk::Withdraw(bank.withdrawal(&alice, &[(&key, 5)])));
    }
    alice
}

/// B9, N14, threats X7: whichever write to log or books fails, also in the middle of a frame or after a commit that was
/// durable all the same, each request has one outcome.
#[test]
fn log_and_books_die_at_every_write() {
    let day = a_day();
    let dies = |writes: u64| {
        let media = Media::new();
        drop(media.open());
        let fuse = Fuse::of(writes);
        let store = Failing { store: media.books.clone(), fuse: fuse.clone() };
        let dying = Logged::open_on(store, &media.place(), Box::new(Dying(fuse)));
        let dying = dying.map_err(|why| Fault::Store(why.to_string()));
        dies_and_another_goes_on(&day, dying, || media.open(), writes)
    };
    let deaths = (0..).take_while(|writes| dies(*writes)).count();
    assert!(deaths > 150, "the day has {deaths} writes");
}

/// B9, threats X7: a day's log on yesterday's books gives today's books, record by record, over many segments; and on
/// none at all, too.
#[test]
fn old_books_and_the_log_are_the_newest_books() {
    let mut media = Media::new();
    let bank = media.bank();
    let yesterday = media.copied();
    for (step, answer) in a_day() {
        assert_eq!(perform(&bank, &step).unwrap(), answer);
    }
    let alice = busy(&bank);
    let (balance, audit) = (bank.balance(&alice), bank.audit());
    drop(bank);
    assert!(media.segments().len() > 1, "the log has rolled over");
    let today = media.copied();
    for old in [yesterday, Memory::new()] {
        media = media.with_books(old);
        let bank = media.bank();
        assert_eq!((bank.balance(&alice), bank.audit()), (balance, audit.clone()));
        for (step, answer) in a_day() {
            let told = perform(&bank, &step).unwrap();
            // How a reclaim or a case stands is told as it is now.
            assert!(told == answer || tells_what_is(&step), "a repeat gets its first answer");
        }
        assert!(content(&media.books) == content(&today), "equal in every record");
    }
}

/// B9: an end that a crash tore, at any byte of a frame, is cut off; what the books have is never cut.
#[test]
fn a_torn_end_is_cut_off() {
    let media = Media::new();
    let bank = media.bank();
    busy(&bank);
    // The day may have filled its segment to the brim.
    let one_more = || Operation::PayIn(crate::ledger::AccountNumber(1001), units(1));
    bank.order(None, one_more()).unwrap();
    let (before, whole) = (media.copied(), fs::read(media.last_segment()).unwrap());
    let heads = [media.place().data, media.place().log].map(|at| at.join(head::FILE));
    let said = heads.clone().map(|head| fs::read(head).unwrap());
    // What a crash leaves of the next frame: the books and the heads do not know of it.
    bank.order(None, one_more()).unwrap();
    drop(bank);
    let longer = fs::read(media.last_segment()).unwrap();
    let media = media.with_books(before);
    assert!(longer.starts_with(&whole), "the frame came into the same segment");
    let frame = longer.len() - whole.len();
    let mut torn: Vec<Vec<u8>> =
        (0..frame).step_by(7).map(|kept| longer[..whole.len() + kept].to_vec()).collect();
    let flipped = |at: usize| [&longer[..at], &[longer[at] ^ 1][..], &longer[at + 1..]].concat();
    torn.extend((whole.len()..longer.len()).step_by(7).map(flipped));
    torn.push([&whole[..], &[0; 999][..]].concat());
    let books = content(&media.books);
    for bytes in torn {
        heads.iter().zip(&said).for_each(|(head, said)| fs::write(head, said).unwrap());
        fs::write(media.last_segment(), &bytes).unwrap();
        let media = Media { folder: tempfile::tempdir().unwrap(), books: media.copied() }.beside(&media);
        drop(media.open());
        assert!(content(&media.books) == books, "{} bytes", bytes.len());
        drop(media.open());
    }
}

impl Media {
    /// With copies of another's log and heads.
    fn beside(self, other: &Media) -> Media {
        for folder in ["data", "log"] {
            let (from, to) = (other.folder.path().join(folder), self.folder.path().join(folder));
            private_folder(&to).unwrap();
            for entry in fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
        self
    }
}

/// B9, threats X7: a frame that can't be read in the middle is an error, and nothing is cut; so is an end that is damaged
/// although it was answered for.
#[test]
fn a_damaged_middle_is_refused() {
    let media = Media::new();
    let bank = media.bank();
    let old = media.copied();
    busy(&bank);
    drop(bank);
    let whole = fs::read(media.last_segment()).unwrap();
    for at in [whole.len() / 2, whole.len() - 40] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(media.last_segment(), &bytes).unwrap();
        assert!(matches!(media.try_open(), Err(RedoError::Damaged { .. })), "byte {at}");
        assert_eq!(fs::read(media.last_segment()).unwrap(), bytes, "nothing was cut");
    }
    // On old books the heads say that more was answered; the middle shows it by itself.
    let media = media.with_books(old);
    assert!(matches!(media.try_open(), Err(RedoError::Damaged { .. })), "the last frame was answered for");
    media.forget_heads();
    let mut bytes = whole.clone();
    bytes[whole.len() / 2] ^= 0x10;
    fs::write(media.last_segment(), &bytes).unwrap();
    assert!(matches!(media.try_open(), Err(RedoError::Damaged { .. })), "whole frames follow");
    fs::write(media.last_segment(), &whole).unwrap();
    drop(media.open());
}

/// B9, threats X7: yesterday's books without today's log are refused, whichever medium still knows better; so is a log
/// that is older than the books.
#[test]
fn books_behind_the_bank_s_word_are_refused() {
    let media = Media::new();
    drop(media.bank());
    let (old, old_log) = (media.copied(), fs::read(media.last_segment()).unwrap());
    let bank = media.bank();
    busy(&bank);
    let entry = bank.journal();
    drop(bank);
    let (new, new_log) = (media.copied(), fs::read(media.last_segment()).unwrap());

    fs::write(media.last_segment(), &old_log).unwrap();
    assert!(matches!(media.try_open(), Err(RedoError::LogBehind { .. })), "the log is an older copy");
    let media = media.with_books(old.clone());
    for lost in [media.place().data, media.place().log] {
        let head = fs::read(lost.join(head::FILE)).unwrap();
        fs::remove_file(lost.join(head::FILE)).unwrap();
        let Err(RedoError::Behind { said, .. }) = media.try_open() else { panic!("the other head knows") };
        assert_eq!(said, entry);
        fs::write(lost.join(head::FILE), head).unwrap();
    }

    // The log is gone for good: the operators' word decides, and it can't go below the bank's own.
    fs::remove_file(media.last_segment()).unwrap();
    assert!(matches!(media.try_open(), Err(RedoError::LogBehind { log: 0, .. })));
    let told = |said| Place { said: Some(said), ..media.place() };
    assert!(matches!(media.open_as(&told(1)), Err(RedoError::Behind { .. })), "the heads know better");
    let media = media.with_books(new);
    assert!(
        matches!(media.try_open(), Err(RedoError::LogBehind { log: 0, .. })),
        "nobody knows whether they are the newest"
    );
    let told = |said| Place { said: Some(said), ..media.place() };
    assert!(matches!(media.open_as(&told(entry + 1)), Err(RedoError::Behind { .. })));
    drop(media.open_as(&told(entry)).unwrap());
    drop(media.open());

    let media = media.with_books(old);
    assert!(matches!(media.try_open(), Err(RedoError::Gap { .. })), "the frames between are lost");
    drop(new_log);
}

/// Threats X7: what a bulletin or a letter says is remembered for good, also above what the books have.
#[test]
fn the_bank_s_word_is_remembered() {
    let media = Media::new();
    let bank = media.bank();
    busy(&bank);
    let entry = bank.journal();
    bank.ledger.said(entry).unwrap();
    drop(bank);
    let bank = media.bank();
    bank.ledger.said(entry + 1).unwrap();
    drop(bank);
    let Err(RedoError::Behind { said, entry: ends, .. }) = media.try_open() else { panic!() };
    assert_eq!((ends, said), (entry, entry + 1));
}

/// Threats X7: the letter that closed the bank keeps it closed, from either medium, until its key is revoked or the
/// operators disown that very letter: a stolen key can't close it for good.
#[test]
fn a_letter_counts_as_long_as_its_key() {
    let media = Media::new();
    let bank = media.bank();
    let alice = busy(&bank);
    let answer = bank.ask(BankAsk::Withdraw(bank.withdrawal(&alice, &[(&bank.signer(), 5)])));
    let BankAnswer::Withdrawn(_, genuine) = answer else { panic!() };
    let stolen = protocol::sign::Signer::from_secret(&[66; 32]);
    let forged = stolen.sign(Letter { number: u64::MAX, ..genuine.unverified().clone() });
    bank.ledger.witnessed(&genuine).unwrap();
    bank.ledger.witnessed(&forged).unwrap();
    let entry = bank.journal();
    drop(bank);
    let folders = [media.place().data, media.place().log];
    let witness = |folder: &PathBuf| {
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        files
            .filter(|path| path.to_str().unwrap().contains(&format!("WITNESS-{}-", u64::MAX)))
            .collect::<Vec<_>>()
    };
    for folder in &folders {
        let path = witness(folder).remove(0);
        let bytes = fs::read(&path).unwrap();
        let refused = media.try_open();
        assert!(
            matches!(refused, Err(RedoError::Witnessed { entry: ends, number: u64::MAX, .. }) if ends == entry),
            "the one beside it is enough"
        );
        fs::write(&path, &bytes[..9]).unwrap();
        assert!(matches!(media.try_open(), Err(RedoError::Witnessed { .. } | RedoError::BadWitness(_))));
        fs::remove_file(&path).unwrap();
        assert!(matches!(media.try_open(), Err(RedoError::Witnessed { .. })));
        private_file::write(&path, &bytes).unwrap();
    }

    let disown = |keys, number| Place { disowned: Disowned { keys, number }, ..media.place() };
    let unknown = media.open_as(&disown(Vec::new(), Some(entry + 1)));
    assert!(matches!(unknown, Err(RedoError::NoWitness(_) | RedoError::Witnessed { .. })));
    drop(media.open_as(&disown(vec![stolen.key()], None)).unwrap());
    assert!(matches!(media.try_open(), Err(RedoError::Witnessed { .. })), "the word is not the revocation's");
    drop(media.open_as(&disown(Vec::new(), Some(u64::MAX))).unwrap());
    assert!(folders.iter().all(|folder| witness(folder).is_empty()), "put aside");
    drop(media.open());
    let again = media.open_as(&disown(Vec::new(), Some(u64::MAX)));
    assert!(matches!(again, Err(RedoError::NoWitness(u64::MAX))), "one letter, one word");
}

/// Threats X7: two bank-nodes never have one log; should a lock not hold, the one whose term is over stops at its
/// next commit and answers nothing.
#[test]
fn a_second_bank_takes_the_term_from_the_first() {
    let media = Media::new();
    let first = media.bank();
    let alice = first.customer("Alice", 100);
    assert!(matches!(media.try_open(), Err(RedoError::Lease(_))));

    let copy = Media { folder: tempfile::tempdir().unwrap(), books: media.copied() };
    private_folder(&copy.place().data).unwrap();
    let no_lock = InstanceLock::take(copy.folder.path()).unwrap();
    let place = Place { log: media.place().log, ..copy.place() };
    let second = Logged::open_leased(copy.books.clone(), &place, Box::new(Quick), no_lock).unwrap();
    let second = Bank::on(second);

    let (key, next) = (first.signer(), first.withdrawal(&alice, &[(&first.signer(), 10)]));
    let Err(Fault::Store(words)) = first.try_ask(BankAsk::Withdraw(next.clone())) else { panic!() };
    assert!(words.contains("another bank-node"), "{words}");
    assert!(first.try_ask(BankAsk::Withdraw(first.withdrawal(&alice, &[(&key, 1)]))).is_err(), "for good");
    assert_eq!(first.balance(&alice), 100, "nothing was done");
    assert!(matches!(second.ask(BankAsk::Withdraw(next)), BankAnswer::Withdrawn(..)));
    drop((first, second));
    let bank = Bank::on(Logged::open_on(copy.books.clone(), &place, Box::new(Quick)).unwrap());
    assert_eq!(bank.balance(&alice), 90);
}

/// B9: a log of another bank, and of a copy that went its own way, are not mixed in; nor are books of an older version
/// taken for empty ones.
#[test]
fn a_log_belongs_to_its_books() {
    let media = Media::new();
    busy(&media.bank());
    let stranger = Place { bank: Key([8; 32]), ..media.place() };
    let empty = Media::new();
    let taken = Place { new: true, data: empty.place().data, ..media.place() };
    assert!(
        matches!(empty.open_as(&taken), Err(RedoError::NotEmpty(_))),
        "a new bank wants a folder of its own"
    );
    let foreign = Place { data: empty.place().data, ..stranger };
    assert!(matches!(empty.open_as(&foreign), Err(RedoError::Parted { frame: 1 })));

    let copy = Media { folder: tempfile::tempdir().unwrap(), books: media.copied() }.beside(&media);
    let (one, other) = (media.bank(), copy.bank());
    one.open("Carol", 5);
    other.open("Dora", 6);
    drop((one, other));
    let mixed = Place { data: empty.place().data, log: media.place().log, ..media.place() };
    assert!(matches!(copy.open_as(&mixed), Err(RedoError::Parted { .. })));

    let older = Media::new();
    let before = Bank::on(older.books.clone());
    before.open("Alice", 100);
    let bank = Bank::on(older.open());
    bank.open("Bob", 50);
    drop(bank);
    assert_eq!(Bank::on(older.open()).audit().cash, units(150));
    let lost = older.with_books(Memory::new());
    assert!(
        matches!(lost.try_open(), Err(RedoError::Parted { frame: 1 })),
        "the log does not have those before it"
    );
}

/// B9: books of another version are told from damaged ones, and neither they nor their log get a byte; so does a log
/// alone that another version wrote.
#[test]
fn books_of_another_version_get_no_frame() {
    let media = Media::new();
    busy(&media.bank());
    let (log, head) = (media.last_segment(), media.place().data.join(head::FILE));
    media.books.write(|shelf| shelf.put(Table::Meta, b"format", &[2])).unwrap();
    let before = (fs::read(&log).unwrap(), fs::read(&head).unwrap(), content(&media.books));
    let older = |refused| matches!(refused, Err(RedoError::Fault(Fault::Format { books: 2, .. })));
    assert!(older(media.try_open()));
    assert!((fs::read(&log).unwrap(), fs::read(&head).unwrap(), content(&media.books)) == before);

    let earlier = Media::new();
    earlier.open().write(|shelf| shelf.put(Table::Meta, b"format", &[2])).unwrap();
    let (log, earlier) = (earlier.last_segment(), earlier.with_books(Memory::new()));
    let before = fs::read(&log).unwrap();
    assert!(older(earlier.try_open()));
    assert_eq!(fs::read(&log).unwrap(), before);
}

/// B9: segments that a backup covers may be removed; the newest ones are enough to go on.
#[test]
fn old_segments_may_go() {
    let media = Media::new();
    let bank = media.bank();
    let alice = busy(&bank);
    let key = bank.signer();
    while media.segments().len() < 3 {
        bank.ask(BankAsk::Withdraw(bank.withdrawal(&alice, &[(&key, 1)])));
    }
    let balance = bank.balance(&alice);
    drop(bank);
    let backup = media.copied();
    media.segments().iter().take(2).for_each(|old| fs::remove_file(old).unwrap());
    assert_eq!(media.bank().balance(&alice), balance);
    assert_eq!(media.with_books(backup).bank().balance(&alice), balance);
}

/// B9: no books, no log: a bank is not made of nothing.
#[test]
fn nothing_is_no_bank() {
    let media = Media::new();
    let opened = Logged::open_on(media.books.clone(), &media.place(), Box::new(Quick));
    assert!(matches!(opened, Err(RedoError::NoBooks(_))));
}

/// A head whose newest record is torn has the one before; one without a good record is an error, not a forgotten word.
#[test]
fn a_torn_head_has_the_record_before() {
    let media = Media::new();
    let bank = media.bank();
    busy(&bank);
    let entry = bank.journal();
    drop(bank);
    let path = media.place().log.join(head::FILE);
    let whole = fs::read(&path).unwrap();
    let newest = head::read(&media.place().log).unwrap().unwrap();
    assert_eq!(newest.said, entry);
    let found: Vec<_> = [0, 4096]
        .into_iter()
        .map(|at| {
            let mut torn = whole.clone();
            torn[at + 20] ^= 1;
            fs::write(&path, &torn).unwrap();
            head::read(&media.place().log).unwrap().unwrap().mark.frame
        })
        .collect();
    assert!(found.contains(&newest.mark.frame) && found.contains(&(newest.mark.frame - 1)), "{found:?}");
    fs::write(&path, vec![1; 8192]).unwrap();
    assert!(matches!(media.try_open(), Err(RedoError::BadHead(_))));
}

/// A full disk at the log: nothing is answered, the bank closes; with room again it has lost nothing (B9).
#[tokio::test(flavor = "multi_thread")]
async fn a_full_log_closes_the_bank() {
    use crate::service::{World, start};
    struct Full(u32);
    impl Medium for Full {
        fn append(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
            self.0 = self.0.saturating_sub(1);
            match self.0 {
                0 => file.write_all(&bytes[..bytes.len() / 3]).and(Err(io::ErrorKind::StorageFull.into())),
                _ => file.write_all(bytes),
            }
        }
    }
    let media = Media::new();
    let (alice, asked, first) = {
        let bank = media.bank();
        let alice = bank.customer("Alice", 100);
        let asked = BankAsk::Withdraw(bank.withdrawal(&alice, &[(&bank.signer(), 30)]));
        (alice, asked, bank.sign())
    };
    // The opening is one frame; the next one does not fit.
    let full = Logged::open_on(media.books.clone(), &media.place(), Box::new(Full(2))).unwrap();
    let keys = crate::desk::tests::keys_of_a_new_bank(crate::desk::tests::NOON.day());
    let clock = protocol::node::clock::Clock::manual(crate::desk::tests::NOON.0);
    let open = start(Ledger::open(full).unwrap(), keys, first, World::roomy(clock)).unwrap();
    let unavailable = BankAnswer::Error(protocol::wire::ErrorCode::Unavailable);
    assert_eq!(open.ask(asked.clone()).await, unavailable);
    assert!(matches!(open.failed().await, Fault::Store(_)));
    assert_eq!(open.ask(asked.clone()).await, unavailable);
    drop(open);

    let bank = Bank::on(media.reopened().await);
    assert_eq!(bank.balance(&alice), 100, "nothing was done");
    let answer = bank.ask(asked.clone());
    assert!(matches!(answer, BankAnswer::Withdrawn(..)));
    assert_eq!(encode(&bank.ask(asked)), encode(&answer));
}

impl Media {
    /// Opened as soon as the bank before has let go.
    async fn reopened(&self) -> Logged<Memory> {
        loop {
            match self.try_open() {
                Err(RedoError::Lease(_)) => tokio::task::yield_now().await,
                opened => return opened.unwrap(),
            }
        }
    }
}

/// B9, threats Y8: mail that was taken away stays away when old books are brought up to the log's end.
#[test]
fn what_was_taken_away_stays_away() {
    let mut media = Media::new();
    let store = media.open();
    store.write(|shelf| shelf.put(Table::Mail, b"kept", b"1")).unwrap();
    store.write(|shelf| shelf.put(Table::Mail, b"gone", b"2")).unwrap();
    let old = media.copied();
    store.write(|shelf| shelf.remove(Table::Mail, b"gone")).unwrap();
    drop(store);
    media = media.with_books(old);
    let now = media.open().read().unwrap();
    assert_eq!(now.get(Table::Mail, b"gone").unwrap(), None);
    assert_eq!(now.get(Table::Mail, b"kept").unwrap().as_deref(), Some(&b"1"[..]));
}
