//! Working memory of a kernel's inner loops: one buffer a thread, as long as the longest wish so far.

use crate::Buffer;
use std::cell::RefCell;

thread_local! {
    static BUFFER: RefCell<Buffer> = RefCell::default();
}

/// Lends `len` floats of this thread's buffer, of any content, to `work`, which must not ask for more of them itself.
pub(crate) fn with<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    BUFFER.with_borrow_mut(|buffer| {
        if buffer.len() < len {
            *buffer = Buffer::zeros(len);
        }
        work(&mut buffer[..len])
    })
}

/// Lets this thread's buffer grow to `len` floats, so that no kernel has to.
pub fn reserve_scratch(len: usize) {
    with(len, |_| ());
}
