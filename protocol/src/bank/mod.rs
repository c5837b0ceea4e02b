//! What customers and the bank say to each other (SPEC §4), and the papers it hands out.

mod activate;
mod bulletin;
mod certificate;
mod claim;
mod directory;
mod hold;
mod identity;
mod letter;
mod mailbox;
pub mod merkle;
mod reclaim;
mod redeem;
mod sweep;
mod vault;
mod withdraw;

pub use activate::{Activation, ActivationLetter, CODE_LENGTH};
pub use bulletin::{Bulletin, LISTED_MAX};
pub use certificate::{Certificate, CertificateKind, NAME_MAX, Standing};
pub use claim::{Admission, Claim};
pub use directory::{DirectoryEntry, DirectoryHead, next_head};
pub use hold::{
    Act, DISPUTE_MAX, HOLD_CODE_MAX, HOLD_OUTLIVES_SECONDS, Hold, HoldAct, HoldParty, HoldRule, code_hash,
};
pub use identity::{
    ADDRESS_MAX, ADDRESSES_MAX, AddressRecord, IDENTITY_DAYS_MAX, Identity, Introduction, IntroductionFlaw,
    Party,
};
pub use letter::{Letter, LetterKind};
pub use mailbox::{MailFate, MailItem, MailKind, MailWord, NodeQuery, Purpose, envelope_digest};
pub use reclaim::{Reclaim, ReclaimKind, Reclaimed};
pub use redeem::{Outcome, RedeemKind, Redemption};
pub use sweep::Sweep;
pub use vault::{RECORD_MAX, RECORDS_MAX, VaultAppend, VaultHead};
pub use withdraw::{AccountQuery, OUTCOMES_MAX, Withdrawal};
