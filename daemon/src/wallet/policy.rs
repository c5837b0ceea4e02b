//! What a payee takes directly, and what only certified by the bank (SPEC §3.5, Y9 of the threats: X6, H1).

use protocol::money::{Currency, Units};
use protocol::pay::Mode;
use serde::{Deserialize, Serialize};

/// Limits on money that the bank has not seen yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Most units that a single direct payment may have.
    pub direct_max: Units,
    /// Most unconfirmed units from one payer.
    pub unconfirmed_per_payer: Units,
    /// Most unconfirmed units in all.
    pub unconfirmed_total: Units,
    /// Whether received money is taken to the bank by itself when it is in reach.
    pub refresh: bool,
}

impl Policy {
    /// 200 a payment, 500 a payer, 2,000 in all, in whole coins of the currency; refreshed on receipt.
    pub fn of(currency: &Currency) -> Policy {
        let coin = 10u64.pow(u32::from(currency.digits()));
        let coins =
            |count: u64| Units::new(count * coin).expect("2,000 coins of at most 8 digits are below 2^53");
        Policy {
            direct_max: coins(200),
            unconfirmed_per_payer: coins(500),
            unconfirmed_total: coins(2_000),
            refresh: true,
        }
    }

    /// The least that is accepted for `units` from a payer who has `his` unconfirmed already, `all` together.
    pub fn mode_for(&self, units: Units, payer_limit: Units, his: Units, all: Units) -> Mode {
        let fits = |held: Units, limit: Units| held.plus(units).is_ok_and(|sum| sum <= limit);
        let direct = units <= self.direct_max.min(payer_limit)
            && fits(his, self.unconfirmed_per_payer)
            && fits(all, self.unconfirmed_total);
        if direct { Mode::Direct } else { Mode::Certified }
    }
}
