//! Receipt documents: what one proves, and every way to make one lie (SPEC §3.9, N7).

use crate::scene::{Bank, NOW, Person, Scene, units};
use protocol::bank::CertificateKind;
use protocol::body::{Body, Text};
use protocol::id::{Digest, PaymentId, RequestId};
use protocol::key::bank::Usage;
use protocol::pay::Receipt;
use protocol::shop::{FileFlaw, ReceiptFile, RefundNote, SaleLine, SaleReceipt, total};
use protocol::sign::Signer;

fn text(text: &str) -> Text {
    Text::new(text, 255).unwrap()
}

fn sale(scene: &Scene, receipt: &Receipt) -> SaleReceipt {
    SaleReceipt {
        bank: scene.bank.id(),
        shop: scene.bob.owner().key(),
        till: text("1"),
        number: 1,
        payer: scene.alice.owner().key(),
        payment: scene.order.payment,
        request: scene.order.request,
        order: scene.order.digest(),
        receipt: receipt.digest(),
        opened: NOW,
        at: NOW,
        total: units(30),
        lines: vec![SaleLine { sku: text("lunch"), name: text("Lunch"), quantity: 3, price: units(10) }],
    }
}

fn note(scene: &Scene, sale: &SaleReceipt, n: u8, back: u64) -> RefundNote {
    RefundNote {
        bank: sale.bank,
        shop: sale.shop,
        sale: sale.digest(),
        refund: RequestId([n; 16]),
        units: units(back),
        to: scene.alice.owner().key(),
        payment: PaymentId([n; 16]),
        order: Digest([n; 32]),
        at: NOW,
        reason: text("stale"),
    }
}

fn file() -> (Scene, ReceiptFile) {
    let scene = Scene::new();
    let node = scene.bob.node();
    let receipt = Receipt {
        order: scene.order.digest(),
        payee: scene.bob.owner().key(),
        amount: units(30),
        received: NOW,
        confirmed: false,
    };
    let mut introduction = scene.bob.introduction(&scene.bank);
    let mut certificate = scene.bank.certificate(scene.bob.owner().key());
    certificate.kind = CertificateKind::Shop;
    introduction.certificate = scene.bank.attest.sign(certificate);
    let sale = sale(&scene, &receipt);
    let refunds = vec![node.sign(note(&scene, &sale, 1, 10)), node.sign(note(&scene, &sale, 2, 20))];
    let file = ReceiptFile {
        introductions: vec![introduction],
        keys: vec![scene.bank.certify(Usage::Attest, 0, scene.bank.attest.key())],
        order: scene.alice.owner().sign(scene.order.clone()),
        receipt: node.sign(receipt),
        sale: node.sign(sale),
        refunds,
    };
    (scene, file)
}

/// N7: a document that binds goods, amount, till, payment and refunds, for anybody who knows the bank.
#[test]
fn a_file_proves_what_was_sold_and_given_back() {
    let (scene, file) = file();
    let proved = file.verify(scene.bank.master.key()).unwrap();
    assert!(proved.is_shop);
    assert_eq!(
        (proved.shop.as_str(), proved.refunded, proved.sale.total),
        ("somebody", units(30), units(30))
    );
    assert_eq!(proved.sale.payer, scene.alice.owner().key());
}

/// Each paper exchanged for another that is good in itself.
#[test]
fn nothing_in_it_can_be_exchanged() {
    let (scene, good) = file();
    let master = scene.bank.master.key();
    let node = scene.bob.node();
    let body = good.sale.unverified().clone();
    let lies: Vec<(ReceiptFile, FileFlaw)> = vec![
        (
            ReceiptFile { sale: scene.alice.node().sign(body.clone()), ..good.clone() },
            FileFlaw::NotTheShop("receipt document"),
        ),
        (
            ReceiptFile {
                receipt: scene.alice.node().sign(good.receipt.unverified().clone()),
                ..good.clone()
            },
            FileFlaw::NotTheShop("receipt of the payment"),
        ),
        (
            ReceiptFile { order: scene.bob.owner().sign(scene.order.clone()), ..good.clone() },
            FileFlaw::NotThePayer,
        ),
        (
            // Another total than was paid: the goods made dearer, or cheaper.
            ReceiptFile {
                sale: node.sign(SaleReceipt {
                    total: units(20),
                    lines: vec![SaleLine { quantity: 2, ..body.lines[0].clone() }],
                    ..body.clone()
                }),
                refunds: Vec::new(),
                ..good.clone()
            },
            FileFlaw::Apart("order"),
        ),
        (
            ReceiptFile {
                sale: node.sign(SaleReceipt { payer: Person::new(7).owner().key(), ..body.clone() }),
                refunds: Vec::new(),
                ..good.clone()
            },
            FileFlaw::Apart("order"),
        ),
        (
            // The goods changed after the refund: the note is of another document.
            ReceiptFile { sale: node.sign(SaleReceipt { till: text("2"), ..body.clone() }), ..good.clone() },
            FileFlaw::Apart("refund note"),
        ),
        (
            ReceiptFile { refunds: vec![good.refunds[0].clone(), good.refunds[0].clone()], ..good.clone() },
            FileFlaw::TooMuch,
        ),
        (
            ReceiptFile { refunds: vec![node.sign(note(&scene, &body, 3, 31))], ..good.clone() },
            FileFlaw::TooMuch,
        ),
        (
            ReceiptFile { refunds: vec![scene.alice.node().sign(note(&scene, &body, 3, 3))], ..good.clone() },
            FileFlaw::NotTheShop("refund note"),
        ),
        (ReceiptFile { introductions: Vec::new(), ..good.clone() }, FileFlaw::OtherShop),
        (
            ReceiptFile { introductions: vec![scene.alice.introduction(&scene.bank)], ..good.clone() },
            FileFlaw::OtherShop,
        ),
        (ReceiptFile { refunds: vec![good.refunds[0].clone(); 65], ..good.clone() }, FileFlaw::TooMany),
    ];
    for (file, flaw) in lies {
        assert_eq!(file.verify(master).unwrap_err(), flaw);
    }
    // Without the bank's key, or with another bank's, it proves nothing.
    assert!(ReceiptFile { keys: Vec::new(), ..good.clone() }.verify(master).is_err());
    let other = Bank { master: Signer::from_secret(&[9; 32]), ..Bank::new() };
    assert_eq!(good.verify(other.master.key()).unwrap_err(), FileFlaw::OtherBank);
}

#[test]
fn a_total_never_wraps() {
    let line =
        |quantity, price: u64| SaleLine { sku: text(""), name: text("x"), quantity, price: units(price) };
    assert_eq!(total(&[line(3, 10), line(1, 5)]), Ok(units(35)));
    assert!(total(&[line(u32::MAX, (1 << 53) - 1)]).is_err());
    assert!(total(&[line(1, (1 << 53) - 1), line(1, 1)]).is_err());
    let (_, file) = file();
    let bytes = file.sale.to_bytes();
    assert!((0..bytes.len() - 64).all(|cut| SaleReceipt::from_bytes(&bytes[..cut]).is_err()));
}
