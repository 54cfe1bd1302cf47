//! Working memory of a kernel's inner loops: one buffer a thread, as long as the longest request so far.

use crate::Buffer;
use std::cell::Cell;

thread_local! {
    static BUFFER: Cell<Buffer> = Cell::default();
}

/// Lends `len` floats of this thread's buffer, of any content, to `work`.
///
/// A thread that waits for others may take up a second task meanwhile, which then gets a buffer of its own.
pub(crate) fn with<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = BUFFER.take();
    if buffer.len() < len {
        buffer = Buffer::zeros(len);
    }
    let result = work(&mut buffer[..len]);
    let other = BUFFER.take();
    BUFFER.set(if other.len() > buffer.len() { other } else { buffer });
    result
}

/// Lets this thread's buffer grow to `len` floats, so that no kernel has to.
pub fn reserve_scratch(len: usize) {
    with(len, |_| ());
}

#[cfg(test)]
mod tests {
    use super::with;

    #[test]
    fn a_buffer_lent_twice_is_two_and_the_longer_one_stays() {
        with(10, |outer| {
            outer.fill(1.0);
            with(20, |inner| inner.fill(2.0));
            assert!(outer.iter().all(|x| *x == 1.0));
        });
        with(20, |kept| assert!(kept.iter().all(|x| *x == 2.0)));
    }
}
