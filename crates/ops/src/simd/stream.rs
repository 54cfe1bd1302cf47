//! Stores past the caches, for results so large that they are gone from every cache before they are read: an ordinary store first reads the
//! line that it writes to, and then drives out another.

/// Bytes from which a result is not expected to be in a cache when it is read.
const LARGE: usize = 4 << 20;

/// Floats of a cache line. Past the caches one must be written whole, at once.
pub(crate) const LINE: usize = 16;

/// Whether `results`, pixels of `channels` floats, are to be written past the caches.
pub(crate) fn worth_streaming(results: &[f32], channels: usize) -> bool {
    let whole_lines = channels.is_multiple_of(LINE) && results.as_ptr().align_offset(4 * LINE) == 0;
    cfg!(target_arch = "x86_64") && whole_lines && size_of_val(results) >= LARGE
}

/// Ends a thread's stores past the caches: what is read or handed to another thread after it, is there.
pub(crate) fn end_streaming() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is in every build for these processors.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

/// Stores a line past the caches where that can be, and `G` floats that are none as ever.
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
