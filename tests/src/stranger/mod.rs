//! A peer that keeps no rules: a client of its own, built on `protocol` alone, with keys the scene holds.
//!
//! It may have an account like anybody ([`Stranger::joins`]) or papers that it made itself
//! ([`Stranger::with_forged_papers`]). It speaks under a new network identity each time, as somebody would who
//! does not want to be banned, and says whatever a scene wants: [`draft`] makes payments that can be changed
//! before they are signed, [`wire`] sends bytes that are no message at all.

pub mod draft;
pub mod wire;

use libp2p::{Multiaddr, PeerId};
use protocol::bank::{
    Activation, ActivationLetter, Certificate, CertificateKind, Identity, Introduction, Outcome, Redemption,
    Standing, Withdrawal,
};
use protocol::body::Text;
use protocol::code::parse_letter;
use protocol::id::{BankId, Hint, Key, RequestId};
use protocol::key::Seed;
use protocol::key::bank::{BankKeys, bank_id};
use protocol::node::chance::{chance, chance_bytes};
use protocol::node::clock::Clock;
use protocol::node::net::{AskError, Protocol, ask_once, peer_of};
use protocol::note::{Destination, Note, NoteTable};
use protocol::range::Range;
use protocol::seal;
use protocol::sign::{Signed, Signer};
use protocol::time::{DAY_SECONDS, Timestamp};
use protocol::wire::{
    BankAnswer, BankAsk, Hail, HailAnswer, Letterhead, Offer, PayAnswer, PayAsk, decode, encode,
};

use crate::patience::wait;
use crate::people::{Community, Resident, amount};

/// The time now, as any honest program has it.
pub fn now() -> Timestamp {
    Timestamp(Clock::system().now_seconds())
}

/// Somebody with keys, papers and no manners.
#[derive(Clone, Debug)]
pub struct Stranger {
    /// What its keys grow from.
    pub seed: Seeds,
    /// The account's number at the bank; 0 without one.
    pub account: u64,
    /// The bank's keys, as its terms tell them.
    pub keys: BankKeys,
    /// What it shows of itself.
    pub introduction: Introduction,
    bank: Vec<Multiaddr>,
}

/// A seed that does not show itself in a failing test's words.
#[derive(Clone)]
pub struct Seeds(Seed);

impl std::fmt::Debug for Seeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seeds")
    }
}

/// A workstation as a stranger sees it: its papers from the directory, and where it listens.
#[derive(Clone, Debug)]
pub struct Target {
    /// What the directory says of it.
    pub identity: Identity,
    /// Its name on the network.
    pub peer: PeerId,
    /// Where it listens; each ends in its name.
    pub addresses: Vec<Multiaddr>,
}

/// A note and the key that may hand it on. What was handed on once is not used again, unless a scene wants it.
#[derive(Clone, Debug)]
pub struct Purse {
    /// The note as the bank issued it.
    pub note: Note,
    /// Its owner's key.
    pub owner: Signer,
    used: u64,
}

impl Purse {
    /// The next so many units.
    ///
    /// # Panics
    /// When so many are not left.
    #[track_caller]
    pub fn take(&mut self, units: u64) -> Range {
        let from = self.used;
        self.used += units;
        let range = Range::new(from, self.used).unwrap_or_else(|why| panic!("{units} units: {why}"));
        assert!(self.note.root.unverified().range().contains(range), "the purse is empty");
        range
    }

    /// The note with these units handed on.
    ///
    /// # Panics
    /// When the note does not have them.
    #[track_caller]
    pub fn hands(&self, range: Range, to: Destination) -> Note {
        self.note.hand_on(range, to, &self.owner).unwrap_or_else(|why| panic!("{range}: {why}"))
    }
}

impl Stranger {
    /// Opens an account and joins it by hand, without a workstation.
    ///
    /// # Panics
    /// When the bank does not take it.
    #[track_caller]
    pub fn joins(town: &Community, name: &str, balance: u64) -> Stranger {
        Stranger::joins_as(town, name, "resident", balance)
    }

    /// The same as a shop or a company.
    ///
    /// # Panics
    /// When the bank does not take it.
    #[track_caller]
    pub fn joins_as(town: &Community, name: &str, kind: &str, balance: u64) -> Stranger {
        let uri = town.bank().opens_account(name, kind, balance);
        let letter = parse_letter(&uri).unwrap_or_else(|why| panic!("{uri}: {why}"));
        let mut stranger = Stranger::of(&letter);
        let identity = stranger.introduction.identity.clone();
        match stranger.asks_bank(&BankAsk::Activate(stranger.activation(&letter), identity)) {
            BankAnswer::Activated(certificate, _) => stranger.introduction.certificate = certificate,
            other => panic!("{name} may not join: {other:?}"),
        }
        stranger
    }

    /// Has no account and writes a certificate for itself, with the bank's name and a key of its own.
    #[track_caller]
    pub fn with_forged_papers(town: &Community) -> Stranger {
        let uri = town.bank().opens_account("nobody", "resident", 0);
        Stranger::of(&parse_letter(&uri).unwrap_or_else(|why| panic!("{uri}: {why}")))
    }

    /// Knows where the bank is and what it says of itself; its certificate is not the bank's.
    #[track_caller]
    fn of(letter: &ActivationLetter) -> Stranger {
        let seed = Seed::generate(&mut chance());
        let owner = seed.owner();
        let bank = bank_id(&letter.master);
        let certificate = owner.sign(forged_certificate(bank, owner.key()));
        let node = Signer::from_secret(&seed.node(0)).key();
        let identity = owner.sign(Identity {
            bank,
            owner: owner.key(),
            view: seed.view(0).key(),
            node,
            generation: 0,
            sequence: 1,
            expires: now().plus_seconds(399 * DAY_SECONDS),
        });
        let peer = peer_of(&letter.node.0).expect("a letter names a key");
        let places = letter.addresses.iter().map(|text| with_peer(text.as_str(), peer));
        let mut stranger = Stranger {
            seed: Seeds(seed),
            account: letter.account,
            keys: BankKeys::pinned(letter.master),
            introduction: Introduction { certificate, identity },
            bank: places.collect(),
        };
        match stranger.asks_bank(&BankAsk::Terms) {
            BankAnswer::Terms(terms) => {
                for certificate in terms.keys {
                    let learned = stranger.keys.learn(certificate);
                    learned.unwrap_or_else(|why| panic!("the bank's terms: {why}"));
                }
            }
            other => panic!("no terms but {other:?}"),
        }
        stranger
    }

    /// A claim to the letter's account.
    pub fn activation(&self, letter: &ActivationLetter) -> Signed<Activation> {
        let (bank, request) = (self.bank(), RequestId(chance_bytes()));
        let (account, owner, code) = (letter.account, self.owner().key(), letter.code);
        self.owner().sign(Activation { bank, request, account, owner, code })
    }

    /// The bank's id.
    pub fn bank(&self) -> BankId {
        self.keys.bank()
    }

    /// The owner's key.
    pub fn owner(&self) -> Signer {
        self.seed.0.owner()
    }

    /// The node key.
    pub fn node(&self) -> Signer {
        Signer::from_secret(&self.seed.0.node(0))
    }

    /// Its secret, for a network of its own.
    pub fn node_secret(&self) -> [u8; 32] {
        *self.seed.0.node(0)
    }

    /// A note key that nobody has seen.
    pub fn fresh_key(&self) -> Signer {
        self.seed.0.note(&Hint(chance_bytes()))
    }

    // ── the bank ──

    /// Asks the bank-node something.
    ///
    /// # Panics
    /// When it does not answer, or not in a message's one form.
    #[track_caller]
    pub fn asks_bank(&self, ask: &BankAsk) -> BankAnswer {
        let bytes = self.sends_bank(encode(ask)).unwrap_or_else(|why| panic!("{ask:?}: {why}"));
        decode(&bytes).unwrap_or_else(|why| panic!("the bank's answer: {why}"))
    }

    /// Sends the bank-node bytes.
    pub fn sends_bank(&self, bytes: Vec<u8>) -> Result<Vec<u8>, AskError> {
        wait(ask_once(&self.bank, Protocol::Bank, bytes))
    }

    /// Where the bank-node is.
    pub fn bank_target(&self) -> (PeerId, Vec<Multiaddr>) {
        let named = self.bank.iter().find_map(peer_in);
        (named.expect("the bank's addresses end in its name"), self.bank.clone())
    }

    /// A withdrawal of these units, each to a key of its own.
    pub fn withdrawal(&self, units: &[u64]) -> (Withdrawal, Vec<Signer>) {
        let owners: Vec<Signer> = units.iter().map(|_| self.fresh_key()).collect();
        let outcomes = owners.iter().zip(units);
        let outcomes = outcomes.map(|(to, units)| Outcome { to: to.key(), units: amount(*units) }).collect();
        let (bank, request) = (self.bank(), RequestId(chance_bytes()));
        (Withdrawal { bank, request, owner: self.owner().key(), created: now(), outcomes }, owners)
    }

    /// Withdraws real money into purses of these sizes.
    ///
    /// # Panics
    /// When the bank does not pay.
    #[track_caller]
    pub fn withdraws(&self, units: &[u64]) -> Vec<Purse> {
        let (withdrawal, owners) = self.withdrawal(units);
        match self.asks_bank(&BankAsk::Withdraw(self.owner().sign(withdrawal))) {
            BankAnswer::Withdrawn(roots, _) => {
                let notes = roots.into_iter().map(Note::fresh).zip(owners);
                notes.map(|(note, owner)| Purse { note, owner, used: 0 }).collect()
            }
            other => panic!("no money but {other:?}"),
        }
    }

    /// A redemption of a purse's range to its sink, with the note that ends there.
    pub fn redeems(&self, redemption: &Redemption, purse: &Purse, range: Range) -> NoteTable {
        use protocol::body::Body;
        let sink = protocol::body::digest(Redemption::TYPE, &redemption.to_bytes());
        NoteTable::pack(&[purse.hands(range, Destination::Redeem(sink))])
    }

    // ── workstations ──

    /// Looks a workstation up in the bank's directory.
    ///
    /// # Panics
    /// When it is not there.
    #[track_caller]
    pub fn finds(&self, resident: &Resident) -> Target {
        self.finds_at(&resident.public_code().owner(), &resident.status().addresses)
    }

    /// The same of anybody, by his key and where he listens.
    ///
    /// # Panics
    /// When he is not in the directory.
    #[track_caller]
    pub fn finds_at(&self, owner: &Key, listening: &[String]) -> Target {
        let identity = self.identity_of(owner).unwrap_or_else(|| panic!("{owner} is unknown"));
        let peer = peer_of(&identity.node.0).expect("the directory names keys");
        let addresses = listening.iter().map(|text| with_peer(text, peer)).collect();
        Target { identity, peer, addresses }
    }

    fn identity_of(&self, owner: &Key) -> Option<Identity> {
        let BankAnswer::Directory(page) = self.asks_bank(&BankAsk::Directory(0)) else { return None };
        let identities = page.entries.iter().filter_map(|entry| match entry {
            protocol::bank::DirectoryEntry::Identity(identity) => Some(identity.unverified()),
            protocol::bank::DirectoryEntry::Certificate(_) => None,
        });
        identities
            .filter(|identity| identity.owner == *owner)
            .max_by_key(|identity| identity.sequence)
            .cloned()
    }

    /// Sends bytes on the payment protocol.
    pub fn sends(&self, target: &Target, bytes: Vec<u8>) -> Result<Vec<u8>, AskError> {
        wait(ask_once(&target.addresses, Protocol::Pay, bytes))
    }

    /// Says something in an envelope, with these papers, and opens the answer.
    ///
    /// # Panics
    /// When there is none, or it is not sealed.
    #[track_caller]
    pub fn says_as(&self, from: Introduction, target: &Target, ask: PayAsk) -> PayAnswer {
        self.says_bytes(target, &encode(&Letterhead { from, ask }))
    }

    /// Says something in an envelope.
    #[track_caller]
    pub fn says(&self, target: &Target, ask: PayAsk) -> PayAnswer {
        self.says_as(self.introduction.clone(), target, ask)
    }

    /// Seals bytes that may be no letterhead, sends them and opens the answer.
    ///
    /// # Panics
    /// When there is none, or it is not sealed.
    #[track_caller]
    pub fn says_bytes(&self, target: &Target, message: &[u8]) -> PayAnswer {
        let answer = self.hails(target, &self.sealed(target, message));
        self.opens(&answer).unwrap_or_else(|| panic!("not a sealed answer: {answer:?}"))
    }

    /// An envelope around a message.
    ///
    /// # Panics
    /// When it does not fit.
    #[track_caller]
    pub fn sealed(&self, target: &Target, message: &[u8]) -> Hail {
        let envelope = seal::seal(&self.seed.0.view(0), &target.identity.view, message, &mut chance());
        Hail::Sealed(envelope.unwrap_or_else(|why| panic!("{why}")))
    }

    /// Asks the outer question.
    ///
    /// # Panics
    /// When there is no answer in a message's one form.
    #[track_caller]
    pub fn hails(&self, target: &Target, hail: &Hail) -> HailAnswer {
        let bytes = self.sends(target, encode(hail)).unwrap_or_else(|why| panic!("no answer: {why}"));
        decode(&bytes).unwrap_or_else(|why| panic!("the answer: {why}"))
    }

    /// What is in a sealed answer.
    pub fn opens(&self, answer: &HailAnswer) -> Option<PayAnswer> {
        let HailAnswer::Sealed(envelope) = answer else { return None };
        let opened = seal::open(&[self.seed.0.view(0)], envelope).ok()?;
        decode(&opened.message).ok()
    }

    /// Offers so much.
    pub fn offer(&self, units: u64, memo: &str) -> PayAsk {
        PayAsk::Offer(Offer { amount: amount(units), memo: memo.to_owned(), request: None })
    }
}

/// A certificate as the bank would write it; whoever signs it.
fn forged_certificate(bank: BankId, owner: Key) -> Certificate {
    Certificate {
        bank,
        sequence: 1,
        owner,
        kind: CertificateKind::Resident,
        standing: Standing::Active,
        offline_limit: amount(1_000_000),
        issued: now(),
        expires: now().plus_seconds(300 * DAY_SECONDS),
        name: Text::new("the mayor", 48).expect("a short name"),
    }
}

fn with_peer(text: &str, peer: PeerId) -> Multiaddr {
    let address: Multiaddr = text.parse().unwrap_or_else(|why| panic!("{text}: {why}"));
    if peer_in(&address).is_some() { address } else { address.with(libp2p::multiaddr::Protocol::P2p(peer)) }
}

fn peer_in(address: &Multiaddr) -> Option<PeerId> {
    address.iter().find_map(|part| match part {
        libp2p::multiaddr::Protocol::P2p(peer) => Some(peer),
        _ => None,
    })
}
