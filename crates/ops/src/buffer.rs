//! A buffer of floats that begins on a cache line.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// A cache line, and the widest vector: one that does not begin on a line's border is read in two accesses.
const ALIGNMENT: usize = 64;

/// A huge page. Images that are gone through with a stride touch many small ones, and each costs a walk through the page table.
const HUGE_PAGE: usize = 2 << 20;

/// Zeros at first; a slice of f32 of fixed length in every use, whose first float begins a cache line.
///
/// The kernels take any slice, but are faster on these.
pub struct Buffer {
    first: NonNull<f32>,
    len: usize,
}

// SAFETY: a buffer owns its floats alone, as a `Vec<f32>` does.
unsafe impl Send for Buffer {}
// SAFETY: as above; through a shared reference they can only be read.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// `len` zeros.
    #[must_use]
    pub fn zeros(len: usize) -> Self {
        if len == 0 {
            return Self::default();
        }
        let layout = Self::layout(len);
        // SAFETY: the layout's size is not zero.
        let bytes = NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout));
        ask_for_huge_pages(bytes.as_ptr(), layout.size());
        // SAFETY: they were just allocated, as many as the layout says.
        unsafe { bytes.write_bytes(0, layout.size()) };
        Self { first: bytes.cast(), len }
    }

    fn layout(len: usize) -> Layout {
        let floats = Layout::array::<f32>(len).expect("a buffer's bytes are counted in isize");
        floats.align_to(ALIGNMENT).expect("a buffer's bytes are counted in isize")
    }
}

/// For the whole huge pages among some bytes. Where there are none to be had, small ones serve.
#[cfg(target_os = "linux")]
fn ask_for_huge_pages(first: *mut u8, bytes: usize) {
    // What one begins with is left as it comes: buffers that all began a huge page would share the sets of every cache.
    let before = first.align_offset(HUGE_PAGE);
    let whole = bytes.saturating_sub(before) / HUGE_PAGE * HUGE_PAGE;
    if whole > 0 {
        // SAFETY: advice on memory that is ours; what is stored there does not change.
        unsafe { libc::madvise(first.add(before).cast(), whole, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_for_huge_pages(_: *mut u8, _: usize) {}

impl Default for Buffer {
    fn default() -> Self {
        Self { first: NonNull::dangling(), len: 0 }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: `zeros` allocated it with this layout.
            unsafe { dealloc(self.first.as_ptr().cast(), Self::layout(self.len)) };
        }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.len);
        copy.copy_from_slice(self);
        copy
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `len` floats were allocated and zeroed; of an empty buffer the pointer is aligned and never read.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as `deref`, and borrowed for this alone.
        unsafe { std::slice::from_raw_parts_mut(self.first.as_ptr(), self.len) }
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer of {} floats", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::Buffer;

    #[test]
    fn a_buffer_begins_a_cache_line_with_zeros() {
        for len in [1, 3, 17, 100_000, 1_500_001] {
            let mut buffer = Buffer::zeros(len);
            assert!(buffer.as_ptr().addr().is_multiple_of(64));
            assert!(buffer.len() == len && buffer.iter().all(|x| *x == 0.0));
            buffer[len - 1] = 2.5;
            assert_eq!(buffer.clone()[len - 1], 2.5);
        }
        assert!(Buffer::default().is_empty() && Buffer::zeros(0).is_empty());
    }
}
