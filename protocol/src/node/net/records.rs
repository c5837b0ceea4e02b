//! Address records on their way: ours out to the servers, those of others in to us.

use libp2p::{
    PeerId,
    kad::{self, QueryResult, Quorum, Record, RecordKey},
};
use tokio::sync::oneshot;

use super::{NetError, Role, budget::Verdict, discovery::Admission, event_loop::EventLoop};

/// Why an address query runs.
pub(super) enum Query {
    Lookup(PeerId),
    Publication(Option<oneshot::Sender<Result<(), NetError>>>),
}

impl EventLoop {
    pub(super) fn on_kad(&mut self, event: kad::Event) {
        match event {
            kad::Event::InboundRequest {
                request: kad::InboundRequest::PutRecord { source, record: Some(record), .. },
            } => self.offered(source, record),
            kad::Event::OutboundQueryProgressed { id, result, step, .. } => {
                let query = match step.last {
                    true => self.queries.remove(&id),
                    false => self.queries.get_mut(&id).map(Query::unfinished),
                };
                match (query, result) {
                    (Some(Query::Lookup(peer)), QueryResult::GetRecord(result)) => {
                        self.looked_up(peer, result, step.last);
                    }
                    (Some(Query::Publication(Some(reply))), QueryResult::PutRecord(result)) => {
                        // A lone server is the place where others look.
                        let taken = result.is_ok() || self.role == Role::Server;
                        let _ = reply.send(if taken { Ok(()) } else { Err(NetError::Unpublished) });
                    }
                    // Queries that kad runs for itself.
                    (_, _) => {}
                }
            }
            _ => {}
        }
    }

    /// A peer wants a record stored.
    fn offered(&mut self, source: PeerId, record: Record) {
        match self.budgets.record(source, self.now) {
            Verdict::Fine => {}
            Verdict::Drop => return self.dropped += 1,
            Verdict::Ban => return self.ban(source),
        }
        match self.swarm.behaviour_mut().kad.store_mut().admit(record) {
            Admission::Kept | Admission::Older => {}
            Admission::Full => self.dropped += 1,
            Admission::Forged => self.penalize(source, self.limits.offence_malformed),
        }
    }

    pub(super) fn publish(
        &mut self,
        key: Vec<u8>,
        value: Vec<u8>,
        reply: oneshot::Sender<Result<(), NetError>>,
    ) {
        let record = Record::new(RecordKey::new(&key), value.clone());
        let refusal = match self.swarm.behaviour_mut().kad.store_mut().admit(record) {
            Admission::Kept => None,
            Admission::Older => Some(NetError::OldRecord),
            Admission::Forged | Admission::Full => Some(NetError::Record),
        };
        if let Some(refusal) = refusal {
            let _ = reply.send(Err(refusal));
            return;
        }
        self.published.insert(key.clone(), value.clone());
        self.put(&key, value, Some(reply));
    }

    /// After a pause a server may have forgotten us.
    pub(super) fn publish_again(&mut self) {
        for (key, value) in self.published.clone() {
            self.put(&key, value, None);
        }
    }

    fn put(&mut self, key: &[u8], value: Vec<u8>, reply: Option<oneshot::Sender<Result<(), NetError>>>) {
        let record = Record::new(RecordKey::new(&key), value);
        match self.swarm.behaviour_mut().kad.put_record(record, Quorum::One) {
            Ok(query) => {
                self.queries.insert(query, Query::Publication(reply));
            }
            Err(_) => {
                if let Some(reply) = reply {
                    let _ = reply.send(Err(NetError::OldRecord));
                }
            }
        }
    }
}

impl Query {
    /// What the query is for, while it goes on. A publication is answered at its end only.
    fn unfinished(&mut self) -> Self {
        match self {
            Self::Lookup(peer) => Self::Lookup(*peer),
            Self::Publication(_) => Self::Publication(None),
        }
    }
}
