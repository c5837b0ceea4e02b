//! Every body in its one form (SPEC §2.5), with whatever values it may hold.

use crate::scene::units;
use proptest::collection::vec;
use proptest::prelude::*;
use protocol::bank::{
    AccountQuery, Activation, ActivationLetter, AddressRecord, Bulletin, Certificate, CertificateKind,
    DirectoryHead, Identity, Letter, LetterKind, Outcome, Reclaimed, RedeemKind, Redemption, Standing,
    VaultAppend, Withdrawal,
};
use protocol::body::{Body, Text};
use protocol::id::{BankId, Digest, Hint, Key, PaymentId, RequestId, RootId};
use protocol::key::KeyTicket;
use protocol::key::bank::{KeyCertificate, Revocation, Usage};
use protocol::money::Units;
use protocol::note::{Destination, Link, Root, RootKind};
use protocol::pay::{AmountRule, Mode, Order, Receipt, Refusal, Request};
use protocol::range::Range;
use protocol::sign::{Signed, Signer};
use protocol::time::{Day, Timestamp};
use protocol::wire::ErrorCode;
use std::fmt::Debug;

/// One form: it reads back, and neither a byte less nor a byte more is a body.
fn has_one_form<T: Body + PartialEq + Debug + Clone>(body: T) {
    let bytes = body.to_bytes();
    assert_eq!(T::from_bytes(&bytes).unwrap(), body);
    for cut in 0..bytes.len() {
        assert!(T::from_bytes(&bytes[..cut]).is_err(), "{} cut at {cut}", T::TYPE);
    }
    for more in [0, 1, 0xff] {
        assert!(T::from_bytes(&[&bytes[..], &[more]].concat()).is_err(), "{} and {more}", T::TYPE);
    }
    let signed = Signer::from_secret(&[1; 32]).sign(body.clone());
    assert_eq!(Signed::<T>::from_bytes(&signed.to_bytes()).unwrap().unverified(), &body);
    assert_eq!(signed.digest(), body.digest());
}

/// Whatever reads, writes the same bytes again: no two forms of one body.
fn reads_only_its_form<T: Body>(bytes: &[u8]) {
    if let Ok(body) = T::from_bytes(bytes) {
        assert_eq!(body.to_bytes(), bytes, "{}", T::TYPE);
    }
}

fn key() -> impl Strategy<Value = Key> {
    any::<[u8; 32]>().prop_map(Key)
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

fn bank() -> impl Strategy<Value = BankId> {
    any::<[u8; 8]>().prop_map(BankId)
}

fn request_id() -> impl Strategy<Value = RequestId> {
    any::<[u8; 16]>().prop_map(RequestId)
}

fn any_units() -> impl Strategy<Value = Units> {
    prop_oneof![0..1_000u64, 0..=Units::MAX.get()].prop_map(units)
}

fn some_units() -> impl Strategy<Value = Units> {
    prop_oneof![1..1_000u64, 1..=Units::MAX.get()].prop_map(units)
}

fn when() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp)
}

fn day() -> impl Strategy<Value = Day> {
    any::<u32>().prop_map(Day)
}

fn text(max: usize) -> impl Strategy<Value = Text> {
    "[a-zà-ù €😀]{0,50}".prop_map(move |text| {
        let fits = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= max).last();
        Text::new(&text[..fits.unwrap_or(0)], max).unwrap()
    })
}

fn outcomes() -> impl Strategy<Value = Vec<Outcome>> {
    vec((key(), some_units()).prop_map(|(to, units)| Outcome { to, units }), 1..6)
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Direct), Just(Mode::Certified)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn notes(
        (serial, id, of, to) in (any::<u64>(), any::<[u8; 32]>(), some_units(), key()),
        (bank, epoch, issued_day, direct_until_day) in (bank(), any::<u32>(), day(), day()),
        (prev, start, length, kind) in (digest(), 0..1u64 << 52, 1..1u64 << 52, 0..3),
    ) {
        let kind_of_root = RootKind::Plain;
        has_one_form(Root {
            kind: kind_of_root, bank, serial, id: RootId(id), units: of, to, epoch, issued_day, direct_until_day,
        });
        let to = match kind {
            0 => Destination::Key(to),
            1 => Destination::Redeem(Digest(to.0)),
            _ => Destination::Reclaim(Digest(to.0)),
        };
        has_one_form(Link { prev, range: Range::new(start, start + length).unwrap(), to });
    }

    #[test]
    fn requests(
        (bank, id, owner, note, hint) in (bank(), request_id(), key(), key(), any::<[u8; 16]>()),
        (node, amount, exactly, mode) in (key(), some_units(), any::<bool>(), mode()),
        (created, expires, memo, address) in (when(), when(), text(140), text(128)),
    ) {
        let ticket = KeyTicket { owner, key: note, hint: Hint(hint) };
        has_one_form(ticket.clone());
        let ticket = Signer::from_secret(&[2; 32]).sign(ticket);
        let amount = if exactly { AmountRule::Exactly(amount) } else { AmountRule::AtMost(amount) };
        has_one_form(Request { bank, id, ticket, node, amount, mode, created, expires, memo, address });
    }

    #[test]
    fn orders_and_answers(
        (bank, payment, request) in (bank(), any::<[u8; 16]>().prop_map(PaymentId), digest()),
        (payer, payee, amount, mode) in (key(), key(), some_units(), mode()),
        (created, expires, replaces, memo, list) in (when(), when(), digest(), digest(), digest()),
        (order, confirmed, code) in (digest(), any::<bool>(), 0..ErrorCode::ALL.len()),
    ) {
        has_one_form(Order {
            bank, payment, request, payer, payee, amount, created, expires, mode, replaces, memo, list,
        });
        has_one_form(Receipt { order, payee, amount, received: created, confirmed });
        has_one_form(Refusal { order, code: ErrorCode::ALL[code], at: expires });
    }

    #[test]
    fn keys_and_people(
        (bank, owner, view, node, epoch) in (bank(), key(), key(), key(), any::<u32>()),
        (days, usage, kind, standing) in ((day(), day()), 0..4usize, 0..5usize, any::<bool>()),
        (sequence, offline_limit, issued, expires) in (any::<u64>(), any_units(), when(), when()),
        (name, addresses) in (text(48), vec(text(128), 0..8)),
    ) {
        let usage = [Usage::Issue, Usage::Attest, Usage::Bulletin, Usage::Node][usage];
        let (from_day, until_day) = (days.0.min(days.1), days.0.max(days.1));
        has_one_form(KeyCertificate { bank, usage, epoch, key: view, from_day, until_day });
        let kind = [
            CertificateKind::Resident, CertificateKind::Shop, CertificateKind::Company,
            CertificateKind::Card, CertificateKind::Terminal,
        ][kind];
        let standing = if standing { Standing::Active } else { Standing::Suspended };
        has_one_form(Certificate {
            bank, sequence, owner, kind, standing, offline_limit, issued, expires, name,
        });
        has_one_form(Identity { bank, owner, view, node, generation: epoch, sequence, expires });
        has_one_form(AddressRecord { node, sequence, expires, addresses });
    }

    #[test]
    fn the_bank_s_papers(
        (bank, request, owner, account, code) in (bank(), request_id(), key(), any::<u64>(), any::<[u8; 16]>()),
        (created, outcomes, digest, number) in (when(), outcomes(), digest(), any::<u64>()),
        (moved, balance, kind, addresses) in (any_units(), any_units(), 0..5usize, vec(text(128), 0..4)),
    ) {
        has_one_form(ActivationLetter { master: owner, node: owner, account, code, addresses });
        has_one_form(Activation { bank, request, account, owner, code });
        has_one_form(AccountQuery { bank, request, owner, created });
        let one = outcomes[..1].to_vec();
        has_one_form(Redemption { bank, request, kind: RedeemKind::Deposit, outcomes: one });
        has_one_form(Redemption { bank, request, kind: RedeemKind::Reissue, outcomes: outcomes.clone() });
        has_one_form(Withdrawal { bank, request, owner, created, outcomes });
        let kind = [
            LetterKind::Opening, LetterKind::Payment, LetterKind::Deposit, LetterKind::Refusal,
            LetterKind::Balance,
        ][kind];
        has_one_form(Letter { bank, number, kind, owner, request: digest, units: moved, balance, at: created });
        has_one_form(DirectoryHead { bank, sequence: number, digest, at: created });
        has_one_form(VaultAppend { bank, owner, node: owner, generation: 7, after: number, head: digest });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_the_bank_tells_everybody(
        (bank, number, prev, at, usage) in (bank(), any::<u64>(), digest(), when(), 0..4usize),
        (journal, lines, issued, redeemed) in (any::<u64>(), any::<u64>(), any_units(), any_units()),
        (day, roots, suspended) in (day(), digest(), vec(key(), 0..5)),
        reclaimed in vec((digest(), digest(), 0..1u64 << 52, 1..1u64 << 52), 0..5),
    ) {
        let usage = [Usage::Issue, Usage::Attest, Usage::Bulletin, Usage::Node][usage];
        has_one_form(Revocation { bank, usage, key: Key(roots.0), from_day: day });
        let reclaimed = reclaimed.into_iter().map(|(root, tip, start, length)| {
            Reclaimed { root, tip, range: Range::new(start, start + length).unwrap() }
        });
        let reclaimed = reclaimed.collect();
        has_one_form(Bulletin {
            bank, number, prev, at, journal, lines, issued, redeemed, day, roots, suspended, reclaimed,
        });
    }
}

proptest! {
    #[test]
    fn no_bytes_break_a_reader(tail in vec(any::<u8>(), 0..400)) {
        let bytes = [&[1], &tail[..]].concat();
        reads_only_its_form::<Root>(&bytes);
        reads_only_its_form::<Link>(&bytes);
        reads_only_its_form::<KeyTicket>(&bytes);
        reads_only_its_form::<Request>(&bytes);
        reads_only_its_form::<Order>(&bytes);
        reads_only_its_form::<Receipt>(&bytes);
        reads_only_its_form::<Refusal>(&bytes);
        reads_only_its_form::<KeyCertificate>(&bytes);
        reads_only_its_form::<Certificate>(&bytes);
        reads_only_its_form::<Identity>(&bytes);
        reads_only_its_form::<AddressRecord>(&bytes);
        reads_only_its_form::<ActivationLetter>(&bytes);
        reads_only_its_form::<Activation>(&bytes);
        reads_only_its_form::<Withdrawal>(&bytes);
        reads_only_its_form::<Redemption>(&bytes);
        reads_only_its_form::<AccountQuery>(&bytes);
        reads_only_its_form::<Letter>(&bytes);
        reads_only_its_form::<DirectoryHead>(&bytes);
        reads_only_its_form::<Revocation>(&bytes);
        reads_only_its_form::<Bulletin>(&bytes);
        reads_only_its_form::<protocol::bank::Claim>(&bytes);
        reads_only_its_form::<protocol::bank::Admission>(&bytes);
        reads_only_its_form::<protocol::bank::Reclaim>(&bytes);
        reads_only_its_form::<VaultAppend>(&bytes);
    }
}
