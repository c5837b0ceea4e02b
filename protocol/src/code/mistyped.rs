//! Where a line was mistyped: what its bech32m checksum can tell (SPEC §1.5, BIP 350).
//!
//! The checksum is linear: a wrong character adds an amount that depends on its place and on what it
//! should be. Two valid codes of up to 90 characters differ in five places or more, so at most one set
//! of one or two wrong characters explains what is there. (The crate's own search panics on some lines.)

use std::collections::HashMap;

/// The order of the characters in bech32.
pub(super) const ALPHABET: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// What a good line's checksum comes to in bech32m.
const GOOD: u32 = 0x2bc8_30a3;
const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];

/// The checksum after one more digit.
fn step(sum: u32, digit: u32) -> u32 {
    let shifted = ((sum & 0x01ff_ffff) << 5) ^ digit;
    let carried = GENERATOR.into_iter().enumerate().filter(|(bit, _)| (sum >> (25 + bit)) & 1 == 1);
    carried.fold(shifted, |sum, (_, part)| sum ^ part)
}

/// The wrong one or two characters behind the separator, counted from 0, if they explain the checksum.
pub(super) fn places(prefix: &str, data: &str) -> Option<Vec<usize>> {
    let digit = |c: char| ALPHABET.find(c.to_ascii_lowercase()).and_then(|at| u32::try_from(at).ok());
    let digits: Vec<u32> = data.chars().map(digit).collect::<Option<_>>()?;
    let prefix = prefix.to_ascii_lowercase();
    let high = prefix.bytes().map(|b| u32::from(b >> 5));
    let low = prefix.bytes().map(|b| u32::from(b & 31));
    let all = high.chain([0]).chain(low).chain(digits.iter().copied());
    let wanted = all.fold(1, step) ^ GOOD;

    let single = amounts(digits.len());
    if let Some(at) = single.get(&wanted) {
        return Some(vec![*at]);
    }
    let pair = single.iter().find_map(|(amount, at)| Some((*at, *single.get(&(wanted ^ amount))?)))?;
    Some(vec![pair.0.min(pair.1), pair.0.max(pair.1)])
}

/// What each wrong character adds to the checksum, and the place where it stands.
fn amounts(length: usize) -> HashMap<u32, usize> {
    let mut amounts = HashMap::with_capacity(length * 31);
    for wrong_by in 1..32 {
        let mut amount = wrong_by;
        for at in (0..length).rev() {
            amounts.insert(amount, at);
            amount = step(amount, 0);
        }
    }
    amounts
}
