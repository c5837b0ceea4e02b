//! Every body: the first byte picks the type. What reads, writes the same bytes again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::bank::{
    AccountQuery, Activation, ActivationLetter, AddressRecord, Admission, Bulletin, Certificate, Claim,
    DirectoryHead, Hold, HoldAct, Identity, Letter, MailItem, MailWord, NodeQuery, Reclaim, Redemption, Sweep, Withdrawal,
};
use protocol::body::Body;
use protocol::key::KeyTicket;
use protocol::key::bank::{KeyCertificate, Revocation};
use protocol::note::{Link, Root};
use protocol::pay::{Order, Receipt, Refusal, Request};
use protocol::shop::{OrderWord, ShopOrder};
use protocol::sign::Signed;

fn read<T: Body>(bytes: &[u8]) {
    if let Ok(body) = T::from_bytes(bytes) {
        assert_eq!(body.to_bytes(), bytes);
    }
    if let Ok(signed) = Signed::<T>::from_bytes(bytes) {
        assert_eq!(signed.to_bytes(), bytes);
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((which, bytes)) = input.split_first() else { return };
    match which {
        0 => read::<Root>(bytes),
        1 => read::<Link>(bytes),
        2 => read::<KeyTicket>(bytes),
        3 => read::<KeyCertificate>(bytes),
        4 => read::<Certificate>(bytes),
        5 => read::<Identity>(bytes),
        6 => read::<AddressRecord>(bytes),
        7 => read::<ActivationLetter>(bytes),
        8 => read::<Activation>(bytes),
        9 => read::<Withdrawal>(bytes),
        10 => read::<Redemption>(bytes),
        11 => read::<AccountQuery>(bytes),
        12 => read::<Letter>(bytes),
        13 => read::<DirectoryHead>(bytes),
        14 => read::<Request>(bytes),
        15 => read::<Order>(bytes),
        16 => read::<Receipt>(bytes),
        17 => read::<Refusal>(bytes),
        18 => read::<Revocation>(bytes),
        19 => read::<Bulletin>(bytes),
        20 => read::<MailItem>(bytes),
        21 => read::<MailWord>(bytes),
        22 => read::<NodeQuery>(bytes),
        23 => read::<Claim>(bytes),
        24 => read::<Admission>(bytes),
        25 => read::<Reclaim>(bytes),
        26 => read::<Hold>(bytes),
        27 => read::<HoldAct>(bytes),
        28 => read::<Sweep>(bytes),
        29 => read::<ShopOrder>(bytes),
        _ => read::<OrderWord>(bytes),
    }
});
