//! What a life begins with: its people, their stores, who keeps no rules, which rules exist at all.

use crate::world::{Chance, Paper, Who, World, units};
use bank_node::ledger::CustomerKind;
use daemon::wallet::policy::Policy;
use std::collections::HashMap;

/// Days for which the bank can issue: no life is longer.
pub const DAYS: u32 = 160;
/// What everybody has paid in.
const PAID_IN: u64 = 4_000;

/// Rules that acts may rely on. Each is switched on when the product has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// A lost or rolled back workstation is restored from the vault.
    pub restore: bool,
    /// Payments, requests and letters wait at the bank.
    pub mailbox: bool,
    /// Losers claim, and the liable pay.
    pub claims: bool,
    /// Units of a lost payee or a refused payment are reclaimed by name.
    pub reclaim: bool,
    /// The bank tells everybody what changed, and keys end early.
    pub bulletins: bool,
    /// Shops take orders, sweep, are leased and handed over.
    pub shops: bool,
}

/// Whose account is a shop's, in a world with shops.
pub const SHOP: usize = 2;
/// Whose account is a company's.
pub const COMPANY: usize = 3;

impl Features {
    /// What the product can do today.
    pub const TODAY: Features =
        Features { restore: true, mailbox: true, claims: true, reclaim: true, bulletins: true, shops: true };
}

/// What a life begins with; follows from its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The seed.
    pub seed: u64,
    /// How many people there are.
    pub people: usize,
    /// How many of them keep no rules: the last ones.
    pub evil: usize,
    /// What their stores are.
    pub paper: Paper,
    /// Whether there are shops: the third of them is one, and the fourth a company.
    pub shop: bool,
    /// Which rules exist.
    pub features: Features,
}

impl Setting {
    /// The setting of a seed. One world in 24 has real stores, two in three have somebody evil,
    /// every other one has shops.
    pub fn of(seed: u64, features: Features) -> Setting {
        let mut chance = Chance::of(seed ^ 0x5e77);
        let people = 6 + chance.place(3);
        let evil = chance.place(3);
        let paper = if chance.below(24) == 0 { Paper::Redb } else { Paper::Memory };
        // Drawn apart: a world without shops lives as it did before there were any.
        let shop = features.shops && Chance::of(seed ^ 0x5409).below(2) == 0;
        Setting { seed, people, evil, paper, shop, features }
    }

    /// In one world of seven nobody goes to the bank of himself: chains grow long.
    pub fn is_at_ease(&self) -> bool {
        self.seed % 7 == 1
    }

    /// How many keep the rules.
    pub fn honest(&self) -> usize {
        self.people - self.evil
    }
}

/// Worlds in which everybody has just joined; copied for each life.
#[derive(Default)]
pub struct Nurseries(HashMap<(usize, Paper, bool), World>);

impl Nurseries {
    /// A new world for a setting.
    pub fn world(&mut self, setting: &Setting) -> World {
        let key = (setting.people, setting.paper, setting.shop);
        self.0.entry(key).or_insert_with(|| nursery(setting)).copy()
    }
}

fn nursery(setting: &Setting) -> World {
    const NAMES: [&str; 8] = ["Alice", "Bob", "Carol", "Dora", "Emil", "Fritz", "Greta", "Hans"];
    let mut world = World::on(setting.paper, 99, DAYS);
    let kind = |place| match place {
        SHOP if setting.shop => CustomerKind::Shop,
        COMPANY if setting.shop => CustomerKind::Company,
        _ => CustomerKind::Resident,
    };
    let names = NAMES.iter().take(setting.people).enumerate();
    let everybody: Vec<Who> = names.map(|(place, name)| world.join_as(kind(place), name, PAID_IN)).collect();
    for who in &everybody {
        world.withdraw(*who, 500).expect("everybody has paid in more");
    }
    world.settles();
    // Bob takes little directly, Dora and Emil go to the bank only when somebody makes them.
    let cautious =
        |policy: Policy| Policy { direct_max: units(50), unconfirmed_per_payer: units(60), ..policy };
    let at_ease = |policy: Policy| Policy { refresh: false, ..policy };
    let policies: [(usize, &dyn Fn(Policy) -> Policy); 3] = [(1, &cautious), (3, &at_ease), (4, &at_ease)];
    for (place, change) in policies {
        let who = Who::at(place);
        let wallet = world.person(who).wallet();
        let decision = wallet.set_policy(change(wallet.policy().clone()), world.now);
        world.settle_decision(who, decision).expect("nothing fails yet");
    }
    world
}
