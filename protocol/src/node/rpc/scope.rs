//! Who calls, and what they may do.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of permission. Every method needs one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Look at everything that is no secret.
    Read,
    /// Ask for money and take it.
    Receive,
    /// Give money away.
    Spend,
    /// Everything, including making tokens.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Read, Self::Receive, Self::Spend, Self::Admin];

    /// The word in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Receive => "receive",
            Self::Spend => "spend",
            Self::Admin => "admin",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Receive => 2,
            Self::Spend => 4,
            Self::Admin => 8,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of scopes; `Admin` stands for all of them. In JSON a list of words.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct Scopes(u8);

impl Scopes {
    /// Whether a method with `scope` may be called.
    pub fn allow(self, scope: Scope) -> bool {
        self.0 & (scope.bit() | Scope::Admin.bit()) != 0
    }

    /// The scopes that were given, in order.
    pub fn given(self) -> Vec<Scope> {
        Scope::ALL.into_iter().filter(|scope| self.0 & scope.bit() != 0).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl From<Vec<Scope>> for Scopes {
    fn from(scopes: Vec<Scope>) -> Self {
        scopes.into_iter().collect()
    }
}

impl From<Scopes> for Vec<Scope> {
    fn from(scopes: Scopes) -> Self {
        scopes.given()
    }
}

impl FromStr for Scopes {
    type Err = String;

    /// Reads `read,receive`.
    fn from_str(text: &str) -> Result<Self, String> {
        let one = |word: &str| {
            Scope::ALL.into_iter().find(|scope| scope.name() == word.trim()).ok_or_else(|| {
                format!("unknown scope {:?}; known are read, receive, spend and admin", word.trim())
            })
        };
        text.split(',').map(one).collect()
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.given()).finish()
    }
}

/// The way a call came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// The unix socket: a process of our own user.
    Socket,
    /// Loopback HTTP: any process of this machine, so it had to show a secret.
    Http,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// For logs and audit: `owner`, or the name of the token.
    pub name: String,
    /// What they may do.
    pub scopes: Scopes,
    /// The id of the token, by which the application knows its limits; `None` for the owner.
    pub token: Option<String>,
    /// The way the call came in.
    pub transport: Transport,
}

impl Caller {
    /// The user whose program this is.
    pub fn owner(transport: Transport) -> Self {
        Self {
            name: "owner".to_owned(),
            scopes: [Scope::Admin].into_iter().collect(),
            token: None,
            transport,
        }
    }

    /// The bearer of a named token.
    pub fn token(id: impl Into<String>, name: impl Into<String>, scopes: Scopes) -> Self {
        Self { name: name.into(), scopes, token: Some(id.into()), transport: Transport::Http }
    }
}

/// Knows the named tokens. The application keeps only their hashes; the cookie is the server's own.
pub trait Gate: Send + Sync + 'static {
    /// Who shows `secret`, if it is valid right now. Asked again for each call, so a withdrawn token
    /// ends at once. Must not say by its timing how much of a secret was right: compare hashes.
    fn admit(&self, secret: &str) -> Option<Caller>;
}

/// A gate without tokens: only the owner comes in.
#[derive(Clone, Copy, Debug)]
pub struct NoTokens;

impl Gate for NoTokens {
    fn admit(&self, _secret: &str) -> Option<Caller> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_may_do_all_and_the_others_only_their_own() {
        let admin: Scopes = "admin".parse().unwrap();
        let till: Scopes = "read, receive".parse().unwrap();
        assert!(Scope::ALL.into_iter().all(|scope| admin.allow(scope)));
        assert!(till.allow(Scope::Read) && till.allow(Scope::Receive));
        assert!(!till.allow(Scope::Spend) && !till.allow(Scope::Admin));
        assert!(!Scopes::default().allow(Scope::Read));
        assert!("read,write".parse::<Scopes>().unwrap_err().contains("write"));
    }

    #[test]
    fn scopes_are_a_list_of_words_in_json() {
        let schema = schemars::schema_for!(Scopes).to_value();
        assert_eq!((&schema["type"], &schema["items"]["$ref"]), (&"array".into(), &"#/$defs/Scope".into()));
        let scopes: Scopes = serde_json::from_str("[\"spend\",\"read\"]").unwrap();
        assert_eq!(serde_json::to_string(&scopes).unwrap(), "[\"read\",\"spend\"]");
    }
}
