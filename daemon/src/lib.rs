//! A workstation.
