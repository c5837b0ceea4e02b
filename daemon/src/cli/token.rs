//! Tokens for programs.

use super::fault::Fault;
use super::session::{Session, amount_if};
use super::show;
use crate::rpc::api::{ByToken, NewToken, TokenView};
use protocol::node::host::exit::Exit;
use protocol::node::rpc::{Empty, Scopes};
use std::time::Duration;

/// Tokens with which programs call this workstation
#[derive(Debug, clap::Subcommand)]
pub(crate) enum TokenWords {
    /// Make a token; its secret is shown once
    #[command(after_help = "\
Example:
  stermina token create till --can read,receive --expires 90d
  stermina token create bot --can read,spend --max 50")]
    Create {
        /// What it is for
        name: String,
        /// What it may do: read, receive, spend, admin
        #[arg(long, value_name = "A,B,…")]
        can: Scopes,
        /// Most that it may spend in all
        #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
        max: Option<String>,
        /// When it ends (12h, 90d); never if left out
        #[arg(long, value_name = "TIME", value_parser = super::duration)]
        expires: Option<Duration>,
    },
    /// The tokens, without their secrets
    List,
    /// End a token at once
    Revoke {
        /// Its id
        token: String,
    },
}

impl TokenWords {
    pub(crate) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let client = session.client().await?;
        let currency = session.status(&client).await?.currency;
        match self {
            TokenWords::Create { name, can, max, expires } => {
                let (cap, seconds) =
                    (amount_if(&currency, max.as_ref())?, expires.map(|time| time.as_secs()));
                let made = client.token_create(NewToken { name, scopes: can, cap, seconds }).await?;
                session.show.answer(&made, || {
                    let facts = [("token", made.token.clone()), ("secret", made.secret.clone())];
                    format!("{}The secret is shown only now: give it to the program.", show::facts(&facts))
                })?;
            }
            TokenWords::List => {
                let tokens = client.token_list(Empty {}).await?;
                session.show.answer(&tokens, || {
                    let row = |token: &TokenView| {
                        let can: Vec<&str> =
                            token.scopes.given().into_iter().map(|scope| scope.name()).collect();
                        let cap = token.cap.map(|units| currency.show(units)).unwrap_or_default();
                        let ends = token.expires.map(|at| at.to_string()).unwrap_or_default();
                        [
                            token.token.clone(),
                            token.name.clone(),
                            can.join(","),
                            currency.show(token.spent),
                            cap,
                            ends,
                        ]
                    };
                    let header = ["token", "name", "can", "spent", "of at most", "ends"];
                    show::table(header, &[3, 4], tokens.tokens.iter().map(row).collect())
                })?;
            }
            TokenWords::Revoke { token } => {
                let done = client.token_revoke(ByToken { token: token.clone() }).await?;
                session.show.answer(&done, || format!("{token} is of no use any more."))?;
            }
        }
        Ok(Exit::Done)
    }
}
