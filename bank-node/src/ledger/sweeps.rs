//! What is kept of a sweep (SPEC §4.18, N10).

use super::account::AccountNumber;
use super::books::Fault;
use protocol::bank::Sweep;
use protocol::sign::Signed;
use serde::{Deserialize, Serialize};

/// A sweep in the books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// What the shop signed.
    pub asked: Signed<Sweep>,
    /// The shop's account.
    pub shop: AccountNumber,
    /// The account that got it.
    pub company: AccountNumber,
    /// The journal entry on the shop's account; the one after it is on the company's.
    pub entry: u64,
}

/// What the rules ask of a store about sweeps.
pub trait SweepView {
    /// A shop's sweeps with higher numbers, in order.
    fn sweeps_after(&self, shop: AccountNumber, number: u64, limit: usize) -> Result<Vec<Swept>, Fault>;
    /// The sweep that this journal entry is about.
    fn sweep_of(&self, entry: u64) -> Result<Option<Swept>, Fault>;
    /// The list that came with a sweep.
    fn sales_of(&self, swept: &Swept) -> Result<Vec<u8>, Fault>;
}

/// Writing sweeps.
pub trait SweepTx: SweepView {
    /// Keeps a sweep and its list.
    fn keep_sweep(&mut self, swept: &Swept, list: &[u8]) -> Result<(), Fault>;
}
