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
    /// When the last bulletin is older than so many hours, the limits are a quarter of these. 0 is never.
    #[serde(default = "stale_hours")]
    pub stale_hours: u32,
}

/// Two days: a weekend without the bank still goes well.
fn stale_hours() -> u32 {
    48
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
            stale_hours: stale_hours(),
        }
    }

    /// How old the last bulletin may be.
    pub fn stale_seconds(&self) -> u64 {
        if self.stale_hours == 0 { u64::MAX } else { u64::from(self.stale_hours) * 3600 }
    }

    /// The limits while nothing new is known of who is suspended and which keys are revoked.
    pub fn when_stale(&self) -> Policy {
        Policy {
            direct_max: self.direct_max.quarter(),
            unconfirmed_per_payer: self.unconfirmed_per_payer.quarter(),
            unconfirmed_total: self.unconfirmed_total.quarter(),
            ..self.clone()
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
