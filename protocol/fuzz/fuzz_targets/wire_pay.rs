//! Messages between workstations: the first byte picks which. What reads, writes the same bytes again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::wire::{Hail, HailAnswer, Letterhead, Message, PayAnswer, decode, encode};

fn read<M: Message>(bytes: &[u8]) {
    if let Ok(message) = decode::<M>(bytes) {
        assert_eq!(encode(&message), bytes);
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((which, bytes)) = input.split_first() else { return };
    match which {
        0 => read::<Hail>(bytes),
        1 => read::<HailAnswer>(bytes),
        2 => read::<Letterhead>(bytes),
        _ => read::<PayAnswer>(bytes),
    }
});
