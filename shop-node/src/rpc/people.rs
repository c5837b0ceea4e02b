//! The shop's people as programs see them.

use protocol::money::Units;
use protocol::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Somebody to take on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStaff {
    /// The name that stands in the audit log.
    pub name: String,
    /// cashier, manager or owner.
    pub role: String,
    /// Most units of one refund.
    pub refund_max: Option<Units>,
    /// Most units of all refunds on a business day.
    pub refund_day: Option<Units>,
}

/// Somebody with a token.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByStaff {
    /// His id.
    pub staff: String,
}

/// A token for somebody.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StaffSecret {
    /// His id.
    pub staff: String,
    /// The token; shown only now.
    pub secret: String,
}

/// Somebody who works here.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StaffView {
    /// His id.
    pub staff: String,
    /// His name.
    pub name: String,
    /// cashier, manager or owner.
    pub role: String,
    /// Most units of one refund.
    pub refund_max: Option<Units>,
    /// Most units of all refunds on a business day.
    pub refund_day: Option<Units>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// Everybody with a token.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StaffList {
    /// Those who work here, and those who did.
    pub staff: Vec<StaffView>,
}
