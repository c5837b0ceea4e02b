//! A switch and cables: network namespaces joined by veth pairs to one bridge.

use std::process::Command;

use tests::process::Place;

/// A network that exists as long as this value.
pub(crate) struct Room {
    /// Unique on this machine, so that two runs do not meet.
    tag: String,
    people: Vec<&'static str>,
}

impl Room {
    /// One namespace for each of these, all on one switch.
    pub(crate) fn with(people: &[&'static str]) -> Self {
        let room = Self { tag: format!("stm{}", std::process::id()), people: people.to_vec() };
        // What a run that was killed has left behind.
        room.clear();
        room.add("switch");
        room.inside("switch", "link add name br0 type bridge");
        room.inside("switch", "link set br0 up");
        for (number, person) in room.people.iter().enumerate() {
            room.add(person);
            let cable = format!("link add eth0 type veth peer name p{number} netns {}", room.name("switch"));
            room.inside(person, &cable);
            room.inside("switch", &format!("link set p{number} master br0 up"));
            room.inside(person, &format!("addr add {}/24 dev eth0", room.address(person)));
            room.plug(person);
        }
        room
    }

    /// Where somebody's programs run.
    pub(crate) fn place(&self, person: &str) -> Place {
        Place::Namespace(self.name(person))
    }

    /// Somebody's address.
    pub(crate) fn address(&self, person: &str) -> String {
        let number = self.people.iter().position(|one| *one == person).expect("somebody in this room");
        format!("10.77.0.{}", number + 1)
    }

    /// Pulls somebody's cable.
    pub(crate) fn unplug(&self, person: &str) {
        self.inside(person, "link set eth0 down");
    }

    /// Plugs it in.
    pub(crate) fn plug(&self, person: &str) {
        self.inside(person, "link set eth0 up");
    }

    fn name(&self, person: &str) -> String {
        format!("{}-{person}", self.tag)
    }

    fn add(&self, person: &str) {
        ip(&format!("netns add {}", self.name(person)));
        self.inside(person, "link set lo up");
    }

    fn inside(&self, person: &str, command: &str) {
        ip(&format!("-n {} {command}", self.name(person)));
    }

    fn clear(&self) {
        for person in self.people.iter().chain([&"switch"]) {
            // One that is not there is what is wanted.
            let _ = Command::new("ip").args(["netns", "delete", &self.name(person)]).output();
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.clear();
    }
}

fn ip(command: &str) {
    let output = Command::new("ip").args(command.split_whitespace()).output();
    let output = output.unwrap_or_else(|why| panic!("ip {command}: {why}"));
    assert!(output.status.success(), "ip {command}: {}", String::from_utf8_lossy(&output.stderr));
}
