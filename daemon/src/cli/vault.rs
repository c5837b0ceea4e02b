//! `vault`: what a lost machine would bring back, and whether this one may spend.

use super::fault::Fault;
use super::session::Session;
use super::show;
use crate::rpc::api::VaultView;
use protocol::node::host::exit::Exit;
use protocol::node::rpc::Empty;

pub(crate) async fn vault(session: &Session) -> Result<Exit, Fault> {
    let client = session.client().await?;
    let vault = client.vault_status(Empty {}).await?;
    session.show.answer(&vault, || page(&vault))?;
    Ok(if vault.state == "quarantined" { Exit::Refused } else { Exit::Done })
}

fn page(vault: &VaultView) -> String {
    let mut facts = vec![
        ("vault", vault.state.clone()),
        ("records here", vault.here.to_string()),
        ("at the bank", vault.there.to_string()),
        ("generation", vault.generation.to_string()),
    ];
    if let Some(at) = vault.restored {
        facts.push(("restored", at.to_string()));
    }
    if let Some(at) = vault.lost {
        facts.push((
            "alarm",
            format!("the bank had lost records ({at}); it was given everything again: ask it why"),
        ));
    }
    format!("{}\n{}.\n", show::facts(&facts), vault.note.trim_end_matches('.'))
}
