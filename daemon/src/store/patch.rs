//! What is new in a record against the one before it: most records change in a few bytes, and the vault keeps each change.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// The bytes that are new, between those that stay in front and behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Patch {
    front: u32,
    back: u32,
    new: ByteBuf,
}

impl Patch {
    /// What makes `after` of `before`.
    pub(super) fn between(before: &[u8], after: &[u8]) -> Patch {
        let front = before.iter().zip(after).take_while(|(a, b)| a == b).count();
        let (old, new) = (before.split_at(front).1, after.split_at(front).1);
        let back = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
        let new = new.split_at(new.len() - back).0.to_vec();
        let count = |n: usize| u32::try_from(n).expect("a record is far below 4 GiB");
        Patch { front: count(front), back: count(back), new: ByteBuf::from(new) }
    }

    /// What it makes of `before`; nothing if that is not what it was made against.
    pub(super) fn onto(&self, before: &[u8]) -> Option<Vec<u8>> {
        let (front, back) = (usize::try_from(self.front).ok()?, usize::try_from(self.back).ok()?);
        let rest = before.len().checked_sub(front)?.checked_sub(back)?;
        let (head, tail) = (before.get(..front)?, before.get(front + rest..)?);
        Some([head, &self.new, tail].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the two are, one comes out of the other; and what is alike is not repeated.
        #[test]
        fn a_patch_makes_the_one_of_the_other(before in proptest::collection::vec(0u8..4, 0..40),
            after in proptest::collection::vec(0u8..4, 0..40)) {
            let patch = Patch::between(&before, &after);
            prop_assert_eq!(patch.onto(&before), Some(after.clone()));
            prop_assert!(Patch::between(&after, &after).new.is_empty());
            prop_assert_eq!(&Patch::between(&[], &after).new[..], &after[..]);
        }
    }

    #[test]
    fn a_patch_against_a_longer_record_says_so() {
        let patch = Patch::between(b"abcdef", b"abcXdef");
        assert_eq!((&patch.new[..], patch.front, patch.back), (&b"X"[..], 3, 3));
        assert_eq!(patch.onto(b"abc"), None);
    }
}
