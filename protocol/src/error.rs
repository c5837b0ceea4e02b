//! The one list of error codes (SPEC §5.4). Numbers are never used again for something else; 22 and 27 are
//! reserved: nobody sends them today.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! codes {
    ($($number:literal $name:ident $word:literal $text:literal;)*) => {
        /// Why something was not done; the number travels, the word is for programs, the text for people.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode {
            $(#[doc = $text] $name,)*
        }

        impl ErrorCode {
            /// All codes, by number.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name),*];

            /// Its number on the wire.
            pub const fn number(self) -> u16 {
                match self { $(ErrorCode::$name => $number,)* }
            }

            /// Its word for programs, in snake case.
            pub const fn word(self) -> &'static str {
                match self { $(ErrorCode::$name => $word,)* }
            }

            /// What it tells a person.
            pub const fn text(self) -> &'static str {
                match self { $(ErrorCode::$name => $text,)* }
            }

            /// The code with this number.
            pub const fn from_number(number: u16) -> Option<ErrorCode> {
                match number { $($number => Some(ErrorCode::$name),)* _ => None }
            }
        }
    };
}

codes! {
    1 Malformed "malformed" "The message can't be read.";
    2 TooBig "too_big" "The message is larger than allowed.";
    3 Unsupported "unsupported" "This version or kind of message is not known here.";
    4 NotMine "not_mine" "It is addressed to somebody else.";
    5 IdReused "id_reused" "The same id came before with other content.";
    6 Expired "expired" "It came after its expiry, or is dated in the future.";
    7 NotCertified "not_certified" "The bank's certificate is missing, expired or not genuine.";
    8 Suspended "suspended" "The bank has suspended the account.";
    9 BadSignature "bad_signature" "A signature does not verify.";
    10 BadChain "bad_chain" "A note's chain breaks a rule.";
    11 BadSum "bad_sum" "The notes do not add up to the amount.";
    12 DuplicateNote "duplicate_note" "This note was shown before.";
    13 Fork "fork" "Somebody has signed these units twice.";
    14 OverLimit "over_limit" "It is above a limit.";
    15 TooDeep "too_deep" "A note has more links than allowed.";
    16 TooMany "too_many" "The message has more notes or links than allowed.";
    17 NeedCertified "need_certified" "The payee wants this amount certified by the bank.";
    18 Busy "busy" "Too much at once: try again later.";
    19 UnknownRoot "unknown_root" "The bank has not issued this root.";
    20 RevokedEpoch "revoked_epoch" "The issue key is unknown or revoked.";
    21 Clash "clash" "Some of the units were redeemed before.";
    22 Void "void" "The bank has refused this request for good.";
    23 OlderGeneration "older_generation" "The workstation has been restored elsewhere since.";
    24 RequestUsed "request_used" "The request was paid before: ask for a new one.";
    25 UnknownRequest "unknown_request" "The payee made no such request.";
    26 NotFound "not_found" "There is no such account, code or entry.";
    27 InsufficientFunds "insufficient_funds" "The account does not hold that much.";
    28 NotAllowed "not_allowed" "This kind of account may not do that.";
    29 Unavailable "unavailable" "Out of order just now: try again later.";
    30 SelfPayment "self_payment" "Payer and payee are one.";
    31 NoTickets "no_tickets" "The payee's workstation has to be unlocked before it can take more payments.";
    32 WrongCode "wrong_code" "This is not the code of the order.";
    40 RequestClosed "request_closed" "The payee has closed the request: ask for a new one.";
    41 OtherCatalogue "other_catalogue" "The shop does not sell this, or not at this price: look at its catalogue again.";
    42 ShopClosed "shop_closed" "The shop takes no orders just now.";
    43 NoAddress "no_address" "These goods have to be brought somewhere: an address is needed.";
    44 OtherTillCode "other_till_code" "No till shows this code now: look at it again.";
    45 NothingToPay "nothing_to_pay" "No sale waits for its payment at this till.";
    46 TooManyTries "too_many_tries" "Too many wrong codes: wait ten minutes, or scan what the till shows.";
    47 WhichTill "which_till" "Several tills show this code just now: say which one.";
    48 ShopFull "shop_full" "The bank holds money for so many orders of this shop that it takes no more just now.";
}

impl ErrorCode {
    /// Whether the same question may get another answer in a while, whoever was asked: it is no answer yet.
    ///
    /// `Expired` passes in one case only, so it is not among them: the bank says it of a withdrawal that is dated
    /// ahead of its clock. Whoever withdraws asks again; for every other question it is final (SPEC §4).
    pub const fn is_passing(self) -> bool {
        matches!(self, ErrorCode::Busy | ErrorCode::Unavailable | ErrorCode::NoTickets)
    }

    /// Whether a request to the bank stays open after it: the same bytes may be taken later (SPEC §4).
    pub const fn leaves_it_open(self) -> bool {
        matches!(self, ErrorCode::Busy | ErrorCode::Unavailable | ErrorCode::Expired)
    }

    /// Whether no honest sender causes it: it is charged to the peer's budget.
    pub const fn is_offence(self) -> bool {
        matches!(
            self,
            ErrorCode::Malformed
                | ErrorCode::TooBig
                | ErrorCode::BadSignature
                | ErrorCode::BadChain
                | ErrorCode::BadSum
        )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u16(self.number())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = u16::deserialize(from)?;
        ErrorCode::from_number(number).ok_or_else(|| serde::de::Error::custom("unknown error code"))
    }
}
