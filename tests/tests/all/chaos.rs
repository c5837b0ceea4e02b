//! A short storm over real processes; `cargo chaos` plays long ones (B7, N6).

use std::time::Duration;

use protocol::node::chance::chance_bytes;
use tests::chaos::{Plan, play};

/// B7, N6, X6: bank and workstations are killed, held still, cut off and out of room while everybody pays everybody:
/// each payment has one outcome on both sides, and not a unit is lost or made.
#[test]
fn after_a_storm_every_wallet_agrees_with_its_counterparts() {
    let seed = u64::from_le_bytes(chance_bytes());
    eprintln!("seed {seed}");
    let report = play(Plan { storm: Duration::from_secs(12), residents: 4, seed });
    assert!(report.ok, "{report:#?}");
    assert!(report.done > 20 && report.toll.kills + report.toll.bank_kills > 0, "no storm: {report:#?}");
}
