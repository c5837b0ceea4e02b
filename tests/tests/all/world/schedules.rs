//! Seeded schedules: people do what comes to mind, the post is bad, workstations and the bank crash.
//!
//! After every step the wallets agree with the bank on what is owed; when the weather has cleared every
//! payment has one outcome, the same on both sides, and every unit is worth one on an account.

use daemon::wallet::history::Movement;
use daemon::wallet::policy::Policy;
use protocol::id::PaymentId;
use protocol::pay::AmountRule;
use tests::world::{Cannot, Chance, Kept, Weather, Who, World, units};

/// What can go wrong in a schedule.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    weather: Weather,
    /// Crashes in a hundred steps.
    crashes: u64,
    /// Disks that fail a few writes on, in a hundred steps.
    failing_disks: u64,
    /// Whether people switch their workstations off, and are paid by mail.
    mail: bool,
}

const CALM: Trouble = Trouble {
    weather: Weather { lost: 0, repeated: 0, overtaken: 0 },
    crashes: 0,
    failing_disks: 0,
    mail: false,
};
const BAD_POST: Trouble = Trouble {
    weather: Weather { lost: 15, repeated: 25, overtaken: 50 },
    crashes: 0,
    failing_disks: 0,
    mail: false,
};
const PEOPLE_ARE_OFF: Trouble = Trouble { mail: true, ..BAD_EVERYTHING };
const BAD_EVERYTHING: Trouble = Trouble {
    weather: Weather { lost: 10, repeated: 20, overtaken: 40 },
    crashes: 5,
    failing_disks: 5,
    mail: false,
};

/// What may well not be possible just now.
fn tries<T>(what: Result<T, Cannot>) {
    drop(what);
}

struct Play {
    world: World,
    chance: Chance,
    people: Vec<Who>,
    requests: Vec<protocol::sign::Signed<protocol::pay::Request>>,
}

impl Play {
    fn begin(base: &World, people: &[Who], seed: u64, trouble: Trouble) -> Play {
        let mut world = base.copy();
        world.chance = Chance::of(seed.wrapping_mul(7919));
        world.post.weather = trouble.weather;
        Play { world, chance: Chance::of(seed), people: people.to_vec(), requests: Vec::new() }
    }

    fn somebody(&mut self) -> Who {
        let place = self.chance.place(self.people.len());
        self.people[place]
    }

    fn amount(&mut self) -> u64 {
        match self.chance.below(4) {
            0 => 1 + self.chance.below(5),
            1 => 1 + self.chance.below(300),
            _ => 1 + self.chance.below(60),
        }
    }

    fn step(&mut self, trouble: Trouble) {
        let (who, other, amount) = (self.somebody(), self.somebody(), self.amount());
        match self.chance.below(20) {
            0..=5 => tries(self.world.pay(who, other, amount)),
            6 => tries(self.world.pay_certified(who, other, amount)),
            7 => tries(self.world.withdraw(who, amount)),
            8 => tries(self.world.deposit(who, amount)),
            9 => self.world.remind(who),
            10 => {
                if let Ok(request) = self.world.ask_for(who, AmountRule::AtMost(units(300))) {
                    self.requests.push(request);
                }
            }
            11 | 12 => {
                let place = self.chance.place(self.requests.len());
                if let Some(request) = self.requests.get(place).cloned()
                    && !self.world.now.is_past(request.unverified().expires)
                    && request.unverified().payee() != self.world.person(who).key()
                {
                    tries(self.world.pay_request(who, &request, amount));
                }
            }
            13 => {
                let person = self.world.person_mut(who);
                person.locked = !person.locked;
            }
            14 => {
                let seconds = self.chance.below(20_000);
                self.world.wait(seconds);
            }
            15 | 16 if trouble.mail => {
                let person = self.world.person_mut(who);
                person.off = !person.off;
            }
            17 if trouble.mail => tries(self.world.leaves_requests(who)),
            18 if trouble.mail => tries(self.world.pay_by_mail(who, other, amount)),
            19 if trouble.mail => {
                let open: Vec<_> = self.world.person(who).wallet().open_payments().map(|p| p.id).collect();
                let place = self.chance.place(open.len());
                if let Some(id) = open.get(place) {
                    tries(self.world.cancel(who, id));
                }
            }
            _ => {}
        }
        for _ in 0..self.chance.below(4) {
            self.world.deliver();
        }
        self.mishaps(trouble);
        self.world.check_step();
    }

    fn mishaps(&mut self, trouble: Trouble) {
        let who = self.somebody();
        if self.chance.percent(trouble.crashes) {
            let kept = [Kept::Nothing, Kept::Some, Kept::Everything][self.chance.place(3)];
            self.world.crash(who, kept);
        }
        if self.chance.percent(trouble.failing_disks) {
            let writes = self.chance.below(40);
            match self.chance.percent(30) {
                true => self.world.bank.fail_after(writes),
                false => self.world.person(who).disk.fail_after(writes),
            }
        }
    }

    /// The weather clears, everybody is there: what is open comes to its end.
    fn end(mut self) -> World {
        self.world.post.weather = Weather::default();
        self.world.mend_disks();
        for who in &self.people {
            self.world.person_mut(*who).locked = false;
            self.world.person_mut(*who).off = false;
        }
        self.world.settles();
        self.world.check_settled();
        self.world.cash_in();
        self.world
    }
}

/// The one thing that makes a failure repeatable.
struct ShownOnPanic(u64);

impl Drop for ShownOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("it was seed {}", self.0);
        }
    }
}

fn play(seeds: std::ops::Range<u64>, steps: u64, trouble: Trouble) -> Tally {
    let mut base = World::new(99);
    let people: Vec<Who> =
        ["Alice", "Bob", "Carol", "Dora"].iter().map(|name| base.join(name, 2_000)).collect();
    for who in &people {
        base.withdraw(*who, 300).unwrap();
    }
    base.settles();
    // Bob takes little directly, and Dora goes to the bank only when somebody makes her.
    let cautious =
        |policy: Policy| Policy { direct_max: units(50), unconfirmed_per_payer: units(60), ..policy };
    let at_ease = |policy: Policy| Policy { refresh: false, ..policy };
    let policies: [(Who, &dyn Fn(Policy) -> Policy); 2] = [(people[1], &cautious), (people[3], &at_ease)];
    for (who, change) in policies {
        let wallet = base.person(who).wallet();
        let decision = wallet.set_policy(change(wallet.policy().clone()), base.now);
        base.settle_decision(who, decision).unwrap();
    }
    let mut tally = Tally::default();
    for seed in seeds {
        let _shown = ShownOnPanic(seed);
        let mut play = Play::begin(&base, &people, seed, trouble);
        for _ in 0..steps {
            play.step(trouble);
        }
        tally.add(&play.end());
    }
    tally
}

/// What happened in all schedules together: a world in which nothing happens proves nothing.
#[derive(Debug, Default)]
struct Tally {
    received: usize,
    returned: usize,
    deposits: usize,
    restarts: u64,
    bank_deaths: u64,
    posted: usize,
}

impl Tally {
    fn add(&mut self, world: &World) {
        for who in world.everybody() {
            let lines = world.history(who);
            let count = |movement| lines.iter().filter(|line| line.movement == movement).count();
            self.received += count(Movement::Received);
            self.returned += count(Movement::Returned);
            self.deposits += count(Movement::Deposit);
            let sent = lines.iter().filter(|line| line.movement == Movement::Sent);
            let posted = sent.filter(|line| {
                let payment = world.payment(who, &PaymentId(line.id)).unwrap().unwrap();
                payment.post.is_some()
            });
            self.posted += posted.count();
            self.restarts += world.person(who).restarts;
            // Honest people never lose a unit to each other.
            assert_eq!(count(Movement::Lost), 0);
        }
        self.bank_deaths += world.bank.deaths();
    }
}

/// N2, N3, N6, B5: nothing goes wrong, and nothing is wrong.
#[test]
fn in_calm_weather_everything_adds_up() {
    let tally = play(0..40, 60, CALM);
    assert!(tally.received > 400 && tally.deposits > 100, "{tally:?}");
}

/// The same with mail that is lost, repeated and overtaken.
#[test]
fn bad_post_loses_and_makes_nothing() {
    let tally = play(1_000..1_200, 60, BAD_POST);
    assert!(tally.received > 1_000 && tally.returned > 15, "{tally:?}");
}

/// The same with workstations and the bank crashing at any moment, at any write.
#[test]
fn crashes_lose_and_make_nothing() {
    let tally = play(2_000..2_200, 60, BAD_EVERYTHING);
    assert!(tally.restarts > 400 && tally.bank_deaths > 20 && tally.received > 800, "{tally:?}");
}

/// N3, X4, Y8: the same with workstations that are off, payments by mail, and mail that is taken back at any moment.
#[test]
fn mail_loses_and_makes_nothing() {
    let tally = play(3_000..3_150, 80, PEOPLE_ARE_OFF);
    assert!(tally.posted > 200 && tally.received > 500 && tally.returned > 30, "{tally:?}");
}
