//! How much of the speed of bare signatures is left when notes are checked.

use super::machine::own_time;
use super::sample::median;
use super::{Effort, Figure};
use ed25519_dalek::{Signature, VerifyingKey};
use protocol::body::Body;
use protocol::id::{Digest, Key};
use protocol::key::bank::{BankKeys, KeyCertificate, Usage, bank_id};
use protocol::money::Units;
use protocol::node::chance::chance_bytes;
use protocol::note::{Checked, Destination, Note, Root, RootKind};
use protocol::sign::{Signed, Signer};
use protocol::time::Day;
use std::hint::black_box;

const DAY: Day = Day(20_000);

/// A signature without anything around it.
struct Bare {
    key: [u8; 32],
    parsed: VerifyingKey,
    message: Vec<u8>,
    signature: Signature,
}

pub(super) fn measure(effort: Effort) -> Vec<Figure> {
    let mint = Mint::new();
    [0, 1, 2, 4].into_iter().map(|links| one(&mint, links, effort)).collect()
}

fn one(mint: &Mint, links: usize, effort: Effort) -> Figure {
    let notes: Vec<Note> = (0..effort.of(400)).map(|_| mint.note(links)).collect();
    let bare: Vec<Bare> = notes.iter().flat_map(|note| mint.signatures(note)).collect();
    let (mut whole, mut parsed, mut unparsed) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.rounds() * 2 {
        let copies = notes.clone();
        whole.push(milliseconds(|| {
            for note in copies {
                assert!(note.verify(&mint.keys, &mut Checked::default()).is_ok(), "an honest note");
            }
        }));
        parsed.push(milliseconds(|| {
            for one in &bare {
                black_box(one.parsed.verify_strict(&one.message, &one.signature).is_ok());
            }
        }));
        unparsed.push(milliseconds(|| {
            for one in &bare {
                let key = VerifyingKey::from_bytes(&one.key);
                black_box(key.is_ok_and(|key| key.verify_strict(&one.message, &one.signature).is_ok()));
            }
        }));
    }
    let count = u32::try_from(notes.len()).map_or(1.0, f64::from);
    let (speed, floor, from_bytes) =
        (count * 1e3 / median(whole), count * 1e3 / median(parsed), count * 1e3 / median(unparsed));
    let note = format!(
        "{} signatures a note; {:.2} of the speed when the bare keys have to be read from bytes, too",
        links + 1,
        speed / from_bytes
    );
    Figure::new(format!("verify a note with {links} links, one core"), speed, "notes/s")
        .floor(floor)
        .note(note)
}

/// How long this takes on a core.
fn milliseconds(what: impl FnOnce()) -> f64 {
    let begun = own_time();
    what();
    own_time().saturating_sub(begun).as_secs_f64() * 1e3
}

/// A bank that signs what it is told.
struct Mint {
    issue: Signer,
    keys: BankKeys,
}

impl Mint {
    fn new() -> Mint {
        let master = Signer::from_secret(&chance_bytes());
        let issue = Signer::from_secret(&chance_bytes());
        let certificate = KeyCertificate {
            bank: bank_id(&master.key()),
            usage: Usage::Issue,
            epoch: DAY.0,
            key: issue.key(),
            from_day: DAY,
            until_day: DAY,
        };
        let mut keys = BankKeys::pinned(master.key());
        assert!(keys.learn(master.sign(certificate)).is_ok(), "the master key's own certificate");
        Mint { issue, keys }
    }

    fn note(&self, links: usize) -> Note {
        let mut owner = Signer::from_secret(&chance_bytes());
        let units = Units::new(1000).unwrap_or_default();
        let root = self.issue.sign(Root {
            kind: RootKind::Plain,
            bank: self.keys.bank(),
            serial: 1,
            id: Root::id_of(&Digest(chance_bytes()), 0),
            units,
            to: owner.key(),
            epoch: DAY.0,
            issued_day: DAY,
            direct_until_day: DAY.plus_days(60),
        });
        let mut note = Note::fresh(root);
        for _ in 0..links {
            let next = Signer::from_secret(&chance_bytes());
            let range = note.holding().map(|holding| holding.range);
            let range = range.unwrap_or_else(|flaw| panic!("an honest note: {flaw}"));
            let handed = note.hand_on(range, Destination::Key(next.key()), &owner);
            note = handed.unwrap_or_else(|flaw| panic!("an honest link: {flaw}"));
            owner = next;
        }
        note
    }

    fn signatures(&self, note: &Note) -> Vec<Bare> {
        let mut owner = note.root.unverified().to;
        let mut found = vec![bare(&note.root, &self.issue.key())];
        for link in &note.links {
            found.push(bare(link, &owner));
            if let Destination::Key(next) = link.unverified().to {
                owner = next;
            }
        }
        found
    }
}

fn bare<T: Body>(signed: &Signed<T>, key: &Key) -> Bare {
    let bytes = signed.to_bytes();
    let (body, signature) = bytes.split_last_chunk::<64>().expect("a signed body ends with its signature");
    let message = [b"stermina/1/", T::TYPE.as_bytes(), &[0], body].concat();
    let parsed = VerifyingKey::from_bytes(&key.0).expect("an honest key");
    let one = Bare { key: key.0, parsed, message, signature: Signature::from_bytes(signature) };
    assert!(one.parsed.verify_strict(&one.message, &one.signature).is_ok(), "the same bytes as signed");
    one
}
