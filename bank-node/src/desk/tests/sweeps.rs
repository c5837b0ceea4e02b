//! Sweeps, letters to fetch and statements as scenes (SPEC §4.16, §4.18, N10, M5).

use super::tenure::{Street, street};
use super::*;
use crate::desk::office::ShopOrder;
use crate::desk::shop::tenure::LeaseTerms;
use crate::ledger::tenure::Every;
use protocol::bank::{AccountQuery, Letter, LetterKind, Purpose, Sweep};
use protocol::time::Day;
use protocol::wire::{
    LETTERS_PAGE, LineKind, SALES_MAX, Sale, SaleKind, SalesList, Span, StatementLine, decode, encode,
    sales_digest,
};
use serde_bytes::ByteBuf;

fn sale(number: u64, kind: SaleKind, amount: u64) -> Sale {
    let till = "front".to_owned();
    Sale { number, at: NOON, units: units(amount), kind, till, receipt: Digest([5; 32]) }
}

/// A list of sales of these amounts.
fn list(amounts: &[u64]) -> ByteBuf {
    let sales = (1..).zip(amounts).map(|(number, amount)| sale(number, SaleKind::Sale, *amount)).collect();
    ByteBuf::from(encode(&SalesList { sales }))
}

pub(crate) fn sweep<S: Store>(bank: &Bank<S>, shop: &Customer, number: u64, list: &ByteBuf) -> Sweep {
    let sales = decode::<SalesList>(list).unwrap();
    Sweep {
        bank: bank.keys.bank(),
        request: bank.request(),
        owner: shop.owner.key(),
        number,
        day: Day(20_500),
        units: sales.units().unwrap_or_default(),
        ordered: sales.ordered().unwrap_or_default(),
        sales: u32::try_from(sales.sales.len()).unwrap(),
        list: sales_digest(list),
        created: bank.now.get(),
    }
}

pub(crate) fn a_list() -> ByteBuf {
    list(&[30, 20])
}

impl Street {
    fn sweeps(&self, number: u64, list: &ByteBuf) -> BankAnswer {
        self.bank.ask(self.asks(sweep(&self.bank, &self.shop, number, list), list))
    }

    fn asks(&self, sweep: Sweep, list: &ByteBuf) -> BankAsk {
        BankAsk::Sweep(self.shop.owner.sign(sweep), list.clone())
    }

    fn query(&self, whose: &Customer) -> Signed<AccountQuery> {
        whose.owner.sign(AccountQuery {
            bank: self.bank.keys.bank(),
            request: self.bank.request(),
            owner: whose.owner.key(),
            created: self.bank.now.get(),
        })
    }

    fn fetches(&self, whose: &Customer, after: u64) -> (Vec<Letter>, bool) {
        match self.bank.ask(BankAsk::Letters(self.bank.node_query(whose, Purpose::Letters, after))) {
            BankAnswer::Letters(letters, more) => {
                (letters.into_iter().map(|letter| letter.unverified().clone()).collect(), more)
            }
            other => panic!("{other:?}"),
        }
    }

    fn statement(&self, whose: &Customer, span: Span) -> (Vec<StatementLine>, Option<Span>) {
        match self.bank.ask(BankAsk::Statement(self.query(whose), span)) {
            BankAnswer::Statement(lines, next) => (lines, next),
            other => panic!("{other:?}"),
        }
    }
}

/// N10: takings go to the company with the signed list, once and only once; the company reads list, letter and statement.
#[test]
fn takings_go_to_the_company_once() {
    let street = street(100);
    street.orders(street.own()).unwrap();
    let sales = SalesList {
        sales: vec![sale(1, SaleKind::Sale, 70), sale(1, SaleKind::Refund, 30), sale(2, SaleKind::Late, 20)],
    };
    let list = ByteBuf::from(encode(&sales));
    let ask = street.asks(sweep(&street.bank, &street.shop, 1, &list), &list);
    let answer = street.bank.ask(ask.clone());
    let BankAnswer::Swept(letter) = &answer else { panic!("{answer:?}") };
    assert_eq!((letter.unverified().kind, letter.unverified().units), (LetterKind::SweepOut, units(60)));
    let before = street.bank.journal();
    for _ in 0..3 {
        assert_eq!(street.bank.ask(ask.clone()), answer);
    }
    assert_eq!(street.bank.journal(), before);
    assert_eq!(street.money(), (40, 0, 60));

    let (letters, more) = street.fetches(&street.company, 0);
    let [came] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!(
        (came.kind, came.units, came.balance, more),
        (LetterKind::SweepIn, units(60), units(60), false)
    );
    assert_eq!(came.request, letter.unverified().request);
    let (lines, next) = street.statement(&street.company, Span::After(0));
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((line.kind, line.incoming, line.other.as_str()), (LineKind::SweptIn, units(60), "Bakery"));
    assert_eq!(
        (next, line.entry, line.about.as_str()),
        (None, came.number, "sweep 1 of 2026-02-16, shop 1001")
    );
    for whose in [&street.company, &street.shop] {
        let told = street.bank.ask(BankAsk::SweepList(street.query(whose), line.entry));
        let BankAnswer::SweepList(signed, told) = told else { panic!("{told:?}") };
        signed.check_by(&street.shop.owner.key()).unwrap();
        assert_eq!(
            (sales_digest(&told), decode::<SalesList>(&told).unwrap()),
            (signed.unverified().list, sales.clone())
        );
    }
    let stranger = street.bank.customer("Alice", 0);
    street.bank.refuses(BankAsk::SweepList(street.query(&stranger), line.entry), ErrorCode::NotFound);
    street.bank.refuses(BankAsk::SweepList(street.query(&street.company), 1), ErrorCode::NotFound);
}

/// N10, hostile: no gap, no number twice, no list that is another or adds up to something else; the number stays free.
#[test]
fn sweeps_that_are_refused() {
    let street = street(100);
    let bank = &street.bank;
    let list = a_list();
    let good = || sweep(bank, &street.shop, 1, &list);
    bank.refuses(street.asks(good(), &list), ErrorCode::NotAllowed);
    street.orders(street.own()).unwrap();
    let long = ByteBuf::from(vec![0; SALES_MAX + 1]);
    let garbage = ByteBuf::from(vec![0x91, 0xc1]);
    let table = [
        (Sweep { bank: protocol::id::BankId([1; 8]), ..good() }, &list, ErrorCode::NotMine),
        (good(), &long, ErrorCode::TooBig),
        (Sweep { created: NOON.plus_seconds(601), ..good() }, &list, ErrorCode::Expired),
        (Sweep { list: Digest([1; 32]), ..good() }, &list, ErrorCode::Malformed),
        (Sweep { list: sales_digest(&garbage), ..good() }, &garbage, ErrorCode::Malformed),
        (Sweep { units: units(51), ..good() }, &list, ErrorCode::BadSum),
        (Sweep { ordered: units(1), ..good() }, &list, ErrorCode::BadSum),
        (Sweep { sales: 3, ..good() }, &list, ErrorCode::BadSum),
        (Sweep { number: 2, ..good() }, &list, ErrorCode::NotFound),
        (Sweep { number: u64::MAX, ..good() }, &list, ErrorCode::NotFound),
    ];
    for (sweep, list, code) in table {
        bank.refuses(street.asks(sweep, list), code);
    }
    let owner = bank.signer().key();
    let nobody = BankAsk::Sweep(street.shop.owner.sign(Sweep { owner, ..good() }), list.clone());
    bank.refuses(nobody, ErrorCode::NotFound);
    let forged = BankAsk::Sweep(street.company.owner.sign(good()), list.clone());
    bank.refuses(forged, ErrorCode::BadSignature);
    let refunds = SalesList { sales: vec![sale(1, SaleKind::Refund, 1)] };
    let below = ByteBuf::from(encode(&refunds));
    bank.refuses(street.asks(sweep(bank, &street.shop, 1, &below), &below), ErrorCode::BadSum);

    assert!(matches!(street.sweeps(1, &list), BankAnswer::Swept(_)));
    bank.refuses(street.asks(good(), &list), ErrorCode::IdReused);
    assert!(matches!(street.sweeps(2, &a_list()), BankAnswer::Swept(_)));
    assert_eq!(street.money(), (0, 0, 100));
}

/// N10, N11: rent from before the shop was owned again is paid before the takings go, once.
#[test]
fn a_sweep_pays_old_rent_once() {
    let street = street(0);
    let bank = &street.bank;
    let first_due = Day(bank.now.get().day().0 + 1);
    let terms = LeaseTerms { caution: Units::ZERO, rent: units(300), every: Every::Days(30), first_due };
    street
        .orders(ShopOrder::Lease { shop: street.shop.account, company: street.company.account, terms })
        .unwrap();
    bank.later(DAY_SECONDS);
    street.orders(ShopOrder::EndLease { shop: street.shop.account, kept: Units::ZERO }).unwrap();
    // The money comes, and the sweep with it, before the calendar looks.
    bank.order(None, Operation::PayIn(street.shop.account, units(1_000))).unwrap();
    assert!(matches!(street.sweeps(1, &list(&[700])), BankAnswer::Swept(_)));
    assert_eq!(street.money(), (0, 0, 1_000));
    bank.order(None, Operation::PayIn(street.shop.account, units(500))).unwrap();
    bank.later(DAY_SECONDS);
    assert_eq!(street.money(), (500, 0, 1_000), "nothing is owed any more");
}

/// N10, hostile: a stolen key does not fill the bank's disk with lists.
#[test]
fn sweeps_of_a_day_are_counted() {
    let street = street(100);
    street.orders(street.own()).unwrap();
    for number in 1..=64 {
        assert!(matches!(street.sweeps(number, &list(&[])), BankAnswer::Swept(_)));
    }
    let one_more = street.asks(sweep(&street.bank, &street.shop, 65, &a_list()), &a_list());
    street.bank.refuses(one_more.clone(), ErrorCode::Busy);
    street.bank.later(DAY_SECONDS);
    assert!(matches!(street.bank.ask(one_more), BankAnswer::Swept(_)));
}

/// N10: what the account does not hold is declined with a letter; once it does, the same number goes under another id. A
/// day that comes to nothing is swept as well.
#[test]
fn a_sweep_waits_for_the_deposit() {
    let street = street(10);
    street.orders(street.own()).unwrap();
    let BankAnswer::Declined(letter) = street.sweeps(1, &a_list()) else { panic!() };
    assert_eq!((letter.unverified().units, letter.unverified().balance), (units(50), units(10)));
    street.bank.order(None, Operation::PayIn(street.shop.account, units(40))).unwrap();
    assert!(matches!(street.sweeps(1, &a_list()), BankAnswer::Swept(_)));
    assert!(matches!(street.sweeps(2, &list(&[])), BankAnswer::Swept(_)));
    assert_eq!(street.money(), (0, 0, 50));
    assert_eq!(street.statement(&street.company, Span::After(0)).0.len(), 2);
}

/// N10: takings go to the owner of the day and to nobody else: not from a leased shop, nor from a suspended one until it
/// is reinstated, nor to whom it belonged before.
#[test]
fn only_the_owner_gets_the_takings() {
    let street = street(200);
    street.orders(street.own()).unwrap();
    let ask = street.asks(sweep(&street.bank, &street.shop, 1, &a_list()), &a_list());
    street.bank.suspend(street.shop.account);
    street.bank.refuses(ask.clone(), ErrorCode::Suspended);
    street.bank.decide(street.shop.account, Change::Reinstate).unwrap();
    assert!(matches!(street.bank.ask(ask), BankAnswer::Swept(_)), "the very same bytes");
    let (shop, company) = (street.shop.account, street.company.account);
    let terms = LeaseTerms {
        caution: units(0),
        rent: units(9),
        every: Every::Month,
        first_due: Day(NOON.day().0 + 9),
    };
    street.orders(ShopOrder::Lease { shop, company, terms }).unwrap();
    let leased = street.asks(sweep(&street.bank, &street.shop, 2, &a_list()), &a_list());
    street.bank.refuses(leased.clone(), ErrorCode::NotAllowed);
    street.orders(ShopOrder::EndLease { shop, kept: units(0) }).unwrap();
    let other = street.bank.member(CustomerKind::Company, "Other Ltd", 0);
    street.orders(ShopOrder::Own { shop, company: other.account }).unwrap();
    assert!(matches!(street.bank.ask(leased), BankAnswer::Swept(_)));
    assert_eq!((street.money(), street.bank.balance(&other)), ((100, 0, 50), 50));
}

/// N10: a list as long as it may be, of a busy day, still fits its messages; the company gets it back whole.
#[test]
fn a_long_list_fits() {
    let street = street(100_000);
    street.orders(street.own()).unwrap();
    let most =
        (1..).map(|n| list(&vec![1; n * 100])).take_while(|list| list.len() <= SALES_MAX).last().unwrap();
    assert!(decode::<SalesList>(&most).unwrap().sales.len() > 1_000);
    let ask = street.asks(sweep(&street.bank, &street.shop, 1, &most), &most);
    assert_eq!(decode::<BankAsk>(&encode(&ask)), Ok(ask.clone()));
    assert!(matches!(street.bank.ask(ask), BankAnswer::Swept(_)));
    let (lines, _) = street.statement(&street.company, Span::After(0));
    let told = street.bank.ask(BankAsk::SweepList(street.query(&street.company), lines[0].entry));
    assert!(decode::<BankAnswer>(&encode(&told)).is_ok());
    assert!(matches!(told, BankAnswer::SweepList(_, list) if list == most));
}

/// M5: a statement goes both ways in pages, without what moved nothing, and its lines lead from balance to balance.
#[test]
fn a_statement_is_read_in_both_directions() {
    let street = street(0);
    for amount in 1..=300 {
        street.bank.order(None, Operation::PayIn(street.shop.account, units(amount))).unwrap();
    }
    street.bank.decide(street.shop.account, Change::Suspend).unwrap();
    let read = |mut span: Option<Span>| {
        let mut lines = Vec::new();
        while let Some(place) = span.take() {
            let (page, next) = street.statement(&street.shop, place);
            assert!(page.len() <= 256);
            lines.extend(page);
            span = next;
        }
        lines
    };
    let forth = read(Some(Span::After(0)));
    let mut back = read(Some(Span::Before(u64::MAX)));
    back.reverse();
    assert_eq!((forth.len(), &forth), (300, &back));
    for pair in forth.windows(2) {
        let [before, after] = pair else { panic!() };
        assert_eq!(
            before.balance.plus(after.incoming).unwrap().minus(after.outgoing).unwrap(),
            after.balance
        );
    }
    let stolen =
        AccountQuery { created: Timestamp(NOON.0 - 601), ..street.query(&street.shop).unverified().clone() };
    street
        .bank
        .refuses(BankAsk::Statement(street.shop.owner.sign(stolen), Span::After(0)), ErrorCode::Expired);
}

/// Letters come in pages, in their order, to the locked workstation of their owner and to nobody else.
#[test]
fn letters_are_fetched_in_pages() {
    let street = street(0);
    street.orders(street.own()).unwrap();
    let days = LETTERS_PAGE + 10;
    for number in 1..=days {
        if number.is_multiple_of(64) {
            street.bank.later(DAY_SECONDS);
        }
        assert!(matches!(street.sweeps(number as u64, &list(&[])), BankAnswer::Swept(_)));
    }
    let (first, more) = street.fetches(&street.company, 0);
    assert!(more && first.len() == LETTERS_PAGE);
    let (rest, more) = street.fetches(&street.company, first.last().unwrap().number);
    assert!(!more && rest.len() == 10);
    assert!(street.fetches(&street.company, u64::MAX).0.is_empty());
    let query = street.bank.node_query(&street.company, Purpose::Letters, 0);
    let forged = street.shop.owner.sign(query.unverified().clone());
    street.bank.refuses(BankAsk::Letters(forged), ErrorCode::BadSignature);
}

/// N10: what came by orders counts, and is told apart from what came through the till; one said for the other is no sum.
#[test]
fn orders_count_beside_what_the_till_took() {
    let street = street(100);
    let sales = vec![sale(1, SaleKind::Sale, 30), sale(2, SaleKind::Order, 25), sale(1, SaleKind::Refund, 5)];
    let list = ByteBuf::from(encode(&SalesList { sales }));
    let asked = sweep(&street.bank, &street.shop, 1, &list);
    assert_eq!((asked.units, asked.ordered), (units(50), units(25)));
    let lie = Sweep { ordered: units(30), ..asked };
    street.bank.refuses(street.asks(lie, &list), ErrorCode::BadSum);
}
