//! Questions and answers that hold a secret: nothing of it is ever printed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The private code, and for how long.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unlock {
    /// The private code.
    pub code: String,
    /// Seconds until it locks by itself; 900 when left out.
    pub seconds: Option<u64>,
}

/// A token's secret: shown once.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct TokenSecret {
    /// Its id.
    pub token: String,
    /// What the program presents.
    pub secret: String,
}

// Secrets are in no log, whoever prints what he was asked or has answered.
impl fmt::Debug for Unlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unlock").field("seconds", &self.seconds).finish_non_exhaustive()
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSecret").field("token", &self.token).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is secret is in no log, also when somebody prints a whole question or answer.
    #[test]
    fn secrets_are_not_printed() {
        let unlock = Unlock { code: "hidden".to_owned(), seconds: Some(7) };
        let token = TokenSecret { token: "bot".to_owned(), secret: "hidden".to_owned() };
        let printed = format!("{unlock:?} {token:?}");
        assert!(!printed.contains("hidden") && printed.contains("bot"), "{printed}");
    }
}
