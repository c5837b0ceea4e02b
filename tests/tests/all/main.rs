//! All scenes and checks in one binary: one link, one run, one summary.

mod link2;
mod tidy;
