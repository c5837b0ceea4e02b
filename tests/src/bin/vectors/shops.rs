//! Vectors of what shops need of the bank: holds and what is said about them, sweeps and their lists, statements.

use crate::bodies::{self, spoil};
use crate::papers::{self, text};
use crate::scene::{Bank, NOW, Person, Scene, units};
use protocol::bank::{
    Act, Hold, HoldAct, HoldParty, HoldRule, LetterKind, NodeQuery, Purpose, Sweep, code_hash,
};
use protocol::id::{Digest, RequestId};
use protocol::time::DAY_SECONDS;
use protocol::wire::{
    BankAnswer, BankAsk, HoldState, HoldStep, HoldTerm, LineKind, Sale, SaleKind, SalesList, Span,
    StatementLine, encode, sales_digest,
};
use serde_bytes::ByteBuf;

const SALT: [u8; 16] = [46; 16];
const HOLD: RequestId = RequestId([41; 16]);

fn rules() -> [HoldRule; 3] {
    let hash = code_hash(&SALT, &HOLD, "4711");
    [
        HoldRule::Confirmation,
        HoldRule::Date(NOW.plus_seconds(9 * DAY_SECONDS)),
        HoldRule::Code { salt: SALT, hash },
    ]
}

/// How a special code is hidden.
pub(crate) fn code() -> serde_json::Value {
    let digest = code_hash(&SALT, &HOLD, "4711");
    serde_json::json!({ "salt": hex::encode(SALT), "hold": HOLD, "code": "4711", "digest": digest })
}

fn hold(bank: &Bank, buyer: &Person, rule: HoldRule) -> Hold {
    Hold {
        bank: bank.id(),
        request: HOLD,
        owner: buyer.owner().key(),
        payee: Person::new(60).owner().key(),
        units: units(120),
        order: Digest([42; 32]),
        rule,
        order_ends: NOW.plus_seconds(8 * DAY_SECONDS),
        ends: NOW.plus_seconds(10 * DAY_SECONDS),
        created: NOW,
    }
}

fn acts() -> [Act; 4] {
    [Act::Confirm, Act::Dispute(text("caffè freddo")), Act::Code(text("4711")), Act::Refund(units(30))]
}

fn act(bank: &Bank, signer: &Person, act: Act) -> HoldAct {
    let (request, signer) = (RequestId([43; 16]), signer.owner().key());
    HoldAct { bank: bank.id(), request, hold: HOLD, signer, created: NOW, act }
}

pub(crate) fn bodies(v: &mut bodies::Vectors, scene: &Scene) {
    let (bank, bob) = (&scene.bank, &scene.bob);
    let nothing = "nothing, or 2^53 units or more";
    let [plain, dated, coded] = rules().map(|rule| v.signed(&bob.owner(), hold(bank, bob, rule)));
    let early = NOW.plus_seconds(9 * DAY_SECONDS + 1).0.to_be_bytes();
    v.malformed::<Hold>(
        &plain,
        [
            spoil(89, [0; 8], nothing),
            spoil(89, (1u64 << 53).to_be_bytes(), nothing),
            spoil(129, early, "does not outlive its order"),
            spoil(153, [0], "unknown rule"),
            spoil(153, [4], "unknown rule"),
            spoil(153, [2], "too short"),
        ],
    );
    v.malformed::<Hold>(&dated, [spoil(154, [0; 8], "does not outlive its order")]);
    v.malformed::<Hold>(&coded, []);
    let [confirm, dispute, _, refund] = acts().map(|word| v.signed(&bob.owner(), act(bank, bob, word)));
    v.malformed::<HoldAct>(
        &confirm,
        [spoil(81, [0], "unknown act"), spoil(81, [5], "unknown act"), spoil(81, [3], "too short")],
    );
    v.malformed::<HoldAct>(&dispute, [spoil(83, [7], "a text that is too long or has control characters")]);
    v.malformed::<HoldAct>(&refund, [spoil(82, [0; 8], nothing)]);
    v.signed(&bob.owner(), Sweep { units: units(0), ordered: units(0), sales: 0, ..sweep(bank, bob) });
    let bytes = v.signed(&bob.owner(), sweep(bank, bob));
    v.malformed::<Sweep>(
        &bytes,
        [
            spoil(57, [0; 8], "sweeps are numbered from 1"),
            spoil(69, (1u64 << 53).to_be_bytes(), "2^53 units or more"),
            spoil(77, (1u64 << 53).to_be_bytes(), "2^53 units or more"),
        ],
    );
}

/// A sale, a refund, a late one and an order.
pub(crate) fn sales() -> SalesList {
    let sale = |number, kind, amount| Sale {
        number,
        at: NOW,
        units: units(amount),
        kind,
        till: "caffè".to_owned(),
        receipt: Digest([44; 32]),
    };
    let sales =
        vec![sale(300, SaleKind::Sale, 70_000), sale(7, SaleKind::Refund, 30), sale(298, SaleKind::Late, 20)];
    let order = sale(301, SaleKind::Order, 90);
    SalesList { sales: [sales, vec![order]].concat() }
}

fn sweep(bank: &Bank, shop: &Person) -> Sweep {
    Sweep {
        bank: bank.id(),
        request: RequestId([45; 16]),
        owner: shop.owner().key(),
        number: 12,
        day: NOW.day(),
        units: units(70_080),
        ordered: units(90),
        sales: 4,
        list: sales_digest(&encode(&sales())),
        created: NOW,
    }
}

fn query(bank: &Bank, owner: &Person, purpose: Purpose, number: u64) -> NodeQuery {
    NodeQuery { number, ..papers::node_query(bank, owner, purpose) }
}

pub(crate) fn asks(ask: &mut impl FnMut(&str, BankAsk), scene: &Scene) {
    let (bank, bob) = (&scene.bank, &scene.bob);
    for rule in rules() {
        ask("Hold", BankAsk::Hold(bob.owner().sign(hold(bank, bob, rule))));
    }
    for word in acts() {
        ask("HoldAct", BankAsk::HoldAct(bob.owner().sign(act(bank, bob, word))));
    }
    ask("Holds", BankAsk::Holds(bob.node().sign(query(bank, bob, Purpose::Holds, 40))));
    ask("Letters", BankAsk::Letters(bob.node().sign(query(bank, bob, Purpose::Letters, 40))));
    let list = ByteBuf::from(encode(&sales()));
    ask("Sweep", BankAsk::Sweep(bob.owner().sign(sweep(bank, bob)), list));
    let signed = bob.owner().sign(papers::query(bank, bob));
    ask("SweepList", BankAsk::SweepList(signed.clone(), 70_000));
    ask("Statement", BankAsk::Statement(signed.clone(), Span::After(40)));
    ask("Statement", BankAsk::Statement(signed, Span::Before(u64::MAX)));
}

pub(crate) fn answers(answer: &mut impl FnMut(&str, BankAnswer), scene: &Scene) {
    let (bank, bob) = (&scene.bank, &scene.bob);
    let state = HoldState {
        number: 7,
        id: HOLD,
        buyer: bob.owner().key(),
        shop: Person::new(60).owner().key(),
        order: Digest([42; 32]),
        units: units(120),
        left: units(120),
        rule: HoldTerm::Confirmation,
        wrong: 0,
        order_ends: NOW.plus_seconds(8 * DAY_SECONDS),
        ends: NOW.plus_seconds(10 * DAY_SECONDS),
        step: HoldStep::Open,
        changed: 41,
    };
    let letter = bank.attest.sign(papers::letter(bank, bob, LetterKind::Hold));
    answer("Held", BankAnswer::Held(Box::new(state.clone()), letter));
    let disputed = HoldStep::Disputed(HoldParty::Shop, "caffè freddo".to_owned(), NOW);
    let disputed = HoldState { step: disputed, rule: HoldTerm::Code, wrong: 2, ..state.clone() };
    answer("Hold", BankAnswer::Hold(Box::new(disputed.clone())));
    let dated = HoldTerm::Date(NOW.plus_seconds(9 * DAY_SECONDS));
    let closed = HoldStep::Closed(units(90), units(30), NOW);
    let closed = HoldState { step: closed, rule: dated, left: units(0), ..state.clone() };
    let by_buyer = HoldStep::Disputed(HoldParty::Buyer, String::new(), NOW);
    let by_buyer = HoldState { step: by_buyer, ..state.clone() };
    answer("Holds", BankAnswer::Holds(vec![state, disputed, by_buyer, closed], true));
    let letters = [LetterKind::Released, LetterKind::SweepIn, LetterKind::RentOut, LetterKind::CautionBack];
    let letters = letters.map(|kind| bank.attest.sign(papers::letter(bank, bob, kind))).to_vec();
    answer("Letters", BankAnswer::Letters(letters, false));
    let letter = bank.attest.sign(papers::letter(bank, bob, LetterKind::SweepOut));
    answer("Swept", BankAnswer::Swept(letter));
    let list = ByteBuf::from(encode(&sales()));
    answer("SweepList", BankAnswer::SweepList(Box::new(bob.owner().sign(sweep(bank, bob))), list));
    let line = |kind, incoming, outgoing| StatementLine {
        entry: 41,
        at: NOW,
        kind,
        incoming: units(incoming),
        outgoing: units(outgoing),
        balance: units(1_500),
        other: "Bakery Rossi".to_owned(),
        about: "sweep 12 of 2026-05-28, shop 1002".to_owned(),
    };
    use LineKind::{
        CashIn, CashOut, Caution, CautionBack, CautionKept, Charged, Deposited, Held, Opened, Reclaimed,
        Recovered, Released, RentIn, RentOut, Returned, SweptIn, SweptOut, Withdrawn,
    };
    let came = [
        Opened,
        CashIn,
        Deposited,
        Reclaimed,
        Recovered,
        Released,
        Returned,
        SweptIn,
        RentIn,
        CautionBack,
        CautionKept,
    ];
    let went = [CashOut, Withdrawn, Charged, Held, SweptOut, RentOut, Caution];
    let lines = came.map(|kind| line(kind, 500, 0)).into_iter().chain(went.map(|kind| line(kind, 0, 500)));
    answer("Statement", BankAnswer::Statement(lines.collect(), Some(Span::Before(41))));
    answer("Statement", BankAnswer::Statement(Vec::new(), None));
}
