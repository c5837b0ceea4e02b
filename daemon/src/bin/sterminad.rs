//! sterminad.
fn main() {}
