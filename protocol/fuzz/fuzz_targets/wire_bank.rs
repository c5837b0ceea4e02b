//! Messages to and from the bank: the first byte picks which. What reads, writes the same bytes again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::wire::{BankAnswer, BankAsk, Message, SalesList, decode, encode};

fn read<M: Message>(bytes: &[u8]) {
    if let Ok(message) = decode::<M>(bytes) {
        assert_eq!(encode(&message), bytes);
    }
}

fuzz_target!(|input: &[u8]| {
    match input.split_first() {
        Some((0, bytes)) => read::<BankAsk>(bytes),
        Some((1, bytes)) => read::<BankAnswer>(bytes),
        Some((_, bytes)) => read::<SalesList>(bytes),
        None => {}
    }
});
