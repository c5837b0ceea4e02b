//! Vectors of a shop's papers: receipt document, refund note, day report, and the file that holds them.

use crate::bodies::{self, spoil};
use crate::papers;
use crate::scene::{NOW, Scene, TODAY, units};
use protocol::bank::CertificateKind;
use protocol::body::Body;
use protocol::id::{Digest, PaymentId, RequestId};
use protocol::key::bank::Usage;
use protocol::shop::{DayLine, DayReport, ReceiptFile, RefundNote, SaleLine, SaleReceipt};

const TOO_MANY_UNITS: [u8; 8] = (1u64 << 53).to_be_bytes();

fn line(sku: &str, name: &str, quantity: u32, price: u64) -> SaleLine {
    SaleLine { sku: papers::text(sku), name: papers::text(name), quantity, price: units(price) }
}

/// Bob's shop: what Alice paid 30 for.
fn sale(scene: &Scene) -> SaleReceipt {
    let receipt = papers::receipt(scene, false);
    SaleReceipt {
        bank: scene.bank.id(),
        shop: scene.bob.owner().key(),
        till: papers::text("1"),
        number: 17,
        payer: scene.alice.owner().key(),
        payment: scene.order.payment,
        request: scene.order.request,
        order: receipt.order,
        receipt: receipt.digest(),
        opened: NOW,
        at: NOW.plus_seconds(40),
        total: units(30),
        lines: vec![line("", "Lunch", 1, 22), line("tea", "Tè verde", 2, 4)],
    }
}

pub(crate) fn refund(scene: &Scene) -> RefundNote {
    RefundNote {
        bank: scene.bank.id(),
        shop: scene.bob.owner().key(),
        sale: sale(scene).digest(),
        refund: RequestId([81; 16]),
        units: units(8),
        to: scene.alice.owner().key(),
        payment: PaymentId([82; 16]),
        order: Digest([83; 32]),
        at: NOW.plus_seconds(900),
        reason: papers::text("the tea was cold"),
    }
}

fn report(scene: &Scene) -> DayReport {
    let line = |day, late, sales, received| DayLine {
        day,
        till: papers::text("1"),
        late,
        sales,
        received: units(received),
        refunds: 1,
        refunded: units(8),
        orders: 2,
        ordered: units(70),
    };
    DayReport {
        bank: scene.bank.id(),
        shop: scene.bob.owner().key(),
        number: 2,
        prev: Digest([84; 32]),
        day: TODAY,
        from: NOW,
        to: NOW.plus_seconds(40_000),
        opening: units(100),
        received: units(30),
        late: units(12),
        other_in: units(3),
        withdrawn: units(50),
        refunded: units(16),
        sent_back: units(2),
        other_out: units(1),
        swept: units(40),
        lost: units(5),
        expected: units(131),
        reserve: units(131),
        unconfirmed: units(30),
        ordered: units(140),
        lines: vec![line(TODAY, false, 1, 30), line(protocol::time::Day(TODAY.0 - 1), true, 1, 12)],
    }
}

pub(crate) fn bodies(v: &mut bodies::Vectors, scene: &Scene) {
    let node = scene.bob.node();
    let bytes = v.signed(&node, sale(scene));
    v.malformed::<SaleReceipt>(
        &bytes,
        [
            spoil(211, TOO_MANY_UNITS, "2^53 units or more"),
            spoil(211, 31u64.to_be_bytes(), "the lines do not add up to the total"),
            spoil(219, [0, 0], "no lines, or too many"),
            spoil(219, [0, 201], "no lines, or too many"),
            spoil(228, [0; 4], "a line of nothing"),
            spoil(232, TOO_MANY_UNITS, "2^53 units or more"),
        ],
    );
    let bytes = v.signed(&node, refund(scene));
    v.malformed::<RefundNote>(
        &bytes,
        [spoil(89, [0; 8], "gives nothing back"), spoil(89, TOO_MANY_UNITS, "2^53 units or more")],
    );
    let mut first = report(scene);
    (first.number, first.prev) = (1, Digest::default());
    first.lines.clear();
    v.signed(&node, first);
    let bytes = v.signed(&node, report(scene));
    v.malformed::<DayReport>(
        &bytes,
        [
            spoil(101, TOO_MANY_UNITS, "2^53 units or more"),
            spoil(213, [16, 1], "too many lines"),
            spoil(221, [2], "neither late nor in time"),
        ],
    );
}

/// All papers of the sale, as a shop hands them out.
pub(crate) fn file(scene: &Scene) -> ReceiptFile {
    let node = scene.bob.node();
    let mut certificate = scene.bank.certificate(scene.bob.owner().key());
    certificate.kind = CertificateKind::Shop;
    let mut introduction = scene.bob.introduction(&scene.bank);
    introduction.certificate = scene.bank.attest.sign(certificate);
    ReceiptFile {
        introductions: vec![introduction],
        keys: vec![scene.bank.certify(Usage::Attest, 0, scene.bank.attest.key())],
        order: scene.alice.owner().sign(scene.order.clone()),
        receipt: node.sign(papers::receipt(scene, false)),
        sale: node.sign(sale(scene)),
        refunds: vec![node.sign(refund(scene))],
    }
}
