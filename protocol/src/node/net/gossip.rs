//! Rumours: one small message that everybody may pass on to everybody (SPEC §5.5).
//!
//! Gossipsub carries them. It has no authors here and no signatures of its own: what a rumour says has to prove
//! itself, and the program says whether it does before it is passed on. Whoever listens takes one topic and
//! nothing else; whoever does not listen, as the bank's node, keeps nothing of what is sent to it.

use std::io;

use libp2p::gossipsub::{
    self, ConfigBuilder, DataTransform, MessageAcceptance, MessageAuthenticity, MessageId, RawMessage,
    TopicHash, ValidationMode, Version, WhitelistSubscriptionFilter,
};

use super::{NetError, event_loop::EventLoop, limits::Limits};

/// The name that is negotiated on the wire.
const PROTOCOL: &str = "/stermina/gossip/1";
/// The one topic.
const TOPIC: &str = "/stermina/bulletin/1";

pub(super) type Behaviour = gossipsub::Behaviour<OneTopic, WhitelistSubscriptionFilter>;

/// What a rumour is worth, in the program's judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rumour {
    /// True and new: it is passed on.
    News,
    /// True or not, it tells nothing new: it is dropped.
    Known,
    /// It does not prove what it says: it is dropped, and whoever brought it pays.
    False,
}

/// Lets nothing in but what belongs to the topic and keeps the limit, before any cache sees it.
pub(super) struct OneTopic {
    topic: TopicHash,
    listens: bool,
    bytes: usize,
}

impl DataTransform for OneTopic {
    fn inbound_transform(&self, raw: RawMessage) -> Result<gossipsub::Message, io::Error> {
        if !self.listens || raw.topic != self.topic || raw.data.is_empty() || raw.data.len() > self.bytes {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let RawMessage { source, data, sequence_number, topic, .. } = raw;
        Ok(gossipsub::Message { source, data, sequence_number, topic })
    }

    fn outbound_transform(&self, _: &TopicHash, data: Vec<u8>) -> Result<Vec<u8>, io::Error> {
        Ok(data)
    }
}

/// The protocol under the table's limits; `listens` says whether this node hears and passes on.
pub(super) fn behaviour(listens: bool, limits: &Limits) -> Result<Behaviour, NetError> {
    let wrong = |why: String| NetError::Transport(why);
    let topic = gossipsub::IdentTopic::new(TOPIC);
    let mut config = ConfigBuilder::default();
    config
        .protocol_id(PROTOCOL, Version::V1_1)
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| MessageId::new(blake3::hash(&message.data).as_bytes()))
        // The frame around a rumour is a topic's name and a few lengths.
        .max_transmit_size(limits.rumour_bytes + 1024)
        .max_control_message_size(4096)
        .connection_handler_queue_len(limits.rumours_queued)
        // A message that says «do not send me this» to all neighbours for each long one would multiply a flood.
        .idontwant_message_size_threshold(usize::MAX)
        .duplicate_cache_time(limits.rumour_memory);
    let config = config.build().map_err(|why| wrong(why.to_string()))?;
    let mut behaviour = gossipsub::Behaviour::new_with_subscription_filter_and_transform(
        MessageAuthenticity::Anonymous,
        config,
        WhitelistSubscriptionFilter([topic.hash()].into()),
        OneTopic { topic: topic.hash(), listens, bytes: limits.rumour_bytes },
    )
    .map_err(|why| wrong(why.to_owned()))?;
    if listens {
        behaviour.subscribe(&topic).map_err(|why| wrong(why.to_string()))?;
    }
    Ok(behaviour)
}

impl EventLoop {
    /// Tells everybody who is connected and listens. Nobody there is no fault: who comes later asks.
    pub(super) fn spread(&mut self, rumour: Vec<u8>) {
        let topic = gossipsub::IdentTopic::new(TOPIC);
        if let Err(why) = self.swarm.behaviour_mut().gossip.publish(topic, rumour) {
            tracing::debug!(%why, "nobody was told");
        }
    }

    pub(super) fn on_gossip(&mut self, event: gossipsub::Event) {
        let gossipsub::Event::Message { propagation_source: peer, message_id, message } = event else {
            return;
        };
        let verdict = self.validator.rumour(&message.data);
        let acceptance = match verdict {
            Rumour::News => MessageAcceptance::Accept,
            Rumour::Known => MessageAcceptance::Ignore,
            Rumour::False => MessageAcceptance::Reject,
        };
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(&message_id, &peer, acceptance);
        match verdict {
            Rumour::News => {}
            Rumour::Known => self.penalize(peer, self.limits.offence_flood),
            Rumour::False => self.penalize(peer, self.limits.offence_rumour),
        }
    }
}
