//! What people type, scan and paste: public codes, links, requests, letters, phrases, amounts.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::code::{Payable, PublicCode, letter_uri, parse_letter, request_uri};
use protocol::key::Seed;
use protocol::money::Currency;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let currency = Currency::new("EUR", 2).expect("a currency");
    match Payable::parse(text, &currency) {
        Ok(Payable::Code { code, .. }) => {
            let again: PublicCode = code.to_string().parse().expect("a code that was read is written as one");
            assert_eq!(again, code);
        }
        Ok(Payable::Request(request)) => {
            let again = Payable::parse(&request_uri(&request), &currency).expect("so is a request");
            assert_eq!(again, Payable::Request(request));
        }
        Err(flaw) => drop(flaw.to_string()),
    }
    if let Ok(letter) = parse_letter(text) {
        assert_eq!(parse_letter(&letter_uri(&letter)).expect("and so is a letter"), letter);
    }
    if let Ok(seed) = Seed::from_phrase(text) {
        assert_eq!(Seed::from_phrase(&seed.phrase()).expect("words of a seed").as_bytes(), seed.as_bytes());
    }
    if let Ok(units) = currency.parse(text) {
        assert_eq!(currency.parse(&currency.show(units)), Ok(units));
    }
});
