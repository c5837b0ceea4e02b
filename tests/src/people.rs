//! People with real workstations: a bank, its residents, and what they do to each other.
//!
//! A scene reads as what happens:
//!
//! ```no_run
//! use tests::people::Community;
//!
//! let town = Community::open("Naxos");
//! let alice = town.resident("alice", 1_000).joined().started().unlocked();
//! let bob = town.resident("bob", 0).joined().started().unlocked();
//! alice.withdraws(500);
//! alice.pays(&bob, 120).memo("rent").done();
//! assert_eq!(bob.reserve(), 120);
//! ```
//! What a scene expects to work fails the scene when it does not, with the sentence the program gave. What it
//! expects to fail begins with `tries`.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use daemon::rpc::api::{
    AccountView, Balance, ByPayment, ByRequest, Find, History, HistoryLine, HistoryQuery, HistoryState,
    Letter, LetterQuery, Move, NewRequest, Operation, Pay, Payment, PolicyView, Receipt, RequestView, Status,
    Unlock, WaitPayment, WaitRequest, WorkstationClient,
};
use protocol::code::PublicCode;
use protocol::id::{PaymentId, RequestId};
use protocol::money::Units;
use protocol::node::rpc::{CallError, Empty};
use serde_json::Value;
use tempfile::TempDir;

use crate::patience::{LONG, settles, wait};
use crate::process::{NotRunning, Output, Program, Setting, built, free_port, run, secret_file};

/// How often another port is tried before a bank is given up.
const PORTS: usize = 5;

/// A bank and those who have an account there, in a folder that goes away with it.
#[derive(Debug)]
pub struct Community {
    // Before the folder: the programs end first.
    bank: Bank,
    folder: TempDir,
}

impl Community {
    /// Founds a bank of this name on loopback and starts it.
    #[track_caller]
    pub fn open(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|why| panic!("no folder for the scene: {why}"));
        for _ in 0..PORTS {
            let home = folder.path().join("bank");
            // Nothing has been promised to anybody yet, so a taken port costs a new beginning.
            let _ = std::fs::remove_dir_all(&home);
            let bank = Bank::found(name, &home, &Setting::on_port(free_port()));
            match bank.program.try_start() {
                Ok(()) => return Self { bank, folder },
                Err(NotRunning::Ended(_)) if bank.program.log().contains("Address already in use") => {}
                Err(why) => panic!("the bank does not come up: {why:?}\n{}", bank.program.log_tail()),
            }
        }
        panic!("{PORTS} ports were all taken");
    }

    /// The same in another network; the setting has to name a fixed port.
    #[track_caller]
    pub fn open_at(name: &str, setting: &Setting) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|why| panic!("no folder for the scene: {why}"));
        let bank = Bank::found(name, &folder.path().join("bank"), setting);
        bank.program.start();
        Self { bank, folder }
    }

    /// The bank.
    pub fn bank(&self) -> &Bank {
        &self.bank
    }

    /// Where everything of this community lies.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves the bank and these people running, keeps the folder and says where it is.
    pub fn keep(self, residents: &[Resident]) -> PathBuf {
        let Self { bank, folder } = self;
        bank.program.outlives();
        residents.iter().for_each(|resident| resident.daemon.outlives());
        folder.keep()
    }

    /// Opens an account with a balance paid in; the resident has the letter and no workstation yet.
    #[track_caller]
    pub fn resident(&self, name: &str, balance: u64) -> Resident {
        self.resident_at(name, balance, Setting::default())
    }

    /// A shop: its till is a workstation like anybody's.
    #[track_caller]
    pub fn shop(&self, name: &str) -> Resident {
        let letter = self.bank.opens_account(name, "shop", 0);
        Resident::with(name, &self.folder.path().join(name), letter, Setting::default())
    }

    /// A company: its workstation is one like anybody's.
    #[track_caller]
    pub fn company(&self, name: &str) -> Resident {
        let letter = self.bank.opens_account(name, "company", 0);
        Resident::with(name, &self.folder.path().join(name), letter, Setting::default())
    }

    /// A resident in another network.
    #[track_caller]
    pub fn resident_at(&self, name: &str, balance: u64, setting: Setting) -> Resident {
        let letter = self.bank.opens_account(name, "resident", balance);
        Resident::with(name, &self.folder.path().join(name), letter, setting)
    }

    /// A shop whose workstation has a till: it joins and is called like everybody's, and sells besides.
    #[track_caller]
    pub fn till_at(&self, name: &str, balance: u64, setting: Setting) -> Resident {
        let letter = self.bank.opens_account(name, "shop", balance);
        let home = self.folder.path().join(name);
        let shop = Resident::with(name, &home, letter, setting);
        let daemon = Program::new(name, &built().shop_node, &["run"], &home, "shop.status");
        Resident { daemon, ..shop }
    }

    /// Everybody's books agree: the audit passes, and what the residents hold is what the bank owes.
    #[track_caller]
    pub fn is_sound(&self, residents: &[&Resident]) {
        self.bank.audits();
        for resident in residents {
            let checked = resident.checks_history();
            let balance = resident.balance();
            let held = Units::sum([balance.spendable, balance.in_doubt, balance.at_bank]);
            assert_eq!(Ok(checked.reserve), held, "{}: the history and the reserve", resident.name());
        }
    }
}

/// The bank-node and its operator.
#[derive(Debug)]
pub struct Bank {
    program: Program,
}

impl Bank {
    #[track_caller]
    fn found(name: &str, home: &Path, setting: &Setting) -> Self {
        let bank_node = &built().bank_node;
        run(&setting.place, bank_node, home, &["init", "--name", name]).expect_ok("bank-node init");
        setting.write(home, "").unwrap_or_else(|why| panic!("the bank's config.toml: {why}"));
        let program =
            Program::new("bank", bank_node, &["run"], home, "bank.status").at(setting.place.clone());
        Self { program }
    }

    /// The process.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Asks it to end, and waits.
    #[track_caller]
    pub fn closes(&self) {
        self.program.stop();
    }

    /// Starts it again, at the same address.
    #[track_caller]
    pub fn opens(&self) {
        self.program.start();
    }

    /// SIGKILL.
    pub fn is_killed(&self) {
        self.program.kill();
    }

    /// Closes, moves its redo log to another disk and says so in its settings, and opens again.
    ///
    /// # Panics
    /// When the files can't be moved.
    #[track_caller]
    pub fn keeps_its_redo_log_in(&self, folder: &Path) {
        self.closes();
        let (log, config) = (self.program.home().join("data/redo"), self.program.home().join("config.toml"));
        let moved = std::fs::read_dir(&log).and_then(|mut files| {
            files.try_for_each(|file| {
                let file = file?.path();
                let there = folder.join(file.file_name().unwrap_or_default());
                std::fs::copy(&file, there).and_then(|_| std::fs::remove_file(&file))
            })?;
            let settings = std::fs::read_to_string(&config)?;
            std::fs::write(&config, format!("{settings}\n[redo]\npath = {folder:?}\n"))
        });
        moved.unwrap_or_else(|why| panic!("the redo log is not moved: {why}"));
        self.opens();
    }

    /// An operator's command: its exit code and output.
    #[track_caller]
    pub fn cli(&self, arguments: &[&str]) -> Output {
        run(self.program.place(), &built().bank_node, self.program.home(), arguments)
    }

    /// A call to its operator interface.
    #[track_caller]
    pub fn call(&self, method: &str, params: Value) -> Value {
        let answer = wait(self.program.connection().call_value(method, params));
        answer.unwrap_or_else(|why| panic!("{method}: {why}"))
    }

    /// Opens an account and hands out its activation letter.
    #[track_caller]
    pub fn opens_account(&self, name: &str, kind: &str, balance: u64) -> String {
        let balance = balance.to_string();
        let arguments = ["account", "open", name, "--kind", kind, "--balance", &balance, "--json"];
        let opened = self.cli(&arguments).expect_ok("account open").json();
        let letter = opened.get("letter_uri").and_then(Value::as_str);
        letter.unwrap_or_else(|| panic!("no letter in {opened}")).to_owned()
    }

    /// The number of the newest account under a name, as operators type it.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn account_of(&self, name: &str) -> String {
        let page = self.call("account.list", serde_json::json!({ "limit": 500 }));
        let accounts = page.get("accounts").and_then(Value::as_array).cloned().unwrap_or_default();
        let of = |account: &&Value| account.get("name").and_then(Value::as_str) == Some(name);
        let number = accounts.iter().rfind(of).and_then(|account| account.get("number")?.as_u64());
        number.unwrap_or_else(|| panic!("nobody has an account as {name}: {page}")).to_string()
    }

    /// All invariants of the books, by the operator's own command.
    #[track_caller]
    pub fn audits(&self) -> Value {
        self.cli(&["audit", "--json"]).expect_ok("the audit").json()
    }
}

/// Somebody with an account, and with a workstation once he has joined.
#[derive(Debug)]
pub struct Resident {
    name: String,
    letter: String,
    setting: Setting,
    code_file: PathBuf,
    daemon: Program,
    code: OnceLock<PublicCode>,
}

impl Resident {
    #[track_caller]
    fn with(name: &str, home: &Path, letter: String, setting: Setting) -> Self {
        let daemon =
            Program::new(name, &built().sterminad, &[], home, "wallet.status").at(setting.place.clone());
        let code_file = home.with_extension("code");
        let written = secret_file(&code_file, &format!("{name}'s private code 4711\n"));
        written.unwrap_or_else(|why| panic!("{}: {why}", code_file.display()));
        setting.write(home, "").unwrap_or_else(|why| panic!("{name}'s config.toml: {why}"));
        Self { name: name.to_owned(), letter, setting, code_file, daemon, code: OnceLock::new() }
    }

    /// Makes the keys and gets the certificate.
    #[track_caller]
    #[must_use]
    pub fn joined(self) -> Self {
        self.tries_to_join().expect_ok("join");
        self
    }

    /// Starts the workstation; it is locked.
    #[track_caller]
    #[must_use]
    pub fn started(self) -> Self {
        self.starts();
        self
    }

    /// Opens the reserve with the private code.
    #[track_caller]
    #[must_use]
    pub fn unlocked(self) -> Self {
        self.unlocks();
        self
    }

    /// Who he is in the scene.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// His workstation's process.
    pub fn program(&self) -> &Program {
        &self.daemon
    }

    /// His letter from the bank.
    pub fn letter(&self) -> &str {
        &self.letter
    }

    /// The file with his private code.
    pub fn code_file(&self) -> &Path {
        &self.code_file
    }

    /// His private code.
    pub fn private_code(&self) -> String {
        format!("{}'s private code 4711", self.name)
    }

    /// How his workstation meets the network.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// The command line, as he types it.
    #[track_caller]
    pub fn cli(&self, arguments: &[&str]) -> Output {
        run(&self.setting.place, &built().stermina, self.daemon.home(), arguments)
    }

    /// The JSON-RPC interface.
    pub fn rpc(&self) -> WorkstationClient {
        WorkstationClient::new(self.daemon.connection())
    }

    // ── the workstation ──

    /// `stermina join` with his letter.
    #[track_caller]
    pub fn tries_to_join(&self) -> Output {
        let code_file = self.code_file.to_string_lossy();
        self.cli(&["join", &self.letter, "--code-file", &code_file, "--json"])
    }

    /// Starts the workstation.
    #[track_caller]
    pub fn starts(&self) {
        self.daemon.start();
    }

    /// Asks the workstation to end.
    #[track_caller]
    pub fn stops(&self) {
        self.daemon.stop();
    }

    /// SIGKILL.
    pub fn is_killed(&self) {
        self.daemon.kill();
    }

    /// Unlocks with the right code.
    #[track_caller]
    pub fn unlocks(&self) {
        let asked = Unlock { code: self.private_code(), seconds: Some(3600) };
        self.must("unlock", wait(self.rpc().unlock(asked)));
    }

    /// Unlocks with the right code as soon as a new try is allowed.
    #[track_caller]
    pub fn unlocks_in_time(&self) {
        let code = self.private_code();
        settles(&format!("{} may try again", self.name), || self.tries_to_unlock(&code).is_ok());
    }

    /// Tries a private code.
    pub fn tries_to_unlock(&self, code: &str) -> Result<(), CallError> {
        wait(self.rpc().unlock(Unlock { code: code.to_owned(), seconds: None })).map(drop)
    }

    /// Locks it.
    #[track_caller]
    pub fn locks(&self) {
        self.must("lock", wait(self.rpc().lock(Empty {})));
    }

    /// Who he is and how his workstation is.
    #[track_caller]
    pub fn status(&self) -> Status {
        self.must("status", wait(self.rpc().status(Empty {})))
    }

    /// His public code.
    #[track_caller]
    pub fn public_code(&self) -> PublicCode {
        *self.code.get_or_init(|| self.status().code)
    }

    // ── the bank ──

    /// Account to reserve, and waits for the bank's word.
    #[track_caller]
    pub fn withdraws(&self, units: u64) -> Operation {
        let done = self.tries_to_withdraw(units);
        assert_eq!(done.state, "done", "{} withdraws {units}: {done:?}", self.name);
        done
    }

    /// Account to reserve, whatever the bank says.
    #[track_caller]
    pub fn tries_to_withdraw(&self, units: u64) -> Operation {
        self.answered(self.tries_to_withdraw_later(units))
    }

    /// Account to reserve, without waiting for the bank's word.
    #[track_caller]
    pub fn tries_to_withdraw_later(&self, units: u64) -> RequestId {
        self.must("withdraw", wait(self.rpc().withdraw(self.moves(units)))).request
    }

    /// Reserve to account, and waits for the bank's word.
    #[track_caller]
    pub fn deposits(&self, units: u64) -> Operation {
        let asked = self.must("deposit", self.tries_to_deposit(units));
        let done = self.answered(asked.request);
        assert_eq!(done.state, "done", "{} deposits {units}: {done:?}", self.name);
        done
    }

    /// Reserve to account: what the workstation says at once.
    pub fn tries_to_deposit(&self, units: u64) -> Result<Operation, CallError> {
        wait(self.rpc().deposit(self.moves(units)))
    }

    /// Waits for the bank's word on a request.
    #[track_caller]
    pub fn answered(&self, request: RequestId) -> Operation {
        let asked = WaitRequest { request, seconds: LONG.as_secs() };
        self.must("bank.wait", wait(self.rpc().bank_wait(asked)))
    }

    /// The account, asked of the bank now.
    #[track_caller]
    pub fn account(&self) -> AccountView {
        self.must("statement", wait(self.rpc().statement(Empty {})))
    }

    /// Letters, newest first.
    #[track_caller]
    pub fn letters(&self) -> Vec<Letter> {
        let asked = LetterQuery { before: None, limit: Some(500) };
        self.must("letters", wait(self.rpc().letter_list(asked))).letters
    }

    // ── money ──

    /// A payment to somebody; say `done()`, `sent()` or `tries()` at its end.
    #[track_caller]
    pub fn pays(&self, payee: &Resident, units: u64) -> Paying<'_> {
        self.pays_to(&payee.public_code().to_string(), units)
    }

    /// A payment to a code, a link or a request as text.
    pub fn pays_to(&self, to: &str, units: u64) -> Paying<'_> {
        let units = Some(amount(units));
        let asked = Pay { to: to.to_owned(), units, memo: None, certified: None, key: key(&self.name) };
        Paying { payer: self, asked }
    }

    /// Pays what a request asks for.
    pub fn pays_request(&self, request: &RequestView) -> Paying<'_> {
        let (to, key) = (request.uri.clone(), key(&self.name));
        Paying { payer: self, asked: Pay { to, units: None, memo: None, certified: None, key } }
    }

    /// Takes no more than this from anybody without the bank's certificate.
    #[track_caller]
    pub fn takes_directly_at_most(&self, units: u64) {
        let policy = self.must("policy.show", wait(self.rpc().policy_show(Empty {})));
        let policy = PolicyView { direct_max: amount(units), ..policy };
        self.must("policy.set", wait(self.rpc().policy_set(policy)));
    }

    /// Asks to be paid.
    #[track_caller]
    pub fn requests(&self, units: u64, memo: &str) -> RequestView {
        let (units, memo, key) = (amount(units), Some(memo.to_owned()), key(&self.name));
        let asked = NewRequest { units, at_most: None, memo, seconds: None, key };
        self.must("request", wait(self.rpc().request_create(asked)))
    }

    /// A request of his, and who paid it.
    #[track_caller]
    pub fn request(&self, request: RequestId) -> RequestView {
        self.must("request.show", wait(self.rpc().request_show(ByRequest { request })))
    }

    /// Where a payment of his stands.
    #[track_caller]
    pub fn payment(&self, payment: PaymentId) -> Payment {
        self.must("payment.show", wait(self.rpc().payment_show(ByPayment { payment })))
    }

    /// Waits until a payment of his has an outcome.
    #[track_caller]
    pub fn outcome(&self, payment: PaymentId) -> Payment {
        let asked = WaitPayment { payment, seconds: LONG.as_secs() };
        self.must("payment.wait", wait(self.rpc().payment_wait(asked)))
    }

    /// Waits until nothing of his is open any more.
    #[track_caller]
    pub fn has_settled(&self) {
        let open = || wait(self.rpc().payment_open(Empty {})).map(|open| open.payments);
        settles(&format!("{} has no open payment", self.name), || open().is_ok_and(|open| open.is_empty()));
        let held = || wait(self.rpc().balance(Empty {})).map(|balance| balance.held);
        settles(&format!("{} awaits nothing", self.name), || held().is_ok_and(|held| held.is_empty()));
    }

    /// Waits until the bank has seen all that he has.
    #[track_caller]
    pub fn has_refreshed(&self) {
        let clean = |now: Balance| now.unconfirmed.is_zero() && now.at_bank.is_zero();
        let balance = || wait(self.rpc().balance(Empty {}));
        settles(&format!("the bank has seen {}'s money", self.name), || balance().is_ok_and(clean));
    }

    /// The receipt of a payment, on either side.
    #[track_caller]
    pub fn receipt(&self, payment: PaymentId) -> Receipt {
        self.must("receipt", wait(self.rpc().receipt_show(ByPayment { payment })))
    }

    /// Reserve and account.
    #[track_caller]
    pub fn balance(&self) -> Balance {
        self.must("balance", wait(self.rpc().balance(Empty {})))
    }

    /// What can be spent.
    #[track_caller]
    pub fn spendable(&self) -> u64 {
        self.balance().spendable.get()
    }

    /// What is his: what can be spent, and what is at the bank to be exchanged for fresh notes.
    #[track_caller]
    pub fn reserve(&self) -> u64 {
        let balance = self.balance();
        let his = Units::sum([balance.spendable, balance.at_bank]);
        his.unwrap_or_else(|why| panic!("{}: {why}", self.name)).get()
    }

    /// The whole history, oldest first.
    #[track_caller]
    pub fn history(&self) -> Vec<HistoryLine> {
        let mut lines = Vec::new();
        let mut before = None;
        loop {
            let page = self.history_page(before);
            lines.extend(page.lines);
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        lines.reverse();
        lines
    }

    #[track_caller]
    fn history_page(&self, before: Option<u64>) -> History {
        let (movement, party, text, since, until) = (None, None, None, None, None);
        let asked = HistoryQuery { before, limit: Some(500), movement, party, text, since, until };
        self.must("history", wait(self.rpc().history_list(asked)))
    }

    /// His history checked from the first line to the last.
    #[track_caller]
    pub fn checks_history(&self) -> HistoryState {
        self.must("history.check", wait(self.rpc().history_check(Empty {})))
    }

    /// Waits until he finds somebody in the directory.
    #[track_caller]
    pub fn finds(&self, name: &str) -> PublicCode {
        let asked = || Find { text: name.to_owned(), limit: None };
        let mut found = None;
        settles(&format!("{} finds {name}", self.name), || {
            // Asking for what is new may fail while the bank is away; the copy still answers.
            let _ = wait(self.rpc().directory_sync(Empty {}));
            let contacts = wait(self.rpc().directory_find(asked())).map(|answer| answer.contacts);
            found = contacts.ok().and_then(|contacts| contacts.into_iter().find(|one| one.name == name));
            found.is_some()
        });
        found.map(|contact| contact.code).unwrap_or_else(|| panic!("{name} was found and lost"))
    }

    fn moves(&self, units: u64) -> Move {
        Move { units: amount(units), key: key(&self.name) }
    }

    #[track_caller]
    fn must<T>(&self, what: &str, answer: Result<T, CallError>) -> T {
        answer.unwrap_or_else(|why| panic!("{}: {what}: {why:?}", self.name))
    }
}

/// A payment being put together.
#[must_use = "a payment is made by `done`, `sent` or `tries`"]
#[derive(Debug)]
pub struct Paying<'a> {
    payer: &'a Resident,
    asked: Pay,
}

impl Paying<'_> {
    /// What for.
    pub fn memo(mut self, memo: &str) -> Self {
        self.asked.memo = Some(memo.to_owned());
        self
    }

    /// Final at once, by the bank's certificate.
    pub fn certified(mut self) -> Self {
        self.asked.certified = Some(true);
        self
    }

    /// With this key instead of a new one.
    pub fn key(mut self, key: &str) -> Self {
        key.clone_into(&mut self.asked.key);
        self
    }

    /// Pays and waits for the payee's receipt.
    #[track_caller]
    pub fn done(self) -> Payment {
        let payer = self.payer;
        let what = format!("{} pays {:?} to {}", payer.name, self.asked.units, self.asked.to);
        let sent = self.sent();
        let payment = payer.outcome(sent.payment);
        assert_eq!(payment.outcome, "done", "{what}: {payment:?}");
        payment
    }

    /// Pays and does not wait.
    #[track_caller]
    pub fn sent(self) -> Payment {
        let payer = self.payer;
        let answer = self.tries();
        payer.must("pay", answer)
    }

    /// Pays, is told no by either workstation, and hands on the reason's word.
    #[track_caller]
    pub fn refused(self) -> String {
        let payer = self.payer;
        let what = format!("{} pays {:?} to {}", payer.name, self.asked.units, self.asked.to);
        match self.tries() {
            Err(CallError::Rpc(error)) => error.reason.to_string(),
            Ok(sent) => {
                let payment = payer.outcome(sent.payment);
                assert_eq!(payment.outcome, "not_done", "{what}: {payment:?}");
                payment.reason.unwrap_or_else(|| panic!("{what}: refused without a reason"))
            }
            Err(other) => panic!("{what}: {other:?}"),
        }
    }

    /// What the workstation says at once.
    pub fn tries(self) -> Result<Payment, CallError> {
        wait(self.payer.rpc().pay(self.asked))
    }
}

/// The reason's word of a call that was answered with no.
///
/// # Panics
/// When it was answered with yes, or not at all.
#[track_caller]
pub fn reason<T: std::fmt::Debug>(answer: Result<T, CallError>) -> String {
    match answer {
        Err(CallError::Rpc(error)) => error.reason.to_string(),
        other => panic!("a refusal was expected, not {other:?}"),
    }
}

/// Units of a scene.
///
/// # Panics
/// Beyond what an amount can be.
#[track_caller]
pub fn amount(units: u64) -> Units {
    Units::new(units).unwrap_or_else(|why| panic!("{units}: {why}"))
}

/// A key that nobody used before.
pub fn key(name: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let (next, run) = (NEXT.fetch_add(1, Ordering::Relaxed), std::process::id());
    format!("{}-{run}-{next}", name.chars().take(24).collect::<String>())
}
