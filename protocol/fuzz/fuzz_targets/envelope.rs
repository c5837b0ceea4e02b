//! Envelopes: any bytes, and any bytes in the shape of one that is sealed to us.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::seal::{SIZES, ViewKey, open};
use protocol::wire::{Letterhead, PayAnswer, decode};

fuzz_target!(|input: &[u8]| {
    let mine = [ViewKey::from_secret([2; 32])];
    let read = |bytes: &[u8]| {
        if let Ok(opened) = open(&mine, bytes) {
            let _ = decode::<Letterhead>(&opened.message);
            let _ = decode::<PayAnswer>(&opened.message);
        }
    };
    read(input);
    let mut shaped = input.to_vec();
    shaped.resize(SIZES[0], 0);
    shaped[0] = 1;
    shaped[33..65].copy_from_slice(&mine[0].key().0);
    read(&shaped);
});
