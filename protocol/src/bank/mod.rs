//! What customers and the bank say to each other (SPEC §4), and the papers it hands out.

mod activate;
mod certificate;
mod directory;
mod identity;
mod letter;
mod redeem;
mod withdraw;

pub use activate::{Activation, ActivationLetter, CODE_LENGTH};
pub use certificate::{Certificate, CertificateKind, NAME_MAX, Standing};
pub use directory::{DirectoryEntry, DirectoryHead, next_head};
pub use identity::{
    ADDRESS_MAX, ADDRESSES_MAX, AddressRecord, IDENTITY_DAYS_MAX, Identity, Introduction, IntroductionFlaw,
    Party,
};
pub use letter::{Letter, LetterKind};
pub use redeem::{Outcome, RedeemKind, Redemption};
pub use withdraw::{AccountQuery, OUTCOMES_MAX, Withdrawal};
