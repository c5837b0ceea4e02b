//! An order's money is there: somebody is told at once, by a program, a slip in a folder, a receipt printer.
//!
//! Each of the three is told by itself, and again, later and later, until it has taken it; what it took stands in the order, so
//! it is told once, or twice after a crash or a printer that broke off in the middle. Since when one takes nothing stands in the status.

use crate::aside::Bench;
use crate::hooks::jittered;
use crate::room::Room;
use crate::shop::Shop;
use crate::shop::change::Decision;
use crate::shop::failing::Failing;
use crate::shop::notice::Channel;
use crate::shop::order::{Order, is_host};
use protocol::id::RequestId;
use protocol::money::Currency;
use protocol::node::clock::Clock;
use protocol::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// How long a program or a printer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest wait between two tries, in seconds: somebody is waiting for what he ordered.
const WAIT_MAX: u64 = 300;
/// How often it is looked at when nothing happens.
const REST: Duration = Duration::from_secs(60);
/// Start, and cut, of a receipt printer.
const ESC_POS_START: &[u8] = b"\x1b@";
const ESC_POS_CUT: &[u8] = b"\n\n\n\n\x1dV\x42\x00";

/// An order as a slip of paper.
pub fn slip(order: &Order, currency: &Currency) -> String {
    let body = order.body();
    let mut text = format!("ORDER {}\n{}\n\n", order.id(), order.placed);
    for line in &body.lines {
        // Writing into a string can't fail.
        let _ = writeln!(text, "{:>3} x {}  {}", line.quantity, line.name, currency.show(line.price));
    }
    let _ = writeln!(
        text,
        "\nTOTAL {}\nheld by the bank, release: {}\n",
        currency.show_full(body.total),
        body.release.word()
    );
    let _ = writeln!(text, "for     {}", order.buyer);
    if let Some(address) = &order.address {
        let _ = writeln!(text, "to      {address}");
    }
    if !body.note.as_str().is_empty() {
        let _ = writeln!(text, "says    {}", body.note);
    }
    let _ = writeln!(text, "until   {}", body.order_ends);
    text
}

/// The same for a receipt printer, which knows no letters but the plain ones.
pub fn esc_pos(order: &Order, currency: &Currency) -> Vec<u8> {
    let plain = slip(order, currency).chars().map(|c| if c.is_ascii() { c } else { '?' }).collect::<String>();
    [ESC_POS_START, plain.as_bytes(), ESC_POS_CUT].concat()
}

/// Keeps telling, one task for each channel: a printer that hangs keeps nobody from being rung for.
pub struct Notices {
    room: Room,
    clock: Clock,
    /// How an order is shown to a program.
    show: fn(&Order) -> String,
}

/// An order that was not taken, and when it is tried again.
struct Waiting {
    failing: Failing,
    until: Duration,
}

/// Where a slip is under way to a folder or a device.
type Slips = Bench<RequestId, std::io::Result<()>>;

impl Notices {
    /// Of this room's orders.
    pub fn new(room: Room, clock: Clock, show: fn(&Order) -> String) -> Notices {
        Notices { room, clock, show }
    }

    /// Until the room ends.
    pub async fn run(self) {
        let [folder, printer, command] = Channel::ALL;
        tokio::join!(self.keep(folder), self.keep(printer), self.keep(command));
    }

    async fn keep(&self, channel: Channel) {
        let mut news = self.room.newest_event.subscribe();
        let mut waiting: BTreeMap<RequestId, Waiting> = BTreeMap::new();
        let (mut before, mut slips) = (None, Slips::default());
        loop {
            news.borrow_and_update();
            let look = move |shop: &Shop| (shop.notices_due(channel), shop.keeper().currency.clone());
            let Ok((due, currency)) = self.room.look(look).await else { return };
            let (target, orders) = due.unzip();
            if target != before {
                // Another printer is tried at once.
                (before, slips) = (target.clone(), Slips::default());
                waiting.clear();
            }
            let orders = orders.unwrap_or_default();
            waiting.retain(|id, _| orders.iter().any(|order| order.id() == *id));
            for order in &orders {
                let clock = self.clock.monotonic();
                if waiting.get(&order.id()).is_some_and(|one| clock < one.until) {
                    continue;
                }
                let Some(target) = &target else { break };
                let came = self.tell(order, channel, (target, &currency), &mut slips).await;
                let now = Timestamp(self.clock.now_seconds());
                match &came {
                    Ok(()) => {
                        tracing::info!(order = %order.id(), what = channel.word(), "somebody was told of an order");
                        waiting.remove(&order.id());
                    }
                    Err(why) => {
                        tracing::warn!(order = %order.id(), what = channel.word(), %why, "nobody was told of an order");
                        let known = waiting.get(&order.id()).map(|one| &one.failing);
                        let failing = Failing::again(known, why, now);
                        let wait = jittered(failing.wait().min(WAIT_MAX));
                        let until = self.clock.monotonic().saturating_add(wait);
                        waiting.insert(order.id(), Waiting { failing, until });
                    }
                }
                let id = order.id();
                let noted = self.room.decide(move |shop, _| Ok(shop.notice_went(channel, &id, came, now)));
                if noted.await.is_err() {
                    return;
                }
            }
            if orders.is_empty() {
                let now = Timestamp(self.clock.now_seconds());
                let rest = move |shop: &Shop, _: &_| {
                    Ok(shop.notices_rest(channel, now).unwrap_or_else(|| Decision::reply(())))
                };
                if self.room.decide(rest).await.is_err() {
                    return;
                }
            }
            let next = waiting.values().map(|one| one.until).min();
            let next = next.map_or(REST, |until| until.saturating_sub(self.clock.monotonic()).min(REST));
            tokio::select! {
                () = tokio::time::sleep(next) => {}
                changed = news.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Tells it, with an end. What hangs outside is not begun a second time: it may still come to an end, and then that counts.
    async fn tell(
        &self,
        order: &Order,
        channel: Channel,
        (target, currency): (&str, &Currency),
        slips: &mut Slips,
    ) -> Result<(), String> {
        let late = || "it took longer than 20 s".to_owned();
        let text = |why: std::io::Error| why.to_string();
        let job: Job = match channel {
            Channel::Command => {
                let told = to_command(target, order, (self.show)(order));
                return tokio::time::timeout(PATIENCE, told).await.map_err(|_| late())?.map_err(text);
            }
            Channel::Printer if is_host(target) => {
                let told = to_line(target, esc_pos(order, currency));
                return tokio::time::timeout(PATIENCE, told).await.map_err(|_| late())?.map_err(text);
            }
            Channel::Printer => {
                let (device, bytes) = (target.to_owned(), esc_pos(order, currency));
                Box::new(move || to_device(&device, &bytes))
            }
            Channel::Folder => {
                let (folder, slip, id) = (target.to_owned(), slip(order, currency), order.id());
                Box::new(move || to_folder(&folder, &slip, &id))
            }
        };
        let came = slips.work(order.id(), PATIENCE, job).await;
        came.map_err(|hangs| hangs.to_string())?.map_err(text)
    }
}

type Job = Box<dyn FnOnce() -> std::io::Result<()> + Send>;

/// Written beside and moved: who watches the folder sees whole slips only.
fn to_folder(folder: &str, slip: &str, id: &RequestId) -> std::io::Result<()> {
    let folder = std::path::Path::new(folder);
    std::fs::create_dir_all(folder)?;
    let (part, whole) = (format!(".order-{id}"), format!("order-{id}.txt"));
    std::fs::write(folder.join(&part), slip)?;
    std::fs::rename(folder.join(part), folder.join(whole))
}

async fn to_line(printer: &str, bytes: Vec<u8>) -> std::io::Result<()> {
    let mut line = tokio::net::TcpStream::connect(printer).await?;
    line.write_all(&bytes).await?;
    line.shutdown().await
}

fn to_device(printer: &str, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(printer)?;
    std::io::Write::write_all(&mut file, bytes)?;
    std::io::Write::flush(&mut file)
}

async fn to_command(command: &str, order: &Order, json: String) -> std::io::Result<()> {
    let mut child = tokio::process::Command::new(command)
        .arg(order.id().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A program that only rings a bell does not read.
        let _ = input.write_all(json.as_bytes()).await;
    }
    match child.wait().await? {
        status if status.success() => Ok(()),
        status => Err(std::io::Error::other(format!("it ended with {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room;
    use crate::shop::Keeper;
    use crate::shop::notice::Noticed;
    use crate::shop::order::OrderState;
    use crate::store::{HEAD_FILE, ShopStore};
    use daemon::head::HeadFile;
    use protocol::body::Text;
    use protocol::id::{BankId, Digest};
    use protocol::money::Units;
    use protocol::shop::{Release, SaleLine, ShopOrder};
    use protocol::sign::Signer;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;
    use tokio::sync::oneshot;

    fn order() -> Order {
        let (buyer, shop) = (Signer::from_secret(&[1; 32]), Signer::from_secret(&[2; 32]));
        let text = |text: &str| Text::new(text, 64).unwrap();
        let total = Units::new(22).unwrap();
        let body = ShopOrder {
            bank: BankId([1; 8]),
            id: RequestId([5; 16]),
            buyer: buyer.key(),
            shop: shop.key(),
            version: 1,
            release: Release::Confirmation,
            order_ends: Timestamp(200),
            ends: Timestamp(300),
            delivery: Digest::default(),
            note: Text::default(),
            created: Timestamp(100),
            total,
            lines: vec![SaleLine { sku: text("lunch"), name: text("Lunch"), quantity: 1, price: total }],
        };
        Order {
            order: buyer.sign(body),
            buyer: "alice".to_owned(),
            address: None,
            state: OrderState::Held,
            word: None,
            hold: None,
            noticed: false,
            delivered: false,
            placed: Timestamp(100),
            ended: None,
            told: Noticed::default(),
            sale: None,
        }
    }

    fn notices(folder: &std::path::Path) -> Notices {
        let store = Arc::new(ShopStore::on(redb::backends::InMemoryBackend::new()).unwrap());
        let (key, currency) = (Signer::from_secret(&[2; 32]).key(), Currency::default());
        let keeper = Keeper { bank: BankId([1; 8]), key, name: "Hall".to_owned(), currency };
        let shop = store.load(keeper).unwrap();
        let head = HeadFile::open(&folder.join(HEAD_FILE)).unwrap();
        let (room, _) = room::open(shop, store, head).unwrap();
        Notices::new(room, Clock::manual(100), |_| "{}".to_owned())
    }

    /// Issue 4: a printer that hangs is not sent the same slip again; if it comes to an end after all, that counts.
    #[tokio::test]
    async fn what_hangs_is_not_begun_a_second_time() {
        let folder = tempfile::tempdir().unwrap();
        let (notices, order, currency) = (notices(folder.path()), order(), Currency::default());
        let paper = folder.path().join("printer");
        let place = paper.to_string_lossy().into_owned();
        let (ends, done) = oneshot::channel();
        let mut slips = Bench { under_way: Some((order.id(), done)) };
        let to = (place.as_str(), &currency);
        let again = notices.tell(&order, Channel::Printer, to, &mut slips).await;
        assert!(again.unwrap_err().contains("hangs") && slips.under_way.is_some());
        ends.send(Ok(())).unwrap();
        assert_eq!(notices.tell(&order, Channel::Printer, to, &mut slips).await, Ok(()));
        assert!(slips.under_way.is_none() && !paper.exists(), "it was not printed a second time");
        assert_eq!(notices.tell(&order, Channel::Printer, to, &mut slips).await, Ok(()));
        assert!(std::fs::read(&paper).unwrap().starts_with(ESC_POS_START));
    }

    /// Issue 4: a program that fails, one that is not there and a printer that is off have not taken it; a folder gets the same
    /// slip under the same name.
    #[tokio::test]
    async fn what_fails_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let (notices, order, currency) = (notices(folder.path()), order(), Currency::default());
        let program = folder.path().join("ring");
        std::fs::write(&program, "#!/bin/sh\ntest -e \"$0.works\"\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let (ring, slips) = (program.to_string_lossy().into_owned(), folder.path().join("slips"));
        let mut under_way = Slips::default();
        let failed = notices.tell(&order, Channel::Command, (&ring, &currency), &mut under_way).await;
        assert!(failed.unwrap_err().contains("exit status: 1"));
        std::fs::write(folder.path().join("ring.works"), "").unwrap();
        assert_eq!(notices.tell(&order, Channel::Command, (&ring, &currency), &mut under_way).await, Ok(()));
        let nobody =
            notices.tell(&order, Channel::Command, ("/nowhere/ring", &currency), &mut under_way).await;
        assert!(nobody.is_err());
        // A port that somebody has, and that is closed again.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let off =
            notices.tell(&order, Channel::Printer, (&port.to_string(), &currency), &mut under_way).await;
        assert!(off.is_err());
        let place = slips.to_string_lossy().into_owned();
        for _ in 0..2 {
            assert_eq!(
                notices.tell(&order, Channel::Folder, (&place, &currency), &mut under_way).await,
                Ok(())
            );
        }
        assert_eq!(std::fs::read_dir(&slips).unwrap().count(), 1);
    }
}
