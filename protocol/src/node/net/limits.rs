//! Every limit on strangers, in one table (SPEC §5.5).
//!
//! A node promises nothing to a peer it does not know, so each thing a peer can make us do has a
//! row here: bytes, streams, connections, requests a second, records, and a deadline for all of it.
//! [`Limits::TABLE`] is what every program runs with; tests narrow single rows to see them hold.

use std::time::Duration;

use super::Protocol;

/// What one request-response protocol allows.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The name that is negotiated on the wire.
    pub name: &'static str,
    /// Largest request body. The asker checks it before it dials, the answerer while it reads.
    pub request_bytes: usize,
    /// Largest answer body. Beyond it the asker stops reading.
    pub answer_bytes: usize,
    /// From an open stream to the whole answer, on both sides: it also ends a request that is
    /// sent drop by drop.
    pub deadline: Duration,
    /// Our own requests on the way to one peer; the next ones wait in line.
    pub in_flight: usize,
    /// Streams of this protocol on one connection, both directions together: twice `in_flight`,
    /// so that two nodes can ask each other at full rate.
    pub streams: usize,
    /// Requests of one peer that wait for our answer; the next ones are dropped.
    pub unanswered_per_peer: u32,
    /// Requests a second of one peer, in the long run.
    pub per_second: u32,
    /// Requests a peer may send at once after a quiet time.
    pub burst: u32,
}

/// The whole table.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Payments between workstations: an envelope of at most 256 KiB plus its header; the answer
    /// is a receipt or a refusal.
    pub pay: Row,
    /// Requests to the bank. An answer may carry the notes of a withdrawal or a directory page.
    pub bank: Row,

    /// Dial, handshake and multiplexer together, for both directions. Ends half-open connections.
    pub handshake: Duration,
    /// From `ask` to a usable connection, all addresses and the lookup included.
    pub reach: Duration,
    /// A connection without a stream is closed after this.
    pub idle: Duration,
    /// Between two pings, and how long one may take; a peer that misses one is disconnected.
    pub ping: Duration,

    /// Connections to one peer: both dial at once, over both transports.
    pub connections_per_peer: u32,
    /// Inbound connections from one IP address (one /64 for IPv6): a household or an office behind
    /// one router, not a farm of identities. This machine itself is not counted.
    pub connections_per_address: u32,
    /// Inbound connections of a resident.
    pub inbound_client: u32,
    /// Inbound connections of a bank or a shop. Its service unit has to allow as many files.
    pub inbound_server: u32,
    /// Inbound connections that have not finished their handshake.
    pub pending_inbound: u32,
    /// Dials under way.
    pub pending_outbound: u32,
    /// Inbound streams of one connection that have not agreed on a protocol.
    pub negotiating_streams: usize,
    /// Streams of one connection in all.
    pub connection_streams: u32,
    /// Share of the machine's memory beyond which no connection is accepted.
    pub memory_share: f64,

    /// Requests that wait for the program to take them.
    pub inbound_queue: usize,
    /// Requests of all peers that wait for an answer, taken or not.
    pub unanswered: usize,
    /// Bytes of all requests being read or waiting, in KiB.
    pub request_memory_kib: usize,

    /// Largest address record.
    pub record_bytes: usize,
    /// Address records kept for others.
    pub records: usize,
    /// Largest message of the address protocol.
    pub kad_packet_bytes: usize,
    /// A lookup or a publication ends after this, found or not.
    pub kad_query: Duration,
    /// How long others keep a record that is not published again.
    pub record_ttl: Duration,
    /// How often our own record is published again.
    pub republish: Duration,
    /// Address records a peer may store with us, a second and at once.
    pub records_per_second: u32,
    /// See `records_per_second`.
    pub records_burst: u32,

    /// Ways to the bank that one connection has asked for and nobody has looked at; the next ones are dropped. How many
    /// are open, and what goes through them, is for the program to say that carries.
    pub carry_waiting: usize,
    /// What opening one costs: an honest node needs a few in an hour.
    pub carry_opening: u32,

    /// Largest rumour: a bulletin whose lists are full.
    pub rumour_bytes: usize,
    /// Rumours that wait to be sent to one peer; the next ones are dropped, and pulled.
    pub rumours_queued: usize,
    /// How long a rumour is remembered, so that it is looked at once.
    pub rumour_memory: Duration,

    /// Peers of whom we remember addresses.
    pub book_peers: usize,
    /// Addresses remembered, or tried, for one peer.
    pub addresses_per_peer: usize,

    /// Points a peer may lose before it is banned; see `Net::penalize`.
    pub offence_points: u32,
    /// Points that come back each second.
    pub offence_refund: u32,
    /// What a request beyond the peer's rate costs: little, since a busy shop may do it in good
    /// faith; it is dropped anyway.
    pub offence_flood: u32,
    /// What a request costs that stops in the middle until its deadline.
    pub offence_stalled: u32,
    /// What bytes cost that break the framing, or a record with a wrong signature. A program
    /// charges the same for a body it cannot read.
    pub offence_malformed: u32,
    /// What a rumour costs that does not prove what it says. An honest peer can pass on one that we can't check, if
    /// we have not learned the bank's newest key: so it may happen, but not often.
    pub offence_rumour: u32,
    /// How long a banned peer is refused. In memory only.
    pub ban: Duration,
    /// Peers of whom budgets are kept.
    pub accounts: usize,

    /// First pause before a lost bootstrap node is dialled again; doubles each time.
    pub redial_first: Duration,
    /// Longest such pause.
    pub redial_last: Duration,
    /// Commands that wait for the swarm.
    pub commands: usize,
}

const KIB: usize = 1024;
const HOUR: Duration = Duration::from_secs(3600);

impl Limits {
    /// The limits every program runs with.
    pub const TABLE: Self = Self {
        pay: Row {
            name: "/stermina/pay/1",
            request_bytes: 272 * KIB,
            answer_bytes: 272 * KIB,
            deadline: Duration::from_secs(20),
            in_flight: 64,
            streams: 128,
            unanswered_per_peer: 128,
            per_second: 1000,
            burst: 4000,
        },
        bank: Row {
            name: "/stermina/bank/1",
            request_bytes: 272 * KIB,
            answer_bytes: 1024 * KIB,
            deadline: Duration::from_secs(30),
            in_flight: 64,
            streams: 128,
            unanswered_per_peer: 128,
            per_second: 1000,
            burst: 4000,
        },
        handshake: Duration::from_secs(10),
        reach: Duration::from_secs(20),
        idle: Duration::from_secs(60),
        ping: Duration::from_secs(15),
        connections_per_peer: 4,
        connections_per_address: 256,
        inbound_client: 512,
        inbound_server: 4096,
        pending_inbound: 128,
        pending_outbound: 64,
        negotiating_streams: 128,
        connection_streams: 512,
        memory_share: 0.8,
        inbound_queue: 1024,
        unanswered: 4096,
        request_memory_kib: 64 * KIB,
        record_bytes: 4 * KIB,
        records: 16 * KIB,
        kad_packet_bytes: 16 * KIB,
        kad_query: Duration::from_secs(10),
        record_ttl: Duration::from_secs(48 * 3600),
        republish: HOUR,
        records_per_second: 1,
        records_burst: 32,
        carry_waiting: 4,
        carry_opening: 100,
        rumour_bytes: 128 * KIB,
        rumours_queued: 16,
        rumour_memory: HOUR,
        book_peers: 4096,
        addresses_per_peer: 16,
        offence_points: 10_000,
        offence_refund: 200,
        offence_flood: 1,
        offence_stalled: 100,
        offence_malformed: 500,
        offence_rumour: 200,
        ban: Duration::from_secs(120),
        accounts: 8192,
        redial_first: Duration::from_millis(500),
        redial_last: Duration::from_secs(60),
        commands: 256,
    };

    /// The row of a protocol.
    #[must_use]
    pub const fn row(&self, protocol: Protocol) -> &Row {
        match protocol {
            Protocol::Pay => &self.pay,
            Protocol::Bank => &self.bank,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::TABLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_asking_side_stays_within_what_the_answering_side_takes() {
        for protocol in Protocol::ALL {
            let row = Limits::TABLE.row(protocol);
            assert!(row.streams >= 2 * row.in_flight, "{}: both may ask at full rate", row.name);
            assert!(usize::try_from(row.unanswered_per_peer).unwrap() >= row.in_flight, "{}", row.name);
            assert!(usize::try_from(row.burst).unwrap() >= row.in_flight, "{}", row.name);
            assert!(row.in_flight <= Limits::TABLE.negotiating_streams, "{}", row.name);
        }
    }
}
