//! The published contracts are what the programs offer.
//!
//! After a change on purpose: `WRITE_OPENRPC=1 cargo test -p tests --test all openrpc`.

use protocol::node::rpc::{Contract, openrpc};
use serde_json::Value;
use tests::process::root;

fn is_published(contract: &Contract, file: &str) {
    let path = root().join(file);
    let mut offered = serde_json::to_string_pretty(&openrpc(contract)).expect("a contract is JSON");
    offered.push('\n');
    if std::env::var_os("WRITE_OPENRPC").is_some() {
        std::fs::write(&path, &offered).expect("the contract is written");
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    let (published, offered): (Value, Value) = (
        serde_json::from_str(&published).unwrap_or_default(),
        serde_json::from_str(&offered).expect("a contract is JSON"),
    );
    assert!(published == offered, "{file} is not what the program offers: see the head of openrpc.rs");
}

#[test]
fn the_workstation_s_contract_is_published() {
    is_published(daemon::rpc::api::WorkstationClient::contract(), "daemon/openrpc.json");
}

#[test]
fn the_bank_s_contract_is_published() {
    is_published(bank_node::rpc::BankClient::contract(), "bank-node/openrpc.json");
}

/// The shop's own methods; it answers to the workstation's, too.
#[test]
fn the_shop_s_contract_is_published() {
    is_published(shop_node::rpc::api::TillClient::contract(), "shop-node/openrpc.json");
}
