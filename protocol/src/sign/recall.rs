//! Signatures that were found good before, for whoever plays many people in one process (SPEC §2.6).
//!
//! Whether a signature is good depends on its key, its message and itself alone: a world in which everybody checks
//! what everybody signed does the same sum again and again. A thread that asks for it remembers the good ones. Nothing
//! is remembered otherwise: a bank or a daemon never asks, and no bad signature is ever remembered as anything.

use crate::id::Key;
use std::cell::RefCell;
use std::collections::HashSet;

thread_local! {
    static MEMORY: RefCell<Option<Memory>> = const { RefCell::new(None) };
}

/// What was good, in two halves: when the new one is full, the old one is forgotten.
struct Memory {
    new: HashSet<[u8; 32]>,
    old: HashSet<[u8; 32]>,
    half: usize,
}

/// From now on this thread remembers up to so many good signatures, and begins with none.
pub fn begin(most: usize) {
    let memory = Memory { new: HashSet::new(), old: HashSet::new(), half: most.div_ceil(2).max(1) };
    MEMORY.set(Some(memory));
}

/// This thread forgets them, and checks each signature again.
pub fn end() {
    MEMORY.set(None);
}

fn name(key: &Key, signature: &[u8; 64], message: &[u8]) -> [u8; 32] {
    let mut name = blake3::Hasher::new();
    // Key and signature have fixed lengths, so nothing can be read two ways.
    name.update(&key.0).update(signature).update(message);
    *name.finalize().as_bytes()
}

/// Whether this thread knows the signature to be good.
pub(super) fn knows(key: &Key, signature: &[u8; 64], message: &[u8]) -> bool {
    MEMORY.with_borrow(|memory| {
        let Some(memory) = memory else { return false };
        let name = name(key, signature, message);
        memory.new.contains(&name) || memory.old.contains(&name)
    })
}

/// It was checked, or made here with the secret key itself.
pub(super) fn is_good(key: &Key, signature: &[u8; 64], message: &[u8]) {
    MEMORY.with_borrow_mut(|memory| {
        let Some(memory) = memory else { return };
        if memory.new.len() >= memory.half {
            memory.old = std::mem::take(&mut memory.new);
        }
        memory.new.insert(name(key, signature, message));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pay::Receipt;
    use crate::sign::{Signed, Signer};

    fn receipt(number: u64) -> Receipt {
        Receipt {
            order: crate::id::Digest([7; 32]),
            payee: Key([3; 32]),
            amount: crate::money::Units::new(number).unwrap(),
            received: crate::time::Timestamp(1),
            confirmed: false,
        }
    }

    /// H5: what is remembered is one key, one message, one signature; and it is forgotten in the end.
    #[test]
    fn a_signature_is_recalled_for_what_it_was_made_for() {
        let (alice, bob) = (Signer::from_secret(&[1; 32]), Signer::from_secret(&[2; 32]));
        begin(4);
        let signed: Vec<Signed<Receipt>> = (1..20).map(|number| alice.sign(receipt(number))).collect();
        for (signed, number) in signed.iter().zip(1..) {
            assert!(signed.check_by(&alice.key()).is_ok());
            assert!(signed.check_by(&bob.key()).is_err());
            let mut bytes = signed.to_bytes();
            *bytes.last_mut().unwrap() ^= 1;
            assert!(Signed::<Receipt>::from_bytes(&bytes).unwrap().check_by(&alice.key()).is_err());
            let other = bob.sign(receipt(number));
            assert!(other.check_by(&alice.key()).is_err() && other.check_by(&bob.key()).is_ok());
        }
        let kept = MEMORY.with_borrow(|memory| memory.as_ref().map(|m| m.new.len() + m.old.len()));
        assert!(kept.unwrap() <= 4);
        end();
        assert!(MEMORY.with_borrow(Option::is_none));
        assert!(signed.iter().all(|signed| signed.check_by(&alice.key()).is_ok()));
    }
}
