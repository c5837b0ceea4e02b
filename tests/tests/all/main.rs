//! All tests.

mod wire;
