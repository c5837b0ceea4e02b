//! What a shop hands out as a file (SPEC §3.9).

use super::Message;
use crate::shop::ReceiptFile;

impl Message for ReceiptFile {
    const MAX: usize = 128 << 10;
}
