//! Lines that people hand to each other have one form (SPEC §1.5).

use crate::scene::Person;
use bech32::{Bech32m, Fe32, Hrp};
use protocol::bank::{ADDRESS_MAX, ActivationLetter};
use protocol::body::Text;
use protocol::code::{CodeFlaw, PublicCode, letter_uri, parse_letter};

/// The bits that fill the last character are zero, or one key would have many codes.
#[test]
fn a_code_has_one_form() {
    let code = PublicCode::of(Person::new(1).owner().key()).to_string();
    let checked = bech32::primitives::decode::CheckedHrpstring::new::<Bech32m>(&code).unwrap();
    let mut digits: Vec<Fe32> = checked.fe32_iter().collect();
    let last = digits.last_mut().unwrap();
    *last = Fe32::try_from(last.to_u8() | 1).unwrap();
    let other = as_line(&digits);
    assert_ne!(other, code);
    assert!(other.parse::<PublicCode>().is_err());
    let mut longer: Vec<Fe32> = checked.fe32_iter().collect();
    longer.push(Fe32::Q);
    assert!(as_line(&longer).parse::<PublicCode>().is_err());
}

fn as_line(digits: &[Fe32]) -> String {
    use bech32::primitives::iter::Fe32IterExt;
    let hrp = Hrp::parse("st").unwrap();
    digits.iter().copied().with_checksum::<Bech32m>(&hrp).chars().collect()
}

/// The longest letter there is fits a line.
#[test]
fn every_letter_fits_a_line() {
    let letter = ActivationLetter {
        master: Person::new(1).owner().key(),
        node: Person::new(2).owner().key(),
        account: u64::MAX,
        code: [7; 16],
        addresses: vec![Text::new(&"x".repeat(ADDRESS_MAX), ADDRESS_MAX).unwrap(); 8],
    };
    let read = parse_letter(&letter_uri(&letter)).unwrap();
    assert_eq!(read.addresses, letter.addresses[..ActivationLetter::ADDRESSES_MAX]);
}

/// Found by the fuzz target `codes`: this slip made the checksum's own error search panic.
#[test]
fn no_slip_of_the_pen_breaks_the_search_for_it() {
    let slip = "st1q9sy9qedjd422jqh48x6yp4nm2srgqzqjft9xe8".parse::<PublicCode>();
    assert_eq!(slip, Err(CodeFlaw::Checksum));
}

/// One or two wrong characters are found where they are, and nowhere else.
#[test]
fn two_slips_are_found_where_they_are() {
    let code = PublicCode::of(Person::new(1).owner().key()).to_string();
    let other = |digit: u8| if digit == b'q' { b'z' } else { b'q' };
    for first in 3..code.len() {
        for second in (first + 1..code.len()).step_by(3) {
            let mut wrong = code.clone().into_bytes();
            (wrong[first], wrong[second]) = (other(wrong[first]), other(wrong[second]));
            let flaw = String::from_utf8(wrong).unwrap().parse::<PublicCode>();
            assert_eq!(flaw, Err(CodeFlaw::Mistyped(vec![first + 1, second + 1])));
        }
    }
}
