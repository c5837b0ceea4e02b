//! bank-node.
fn main() {}
