//! Chains: valid ones, one for each rule that can be broken, and how they compare; tables of notes.

use crate::scene::{Bank, Person, TODAY, range};
use protocol::id::{BankId, Digest, Key};
use protocol::note::{Checked, Destination, LINKS_MAX, Link, Note, NoteTable, compare};
use protocol::sign::Signer;
use serde_bytes::ByteBuf;
use serde_json::{Value, json};

struct Owners {
    bank: Bank,
    a: Signer,
    b: Signer,
    c: Signer,
}

impl Owners {
    fn new() -> Owners {
        let [a, b, c] = [1, 2, 3].map(|n| Person::new(n).note_key(9));
        Owners { bank: Bank::new(), a, b, c }
    }

    /// 100 units issued to A.
    fn purse(&self) -> Note {
        self.bank.issue(1, 100, self.a.key())
    }

    /// A's units 10 to 39 in B's hands.
    fn handed(&self) -> Note {
        self.purse().hand_on(range(10, 40), to(&self.b), &self.a).unwrap()
    }
}

fn to(key: &Signer) -> Destination {
    Destination::Key(key.key())
}

/// One more link, whether it keeps the rules or not.
fn forced(note: &Note, link: Link, by: &Signer) -> Note {
    let mut note = note.clone();
    note.links.push(by.sign(link));
    note
}

fn tip(note: &Note) -> Digest {
    note.links.last().map_or(note.root.digest(), |link| link.digest())
}

fn deep(o: &Owners, links: usize) -> Note {
    let mut note = o.purse();
    for _ in 0..links {
        let link = Link { prev: tip(&note), range: range(0, 100), to: to(&o.a) };
        note = forced(&note, link, &o.a);
    }
    note
}

fn named(o: &Owners) -> Vec<(&'static str, Note)> {
    let (purse, handed) = (o.purse(), o.handed());
    let prev = tip(&handed);
    let sink = Destination::Redeem(Digest([31; 32]));
    let redeemed = handed.hand_on(range(10, 40), sink, &o.b).unwrap();
    let root = |change: fn(&mut protocol::note::Root)| {
        let mut root = o.bank.root(1, 100, o.a.key());
        change(&mut root);
        Note::fresh(o.bank.issue.sign(root))
    };
    let last_place = Link { prev: tip(&deep(o, LINKS_MAX - 1)), range: range(0, 1), to: sink };
    vec![
        ("a fresh note", purse.clone()),
        ("handed on once", handed.clone()),
        ("handed on twice, a part", handed.hand_on(range(10, 20), to(&o.c), &o.b).unwrap()),
        ("handed on to the bank", redeemed.clone()),
        ("sixteen links, the last to the bank", forced(&deep(o, LINKS_MAX - 1), last_place, &o.a)),
        ("forged root", Note::fresh(o.c.sign(purse.root.unverified().clone()))),
        ("another bank's root", root(|root| root.bank = BankId([9; 8]))),
        ("unknown epoch", root(|root| root.epoch = 8)),
        ("not the epoch's day", root(|root| root.issued_day = TODAY.plus_days(1))),
        ("link outside its parent", forced(&handed, Link { prev, range: range(9, 40), to: to(&o.c) }, &o.b)),
        (
            "link that names another body",
            forced(&handed, Link { prev: tip(&purse), range: range(10, 20), to: to(&o.c) }, &o.b),
        ),
        ("link signed by another", forced(&handed, Link { prev, range: range(10, 20), to: to(&o.c) }, &o.a)),
        ("link to a key that is none", {
            let dead = forced(
                &purse,
                Link { prev: tip(&purse), range: range(0, 9), to: Destination::Key(Key([0; 32])) },
                &o.a,
            );
            forced(&dead, Link { prev: tip(&dead), range: range(0, 9), to: to(&o.b) }, &o.a)
        }),
        (
            "link after the bank",
            forced(&redeemed, Link { prev: tip(&redeemed), range: range(10, 20), to: to(&o.c) }, &o.b),
        ),
        ("sixteen links, the last to a key", deep(o, LINKS_MAX)),
        ("seventeen links", deep(o, LINKS_MAX + 1)),
    ]
}

pub(crate) fn all() -> Value {
    let o = Owners::new();
    let keys = o.bank.keys();
    let certificates: Vec<String> =
        keys.certificates().map(|certificate| hex::encode(certificate.signed().to_bytes())).collect();
    let chains: Vec<Value> = named(&o)
        .into_iter()
        .map(|(name, note)| {
            let mut entry = json!({
                "name": name,
                "root": hex::encode(note.root.to_bytes()),
                "links": note.links.iter().map(|link| hex::encode(link.to_bytes())).collect::<Vec<_>>(),
            });
            match note.verify(&keys, &mut Checked::default()) {
                Ok(note) => entry["holding"] = holding(&note),
                Err(flaw) => {
                    entry["flaw"] = json!(format!("{flaw:?}"));
                    entry["code"] = json!(flaw.code().number());
                }
            }
            entry
        })
        .collect();
    json!({
        "master": o.bank.master.key(), "keys": certificates, "chains": chains,
        "compare": comparisons(&o), "tables": tables(&o),
    })
}

fn holding(note: &protocol::note::VerifiedNote) -> Value {
    let holding = note.holding();
    let (kind, to) = match holding.to {
        Destination::Key(key) => (1, key.to_string()),
        Destination::Redeem(sink) => (2, sink.to_string()),
        Destination::Reclaim(sink) => (3, sink.to_string()),
    };
    json!({
        "root": holding.root, "tip": holding.tip, "start": holding.range.start(),
        "end": holding.range.end(), "to_kind": kind, "to": to,
    })
}

fn line(note: &Note) -> Value {
    json!([
        hex::encode(note.root.to_bytes()),
        note.links.iter().map(|link| hex::encode(link.to_bytes())).collect::<Vec<_>>()
    ])
}

fn comparisons(o: &Owners) -> Vec<Value> {
    let handed = o.handed();
    let on = |note: &Note, from, end, to: Destination, by: &Signer| {
        note.hand_on(range(from, end), to, by).unwrap()
    };
    let further = on(&handed, 10, 20, to(&o.c), &o.b);
    let home = on(&further, 12, 14, to(&o.a), &o.c);
    let twice = on(&o.purse(), 15, 25, to(&o.c), &o.a);
    let elsewhere = on(&handed, 20, 30, to(&o.c), &o.b);
    let other = o.bank.issue(2, 100, o.a.key());
    let sinks = [31, 32].map(|n| on(&handed, 10, 40, Destination::Redeem(Digest([n; 32])), &o.b));
    let cases = [
        ("the same chain", &handed, &handed),
        ("ours goes on", &further, &handed),
        ("theirs goes on: units come home", &handed, &home),
        ("one owner, two hand-ons of a unit", &handed, &twice),
        ("two hand-ons without a common unit", &further, &elsewhere),
        ("parting after the first link", &sinks[0], &further),
        ("a redemption tried twice", &sinks[0], &sinks[1]),
        ("other roots", &handed, &other),
    ];
    let entry = |(name, ours, theirs): (&str, &Note, &Note)| {
        let relation = format!("{:?}", compare(ours, theirs));
        json!({ "name": name, "ours": line(ours), "theirs": line(theirs), "relation": relation })
    };
    cases.into_iter().map(entry).collect()
}

type Parts = (Vec<ByteBuf>, Vec<ByteBuf>, Vec<ByteBuf>);

fn raw_tables(o: &Owners) -> Vec<(&'static str, Vec<u8>)> {
    let handed = o.handed();
    let further = handed.hand_on(range(10, 20), to(&o.c), &o.b).unwrap();
    let notes =
        [further, handed.hand_on(range(30, 40), to(&o.c), &o.b).unwrap(), o.bank.issue(2, 7, o.c.key())];
    let good = rmp_serde::to_vec(&NoteTable::pack(&notes)).unwrap();
    let changed = |change: &dyn Fn(&mut Parts)| {
        let mut parts: Parts = rmp_serde::from_slice(&good).unwrap();
        change(&mut parts);
        rmp_serde::to_vec(&parts).unwrap()
    };
    vec![
        ("three notes that share a link", good.clone()),
        ("no notes", rmp_serde::to_vec(&NoteTable::default()).unwrap()),
        ("a root twice", changed(&|p| p.0.push(p.0[0].clone()))),
        ("links out of order", changed(&|p| p.1.reverse())),
        ("a root that no note uses", changed(&|p| drop(p.2.pop()))),
        ("no root", changed(&|p| drop(p.0.remove(0)))),
        ("an unknown tip", changed(&|p| p.2[0] = ByteBuf::from(vec![9; 32]))),
        ("65 notes", changed(&|p| p.2 = vec![p.2[0].clone(); 65])),
        ("seventeen links", rmp_serde::to_vec(&NoteTable::pack([&deep(o, LINKS_MAX + 1)])).unwrap()),
    ]
}

fn tables(o: &Owners) -> Vec<Value> {
    let entry = |(name, bytes): (&str, Vec<u8>)| {
        let table: NoteTable = rmp_serde::from_slice(&bytes).unwrap();
        match table.unpack() {
            Ok(notes) => {
                let notes: Vec<Value> = notes.iter().map(line).collect();
                json!({ "name": name, "table": hex::encode(bytes), "notes": notes })
            }
            Err(flaw) => json!({ "name": name, "table": hex::encode(bytes), "flaw": format!("{flaw:?}") }),
        }
    };
    raw_tables(o).into_iter().map(entry).collect()
}

/// A good table and a few broken ones.
pub(crate) fn table_seeds() -> Vec<Vec<u8>> {
    raw_tables(&Owners::new()).into_iter().map(|(_, bytes)| bytes).take(7).collect()
}

/// Two notes as the wire carries one.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let notes = named(&Owners::new());
    [(1, 2), (2, 3), (9, 1)].map(|(a, b)| rmp_serde::to_vec(&(&notes[a].1, &notes[b].1)).unwrap()).to_vec()
}
