//! What a shop hands out as a file (SPEC §3.9).

use super::Message;
use crate::shop::{OrderFile, ReceiptFile};

impl Message for ReceiptFile {
    const MAX: usize = 128 << 10;
}

impl Message for OrderFile {
    const MAX: usize = 128 << 10;
}
