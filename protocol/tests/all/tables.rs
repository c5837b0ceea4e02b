//! Many notes in one message (SPEC §2.12): a list of notes has one table, and a table one list.

use crate::scene::{Bank, Person, range};
use proptest::prelude::*;
use protocol::note::{Destination, LINKS_MAX, NOTES_MAX, Note, NoteTable, TableFlaw};
use protocol::sign::Signer;

fn key() -> Signer {
    Person::new(1).note_key(0)
}

/// Notes over a few roots that share beginnings: of which root, how deep, parting where.
fn notes() -> impl Strategy<Value = Vec<Note>> {
    prop::collection::vec((0..3u8, 0..5u64, 0..3u64), 0..12).prop_map(|shapes| {
        let bank = Bank::new();
        let make = |(root, depth, last): (u8, u64, u64)| {
            let mut note = bank.issue(u64::from(root), 100, key().key());
            for step in 0..depth {
                let end = if step + 1 == depth { 100 - last } else { 100 };
                note = note.hand_on(range(step, end), Destination::Key(key().key()), &key()).unwrap();
            }
            note
        };
        shapes.into_iter().map(make).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn notes_come_out_as_they_went_in(notes in notes()) {
        let table = NoteTable::pack(&notes);
        let bytes = rmp_serde::to_vec(&table).unwrap();
        let read: NoteTable = rmp_serde::from_slice(&bytes).unwrap();
        prop_assert_eq!(read.unpack().unwrap(), notes);
    }

    /// The same parts in another order, twice, or beside others are no table.
    #[test]
    fn a_table_has_one_form(notes in notes(), swap in any::<bool>(), at in any::<prop::sample::Index>()) {
        type Parts = (Vec<serde_bytes::ByteBuf>, Vec<serde_bytes::ByteBuf>, Vec<serde_bytes::ByteBuf>);
        let bytes = rmp_serde::to_vec(&NoteTable::pack(&notes)).unwrap();
        let (mut roots, mut links, tips): Parts = rmp_serde::from_slice(&bytes).unwrap();
        match swap {
            true if links.len() > 1 => {
                let by = 1 + at.index(links.len() - 1);
                links.rotate_left(by);
            }
            true => return Ok(()),
            false => {
                let stranger = Bank::new().issue(9, 5, key().key());
                roots.insert(at.index(roots.len() + 1), serde_bytes::ByteBuf::from(stranger.root.to_bytes()));
            }
        }
        let odd = rmp_serde::to_vec(&(roots, links, tips)).unwrap();
        let read: NoteTable = rmp_serde::from_slice(&odd).unwrap();
        prop_assert_eq!(read.unpack(), Err(TableFlaw::Superfluous));
    }
}

#[test]
fn tables_have_limits() {
    let bank = Bank::new();
    let note = bank.issue(1, 100, key().key());
    let many = vec![note.clone(); NOTES_MAX + 1];
    assert_eq!(NoteTable::pack(&many).unpack(), Err(TableFlaw::TooMany));
    assert!(NoteTable::pack(&many[1..]).unpack().is_ok());

    let mut deep = note;
    for start in 0..LINKS_MAX as u64 + 1 {
        let prev = NoteTable::pack([&deep]);
        let link = protocol::note::Link {
            prev: deep.links.last().map_or(deep.root.digest(), |link| link.digest()),
            range: range(start, 100),
            to: Destination::Key(key().key()),
        };
        assert!(prev.unpack().is_ok());
        deep.links.push(key().sign(link));
    }
    assert_eq!(NoteTable::pack([&deep]).unpack(), Err(TableFlaw::TooDeep));

    let mut rootless = NoteTable::pack([&bank.issue(2, 5, key().key())]);
    let bytes = rmp_serde::to_vec(&rootless).unwrap();
    let (_, links, tips): (Vec<serde_bytes::ByteBuf>, Vec<serde_bytes::ByteBuf>, Vec<serde_bytes::ByteBuf>) =
        rmp_serde::from_slice(&bytes).unwrap();
    let none = Vec::<serde_bytes::ByteBuf>::new();
    rootless = rmp_serde::from_slice(&rmp_serde::to_vec(&(none, links, tips)).unwrap()).unwrap();
    assert_eq!(rootless.unpack(), Err(TableFlaw::NoRoot));
}
