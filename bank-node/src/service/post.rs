//! The post's own hours: what nobody has collected in time is taken away (SPEC §4.12).

use super::Bank;
use super::writer::OWN_BYTES;
use crate::desk::Desk;
use crate::desk::counter::Work;
use crate::desk::post::PostWork;
use crate::ledger::books::Books;
use protocol::wire::BankAnswer;

impl<B: Books> Bank<B> {
    /// Takes away everything whose time is over, some at a time so that customers need not wait.
    pub(crate) async fn sweep_post(&self) {
        loop {
            let (keys, now, rules) = (self.keys(), self.now(), self.rules());
            let due = self.read(move |view| Desk { keys: &keys, now, rules }.post_is_due(view)).await;
            if due != Some(true) {
                return;
            }
            // A bank that is busy or closed does it at the next look.
            if let BankAnswer::Error(_) = self.hand_in(Work::Post(Box::new(PostWork::Sweep)), OWN_BYTES).await
            {
                return;
            }
        }
    }
}
