//! What people type wrong, and what may be missing: each is a sentence that says what to do, and a number (N7, N3).

use std::path::Path;
use std::process::{Command, Stdio};

use protocol::body::Text;
use protocol::code::request_uri;
use protocol::id::Hint;
use protocol::id::RequestId;
use protocol::key::KeyTicket;
use protocol::node::chance::chance_bytes;
use protocol::pay::{AmountRule, Mode, Request};
use protocol::time::Timestamp;
use tests::people::{Community, Resident, amount, reason};
use tests::process::{NotRunning, Output, Program, built};
use tests::stranger::{Stranger, now};

/// Ends with this number, says all of these, and moves nothing.
#[track_caller]
fn says(who: &Resident, words: &[&str], exit: i32, sentences: &[&str]) -> Output {
    let told = who.cli(words);
    assert_eq!(told.status, Some(exit), "{words:?}: {told:?}");
    let text = format!("{}{}", told.stdout, told.stderr);
    for sentence in sentences {
        assert!(text.contains(sentence), "{words:?} does not say «{sentence}»: {told:?}");
    }
    told
}

/// N7: whatever is typed wrong is named, with what would be right; nothing moves.
#[test]
fn what_is_typed_wrong_is_named() {
    let town = Community::open("Naxos");
    let alice = town.resident("alice", 100).joined().started().unlocked();
    let bob = town.resident("bob", 0).joined().started().unlocked();
    let (code, own) = (bob.public_code().to_string(), alice.public_code().to_string());
    says(&alice, &["pay", &code, "5"], 4, &["the reserve holds 0 STM", "asks 5", "stermina withdraw"]);
    alice.withdraws(50);

    says(&alice, &["pay", &code, "0"], 2, &["nothing"]);
    says(&alice, &["pay", &code, "-3"], 2, &["«-3» is not an amount"]);
    says(&alice, &["pay", &code, "1.5"], 2, &["more decimals than STM has"]);
    says(&alice, &["pay", &code, "9007199254740993"], 2, &["more money than there can be"]);
    says(&alice, &["pay", &code, "51"], 4, &["the reserve holds 50 STM", "asks 51"]);
    says(&alice, &["withdraw", "0"], 2, &["nothing"]);
    says(&alice, &["deposit", "0"], 2, &["nothing"]);
    says(&alice, &["deposit", "51"], 4, &["the reserve holds 50 STM"]);
    says(&alice, &["withdraw", "51"], 4, &["the account holds 50 STM"]);
    says(&alice, &["request", "0"], 2, &["one unit or more"]);

    let wrong = mistyped(&code, 20);
    says(&alice, &["pay", &wrong, "5"], 2, &["20"]);
    says(&alice, &["pay", "hello", "5"], 2, &["code"]);
    says(&alice, &["pay", &own, "5"], 4, &["yourself"]);
    says(&alice, &["pay", &code, "5", "--memo", &"m".repeat(141)], 2, &["140"]);
    says(&alice, &["payment", "show", &"07".repeat(16)], 3, &["no such payment"]);
    says(&alice, &["payment", "show", "07"], 2, &["32 hex digits"]);
    says(&alice, &["receipt", "show", &"07".repeat(16)], 3, &["on record"]);

    says(&alice, &["pay", &code, "5", "--key", "may"], 0, &["Paid: 5 STM to bob"]);
    says(&alice, &["pay", &code, "5", "--key", "may"], 0, &["Paid: 5 STM to bob"]);
    says(&alice, &["pay", &code, "6", "--key", "may"], 4, &["this key was used for another call", "new key"]);
    assert_eq!((alice.reserve(), bob.reserve()), (45, 5), "one payment, and nothing else");

    let past = expired_request(&town);
    says(&alice, &["pay", &past], 4, &["expired", "new one"]);
    let joined = alice.tries_to_join();
    assert_eq!(joined.status, Some(4), "{joined:?}");
    assert!(joined.stderr.contains("has joined already"), "{joined:?}");
    town.is_sound(&[&alice, &bob]);
}

/// A code with another letter at a place counted from 1.
fn mistyped(code: &str, place: usize) -> String {
    let other = |letter: char| if letter == 'q' { 'p' } else { 'q' };
    code.chars()
        .enumerate()
        .map(|(at, letter)| if at + 1 == place { other(letter) } else { letter })
        .collect()
}

/// A request that was good yesterday.
fn expired_request(town: &Community) -> String {
    let shop = Stranger::joins(town, "yesterday", 0);
    let (owner, hint) = (shop.owner(), Hint(chance_bytes()));
    let ticket = owner.sign(KeyTicket { owner: owner.key(), key: shop.fresh_key().key(), hint });
    request_uri(&shop.node().sign(Request {
        bank: shop.bank(),
        id: RequestId(chance_bytes()),
        ticket,
        node: shop.node().key(),
        amount: AmountRule::Exactly(amount(5)),
        mode: Mode::Direct,
        created: Timestamp(now().0 - 90_000),
        expires: Timestamp(now().0 - 3_600),
        memo: Text::default(),
        address: Text::default(),
    }))
}

/// N3: locked, with a wrong code, waiting: each says so, and a restart does not shorten the wait.
#[test]
fn a_wrong_private_code_costs_time_that_a_restart_does_not_give_back() {
    let town = Community::open("Naxos");
    let alice = town.resident("alice", 100).joined().started();
    let bob = town.resident("bob", 0).joined().started();
    let code = bob.public_code().to_string();
    says(&alice, &["pay", &code, "5"], 4, &["locked", "stermina unlock"]);
    says(&alice, &["withdraw", "5"], 4, &["locked", "stermina unlock"]);

    let wrong = alice.code_file().with_extension("wrong");
    tests::process::secret_file(&wrong, "somebody else's code\n").unwrap();
    let unlock = ["unlock", "--code-file", wrong.to_str().unwrap()];
    for _ in 0..5 {
        // The fourth costs two seconds, the next twice as much; whoever comes too early is told to wait.
        let told = says(&alice, &unlock, 4, &[]);
        assert!(told.stderr.contains("wrong"), "{told:?}");
    }
    let waits = says(&alice, &unlock, 4, &["wait", "seconds"]);
    assert!(waits.stderr.contains("before the next try"), "{waits:?}");
    alice.stops();
    alice.starts();
    assert_eq!(
        reason(alice.tries_to_unlock(&alice.private_code())),
        "too_many_tries",
        "a restart changes nothing"
    );
    alice.unlocks_in_time();
    says(&alice, &["withdraw", "5"], 0, &["Done: withdraw of 5 STM"]);
    // He has never unlocked since he joined, and can be paid all the same (N3).
    says(&alice, &["pay", &code, "5"], 0, &["Paid: 5 STM to bob"]);
}

/// N7, B7: without the bank people go on paying each other; what needs the bank waits, and says so.
#[test]
fn without_the_bank_some_things_work_and_some_wait() {
    let town = Community::open("Naxos");
    let alice = town.resident("alice", 100).joined().started().unlocked();
    let bob = town.resident("bob", 0).joined().started().unlocked();
    alice.withdraws(50);
    let code = bob.public_code().to_string();
    // They have met: where a stranger is, only the bank could tell.
    says(&alice, &["pay", &code, "1"], 0, &["Paid: 1 STM to bob"]);
    town.bank().closes();

    says(&alice, &["pay", &code, "5", "--memo", "eggs"], 0, &["Paid: 5 STM to bob"]);
    says(&alice, &["balance"], 0, &["44 STM"]);
    let waits = says(&alice, &["withdraw", "7", "--wait", "1s", "--key", "later"], 5, &["goes on by itself"]);
    assert!(waits.stdout.contains("stermina operation show"), "{waits:?}");
    let certified = ["pay", &code, "6", "--certified", "--wait", "1s"];
    says(&alice, &certified, 5, &["goes on by itself"]);
    says(&alice, &["statement"], 1, &["the bank can't be reached"]);

    town.bank().opens();
    says(&alice, &["withdraw", "7", "--key", "later"], 0, &["Done: withdraw of 7 STM"]);
    alice.has_settled();
    bob.has_refreshed();
    assert_eq!((alice.reserve(), bob.reserve()), (45, 12));
    town.is_sound(&[&alice, &bob]);
}

/// N2: nobody there, nobody joined, or somebody there already: what to start is named.
#[test]
fn a_workstation_that_is_not_there_is_named() {
    let town = Community::open("Naxos");
    let alice = town.resident("alice", 10);
    says(&alice, &["balance"], 6, &["join"]);
    let lonely = Program::new("lonely", &built().sterminad, &[], alice.program().home(), "wallet.status");
    assert!(matches!(lonely.try_start(), Err(NotRunning::Ended(status)) if !status.success()));
    assert!(lonely.log().contains("stermina") && lonely.log().contains("join"), "{}", lonely.log());

    let alice = alice.joined();
    says(&alice, &["balance"], 6, &["sterminad"]);
    let alice = alice.started();
    let second = Command::new(&built().sterminad)
        .arg("--home")
        .arg(alice.program().home())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!second.status.success());
    let words = String::from_utf8_lossy(&second.stderr);
    assert!(words.contains("already") || words.contains("in use"), "{words}");
    assert!(alice.program().answers(), "the first goes on");
}

/// B7: a disk that is nearly full moves no money and says so; with room again everything goes on.
#[test]
fn a_full_disk_is_refused_before_it_hurts() {
    let disk = SmallDisk::mounted();
    let town = Community::open("Naxos");
    let home = disk.path().join("alice");
    let alice = town.resident("alice", 100);
    let place = alice.program().home().to_owned();
    std::fs::create_dir_all(&home).unwrap();
    for file in std::fs::read_dir(&place).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), home.join(file.file_name())).unwrap();
    }
    std::fs::remove_dir_all(&place).unwrap();
    std::os::unix::fs::symlink(&home, &place).unwrap();
    let alice = alice.joined().started().unlocked();
    let bob = town.resident("bob", 50).joined().started().unlocked();
    bob.withdraws(50);
    alice.withdraws(50);
    let code = bob.public_code().to_string();

    let ballast = disk.path().join("ballast");
    disk.fill(&ballast);
    says(&alice, &["pay", &code, "5", "--key", "again"], 5, &["the disk is nearly full", "make room"]);
    says(&alice, &["withdraw", "5"], 5, &["the disk is nearly full"]);
    assert_eq!((alice.reserve(), bob.reserve()), (50, 50));
    says(&alice, &["balance"], 0, &["50 STM"]);
    let waiting = bob.pays(&alice, 8).sent();

    std::fs::remove_file(&ballast).unwrap();
    says(&alice, &["pay", &code, "5", "--key", "again"], 0, &["Paid: 5 STM to bob"]);
    let known = bob.outcome(waiting.payment);
    let arrived = if known.outcome == "done" { 8 } else { 0 };
    assert_eq!(alice.reserve(), 45 + arrived, "{known:?}");
    bob.pays(&alice, 2).done();
    for resident in [&alice, &bob] {
        resident.has_settled();
        resident.has_refreshed();
    }
    town.is_sound(&[&alice, &bob]);
    drop((alice, bob, town));
}

/// A disk of its own, so small that it can be filled.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Room for a workstation and for what it wants to keep free.
    const MIB: u64 = 64;
    /// Less than a workstation wants to keep free.
    const LEFT_MIB: u64 = 8;

    fn mounted() -> SmallDisk {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={}m", SmallDisk::MIB);
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).status();
        assert!(mounted.is_ok_and(|status| status.success()), "mounting a small disk needs root");
        SmallDisk(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes until only a little is left.
    fn fill(&self, ballast: &Path) {
        let free = protocol::node::host::disk::free_bytes(self.path()).unwrap();
        let weight = free.checked_sub(SmallDisk::LEFT_MIB << 20).expect("there is more room than that");
        std::fs::write(ballast, vec![0; usize::try_from(weight).unwrap()]).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}
