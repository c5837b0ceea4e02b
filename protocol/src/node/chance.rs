//! The one source of chance: the operating system's. Rules take it as an argument.

use rand_core::{CryptoRng, Rng, UnwrapErr};

/// Chance from the operating system. A system that has none to give can't keep secrets: it stops the program.
pub fn chance() -> impl CryptoRng {
    UnwrapErr(getrandom::SysRng)
}

/// `N` bytes of it, for ids.
pub fn chance_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    chance().fill_bytes(&mut bytes);
    bytes
}
