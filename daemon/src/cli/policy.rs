//! What is taken directly without the bank.

use super::fault::Fault;
use super::session::{Session, amount};
use super::show;
use crate::rpc::api::PolicyView;
use protocol::money::{Currency, Units};
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;

/// What is taken directly from a payer, and what only certified by the bank
#[derive(Debug, clap::Subcommand)]
pub(crate) enum PolicyWords {
    /// The limits
    Show,
    /// Change some of them; the others stay
    #[command(arg_required_else_help = true)]
    Set(PolicyChange),
}

/// What to change.
#[derive(Debug, clap::Args)]
pub(crate) struct PolicyChange {
    /// Most that a single direct payment may have
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    direct_max: Option<String>,
    /// Most unconfirmed money from one payer
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    per_payer: Option<String>,
    /// Most unconfirmed money in all
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    total: Option<String>,
    /// Whether received money is taken to the bank by itself when it is in reach
    #[arg(long, value_name = "true|false")]
    refresh: Option<bool>,
    /// Take a quarter of it when nothing was heard of the bank for so long; 0 is never
    #[arg(long, value_name = "HOURS")]
    stale_hours: Option<u32>,
}

impl PolicyChange {
    fn over(self, policy: PolicyView, currency: &Currency) -> Result<PolicyView, Fault> {
        let or = |text: Option<String>, now: Units| text.map_or(Ok(now), |text| amount(currency, &text));
        Ok(PolicyView {
            direct_max: or(self.direct_max, policy.direct_max)?,
            unconfirmed_per_payer: or(self.per_payer, policy.unconfirmed_per_payer)?,
            unconfirmed_total: or(self.total, policy.unconfirmed_total)?,
            refresh: self.refresh.unwrap_or(policy.refresh),
            stale_hours: self.stale_hours.unwrap_or(policy.stale_hours),
        })
    }
}

impl PolicyWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let client = session.client().await?;
        let currency = session.status(&client).await?.currency;
        let mut policy = client.policy_show(Empty {}).await?;
        if let PolicyWords::Set(change) = self {
            policy = client.policy_set(change.over(policy, &currency)?).await?;
        }
        session.show.answer(&policy, || {
            show::facts(&[
                ("a direct payment, at most", currency.show_full(policy.direct_max)),
                ("unconfirmed from one payer, at most", currency.show_full(policy.unconfirmed_per_payer)),
                ("unconfirmed in all, at most", currency.show_full(policy.unconfirmed_total)),
                ("taken to the bank by itself", if policy.refresh { "yes" } else { "no" }.to_owned()),
                ("a quarter of it without a bulletin for", format!("{} hours", policy.stale_hours)),
            ])
        })?;
        Ok(Exit::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_stays() {
        let eur = Currency::new("EUR", 2).unwrap();
        let units = |n| Units::new(n).unwrap();
        let now = PolicyView {
            direct_max: units(1),
            unconfirmed_per_payer: units(2),
            unconfirmed_total: units(3),
            refresh: true,
            stale_hours: 48,
        };
        let change =
            PolicyChange { direct_max: None, per_payer: Some("5".into()), total: None, refresh: Some(false), stale_hours: None };
        let new = change.over(now, &eur).unwrap();
        let seen = [new.direct_max, new.unconfirmed_per_payer, new.unconfirmed_total].map(Units::get);
        assert_eq!((seen, new.refresh), ([1, 500, 3], false));
    }
}
