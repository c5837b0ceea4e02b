//! stermina.
fn main() {}
