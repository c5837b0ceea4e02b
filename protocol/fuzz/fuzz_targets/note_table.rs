//! Tables of notes: one that unpacks is the one that its notes make.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::note::{LINKS_MAX, NOTES_MAX, NoteTable};

fuzz_target!(|input: &[u8]| {
    let Ok(table) = rmp_serde::from_slice::<NoteTable>(input) else { return };
    if let Ok(notes) = table.clone().unpack() {
        assert!(notes.len() <= NOTES_MAX && notes.iter().all(|note| note.links.len() <= LINKS_MAX));
        assert_eq!(NoteTable::pack(&notes), table);
    }
});
