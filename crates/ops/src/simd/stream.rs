//! Non-temporal stores, which bypass the caches, for results so large that they have left every cache before they are read: an ordinary
//! store first reads the line that it writes to, and then evicts another.

/// Bytes from which a result is not expected to be in a cache when it is read.
const LARGE: usize = 4 << 20;

/// Floats of a cache line. Non-temporal stores must write one whole, at once.
pub(crate) const LINE: usize = 16;

/// Whether `results`, pixels of `channels` floats, are to be written by non-temporal stores.
pub(crate) fn worth_streaming(results: &[f32], channels: usize) -> bool {
    let whole_lines = channels.is_multiple_of(LINE) && results.as_ptr().align_offset(4 * LINE) == 0;
    cfg!(target_arch = "x86_64") && whole_lines && size_of_val(results) >= LARGE
}

/// Ends a thread's non-temporal stores: what they wrote can be read after it, by any thread that then gets it.
pub(crate) fn end_streaming() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is in every build for these processors.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

/// Stores a whole line by non-temporal stores where there are any, and other groups of `G` floats by ordinary ones.
///
/// # Safety
/// `to` begins on a line's border, as all pixels do where it is [`worth_streaming`]; [`end_streaming`] comes before what is stored is read.
#[inline(always)]
pub(crate) unsafe fn stream_group<const G: usize>(to: &mut [f32; G], values: [f32; G]) {
    #[cfg(target_arch = "x86_64")]
    if G == LINE {
        use std::arch::x86_64::{_mm_loadu_ps, _mm_stream_ps};
        debug_assert_eq!(to.as_ptr().align_offset(4 * LINE), 0, "a line of results");
        for at in (0..LINE).step_by(4) {
            // SAFETY: the quarters of sixteen floats, on their borders; SSE is in every build for these processors.
            unsafe { _mm_stream_ps(to.as_mut_ptr().add(at), _mm_loadu_ps(values.as_ptr().add(at))) };
        }
        return;
    }
    *to = values;
}
