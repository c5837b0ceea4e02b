//! Paying from workstation to workstation (SPEC §3, N7).
//!
//! ```text
//! payer                                   payee
//!   offer (amount, memo)        ─▶        may it be direct? which key?
//!                               ◀─        request, or a decline: nothing is signed yet
//!   debit, links, order: on disk
//!   payment                     ─▶        checks, credit, receipt: on disk
//!                               ◀─        receipt; the same for the same order, for ever
//! ```

mod evidence;
mod order;
mod payment;
mod receipt;
mod request;

pub use evidence::{Defence, Evidence};
pub use order::{Mode, Order, list_of_notes, list_of_roots};
pub use payment::{Payment, PaymentFlaw, Reader, VerifiedPayment};
pub use receipt::{Receipt, Refusal};
pub use request::{AmountRule, MEMO_MAX, Request, RequestFlaw};
