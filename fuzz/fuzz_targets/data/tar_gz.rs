//! Archives (`.tar.gz`): unpacked below their place and nowhere else, or refused with nothing left.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relata_fuzz::unpack_or_leave_nothing;

fuzz_target!(|bytes: &[u8]| unpack_or_leave_nothing("a.tar.gz", bytes));
