//! What bank, wallet and shop say to each other, and what makes it true.

#[cfg(feature = "node")]
pub mod node;
