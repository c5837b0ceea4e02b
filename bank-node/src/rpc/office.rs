//! The interface's server side: a few lines a method.

use super::{
    AccountLetter, AccountList, AccountOpen, AccountPage, AccountShow, AccountShown, BackupAsked, BackupMade,
    BankOffice, Booked, ByNumber, CasePage, CaseShown, Cash, Confirmation, Decision, DirectoryList,
    DirectoryShown, ERRORS, Ended, EntryShown, Event, Guarantee, GuaranteeCash, HoldConfirmation,
    HoldDecision, HoldPage, HoldShown, JournalPage, KeyList, KeyShown, LetterMade, LineOfStatement,
    LineShown, ListAfter, OperatorList, OperatorMade, OperatorName, OperatorShown, PAGE_MAX, ReclaimPage,
    ReclaimShown, SaleShown, ShopEndLease, ShopHandOver, ShopLease, ShopOwn, ShopPage, ShopShow, ShopShown,
    Statement, StatementAsked, StatementPage, Status, SweepDetail, SweepListAsked, SweepPage, SweepShow,
    SweepShown,
};
use crate::backup::{BackupError, Backups, Made};
use crate::desk::office::{Done, Objection, Opening, Operation, Order, ShopOrder};
use crate::desk::operators::secret_digest;
use crate::desk::shop::statement::lines_of;
use crate::desk::shop::tenure::LeaseTerms;
use crate::ledger::books::{Books, View};
use crate::ledger::cases::CaseView as _;
use crate::ledger::holds::HoldView as _;
use crate::ledger::posting::Entry;
use crate::ledger::reclaims::ReclaimView as _;
use crate::ledger::sweeps::SweepView as _;
use crate::ledger::tenure::TenureView as _;
use crate::ledger::{AccountNumber, Audit, DEPOSITS, Fault, GUARANTEE, audit};
use crate::service::{Bank, OrderError};
use crate::store::shelf::Store;
use protocol::bank::ActivationLetter;
use protocol::body::Text;
use protocol::code::letter_uri;
use protocol::money::Units;
use protocol::node::chance::chance_bytes;
use protocol::node::rpc::{Caller, Empty, EventSource, Retry, RpcError, Value};
use protocol::wire::{SalesList, Span, decode};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// How customers reach the bank.
pub trait Reach: Send + Sync + 'static {
    /// Addresses for activation letters.
    fn addresses(&self) -> Vec<Text>;
    /// Peers connected now.
    fn connected(&self) -> u64;
}

/// Where backups come from.
pub trait Safe: Send + Sync + 'static {
    /// Makes one beneath a folder, with the working keys or without; blocks until it is verified.
    fn backup(&self, to: &Path, keys: bool) -> Result<Made, BackupError>;
}

impl<S: Store> Safe for Backups<S> {
    fn backup(&self, to: &Path, keys: bool) -> Result<Made, BackupError> {
        self.make(to, keys)
    }
}

/// The office of an open bank.
pub struct Office<B> {
    bank: Bank<B>,
    reach: Arc<dyn Reach>,
    safe: Arc<dyn Safe>,
}

/// What the store's failure looks like from outside.
fn unavailable() -> RpcError {
    let why = "the bank is out of order: no room on its disk, or its store has failed";
    RpcError::new(-4120, "unavailable", why).retry(Retry::SameKey).hint("the log of bank-node says more")
}

fn page(limit: Option<u32>) -> Result<usize, RpcError> {
    match limit.unwrap_or(100) {
        limit @ 1..=PAGE_MAX => Ok(usize::try_from(limit).unwrap_or(1)),
        _ => {
            let why = format!("limit must be 1 to {PAGE_MAX}");
            Err(RpcError::invalid_params(why).detail("field", "limit"))
        }
    }
}

/// The name of the operator who calls. Whoever comes without a token is the machine's owner, and no one person.
fn operator(caller: &Caller) -> Result<String, RpcError> {
    caller.token.clone().ok_or_else(|| {
        let why = "this is an operator's decision: call with an operator's token";
        RpcError::new(-4114, "operator_needed", why).hint("bank-node operator add NAME makes one")
    })
}

/// An operator who could make operators could be two of them.
fn owner(caller: &Caller) -> Result<(), RpcError> {
    match &caller.token {
        None => Ok(()),
        Some(_) => {
            let why = "only the owner may: make this call without a token, as the user that runs the bank";
            Err(RpcError::new(-4115, "owner_needed", why))
        }
    }
}

fn no_case() -> RpcError {
    RpcError::new(-4116, "case_not_found", "there is no case or reclaim of this number")
}

/// What the guarantee has paid in others' stead and not got back.
fn given(view: &impl View) -> Result<Units, Fault> {
    let (mut given, mut after) = (Units::ZERO, AccountNumber(0));
    loop {
        let accounts = view.accounts_after(after, 512)?;
        let Some(last) = accounts.last() else { return Ok(given) };
        after = last.number;
        let sum = Units::sum(accounts.iter().map(|account| account.member.guaranteed));
        given = sum.and_then(|sum| given.plus(sum)).map_err(|why| Fault::Damaged(why.to_string()))?;
    }
}

impl From<OrderError> for RpcError {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Busy => RpcError::busy("the bank is busy"),
            OrderError::Unavailable => unavailable(),
            OrderError::Objection(objection) => {
                let reason = objection.reason();
                let known = ERRORS.iter().find(|info| info.reason == reason);
                let code = known.map_or(-4100, |info| info.code);
                let error = RpcError::new(code, reason, objection.to_string());
                match objection {
                    Objection::Insufficient { balance } => error.detail("balance", balance.get()),
                    Objection::OverLeft { left } => error.detail("left", left.get()),
                    _ => error,
                }
            }
        }
    }
}

impl<B: Books> Office<B> {
    /// The office of `bank`.
    pub fn new(bank: Bank<B>, reach: Arc<dyn Reach>, safe: Arc<dyn Safe>) -> Office<B> {
        Office { bank, reach, safe }
    }

    async fn order(&self, key: Option<String>, operation: Operation) -> Result<Done, RpcError> {
        let done = self.bank.order(Order { key, operation }).await;
        done.map_err(|error| match error {
            OrderError::Objection(Objection::Insufficient { balance }) => {
                let holds = self.bank.sign().currency.show_full(balance);
                let mut told = RpcError::from(error);
                told.message = format!("the account holds {holds}, less than was asked for");
                told
            }
            other => other.into(),
        })
    }

    async fn book(&self, key: Option<String>, operation: Operation) -> Result<Booked, RpcError> {
        let Done { entry, account, balance, letter: _ } = self.order(key, operation).await?;
        Ok(Booked { entry, account, balance })
    }

    async fn order_shop(&self, caller: &Caller, key: String, order: ShopOrder) -> Result<Booked, RpcError> {
        self.book(Some(key), Operation::Shop(order, caller.name.clone())).await
    }

    fn letter(&self, done: &Done) -> Result<LetterMade, RpcError> {
        let keys = self.bank.keys();
        let letter = done.letter.ok_or_else(RpcError::internal)?;
        let uri = letter_uri(&ActivationLetter {
            master: keys.master(),
            node: keys.node_key(),
            account: done.account.0,
            code: *keys.activation_code(done.account.0, letter),
            addresses: self.reach.addresses(),
        });
        Ok(LetterMade { account: done.account, letter_uri: uri, balance: done.balance })
    }

    async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&B::Snapshot) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, RpcError> {
        self.bank.read(look).await.ok_or_else(unavailable)
    }
}

impl<B: Books> BankOffice for Office<B> {
    async fn status(&self, _: &Caller, Empty {}: Empty) -> Result<Status, RpcError> {
        let (journal, directory) =
            self.read(|view| Ok((view.journal_head()?, view.directory_head()?.0))).await?;
        let (keys, today) = (self.bank.keys(), self.bank.now().day());
        let left = keys.days_left(today);
        let advice = match left {
            _ if self.bank.is_clock_doubted() => {
                Some("the clock has jumped ahead by days: set it right; no issue key is destroyed until then")
            }
            0 => Some(
                "there is no issue key for today, so withdrawals wait: bank-node keys extend --master FILE",
            ),
            1..7 => Some("issue keys run out in days: bank-node keys extend --master FILE"),
            _ if !keys.attests_on(today) => Some("the attest key has ended: letters no longer verify"),
            _ => None,
        };
        Ok(Status {
            name: self.bank.sign().name.clone(),
            currency: self.bank.sign().currency.clone(),
            bank: keys.bank().to_string(),
            master: keys.master(),
            node: keys.node_key(),
            addresses: self.reach.addresses().iter().map(ToString::to_string).collect(),
            connected: self.reach.connected(),
            day: super::day_text(today),
            today,
            issuing: left > 0,
            issue_days_left: left,
            journal,
            directory,
            advice: advice.map(str::to_owned),
        })
    }

    async fn account_open(&self, _: &Caller, asked: AccountOpen) -> Result<LetterMade, RpcError> {
        let AccountOpen { kind, name, balance, offline_limit, key } = asked;
        let opening = Opening { kind, name, balance, offline_limit };
        self.letter(&self.order(Some(key), Operation::Open(opening)).await?)
    }

    async fn account_list(&self, _: &Caller, asked: AccountList) -> Result<AccountPage, RpcError> {
        let limit = page(asked.limit)?;
        let after = AccountNumber(asked.after.max(DEPOSITS.0));
        let found = self.read(move |view| view.accounts_after(after, limit + 1)).await?;
        let more = found.len() > limit;
        let accounts = found.iter().take(limit).filter_map(AccountShown::of).collect();
        Ok(AccountPage { accounts, more })
    }

    async fn account_show(&self, _: &Caller, asked: AccountShow) -> Result<Statement, RpcError> {
        let limit = page(asked.limit)?;
        let AccountShow { account: number, after, .. } = asked;
        let found = self
            .read(move |view| Ok((view.account(number)?, view.entries_of(number, after, limit + 1)?)))
            .await?;
        let account = found.0.as_ref().and_then(AccountShown::of);
        let account = account.ok_or(OrderError::Objection(Objection::NotFound(number)))?;
        let more = found.1.len() > limit;
        let entries = found.1.into_iter().take(limit).map(EntryShown::of).collect();
        Ok(Statement { account, entries, more })
    }

    async fn account_letter(&self, _: &Caller, asked: AccountLetter) -> Result<LetterMade, RpcError> {
        self.letter(&self.order(asked.key, Operation::Letter(asked.account)).await?)
    }

    async fn account_pay_in(&self, _: &Caller, asked: Cash) -> Result<Booked, RpcError> {
        self.book(Some(asked.key), Operation::PayIn(asked.account, asked.units)).await
    }

    async fn account_pay_out(&self, _: &Caller, asked: Cash) -> Result<Booked, RpcError> {
        self.book(Some(asked.key), Operation::PayOut(asked.account, asked.units)).await
    }

    async fn standing_propose(&self, caller: &Caller, asked: Decision) -> Result<Booked, RpcError> {
        let Decision { account, change, reason, key } = asked;
        let by = operator(caller)?;
        self.book(key, Operation::Propose { account, change, by, reason }).await
    }

    async fn standing_confirm(&self, caller: &Caller, asked: Confirmation) -> Result<Booked, RpcError> {
        let Confirmation { account, change, key } = asked;
        let by = operator(caller)?;
        self.book(key, Operation::Confirm { account, change, by }).await
    }

    async fn operator_add(&self, caller: &Caller, asked: OperatorName) -> Result<OperatorMade, RpcError> {
        owner(caller)?;
        let secret = format!("op-{}", hex::encode(chance_bytes::<32>()));
        let name = asked.name;
        self.order(None, Operation::AddOperator(name.clone(), secret_digest(&secret))).await?;
        Ok(OperatorMade { name, secret })
    }

    async fn operator_end(&self, caller: &Caller, asked: OperatorName) -> Result<Ended, RpcError> {
        owner(caller)?;
        self.order(None, Operation::EndOperator(asked.name.clone())).await?;
        Ok(Ended { name: asked.name })
    }

    async fn operator_list(&self, _: &Caller, Empty {}: Empty) -> Result<OperatorList, RpcError> {
        let operators = self.read(View::operators).await?;
        Ok(OperatorList { operators: operators.into_iter().map(OperatorShown::of).collect() })
    }

    async fn guarantee_pay_in(&self, caller: &Caller, asked: GuaranteeCash) -> Result<Booked, RpcError> {
        self.book(Some(asked.key), Operation::Guarantee(asked.units, caller.name.clone())).await
    }

    async fn guarantee_show(&self, _: &Caller, Empty {}: Empty) -> Result<Guarantee, RpcError> {
        let cap = self.bank.rules().guarantee_cap;
        let (balance, given) = self
            .read(|view| {
                let balance = view.account(GUARANTEE)?.map_or(Units::ZERO, |account| account.balance());
                Ok((balance, given(view)?))
            })
            .await?;
        Ok(Guarantee { balance, cap, given })
    }

    async fn claim_list(&self, _: &Caller, asked: ListAfter) -> Result<CasePage, RpcError> {
        let limit = page(asked.limit)?;
        let found = self.read(move |view| view.cases_after(asked.after, limit + 1)).await?;
        let more = found.len() > limit;
        Ok(CasePage { cases: found.iter().take(limit).map(CaseShown::of).collect(), more })
    }

    async fn claim_show(&self, _: &Caller, asked: ByNumber) -> Result<CaseShown, RpcError> {
        let case = self.read(move |view| view.case(asked.number)).await?;
        case.as_ref().map(CaseShown::of).ok_or_else(no_case)
    }

    async fn reclaim_list(&self, _: &Caller, asked: ListAfter) -> Result<ReclaimPage, RpcError> {
        let limit = page(asked.limit)?;
        self.read(move |view| {
            let found = view.reclaims_after(asked.after, limit + 1)?;
            let more = found.len() > limit;
            let shown: Result<_, Fault> =
                found.iter().take(limit).map(|filed| ReclaimShown::of(view, filed)).collect();
            Ok(ReclaimPage { reclaims: shown?, more })
        })
        .await
    }

    async fn reclaim_show(&self, _: &Caller, asked: ByNumber) -> Result<ReclaimShown, RpcError> {
        let shown = self
            .read(move |view| {
                view.reclaim(asked.number)?.map(|filed| ReclaimShown::of(view, &filed)).transpose()
            })
            .await?;
        shown.ok_or_else(no_case)
    }

    async fn shop_own(&self, caller: &Caller, asked: ShopOwn) -> Result<Booked, RpcError> {
        let ShopOwn { shop, company, key } = asked;
        self.order_shop(caller, key, ShopOrder::Own { shop, company }).await
    }

    async fn shop_lease(&self, caller: &Caller, asked: ShopLease) -> Result<Booked, RpcError> {
        let ShopLease { shop, company, caution, rent, every, first_due, key } = asked;
        let terms = LeaseTerms { caution, rent, every, first_due };
        self.order_shop(caller, key, ShopOrder::Lease { shop, company, terms }).await
    }

    async fn shop_end_lease(&self, caller: &Caller, asked: ShopEndLease) -> Result<Booked, RpcError> {
        let ShopEndLease { shop, kept, key } = asked;
        self.order_shop(caller, key, ShopOrder::EndLease { shop, kept }).await
    }

    async fn shop_hand_over(&self, caller: &Caller, asked: ShopHandOver) -> Result<LetterMade, RpcError> {
        let ShopHandOver { shop, name, key } = asked;
        let order = Operation::Shop(ShopOrder::HandOver { shop, name }, caller.name.clone());
        self.letter(&self.order(Some(key), order).await?)
    }

    async fn shop_show(&self, _: &Caller, asked: ShopShow) -> Result<ShopShown, RpcError> {
        let found = self.read(move |view| view.tenure(asked.shop)).await?;
        let missing = || RpcError::new(-4143, "shop_not_found", "nobody has said whose this shop is");
        found.as_ref().map(ShopShown::of).ok_or_else(missing)
    }

    async fn shop_list(&self, _: &Caller, asked: ListAfter) -> Result<ShopPage, RpcError> {
        let limit = page(asked.limit)?;
        let after = AccountNumber(asked.after);
        let found = self.read(move |view| view.tenures_after(after, limit + 1)).await?;
        let more = found.len() > limit;
        Ok(ShopPage { shops: found.iter().take(limit).map(ShopShown::of).collect(), more })
    }

    async fn shop_arrears(&self, _: &Caller, Empty {}: Empty) -> Result<ShopPage, RpcError> {
        let limit = page(Some(PAGE_MAX))?;
        self.read(move |view| {
            let owing = view.in_arrears(AccountNumber(0), limit + 1)?;
            let more = owing.len() > limit;
            let mut shops = Vec::new();
            for shop in owing.into_iter().take(limit) {
                shops.extend(view.tenure(shop)?.as_ref().map(ShopShown::of));
            }
            Ok(ShopPage { shops, more })
        })
        .await
    }

    async fn hold_list(&self, _: &Caller, asked: ListAfter) -> Result<HoldPage, RpcError> {
        let limit = page(asked.limit)?;
        let found = self.read(move |view| view.holds_after(asked.after, limit + 1)).await?;
        let more = found.len() > limit;
        Ok(HoldPage { holds: found.iter().take(limit).map(HoldShown::of).collect(), more })
    }

    async fn hold_show(&self, _: &Caller, asked: ByNumber) -> Result<HoldShown, RpcError> {
        let found = self.read(move |view| view.hold(asked.number)).await?;
        let missing = || RpcError::new(-4130, "hold_not_found", "there is no hold of this number");
        found.as_ref().map(HoldShown::of).ok_or_else(missing)
    }

    async fn hold_propose(&self, caller: &Caller, asked: HoldDecision) -> Result<Booked, RpcError> {
        let HoldDecision { hold, to_buyer, reason, key } = asked;
        let by = operator(caller)?;
        self.book(key, Operation::ProposeSplit { hold, to_buyer, by, reason }).await
    }

    async fn hold_confirm(&self, caller: &Caller, asked: HoldConfirmation) -> Result<Booked, RpcError> {
        let HoldConfirmation { hold, to_buyer, key } = asked;
        let by = operator(caller)?;
        self.book(key, Operation::ConfirmSplit { hold, to_buyer, by }).await
    }

    async fn sweep_list(&self, _: &Caller, asked: SweepListAsked) -> Result<SweepPage, RpcError> {
        let limit = page(asked.limit)?;
        let found = self.read(move |view| view.sweeps_after(asked.shop, asked.after, limit + 1)).await?;
        let more = found.len() > limit;
        Ok(SweepPage { sweeps: found.iter().take(limit).map(SweepShown::of).collect(), more })
    }

    async fn sweep_show(&self, _: &Caller, asked: SweepShow) -> Result<SweepDetail, RpcError> {
        let SweepShow { shop, number } = asked;
        let found = self
            .read(move |view| {
                let swept = view.sweeps_after(shop, number.saturating_sub(1), 1)?.into_iter().next();
                let swept = swept.filter(|swept| swept.asked.unverified().number == number);
                swept.map(|swept| Ok((view.sales_of(&swept)?, swept))).transpose()
            })
            .await?;
        let missing = || RpcError::new(-4142, "sweep_not_found", "there is no sweep of this number");
        let (list, swept) = found.ok_or_else(missing)?;
        let list: SalesList = decode(&list).map_err(|_| RpcError::internal())?;
        Ok(SweepDetail { sweep: SweepShown::of(&swept), sales: SaleShown::all(list) })
    }

    async fn account_statement(&self, _: &Caller, asked: StatementAsked) -> Result<StatementPage, RpcError> {
        let limit = page(asked.limit)?;
        let StatementAsked { account: number, before, .. } = asked;
        let found = self
            .read(move |view| {
                let account = view.account(number)?.filter(|account| account.customer().is_some());
                let span = Span::Before(before.unwrap_or(u64::MAX));
                account.map(|account| lines_of(view, &account, span, limit)).transpose()
            })
            .await?;
        let (lines, next) = found.ok_or(OrderError::Objection(Objection::NotFound(number)))?;
        let next = next.map(|next| match next {
            Span::Before(entry) | Span::After(entry) => entry,
        });
        Ok(StatementPage { lines: lines.into_iter().map(LineOfStatement::of).collect(), next })
    }

    async fn journal_list(&self, _: &Caller, asked: ListAfter) -> Result<JournalPage, RpcError> {
        let limit = page(asked.limit)?;
        let found = self.read(move |view| view.entries_after(asked.after, limit + 1)).await?;
        let more = found.len() > limit;
        Ok(JournalPage { entries: found.into_iter().take(limit).map(EntryShown::of).collect(), more })
    }

    async fn audit_run(&self, _: &Caller, Empty {}: Empty) -> Result<Audit, RpcError> {
        self.read(audit).await
    }

    async fn backup_make(&self, caller: &Caller, asked: BackupAsked) -> Result<BackupMade, RpcError> {
        // All accounts, and perhaps all keys, into any folder: more than an operator's work.
        owner(caller)?;
        let (safe, BackupAsked { to, keys }) = (Arc::clone(&self.safe), asked);
        let made = tokio::task::spawn_blocking(move || {
            let made = safe.backup(Path::new(&to), keys);
            match &made {
                Ok(made) => tracing::info!(folder = %made.folder.display(), "a backup was made and verified"),
                Err(why) => tracing::error!(%why, to, "no backup was made"),
            }
            made
        });
        let Made { folder, manifest } = made
            .await
            .map_err(|_| RpcError::internal())?
            .map_err(|why| RpcError::new(-4117, "no_backup", why.to_string()))?;
        Ok(BackupMade {
            folder: folder.display().to_string(),
            journal: manifest.journal,
            frame: manifest.frame,
            frame_digest: manifest.frame_digest,
            books: manifest.books,
            keys: manifest.keys,
        })
    }

    async fn keys_list(&self, _: &Caller, Empty {}: Empty) -> Result<KeyList, RpcError> {
        let keys = self.bank.keys();
        let keys = keys.public.certificates().map(|certificate| KeyShown::of(&keys, certificate)).collect();
        Ok(KeyList { keys })
    }

    async fn directory_list(&self, _: &Caller, asked: DirectoryList) -> Result<DirectoryShown, RpcError> {
        let limit = page(asked.limit)?;
        let (lines, (sequence, head)) = self
            .read(move |view| Ok((view.directory_after(asked.after, limit)?, view.directory_head()?)))
            .await?;
        Ok(DirectoryShown { lines: lines.iter().map(LineShown::of).collect(), sequence, head })
    }
}

/// The journal as events: durable and without gaps because the journal is.
pub struct JournalEvents<B>(pub Bank<B>);

impl<B: Books> EventSource for JournalEvents<B> {
    fn read(&self, since: u64, limit: usize) -> Result<Vec<Value>, RpcError> {
        let entries =
            self.0.read_blocking(|view| view.entries_after(since, limit)).ok_or_else(unavailable)?;
        let event = |entry: Entry| {
            let Entry { number: seq, at, kind, account, units, balance, .. } = entry;
            serde_json::to_value(Event { seq, kind, at: at.0, account, units, balance })
        };
        entries.into_iter().map(event).collect::<Result<_, _>>().map_err(|_| RpcError::internal())
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.0.newest()
    }
}
