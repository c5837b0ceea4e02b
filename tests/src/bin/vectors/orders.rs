//! Vectors of orders from afar: the order, the shop's word, and what both say to each other.

use crate::bodies::{self, spoil};
use crate::papers::text;
use crate::scene::{NOW, Scene, units};
use protocol::body::Body;
use protocol::id::RequestId;
use protocol::shop::{
    OrderFile, OrderReceipt, OrderWord, ReceiptFile, RefundNote, Release, SaleLine, ShopOrder, Word,
    delivery_digest,
};
use protocol::time::DAY_SECONDS;
use protocol::wire::{
    CatalogueItem, CatalogueNews, CataloguePage, Changed, Goods, OrderState, PlacedOrder, PriceTag,
    ShopAnswer, ShopAsk, TillAsk, TillCode, TillLine, TillSale,
};
use serde_bytes::ByteBuf;

const SALT: [u8; 16] = [91; 16];
const ADDRESS: &str = "Via Roma 3, second floor";

/// What Alice orders of Bob's shop.
fn order(scene: &Scene, release: Release) -> ShopOrder {
    let line = |sku: &str, name: &str, quantity, price| SaleLine {
        sku: text(sku),
        name: text(name),
        quantity,
        price: units(price),
    };
    ShopOrder {
        bank: scene.bank.id(),
        id: RequestId([92; 16]),
        buyer: scene.alice.owner().key(),
        shop: scene.bob.owner().key(),
        version: 7,
        release,
        order_ends: NOW.plus_seconds(8 * DAY_SECONDS),
        ends: NOW.plus_seconds(10 * DAY_SECONDS),
        delivery: delivery_digest(&SALT, ADDRESS),
        note: text("ring twice"),
        created: NOW,
        total: units(30),
        lines: vec![line("lunch", "Lunch", 1, 22), line("tea", "Tè verde", 2, 4)],
    }
}

fn word(scene: &Scene, word: Word) -> OrderWord {
    let order = order(scene, Release::Code).digest();
    OrderWord { bank: scene.bank.id(), shop: scene.bob.owner().key(), order, at: NOW, word }
}

pub(crate) fn bodies(v: &mut bodies::Vectors, scene: &Scene) {
    let (buyer, node) = (scene.alice.owner(), scene.bob.node());
    let date = NOW.plus_seconds(9 * DAY_SECONDS);
    v.signed(&buyer, order(scene, Release::Confirmation));
    let dated = v.signed(&buyer, order(scene, Release::Date(date)));
    v.malformed::<ShopOrder>(
        &dated,
        [
            spoil(98, NOW.0.to_be_bytes(), "its money does not outlive it"),
            spoil(98, u64::MAX.to_be_bytes(), "its money does not outlive it"),
        ],
    );
    let bytes = v.signed(&buyer, order(scene, Release::Code));
    v.malformed::<ShopOrder>(
        &bytes,
        [
            spoil(97, [0], "unknown release"),
            spoil(97, [4], "unknown release"),
            spoil(98, date.plus_seconds(1).0.to_be_bytes(), "its money does not outlive it"),
            spoil(98, u64::MAX.to_be_bytes(), "its money does not outlive it"),
            spoil(146, [0xff], "too short"),
            spoil(147, [7], "a text that is too long or has control characters"),
            spoil(165, (1u64 << 53).to_be_bytes(), "2^53 units or more"),
            spoil(165, 31u64.to_be_bytes(), "the lines do not add up to the total"),
            spoil(173, [0], "no lines, or too many"),
            spoil(173, [65], "no lines, or too many"),
        ],
    );
    let accepted = v.signed(&node, word(scene, Word::Accepted));
    v.malformed::<OrderWord>(
        &accepted,
        [spoil(81, [0], "unknown word"), spoil(81, [4], "unknown word"), spoil(81, [2], "too short")],
    );
    let bytes = v.signed(&node, receipt(scene));
    let flaw = "nothing was released, or it does not come to the total";
    v.malformed::<OrderReceipt>(
        &bytes,
        [
            spoil(137, [0; 8], flaw),
            spoil(145, 25u64.to_be_bytes(), flaw),
            spoil(153, 5u64.to_be_bytes(), flaw),
            spoil(145, u64::MAX.to_be_bytes(), "2^53 units or more"),
        ],
    );
    v.signed(&node, word(scene, Word::Refused(text("sold out"))));
    v.signed(&node, word(scene, Word::Ready(text("the courier comes at six"))));
}

fn receipt(scene: &Scene) -> OrderReceipt {
    OrderReceipt {
        bank: scene.bank.id(),
        shop: scene.bob.owner().key(),
        number: 18,
        buyer: scene.alice.owner().key(),
        order: order(scene, Release::Code).digest(),
        hold: RequestId([93; 16]),
        at: NOW,
        total: units(30),
        released: units(26),
        returned: units(4),
    }
}

/// All papers of the order, as a shop hands them out.
pub(crate) fn file(scene: &Scene) -> OrderFile {
    let node = scene.bob.node();
    let receipt = node.sign(receipt(scene));
    let note = RefundNote { sale: receipt.digest(), units: units(5), ..crate::shop::refund(scene) };
    let ReceiptFile { introductions, keys, .. } = crate::shop::file(scene);
    let order = scene.alice.owner().sign(order(scene, Release::Code));
    OrderFile { introductions, keys, order, receipt, refunds: vec![node.sign(note)] }
}

pub(crate) fn asks(scene: &Scene) -> Vec<ShopAsk> {
    let order = scene.alice.owner().sign(order(scene, Release::Code));
    let id = order.unverified().id;
    vec![
        ShopAsk::Catalogue("tea".to_owned()),
        ShopAsk::Place(PlacedOrder { order, salt: SALT, address: ADDRESS.to_owned() }),
        ShopAsk::Order(id),
        ShopAsk::Till(till_ask()),
        ShopAsk::Till(TillAsk { till: "Café".to_owned(), code: TillCode::of(7) }),
        ShopAsk::Tills,
    ]
}

pub(crate) fn till_ask() -> TillAsk {
    TillAsk { till: String::new(), code: TillCode::of(999_999) }
}

pub(crate) fn answers(scene: &Scene) -> Vec<ShopAnswer> {
    let item = |sku: &str, price, digital| CatalogueItem {
        sku: sku.to_owned(),
        name: "Tè verde".to_owned(),
        category: "drinks".to_owned(),
        unit: "cup".to_owned(),
        price,
        digital,
    };
    let items = vec![
        item("map", PriceTag::Suggested(units(5)), true),
        item("tea", PriceTag::Fixed(units(4)), false),
        item("tip", PriceTag::Free(units(1), units(50)), false),
    ];
    let line =
        |name: &str, quantity, price| TillLine { name: name.to_owned(), quantity, price: units(price) };
    let lines = vec![line("Lunch", 2, 11), line("Tè verde", 1, 4)];
    let request = scene.bob.node().sign(scene.request.clone());
    let word = scene.bob.node().sign(word(scene, Word::Accepted));
    let goods = vec![Goods { sku: "map".to_owned(), content: ByteBuf::from(vec![1, 2, 3]) }];
    vec![
        ShopAnswer::Catalogue(CataloguePage { version: 7, items, more: true }),
        ShopAnswer::Order(OrderState { word: None, held: false, goods: Vec::new() }),
        ShopAnswer::Order(OrderState { word: Some(word), held: true, goods }),
        ShopAnswer::Changed(CatalogueNews {
            version: 8,
            changed: vec![
                Changed { sku: "tea".to_owned(), now: Some(item("tea", PriceTag::Fixed(units(5)), false)) },
                Changed { sku: "lunch".to_owned(), now: None },
            ],
        }),
        ShopAnswer::Till(Box::new(TillSale { till: "1".to_owned(), request, lines })),
        ShopAnswer::Tills(vec!["1".to_owned(), "Café".to_owned()]),
    ]
}
