//! The bank on the network: requests of `/stermina/bank/1` in, answers out, and its own address record.

use crate::ledger::books::{Books, View as _};
use crate::rpc::Reach;
use crate::service::Bank;
use protocol::bank::DirectoryEntry;
use protocol::body::Text;
use protocol::id::Key;
use protocol::node::address::{address_record, address_texts};
use protocol::node::host::signals::Shutdown;
use protocol::node::net::{Inbound, Multiaddr, Net, NetStatus, PeerId, Protocol};
use protocol::sign::Signer;
use protocol::wire::{self, BankAnswer, BankAsk, ErrorCode, Item};
use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// What it costs a peer to send something that no honest program sends.
const FORGED: u32 = 50;
/// What it costs to show a wrong activation code.
const GUESSED: u32 = 100;
/// What a note costs that is refused or was redeemed before: it has cost us signatures, and may have cost disk.
const REFUSED: u32 = 20;
const CLASHED: u32 = 10;
/// What bytes cost that are no message.
const MALFORMED: u32 = 100;
/// How often the bank says where it is.
const ANNOUNCE: Duration = Duration::from_secs(6 * 3600);

/// Answers customers until the network ends.
pub async fn serve<B: Books>(
    bank: Bank<B>,
    residents: Arc<Residents>,
    net: Net,
    mut inbound: mpsc::Receiver<Inbound>,
) {
    let mut answers = JoinSet::new();
    while let Some(request) = inbound.recv().await {
        while answers.try_join_next().is_some() {}
        match request.protocol {
            // The network room bounds how many requests wait for an answer, so tasks are bounded, too.
            Protocol::Bank => {
                drop(answers.spawn(answer(bank.clone(), Arc::clone(&residents), net.clone(), request)));
            }
            // A bank is paid through its accounts; dropping the answer closes the stream.
            Protocol::Pay => {}
        }
    }
    while answers.join_next().await.is_some() {}
}

async fn answer<B: Books>(bank: Bank<B>, residents: Arc<Residents>, net: Net, request: Inbound) {
    let Inbound { peer, body, answer, .. } = request;
    let ask = match wire::decode::<BankAsk>(&body) {
        Ok(ask) => ask,
        Err(flaw) => {
            net.penalize(peer, MALFORMED).await;
            return answer.send(wire::encode(&BankAnswer::Error(flaw.code())));
        }
    };
    drop(body);
    let claim = matches!(ask, BankAsk::Activate(..));
    let what = name(&ask);
    let told = bank.ask(ask).await;
    log(what, peer, &told);
    let points = points(claim, &told);
    // Before he hears of it: the next thing he does is to say where he is.
    if matches!(told, BankAnswer::Activated(..) | BankAnswer::Published) {
        residents.learn(&bank).await;
    }
    answer.send(wire::encode(&told));
    if points > 0 {
        net.penalize(peer, points).await;
    }
}

fn points(claim: bool, told: &BankAnswer) -> u32 {
    match told {
        BankAnswer::Error(ErrorCode::NotFound) if claim => GUESSED,
        BankAnswer::Error(code) => points_of(*code),
        // Any forgery among them is found after the signatures were checked, which is what costs us most.
        BankAnswer::Denied(items) => points_of_items(items.iter().map(|(_, item)| item)),
        BankAnswer::Deposited(items, _) => points_of_items(items.iter()),
        BankAnswer::Terms(_)
        | BankAnswer::Activated(..)
        | BankAnswer::Published
        | BankAnswer::Withdrawn(..)
        | BankAnswer::Declined(_)
        | BankAnswer::Reissued(_)
        | BankAnswer::Balance(_)
        | BankAnswer::NotSeen
        | BankAnswer::Directory(_)
        | BankAnswer::Reclaim(_)
        | BankAnswer::Contested(_)
        | BankAnswer::Cases(_)
        | BankAnswer::MailKept
        | BankAnswer::Mail(..)
        | BankAnswer::MailWord(_)
        | BankAnswer::RequestsLeft(_)
        | BankAnswer::OpenRequest(_)
        | BankAnswer::Vault(_)
        | BankAnswer::VaultRecords(..)
        | BankAnswer::Bulletins(_)
        | BankAnswer::Noted
        | BankAnswer::RootPath(_)
        | BankAnswer::IssueKeys(_)
        | BankAnswer::Held(..)
        | BankAnswer::Hold(_)
        | BankAnswer::Holds(..)
        | BankAnswer::Letters(..)
        | BankAnswer::Swept(_)
        | BankAnswer::SweepList(..)
        | BankAnswer::Statement(..) => 0,
    }
}

fn points_of_items<'i>(items: impl Iterator<Item = &'i Item>) -> u32 {
    let each = items.map(|item| match item {
        Item::Paid(_) => 0,
        Item::Clash(_) => CLASHED,
        Item::Refused(code) => points_of(*code).max(REFUSED),
    });
    each.fold(0, u32::saturating_add)
}

/// What no honest program provokes.
fn points_of(code: ErrorCode) -> u32 {
    match code {
        ErrorCode::BadSignature | ErrorCode::BadChain | ErrorCode::Malformed | ErrorCode::TooMany => FORGED,
        ErrorCode::TooBig
        | ErrorCode::Unsupported
        | ErrorCode::NotMine
        | ErrorCode::IdReused
        | ErrorCode::Expired
        | ErrorCode::NotCertified
        | ErrorCode::Suspended
        | ErrorCode::BadSum
        | ErrorCode::DuplicateNote
        | ErrorCode::Fork
        | ErrorCode::OverLimit
        | ErrorCode::TooDeep
        | ErrorCode::NeedCertified
        | ErrorCode::Busy
        | ErrorCode::UnknownRoot
        | ErrorCode::RevokedEpoch
        | ErrorCode::Clash
        | ErrorCode::Void
        | ErrorCode::OlderGeneration
        | ErrorCode::RequestUsed
        | ErrorCode::UnknownRequest
        | ErrorCode::NotFound
        | ErrorCode::InsufficientFunds
        | ErrorCode::NotAllowed
        | ErrorCode::Unavailable
        | ErrorCode::SelfPayment
        | ErrorCode::NoTickets
        | ErrorCode::WrongCode
        | ErrorCode::RequestClosed
        | ErrorCode::OtherCatalogue
        | ErrorCode::ShopClosed
        | ErrorCode::NoAddress
        | ErrorCode::OtherTillCode
        | ErrorCode::NothingToPay
        | ErrorCode::TooManyTries
        | ErrorCode::WhichTill
        | ErrorCode::ShopFull => 0,
    }
}

fn name(ask: &BankAsk) -> &'static str {
    match ask {
        BankAsk::Terms => "terms",
        BankAsk::Activate(..) => "activate",
        BankAsk::Publish(_) => "publish",
        BankAsk::Withdraw(_) => "withdraw",
        BankAsk::Deposit(..) => "deposit",
        BankAsk::Reissue(..) => "reissue",
        BankAsk::Status(..) => "status",
        BankAsk::Balance(_) => "balance",
        BankAsk::Directory(_) => "directory",
        BankAsk::Reclaim(..) => "reclaim",
        BankAsk::Contest(_) => "contest",
        BankAsk::Claim(..) => "claim",
        BankAsk::Defend(..) => "defend",
        BankAsk::Cases(_) => "cases",
        BankAsk::Mail(..) => "mail",
        BankAsk::Collect(_) => "collect",
        BankAsk::MailBack(_) => "mail_back",
        BankAsk::LeaveRequests(..) => "leave_requests",
        BankAsk::TakeRequest(_) => "take_request",
        BankAsk::VaultAppend(..) => "vault_append",
        BankAsk::VaultHead(_) => "vault_head",
        BankAsk::VaultRead(..) => "vault_read",
        BankAsk::Bulletins(_) => "bulletins",
        BankAsk::Witness(_) => "witness",
        BankAsk::RootPath(_) => "root_path",
        BankAsk::IssueKeys(_) => "issue_keys",
        BankAsk::Hold(_) => "hold",
        BankAsk::HoldAct(_) => "hold_act",
        BankAsk::Holds(_) => "holds",
        BankAsk::Letters(_) => "letters",
        BankAsk::Sweep(..) => "sweep",
        BankAsk::SweepList(..) => "sweep_list",
        BankAsk::Statement(..) => "statement",
    }
}

/// Never amounts, keys or codes; and a re-issue does not say who asks, so neither does the log.
fn log(what: &'static str, peer: PeerId, told: &BankAnswer) {
    let refused = match told {
        BankAnswer::Error(code) => Some(code.word()),
        _ => None,
    };
    match (what, refused) {
        ("reissue" | "status" | "contest" | "root_path", None) => tracing::debug!(what, "answered"),
        ("reissue" | "status" | "contest" | "root_path", Some(code)) => tracing::info!(what, code, "refused"),
        (what, None) => tracing::debug!(what, %peer, "answered"),
        (what, Some(code)) => tracing::info!(what, %peer, code, "refused"),
    }
}

/// Where customers reach this node.
pub struct Addresses {
    known: RwLock<Vec<Text>>,
    status: watch::Receiver<NetStatus>,
}

impl Addresses {
    /// Nothing known yet.
    pub fn new(net: &Net) -> Addresses {
        Addresses { known: RwLock::default(), status: net.status() }
    }

    fn set(&self, addresses: &[Multiaddr]) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = address_texts(addresses);
    }
}

impl Reach for Addresses {
    fn addresses(&self) -> Vec<Text> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn connected(&self) -> u64 {
        u64::try_from(self.status.borrow().connected).unwrap_or(u64::MAX)
    }
}

/// Learns where the node listens: what the operator configured, else what others can reach, else loopback.
pub async fn learn_addresses(net: &Net, configured: &[Multiaddr], addresses: &Addresses) {
    if configured.is_empty() {
        addresses.set(&net.external().await);
    } else {
        addresses.set(configured);
    }
}

/// Says where the bank is, again and again, until the shutdown.
pub async fn announce<B: Books>(bank: Bank<B>, net: Net, shutdown: Shutdown) {
    let node = Signer::from_secret(&bank.keys().node);
    let mut ticks = tokio::time::interval(ANNOUNCE);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.requested() => return,
        }
        let (key, value) = address_record(&node, &net.external().await, bank.now());
        if let Err(error) = net.publish(key.0.to_vec(), value).await {
            tracing::warn!(%error, "the bank's address record was not published");
        }
    }
}

/// Directory lines read at a time.
const LINES_MAX: usize = 4096;

/// The node keys of everybody in the directory: only they may leave an address record here, so that strangers
/// can't fill the shelves. Asked in the network's one task, so asking never reads the books.
pub struct Residents(RwLock<Seen>);

struct Seen {
    /// The last line that was read.
    last: u64,
    nodes: HashSet<Key>,
}

impl Residents {
    /// Only the bank's own node is known yet.
    pub fn new(own: Key) -> Residents {
        Residents(RwLock::new(Seen { last: 0, nodes: HashSet::from([own]) }))
    }

    /// Whether the node is in the directory, as far as it was read.
    pub fn knows(&self, node: &Key) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).nodes.contains(node)
    }

    /// Reads what has come into the directory.
    pub async fn learn<B: Books>(&self, bank: &Bank<B>) {
        loop {
            let since = self.0.read().unwrap_or_else(PoisonError::into_inner).last;
            let lines = bank.read(move |books| books.directory_after(since, LINES_MAX)).await;
            // A store that has failed closes the bank.
            let lines = lines.unwrap_or_default();
            if lines.is_empty() {
                return;
            }
            let mut seen = self.0.write().unwrap_or_else(PoisonError::into_inner);
            for line in &lines {
                if let DirectoryEntry::Identity(identity) = &line.entry {
                    seen.nodes.insert(identity.unverified().node);
                }
                seen.last = seen.last.max(line.number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::money::Units;
    use protocol::note::{Note, NoteTable};

    /// What fills our disk or takes our time has a price, also for a note that clashes.
    #[test]
    fn whoever_makes_work_pays_for_it() {
        let clash = || Item::Clash(NoteTable::pack(&[] as &[Note]));
        let refused = Item::Refused(ErrorCode::UnknownRoot);
        let forged = Item::Refused(ErrorCode::BadSignature);
        let table = [
            (BankAnswer::Denied(vec![(0, clash())]), CLASHED),
            (BankAnswer::Denied(vec![(0, clash()), (3, clash())]), 2 * CLASHED),
            (BankAnswer::Denied(vec![(0, refused), (1, forged)]), REFUSED + FORGED),
            (BankAnswer::Error(ErrorCode::NotFound), 0),
            (BankAnswer::Published, 0),
        ];
        for (told, price) in table {
            assert_eq!(points(false, &told), price, "{told:?}");
        }
        assert_eq!(points(true, &BankAnswer::Error(ErrorCode::NotFound)), GUESSED);
        assert_eq!(points_of_items([Item::Paid(Units::ZERO), clash()].iter()), CLASHED);
    }
}
