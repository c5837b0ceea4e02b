//! Connections: which addresses worked, how many come from one place, and the nodes this one stays
//! in touch with for ever.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
};

use libp2p::{
    Multiaddr, PeerId,
    core::ConnectedPoint,
    identify, mdns,
    swarm::{ConnectionId, dial_opts::PeerCondition},
};

use super::{
    NetError, behaviour,
    budget::{Tick, ticks},
    discovery,
    event_loop::EventLoop,
    limits::Limits,
    lock, search,
};

/// A node to stay in touch with.
pub(super) struct Pinned {
    pub(super) peer: PeerId,
    pub(super) addresses: Vec<Multiaddr>,
    /// Dials in vain since the last connection.
    failures: u32,
    /// When to dial again; `None` while connected or dialling.
    due: Option<Tick>,
    dial: Option<ConnectionId>,
    /// Whether its last connection came from this machine.
    is_local: bool,
}

/// Inbound connections by where they come from.
#[derive(Debug, Default)]
pub(super) struct Origins(HashMap<IpAddr, u32>);

impl Origins {
    /// Counts a connection; `false` if there are too many from there.
    fn arrived(&mut self, from: &Multiaddr, limit: u32) -> bool {
        let Some(origin) = origin(from) else { return true };
        let count = self.0.entry(origin).or_default();
        *count += 1;
        *count <= limit
    }

    fn left(&mut self, from: &Multiaddr) {
        if let Some(origin) = origin(from)
            && let Some(count) = self.0.get_mut(&origin)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.0.remove(&origin);
            }
        }
    }
}

impl EventLoop {
    pub(super) fn connected(&mut self, peer: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        match endpoint {
            ConnectedPoint::Dialer { address, .. } => {
                let address = discovery::bare(address, &peer);
                match address {
                    // A door is no address of anybody.
                    Some(door) if self.doors.remove(&door) => drop(self.tunnels.insert(connection)),
                    Some(address) => lock(&self.book).worked(peer, address, &self.limits),
                    None => {}
                }
            }
            ConnectedPoint::Listener { send_back_addr, .. } => {
                if !self.origins.arrived(send_back_addr, self.limits.connections_per_address) {
                    self.dropped += 1;
                    self.swarm.close_connection(connection);
                }
            }
        }
        let carried = self.tunnels.contains(&connection);
        if let Some(pin) = self.pins.iter_mut().find(|pin| pin.peer == peer) {
            let back = pin.due.is_some() || pin.dial.is_some();
            match carried {
                // The straight way goes on being tried, whenever it is due.
                true if back => {}
                true => pin.wait(self.now, &self.limits),
                false => (pin.failures, pin.due, pin.dial) = (0, None, None),
            }
            let remote = discovery::ip_of(endpoint.get_remote_address());
            pin.is_local = !carried && remote.is_some_and(|ip| ip.is_loopback());
            // The straight way is better, and nobody else's.
            for tunnel in self.tunnels.iter().filter(|_| !carried) {
                self.swarm.close_connection(*tunnel);
            }
            if back {
                self.publish_again();
            }
        }
        self.reached(peer);
    }

    pub(super) fn disconnected(&mut self, peer: PeerId, endpoint: &ConnectedPoint, left: u32) {
        if let ConnectedPoint::Listener { send_back_addr, .. } = endpoint {
            self.origins.left(send_back_addr);
        }
        let Some(pin) = self.pins.iter_mut().find(|pin| pin.peer == peer) else { return };
        // The straight way may end while a tunnel is still there.
        let only_carried = !self.tunnels.is_empty() && pin.due.is_none() && pin.dial.is_none();
        if left == 0 || only_carried {
            pin.due = Some(self.now.saturating_add(pause(0, &self.limits)));
        }
    }

    /// Dials a pinned node through somebody who carries. The straight way goes on being tried meanwhile.
    pub(super) fn enter(&mut self, bank: PeerId, door: Multiaddr) {
        if self.pins.iter().any(|pin| pin.peer == bank) && !self.swarm.is_connected(&bank) {
            // Those of before have led nowhere.
            self.doors = [door.clone()].into();
            search::dial(&mut self.swarm, bank, vec![door], PeerCondition::Always);
        }
    }

    pub(super) fn dial_pins(&mut self) {
        for pin in &mut self.pins {
            if pin.due.is_some_and(|due| due <= self.now) {
                pin.due = None;
                // A lookup may be dialling the same node: one connection is enough, unless somebody carries us.
                let condition = match self.tunnels.is_empty() {
                    true => PeerCondition::DisconnectedAndNotDialing,
                    false => PeerCondition::Always,
                };
                pin.dial = search::dial(&mut self.swarm, pin.peer, pin.addresses.clone(), condition);
                if pin.dial.is_none() {
                    pin.wait(self.now, &self.limits);
                }
            }
        }
    }

    pub(super) fn pin_failed(&mut self, connection: ConnectionId) {
        if let Some(pin) = self.pins.iter_mut().find(|pin| pin.dial == Some(connection)) {
            pin.dial = None;
            pin.wait(self.now, &self.limits);
        }
    }

    pub(super) fn identified(&mut self, peer: PeerId, connection: ConnectionId, info: identify::Info) {
        // Only pinned nodes enter the table of those that are asked, and dialled, for addresses.
        let Some(pin) = self.pins.iter().find(|pin| pin.peer == peer) else { return };
        // Through a tunnel the shop's address is seen, and not ours.
        if !self.tunnels.contains(&connection) {
            self.own.observed(peer, &info.observed_addr);
        }
        if !info.protocols.contains(&behaviour::KAD) {
            return;
        }
        // Somebody else's loopback is ours only on the same machine: our end of the connection says so, not he.
        let same_machine = pin.is_local;
        let is_local = |address: &Multiaddr| discovery::ip_of(address).is_some_and(|ip| ip.is_loopback());
        let addresses = info.listen_addrs.iter().filter(|address| same_machine || !is_local(address));
        for address in addresses.take(self.limits.addresses_per_peer) {
            if let Some(address) = discovery::bare(address, &peer) {
                self.swarm.behaviour_mut().kad.add_address(&peer, address);
            }
        }
    }

    /// Neighbours enter the book; they are dialled when somebody asks for them.
    pub(super) fn on_neighbours(&mut self, event: mdns::Event) {
        let mut book = lock(&self.book);
        match event {
            mdns::Event::Discovered(found) => {
                for (peer, address) in found {
                    if let Some(address) = discovery::bare(&address, &peer) {
                        book.announced(peer, address, &self.limits);
                    }
                }
            }
            mdns::Event::Expired(gone) => {
                for (peer, address) in gone {
                    if let Some(address) = discovery::bare(&address, &peer) {
                        book.withdrawn(peer, &address);
                    }
                }
            }
        }
    }
}

impl Pinned {
    fn wait(&mut self, now: Tick, limits: &Limits) {
        self.due = Some(now.saturating_add(pause(self.failures, limits)));
        self.failures = self.failures.saturating_add(1);
    }
}

/// Doubles with each failure and varies by half, so that a town does not call in step.
fn pause(failures: u32, limits: &Limits) -> Tick {
    let (first, last) = (ticks(limits.redial_first), ticks(limits.redial_last));
    let pause = first.saturating_mul(2_u64.saturating_pow(failures)).min(last);
    pause + chance() % (pause / 2).max(1)
}

/// Without randomness there is no spread, but still a pause.
fn chance() -> u64 {
    getrandom::u64().unwrap_or_default()
}

/// Who the address stands for: a host, or the whole /64 that one customer gets. `None` for this
/// machine, which may run a whole town for a test.
fn origin(address: &Multiaddr) -> Option<IpAddr> {
    match discovery::ip_of(address)? {
        ip if ip.is_loopback() => None,
        IpAddr::V4(ip) => Some(ip.into()),
        IpAddr::V6(ip) => Some(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into()),
    }
}

pub(super) fn pins(bootstrap: &[Multiaddr], me: PeerId) -> Result<Vec<Pinned>, NetError> {
    let mut pins: Vec<Pinned> = Vec::new();
    for full in bootstrap {
        let unnamed = || NetError::Bootstrap(full.clone());
        let peer = discovery::peer_named(full).ok_or_else(unnamed)?;
        let address = discovery::bare(full, &peer).ok_or_else(unnamed)?;
        if peer == me {
            continue;
        }
        match pins.iter_mut().find(|pin| pin.peer == peer) {
            Some(pin) => pin.addresses.push(address),
            None => {
                let addresses = vec![address];
                pins.push(Pinned { peer, addresses, failures: 0, due: Some(0), dial: None, is_local: false });
            }
        }
    }
    Ok(pins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_by_the_place_they_come_from() {
        let from = |ip: &str| Multiaddr::from(ip.parse::<IpAddr>().unwrap());
        let mut origins = Origins::default();
        assert!(origins.arrived(&from("2001:db8::1"), 2));
        assert!(origins.arrived(&from("2001:db8::2"), 2));
        assert!(!origins.arrived(&from("2001:db8::3"), 2), "one customer has the whole /64");
        assert!(origins.arrived(&from("2001:db8:0:1::1"), 2), "the neighbour has another");
        for ip in ["2001:db8::3", "2001:db8::1"] {
            origins.left(&from(ip));
        }
        assert!(origins.arrived(&from("2001:db8::1"), 2));
        assert!((0..10).all(|_| origins.arrived(&from("127.0.0.1"), 2)), "this machine is not counted");
        assert_eq!(origins.0.len(), 2);
    }

    #[test]
    fn the_pause_grows_to_its_limit_and_no_further() {
        let limits = Limits::TABLE;
        for failures in [0, 1, 5, 40, u32::MAX] {
            assert!(pause(failures, &limits) <= ticks(limits.redial_last) * 3 / 2);
        }
        assert!(pause(0, &limits) < pause(3, &limits));
    }
}
