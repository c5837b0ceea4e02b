//! Who may ask in an owner's name.

use super::*;
use crate::desk::query::examine_query;
use protocol::bank::{NodeQuery, Purpose};

fn query(bank: &Bank, customer: &Customer, node: &Signer) -> NodeQuery {
    NodeQuery {
        bank: bank.keys.bank(),
        request: bank.request(),
        owner: customer.owner.key(),
        node: node.key(),
        purpose: Purpose::Cases,
        number: 0,
        subject: Digest::default(),
        created: bank.now.get(),
    }
}

fn asks(bank: &Bank, asked: Signed<NodeQuery>) -> Result<AccountNumber, ErrorCode> {
    let view = bank.ledger.snapshot().unwrap();
    match examine_query(bank.keys.bank(), bank.now.get(), &view, asked, Purpose::Cases) {
        Ok((account, _)) => Ok(account.number),
        Err(Stop::Refused(code)) => Err(code),
        Err(Stop::Fault(fault)) => panic!("{fault}"),
    }
}

/// Table: a query counts while it is fresh, and signed by the workstation that the owner uses now.
#[test]
fn only_the_present_workstation_asks_in_its_owner_s_name() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 0);
    let good = query(&bank, &alice, &alice.owner);
    assert_eq!(asks(&bank, alice.owner.sign(good.clone())), Ok(alice.account));

    let stranger = bank.signer();
    let old = NodeQuery { created: Timestamp(NOON.0 - 601), ..good.clone() };
    let early = NodeQuery { created: NOON.plus_seconds(601), ..good.clone() };
    let other_bank = NodeQuery { bank: protocol::id::BankId([1; 8]), ..good.clone() };
    let other_purpose = NodeQuery { purpose: Purpose::Collect, ..good.clone() };
    let nobody = NodeQuery { owner: stranger.key(), ..good.clone() };
    let other_node = NodeQuery { node: stranger.key(), ..good.clone() };
    let table = [
        (alice.owner.sign(old), ErrorCode::Expired),
        (alice.owner.sign(early), ErrorCode::Expired),
        (alice.owner.sign(other_bank), ErrorCode::NotMine),
        (alice.owner.sign(other_purpose), ErrorCode::Malformed),
        (alice.owner.sign(nobody), ErrorCode::NotFound),
        (stranger.sign(other_node), ErrorCode::OlderGeneration),
        (stranger.sign(good), ErrorCode::BadSignature),
    ];
    for (asked, code) in table {
        assert_eq!(asks(&bank, asked), Err(code));
    }
}

/// A restored workstation replaces the one before it: the older one asks in vain.
#[test]
fn a_replaced_workstation_asks_in_vain() {
    let bank = Bank::new();
    let alice = bank.customer("Alice", 0);
    let node = bank.signer();
    let record = Identity { node: node.key(), ..bank.identity(&alice, 2, 2).unverified().clone() };
    assert_eq!(bank.ask(BankAsk::Publish(alice.owner.sign(record))), BankAnswer::Published);
    let before = query(&bank, &alice, &alice.owner);
    assert_eq!(asks(&bank, alice.owner.sign(before)), Err(ErrorCode::OlderGeneration));
    assert_eq!(asks(&bank, node.sign(query(&bank, &alice, &node))), Ok(alice.account));
}
