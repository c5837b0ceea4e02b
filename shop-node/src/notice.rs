//! An order's money is there: somebody is told at once, by a program, a slip in a folder, a receipt printer.
//!
//! Told once or, after a crash in between, twice; never not at all. What fails is in the log, and is not tried for ever: the
//! order stands in the list, and in the events.

use crate::shop::order::{Order, OrderSettings};
use protocol::money::Currency;
use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// How long a program or a printer may take.
const PATIENCE: Duration = Duration::from_secs(20);
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

/// Tells everybody whom the settings name.
pub async fn tell(order: &Order, settings: &OrderSettings, currency: &Currency, json: String) {
    let id = order.id();
    let told = |what: &str, done: std::io::Result<()>| match done {
        Ok(()) => tracing::info!(order = %id, what, "somebody was told of an order"),
        Err(why) => tracing::error!(order = %id, what, %why, "nobody was told of an order"),
    };
    if let Some(folder) = &settings.folder {
        told("folder", to_folder(folder, order, currency).await);
    }
    if let Some(printer) = &settings.printer {
        told("printer", patiently(to_printer(printer, esc_pos(order, currency))).await);
    }
    if let Some(command) = &settings.command {
        told("command", patiently(to_command(command, order, json)).await);
    }
}

async fn patiently(telling: impl Future<Output = std::io::Result<()>>) -> std::io::Result<()> {
    let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, "it took longer than 20 s");
    tokio::time::timeout(PATIENCE, telling).await.map_err(|_| late())?
}

/// Written beside and moved: who watches the folder sees whole slips only.
async fn to_folder(folder: &str, order: &Order, currency: &Currency) -> std::io::Result<()> {
    let folder = std::path::Path::new(folder);
    tokio::fs::create_dir_all(folder).await?;
    let (part, whole) = (format!(".order-{}", order.id()), format!("order-{}.txt", order.id()));
    tokio::fs::write(folder.join(&part), slip(order, currency)).await?;
    tokio::fs::rename(folder.join(part), folder.join(whole)).await
}

async fn to_printer(printer: &str, bytes: Vec<u8>) -> std::io::Result<()> {
    let is_host = printer.rsplit_once(':').is_some_and(|(host, port)| {
        !host.contains('/') && !host.contains('\\') && port.parse::<u16>().is_ok()
    });
    if is_host {
        let mut line = tokio::net::TcpStream::connect(printer).await?;
        line.write_all(&bytes).await?;
        return line.shutdown().await;
    }
    let mut file = tokio::fs::OpenOptions::new().append(true).create(true).open(printer).await?;
    file.write_all(&bytes).await?;
    file.flush().await
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
