//! A shop with a real `shop-node`: what is done at its counter, and by whom.

use std::path::{Path, PathBuf};

use protocol::id::RequestId;
use protocol::node::rpc::{CallError, Connection, Empty, socket_in};
use serde_json::Value;
use shop_node::rpc::api::{
    BySale, CartLine, NewRefund, NewSale, NewStaff, Refund, Report, Sale, SettingsView, ShopStatus,
    SweepStatus, TillClient, WaitSale,
};

use crate::patience::{LONG, settles, wait};
use crate::people::{Community, amount, key};
use crate::process::{Output, Program, Setting, built, run, secret_file};

/// A shop's workstation with its till.
#[derive(Debug)]
pub struct Shop {
    name: String,
    letter: String,
    code_file: PathBuf,
    program: Program,
}

impl Shop {
    /// Opens a shop's account; there is a letter and no workstation yet.
    ///
    /// # Panics
    /// When its folder can't be made.
    #[track_caller]
    pub fn of(town: &Community, name: &str) -> Self {
        let home = town.folder().join(name);
        let letter = town.bank().opens_account(name, "shop", 0);
        let code_file = home.with_extension("code");
        let made = secret_file(&code_file, "the till's private code\n");
        let made = made.and_then(|()| Setting::default().write(&home, ""));
        made.unwrap_or_else(|why| panic!("{name}'s folder: {why}"));
        let program = Program::new(name, &built().shop_node, &["run"], &home, "shop.status");
        Self { name: name.to_owned(), letter, code_file, program }
    }

    /// Joins with the letter, starts, and unlocks the till.
    #[track_caller]
    #[must_use]
    pub fn opened(self) -> Self {
        let code_file = self.code_file.to_string_lossy();
        self.cli(&["join", &self.letter, "--code-file", &code_file]).expect_ok("shop-node join");
        self.program.start();
        self.unlocks();
        self
    }

    /// Joins with the letter, and writes the recovery phrase down.
    #[track_caller]
    pub fn joins(&self) -> String {
        let code_file = self.code_file.to_string_lossy();
        let told =
            self.cli(&["--json", "join", &self.letter, "--code-file", &code_file]).expect_ok("join").json();
        let phrase = told.get("phrase").and_then(Value::as_str);
        phrase.unwrap_or_else(|| panic!("no phrase in {told}")).to_owned()
    }

    /// The bank's letter.
    pub fn letter(&self) -> &str {
        &self.letter
    }

    /// Where the private code is.
    pub fn code_file(&self) -> &Path {
        &self.code_file
    }

    /// Its machine is gone: nothing is left but how it meets the network.
    ///
    /// # Panics
    /// When the folder can't be removed.
    pub fn is_gone(&self) {
        std::fs::remove_dir_all(self.home()).expect("the folder is ours");
        Setting::default().write(self.home(), "").expect("the folder is ours");
    }

    /// The process.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Its folder.
    pub fn home(&self) -> &Path {
        self.program.home()
    }

    /// `shop-node`, as it is typed.
    #[track_caller]
    pub fn cli(&self, arguments: &[&str]) -> Output {
        run(self.program.place(), &built().shop_node, self.home(), arguments)
    }

    /// `stermina` in the shop's folder.
    #[track_caller]
    pub fn stermina(&self, arguments: &[&str]) -> Output {
        run(self.program.place(), &built().stermina, self.home(), arguments)
    }

    /// Unlocks the till.
    #[track_caller]
    pub fn unlocks(&self) {
        let code_file = self.code_file.to_string_lossy();
        self.cli(&["wallet", "unlock", "--for", "1h", "--code-file", &code_file]).expect_ok("unlock");
    }

    /// Locks it.
    #[track_caller]
    pub fn locks(&self) {
        self.cli(&["wallet", "lock"]).expect_ok("lock");
    }

    /// The interface, as the owner.
    pub fn rpc(&self) -> TillClient {
        TillClient::new(self.program.connection())
    }

    /// The interface, as somebody with a token.
    pub fn rpc_as(&self, token: &str) -> TillClient {
        TillClient::new(Connection::unix_with(&socket_in(&self.program.runtime_dir()), token))
    }

    /// Takes somebody on: the token.
    #[track_caller]
    pub fn takes_on(&self, name: &str, role: &str, refund_max: Option<u64>) -> String {
        let (name, role, refund_max) = (name.to_owned(), role.to_owned(), refund_max.map(amount));
        let refund_day = refund_max;
        let made = wait(self.rpc().staff_add(NewStaff { name, role, refund_max, refund_day }));
        self.must("staff.add", made).secret
    }

    /// A sale of one thing at a price, with its code out.
    #[track_caller]
    pub fn sells(&self, what: &str, price: u64) -> Sale {
        let sale = self.must("sale.open", wait(self.rpc().sale_open(self.sale_of(what, price))));
        assert_eq!(sale.state, "asked", "{sale:?}");
        sale
    }

    /// What [`Shop::sells`] asks for.
    pub fn sale_of(&self, what: &str, price: u64) -> NewSale {
        self.sale_at(None, what, price)
    }

    /// The same at a till.
    pub fn sale_at(&self, till: Option<&str>, what: &str, price: u64) -> NewSale {
        let till = till.map(str::to_owned);
        let (name, price) = (Some(what.to_owned()), Some(amount(price)));
        let line = CartLine { sku: None, name, quantity: None, price };
        NewSale { till, lines: vec![line], seconds: None, ask: None, key: key(&self.name) }
    }

    /// A sale as it stands.
    #[track_caller]
    pub fn sale(&self, id: &RequestId) -> Sale {
        self.must("sale.show", wait(self.rpc().sale_show(BySale { sale: id.to_string() })))
    }

    /// Waits until a sale is paid or over.
    #[track_caller]
    pub fn waits_for(&self, id: &RequestId) -> Sale {
        let asked = WaitSale { sale: id.to_string(), seconds: LONG.as_secs() };
        self.must("sale.wait", wait(self.rpc().sale_wait(asked)))
    }

    /// Takes a sale back.
    pub fn tries_to_cancel(&self, id: &RequestId) -> Result<Sale, CallError> {
        wait(self.rpc().sale_cancel(BySale { sale: id.to_string() }))
    }

    /// Gives back.
    #[track_caller]
    pub fn gives_back(&self, id: &RequestId, units: u64) -> Refund {
        self.must("refund.make", self.tries_to_give_back(id, units, &key(&self.name)))
    }

    /// Gives back under a key of the caller's.
    pub fn tries_to_give_back(&self, id: &RequestId, units: u64, key: &str) -> Result<Refund, CallError> {
        let (sale, units, key) = (id.to_string(), Some(amount(units)), key.to_owned());
        wait(self.rpc().refund_make(NewRefund {
            sale,
            units,
            reason: Some("stale".to_owned()),
            looked: None,
            key,
        }))
    }

    /// Waits until nothing is owed or on its way.
    #[track_caller]
    pub fn owes_nothing(&self) {
        let open = || wait(self.rpc().refund_list(Empty {})).map(|open| open.refunds);
        settles(&format!("{} owes nothing", self.name), || open().is_ok_and(|open| open.is_empty()));
    }

    /// The shop at a glance.
    #[track_caller]
    pub fn status(&self) -> ShopStatus {
        self.must("shop.status", wait(self.rpc().status(Empty {})))
    }

    /// An X report.
    #[track_caller]
    pub fn x(&self) -> Report {
        self.must("report.x", wait(self.rpc().report_x(Empty {})))
    }

    /// A Z report.
    #[track_caller]
    pub fn z(&self) -> Report {
        self.must("report.z", wait(self.rpc().report_z(Empty {})))
    }

    /// Other settings.
    #[track_caller]
    pub fn sets(&self, change: impl FnOnce(&mut SettingsView)) {
        let mut settings = self.must("shop.settings", wait(self.rpc().settings(Empty {})));
        change(&mut settings);
        self.must("shop.set", wait(self.rpc().set(settings)));
    }

    /// What is on its way to the company.
    #[track_caller]
    pub fn sweeps(&self) -> SweepStatus {
        self.must("sweep.status", wait(self.rpc().sweep_status(Empty {})))
    }

    /// Waits until everything that was swept is with the company.
    #[track_caller]
    pub fn has_swept(&self) {
        let open = || wait(self.rpc().sweep_status(Empty {})).map(|status| status.open);
        settles(&format!("{} has swept", self.name), || open().is_ok_and(|open| open.is_empty()));
    }

    /// Any call, as the owner.
    #[track_caller]
    pub fn call(&self, method: &str, params: Value) -> Value {
        self.must(method, wait(self.program.connection().call_value(method, params)))
    }

    #[track_caller]
    fn must<T>(&self, what: &str, answer: Result<T, CallError>) -> T {
        answer.unwrap_or_else(|why| panic!("{}: {what}: {why:?}", self.name))
    }
}
