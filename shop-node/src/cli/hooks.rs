//! Webhooks: who outside is told of events.

use super::{Fault, Session};
use crate::rpc::api::{ByWebhook, NewWebhook, ResumeWebhook, Webhook};
use daemon::cli::show;
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;

/// Programs elsewhere that are told of events
#[derive(Debug, clap::Subcommand)]
pub(super) enum HookWords {
    /// Post each event to an address, from now on
    #[command(after_help = "\
Each event is posted as the JSON that «shop-node events» prints, in order, at least once: keep the header webhook-id, it is the
same when an event comes twice. Any answer but 2xx is a no; then it is tried again after 1, 2, 4 seconds, up to an hour, for two
weeks. Redirects are not followed. How to check the signature stands in SPEC §5.6; the key is in «shop-node webhook list».

Examples:
  shop-node webhook add https://shop.example/stermina/a-secret --kinds sale,refund,report
  shop-node webhook add http://127.0.0.1:9000/ --after 0")]
    Add {
        /// https://…; the owner's may be in the shop's own network or on this machine, http:// there too
        url: String,
        /// Only these kinds of events, with commas between; all but webhook if left out
        #[arg(long, value_name = "KIND,…", value_delimiter = ',')]
        kinds: Vec<String>,
        /// Events after this number; 0 for all that there are
        #[arg(long, value_name = "N")]
        after: Option<u64>,
        /// Allow http:// beyond this machine: anybody on the way reads along; the owner's to say
        #[arg(long)]
        insecure: bool,
    },
    /// All of them: how far they were told, and since when one takes nothing
    List,
    /// Tell it nothing more
    Remove {
        /// Its id
        webhook: String,
    },
    /// Try it again at once, from where it was; or tell it again what came after an event
    #[command(visible_alias = "replay")]
    Resume {
        /// Its id
        webhook: String,
        /// The last event that it is not told again
        #[arg(long, value_name = "N")]
        after: Option<u64>,
    },
    /// Post an event that is none, now, and say what came of it
    Test {
        /// Its id
        webhook: String,
    },
}

impl HookWords {
    pub(super) async fn run(self, session: &Session) -> Result<Exit, Fault> {
        let client = session.client().await?;
        let show = &session.show;
        match self {
            HookWords::Add { url, kinds, after, insecure } => {
                let kinds = (!kinds.is_empty()).then_some(kinds);
                let new = NewWebhook { url, kinds, after, insecure: Some(insecure) };
                let made = client.webhook_add(new).await?;
                let key = client.webhook_list(Empty {}).await?.key;
                show.answer(&made, || format!("{}Check signatures with {key}.", page(&made)))?;
            }
            HookWords::List => {
                let found = client.webhook_list(Empty {}).await?;
                show.answer(&found, || format!("{}signed by {}", table(&found.webhooks), found.key))?;
            }
            HookWords::Remove { webhook } => {
                let done = client.webhook_remove(ByWebhook { webhook: webhook.clone() }).await?;
                show.answer(&done, || format!("{webhook} is told nothing more."))?;
            }
            HookWords::Resume { webhook, after } => {
                let resumed = client.webhook_resume(ResumeWebhook { webhook, after }).await?;
                show.answer(&resumed, || page(&resumed))?;
            }
            HookWords::Test { webhook } => {
                let tried = client.webhook_test(ByWebhook { webhook }).await?;
                show.answer(&tried, || match &tried.error {
                    None => format!("Taken, within {} ms.", tried.milliseconds),
                    Some(why) => format!("Not taken: {why}."),
                })?;
                return Ok(if tried.taken { Exit::Done } else { Exit::Refused });
            }
        }
        Ok(Exit::Done)
    }
}

fn page(hook: &Webhook) -> String {
    let kinds = if hook.kinds.is_empty() { "all".to_owned() } else { hook.kinds.join(", ") };
    show::facts(&[
        ("webhook", hook.webhook.clone()),
        ("address", hook.url.clone()),
        ("kinds", kinds),
        ("state", hook.state.clone()),
        ("told up to", format!("event {}, {} are behind it", hook.cursor, hook.behind)),
    ])
}

fn table(hooks: &[Webhook]) -> String {
    let row = |hook: &Webhook| {
        let time = |at: Option<_>| at.map(|at: protocol::time::Timestamp| at.to_string()).unwrap_or_default();
        let why = hook.error.as_ref().map(|error| format!("{error} ({} tries)", hook.tries));
        [
            hook.webhook.clone(),
            hook.state.clone(),
            hook.cursor.to_string(),
            hook.behind.to_string(),
            time(hook.told),
            time(hook.failing_since),
            why.unwrap_or_default(),
            hook.url.clone(),
        ]
    };
    let header = ["webhook", "state", "event", "behind", "last took", "failing since", "why", "address"];
    show::table(header, &[2, 3], hooks.iter().map(row).collect())
}
