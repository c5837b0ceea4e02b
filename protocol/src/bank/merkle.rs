//! A day's roots as one digest, and the way from one of them up to it (SPEC §4.14, threats Y9).
//!
//! ```text
//!         ○            each ○ = node(left ‖ right); one without a neighbour goes up as it is
//!      ○     c         leaf = leaf(digest of a root), in the order of their serials
//!    a   b
//! ```
//! Leaves and nodes are digested under different names, so a node is never taken for a root.

use crate::body;
use crate::id::Digest;
use serde::{Deserialize, Serialize};

/// The longest path: a tree of more leaves than there can be serials.
const STEPS_MAX: usize = 64;

/// One step up: the neighbour, and whether it stands on the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Whether the neighbour is the left half.
    pub left: bool,
    /// The neighbour.
    pub neighbour: Digest,
}

/// A tree with all its levels, the leaves first.
#[derive(Clone, Debug, Default)]
pub struct Tree(Vec<Vec<Digest>>);

fn leaf(root: &Digest) -> Digest {
    body::digest("root-leaf", &root.0)
}

fn node(left: &Digest, right: &Digest) -> Digest {
    body::digest("root-node", &[left.0, right.0].concat())
}

impl Tree {
    /// The tree over these roots, in this order.
    pub fn over(roots: impl IntoIterator<Item = Digest>) -> Tree {
        let leaves: Vec<Digest> = roots.into_iter().map(|root| leaf(&root)).collect();
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = below.chunks(2).map(|pair| match pair {
                [left, right] => node(left, right),
                [alone, ..] => *alone,
                [] => Digest::default(),
            });
            levels.push(above.collect());
        }
        Tree(levels)
    }

    /// The digest at the top; zeros if there are no leaves.
    pub fn top(&self) -> Digest {
        self.0.last().and_then(|level| level.first()).copied().unwrap_or_default()
    }

    /// How many leaves it has.
    pub fn len(&self) -> usize {
        self.0.first().map_or(0, Vec::len)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The way up from the leaf at this place, counted from 0.
    pub fn path(&self, place: usize) -> Option<Vec<Step>> {
        (place < self.len()).then(|| {
            let levels = self.0.iter().enumerate();
            levels.filter_map(|(height, level)| step(level, place >> height)).collect()
        })
    }
}

fn step(level: &[Digest], place: usize) -> Option<Step> {
    let neighbour = level.get(place ^ 1)?;
    Some(Step { left: place % 2 == 1, neighbour: *neighbour })
}

/// Whether the path leads from the root to the top: then the bank had issued it on that day.
pub fn leads_to(root: &Digest, path: &[Step], top: &Digest) -> bool {
    let climb = |below: Digest, step: &Step| match step {
        Step { left: true, neighbour } => node(neighbour, &below),
        Step { left: false, neighbour } => node(&below, neighbour),
    };
    path.len() <= STEPS_MAX && path.iter().fold(leaf(root), climb) == *top
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(count: u8) -> Vec<Digest> {
        (0..count).map(|at| Digest([at; 32])).collect()
    }

    /// Y9: each root of a tree of any size has a way up to its top, and to no other.
    #[test]
    fn every_leaf_leads_to_the_top_and_nothing_else_does() {
        for count in 1..=33 {
            let tree = Tree::over(roots(count));
            for (place, root) in roots(count).iter().enumerate() {
                let path = tree.path(place).unwrap();
                assert!(leads_to(root, &path, &tree.top()), "{place} of {count}");
                assert!(!leads_to(&Digest([99; 32]), &path, &tree.top()), "{place} of {count}");
                assert!(!leads_to(root, &path, &Tree::over(roots(count + 1)).top()), "{place} of {count}");
            }
            assert_eq!(tree.path(usize::from(count)), None);
        }
        assert_eq!(Tree::over([]).top(), Digest::default());
    }

    /// A node is never taken for a root, nor one leaf for the tree.
    #[test]
    fn leaves_and_nodes_have_names_of_their_own() {
        let [a, b] = [Digest([1; 32]), Digest([2; 32])];
        let tree = Tree::over([a, b]);
        assert_eq!(tree.top(), node(&leaf(&a), &leaf(&b)));
        assert!(!leads_to(&tree.top(), &[], &tree.top()));
        assert!(!leads_to(&leaf(&a), &[Step { left: false, neighbour: leaf(&b) }], &tree.top()));
        let swapped = [Step { left: true, neighbour: leaf(&b) }];
        assert!(!leads_to(&a, &swapped, &tree.top()));
        let endless = vec![Step { left: true, neighbour: b }; STEPS_MAX + 1];
        let top = endless.iter().fold(leaf(&a), |below, step| node(&step.neighbour, &below));
        assert!(!leads_to(&a, &endless, &top), "nobody is made to climb for ever");
    }
}
