//! What is in doubt, claims and cases, as programs see them.

use super::api::AccountView;
use protocol::code::PublicCode;
use protocol::id::{PaymentId, RequestId};
use protocol::money::{Currency, Units};
use protocol::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something whose outcome is awaited.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DoubtView {
    /// `payment`, `bank`, `disputed` (refused without proof), `claim`, `case` or `order`.
    pub kind: String,
    /// The payment's, request's or claim's id; the note's or case's number.
    pub id: String,
    /// Where it stands.
    pub state: String,
    /// How much.
    pub units: Units,
    /// Whose word is awaited: a name, the bank, or you.
    pub awaiting: String,
    /// Since when.
    pub since: Timestamp,
    /// When it is decided at the latest, where that is known.
    pub until: Option<Timestamp>,
    /// What that means: a sentence.
    pub meaning: String,
    /// What can be done: a sentence.
    pub can_do: String,
}

/// Everything whose outcome is awaited, and the sums at the same moment.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Doubts {
    /// The currency.
    pub currency: Currency,
    /// Can be spent, and the bank has seen it.
    pub confirmed: Units,
    /// Can be spent, and is only the payers' word until the bank has seen it.
    pub unconfirmed: Units,
    /// Promised to payments whose outcome is awaited.
    pub in_doubt: Units,
    /// In requests to the bank whose answer or proof is awaited.
    pub at_bank: Units,
    /// Lost to somebody who signed twice, and claimed.
    pub claimed: Units,
    /// Of a lost machine: comes to the account by a reclaim.
    pub fenced: Units,
    /// Taken from the account and held by the bank for orders.
    pub ordered: Units,
    /// The account, as last told.
    pub account: Option<AccountView>,
    /// What holds these sums, and what is asked of us.
    pub items: Vec<DoubtView>,
}

/// A claim for units that were lost.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ClaimView {
    /// Its id.
    pub claim: RequestId,
    /// Who paid with the units.
    pub payer: PublicCode,
    /// His certified name.
    pub name: String,
    /// His payment.
    pub payment: PaymentId,
    /// How much was lost.
    pub units: Units,
    /// How much of it came to the account.
    pub paid: Units,
    /// to_sign, asked, open, closed or refused.
    pub state: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when the one who is asked has to answer.
    pub until: Option<Timestamp>,
    /// The bank's numbers for its cases.
    pub cases: Vec<u64>,
    /// What it means: a sentence.
    pub note: String,
    /// The reason's word when nothing is paid.
    pub reason: Option<String>,
}

/// A case at the bank in which we have a part.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CaseView {
    /// Its number.
    pub case: u64,
    /// claimant, asked, heard or liable.
    pub part: String,
    /// open, dismissed or judged.
    pub state: String,
    /// What it is about.
    pub units: Units,
    /// Until when the one who is asked has to answer.
    pub until: Option<Timestamp>,
    /// Paid to the claimant so far.
    pub paid: Units,
    /// Still to be recovered.
    pub owed: Units,
    /// What it means: a sentence.
    pub note: String,
}

/// Claims and cases.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Claims {
    /// Our claims, newest first.
    pub claims: Vec<ClaimView>,
    /// The cases in which we have a part.
    pub cases: Vec<CaseView>,
}
