//! Amounts: the only place where money is added (SPEC §2.1).
//!
//! One unit is the smallest amount the bank issues. Every total stays below 2^53, so that each
//! amount survives a trip through any JSON parser.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An amount in the bank's smallest unit, below 2^53.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "node", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Units(u64);

/// A sum that no longer fits, or a difference below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the amount leaves the range 0 to 2^53-1")]
pub struct OutOfRange;

impl Units {
    /// Nothing.
    pub const ZERO: Units = Units(0);
    /// The largest amount: 2^53 − 1.
    pub const MAX: Units = Units((1 << 53) - 1);

    /// An amount, if it is below 2^53.
    pub const fn new(units: u64) -> Result<Units, OutOfRange> {
        if units <= Self::MAX.0 { Ok(Units(units)) } else { Err(OutOfRange) }
    }

    /// The amount as a plain number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether this is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, if it stays below 2^53.
    pub fn plus(self, other: Units) -> Result<Units, OutOfRange> {
        self.0.checked_add(other.0).ok_or(OutOfRange).and_then(Units::new)
    }

    /// The difference, if it is not below zero.
    pub fn minus(self, other: Units) -> Result<Units, OutOfRange> {
        self.0.checked_sub(other.0).map(Units).ok_or(OutOfRange)
    }

    /// So many times the amount, if that stays below 2^53.
    pub fn times(self, count: u32) -> Result<Units, OutOfRange> {
        self.0.checked_mul(u64::from(count)).ok_or(OutOfRange).and_then(Units::new)
    }

    /// A quarter, rounded down.
    pub fn quarter(self) -> Units {
        Units(self.0 / 4)
    }

    /// The sum of many, if it stays below 2^53.
    pub fn sum(amounts: impl IntoIterator<Item = Units>) -> Result<Units, OutOfRange> {
        amounts.into_iter().try_fold(Units::ZERO, Units::plus)
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Units::new(u64::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

/// What one unit is called and how many digits stand behind the point; set by the bank at `init`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "node", derive(schemars::JsonSchema))]
pub struct Currency {
    /// Three to eight capital letters, `STM` unless the bank says otherwise.
    code: String,
    /// 0 to 8 digits behind the point.
    digits: u8,
}

/// Why a typed amount or a currency is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountFlaw {
    /// Something that is not digits with at most one point.
    #[error("«{0}» is not an amount: write digits, and at most one point before the decimals")]
    NotANumber(String),
    /// More decimals than the currency has.
    #[error("«{text}» has more decimals than {code} has ({digits})")]
    TooFine {
        /// What was typed.
        text: String,
        /// The currency.
        code: String,
        /// Its decimals.
        digits: u8,
    },
    /// 2^53 units or more.
    #[error("«{0}» is more money than there can be (2^53-1 of the smallest unit)")]
    TooLarge(String),
    /// A code or digit count out of bounds.
    #[error("a currency has a code of 3 to 8 capital letters and 0 to 8 decimals")]
    BadCurrency,
}

impl Currency {
    /// A currency, if its code has 3 to 8 capital letters and 0 to 8 decimals.
    pub fn new(code: &str, digits: u8) -> Result<Currency, AmountFlaw> {
        let letters = (3..=8).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_uppercase());
        if !letters || digits > 8 {
            return Err(AmountFlaw::BadCurrency);
        }
        Ok(Currency { code: code.to_owned(), digits })
    }

    /// Its code, as in `STM`.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Its decimals.
    pub fn digits(&self) -> u8 {
        self.digits
    }

    /// What a person typed, in units: `12`, `12.5` or `12.50` with two digits are 1200, 1250, 1250.
    pub fn parse(&self, text: &str) -> Result<Units, AmountFlaw> {
        let not_a_number = || AmountFlaw::NotANumber(text.to_owned());
        let (whole, part) = match text.split_once('.') {
            Some((_, "")) => return Err(not_a_number()),
            Some((whole, part)) => (whole, part),
            None => (text, ""),
        };
        let digits_only = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits_only(whole) || !digits_only(part) {
            return Err(not_a_number());
        }
        if part.len() > usize::from(self.digits) {
            return Err(AmountFlaw::TooFine {
                text: text.to_owned(),
                code: self.code.clone(),
                digits: self.digits,
            });
        }
        let padded = format!("{whole}{part:0<width$}", width = usize::from(self.digits));
        let units = padded.parse::<u64>().ok().and_then(|u| Units::new(u).ok());
        units.ok_or_else(|| AmountFlaw::TooLarge(text.to_owned()))
    }

    /// The amount for people, without the code: 1250 with two digits is `12.50`.
    pub fn show(&self, units: Units) -> String {
        if self.digits == 0 {
            return units.to_string();
        }
        let width = usize::from(self.digits) + 1;
        let text = format!("{:0>width$}", units.get());
        let (whole, part) = text.split_at(text.len() - usize::from(self.digits));
        format!("{whole}.{part}")
    }

    /// The amount for people, with the code: `12.50 STM`.
    pub fn show_full(&self, units: Units) -> String {
        format!("{} {}", self.show(units), self.code)
    }
}

/// Through [`Currency::new`]: what a bank calls its money stands on its customers' screens.
impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Currency")]
        struct Parts {
            code: String,
            digits: u8,
        }
        let Parts { code, digits } = Parts::deserialize(from)?;
        Currency::new(&code, digits).map_err(serde::de::Error::custom)
    }
}

impl Default for Currency {
    fn default() -> Self {
        Currency { code: "STM".to_owned(), digits: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn typed_amounts() {
        let stm = Currency::default();
        let eur = Currency::new("EUR", 2).unwrap();
        let table = [
            (&eur, "12", Ok(1200)),
            (&eur, "12.5", Ok(1250)),
            (&eur, "0.05", Ok(5)),
            (&stm, "120", Ok(120)),
            (&stm, "9007199254740991", Ok(9_007_199_254_740_991)),
            (&stm, "9007199254740992", Err("more money")),
            (&eur, "90071992547409.92", Err("more money")),
            (&stm, "12.5", Err("more decimals")),
            (&eur, "12.505", Err("more decimals")),
            (&eur, "-1", Err("not an amount")),
            (&eur, "1e3", Err("not an amount")),
            (&eur, "1,50", Err("not an amount")),
            (&eur, ".5", Err("not an amount")),
            (&eur, "5.", Err("not an amount")),
            (&eur, "", Err("not an amount")),
            (&eur, "١", Err("not an amount")),
        ];
        for (currency, text, expected) in table {
            match (currency.parse(text), expected) {
                (Ok(units), Ok(wanted)) => assert_eq!(units.get(), wanted, "{text}"),
                (Err(flaw), Err(part)) => assert!(flaw.to_string().contains(part), "{text}: {flaw}"),
                (got, wanted) => panic!("{text}: {got:?}, wanted {wanted:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(units in 0..=Units::MAX.get(), digits in 0u8..=8) {
            let currency = Currency::new("ABC", digits).unwrap();
            let units = Units::new(units).unwrap();
            prop_assert_eq!(currency.parse(&currency.show(units)).unwrap(), units);
        }
    }

    #[test]
    fn no_odd_currency_comes_off_the_wire() {
        let good = rmp_serde::to_vec(&Currency::new("EUR", 2).unwrap()).unwrap();
        assert_eq!(rmp_serde::from_slice::<Currency>(&good).unwrap().code(), "EUR");
        for odd in [("\u{1b}[2J", 2), ("EUR", 200), ("eur", 2)] {
            let bytes = rmp_serde::to_vec(&odd).unwrap();
            assert!(rmp_serde::from_slice::<Currency>(&bytes).is_err(), "{odd:?}");
        }
    }

    #[test]
    fn sums_never_wrap() {
        assert_eq!(Units::MAX.plus(Units(1)), Err(OutOfRange));
        assert_eq!(Units::ZERO.minus(Units(1)), Err(OutOfRange));
        assert_eq!(Units::sum([Units(1), Units(2)]), Ok(Units(3)));
        assert_eq!((Units(7).times(3), Units(7).times(0)), (Ok(Units(21)), Ok(Units::ZERO)));
        assert_eq!(Units::MAX.times(2), Err(OutOfRange));
    }
}
