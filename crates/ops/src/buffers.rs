//! Working memory that is either allocated or only counted.

use crate::Buffer;

/// Hands out zeroed working memory and keeps count of its bytes; or counts the bytes and hands out nothing.
///
/// What needs buffers takes them from here when it is built. Built with [`Buffers::counted`], it cannot run, but
/// [`Buffers::bytes`] says what it would take: the estimate and the allocation are the same lines of code.
///
/// ```
/// use relata_ops::Buffers;
///
/// struct Head {
///     activations: relata_ops::Buffer,
///     sums: Vec<f64>,
/// }
///
/// fn head(rows: usize, buffers: &mut Buffers) -> Head {
///     Head { activations: buffers.zeros(rows * 64), sums: buffers.vec(64) }
/// }
///
/// let mut counted = Buffers::counted();
/// assert!(head(1 << 40, &mut counted).activations.is_empty());
/// assert_eq!(counted.bytes(), (4 << 46) + 8 * 64);
/// assert_eq!(head(2, &mut Buffers::allocated()).activations.len(), 128);
/// ```
#[derive(Debug, Clone)]
pub struct Buffers {
    kind: BufferKind,
    bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BufferKind {
    Allocated,
    Counted,
}

impl Buffers {
    /// Memory that can be used.
    #[must_use]
    pub fn allocated() -> Self {
        Self { kind: BufferKind::Allocated, bytes: 0 }
    }

    /// No memory: every buffer is empty, whatever its length should be.
    #[must_use]
    pub fn counted() -> Self {
        Self { kind: BufferKind::Counted, bytes: 0 }
    }

    /// Whether buffers are only counted.
    #[must_use]
    pub fn are_counted(&self) -> bool {
        self.kind == BufferKind::Counted
    }

    /// A [`Buffer`] of `len` zeros: for what kernels read and write.
    pub fn zeros(&mut self, len: usize) -> Buffer {
        Buffer::zeros(self.granted::<f32>(len))
    }

    /// A vector of `len` default values: for sums, indices and small tables.
    pub fn vec<T: Clone + Default>(&mut self, len: usize) -> Vec<T> {
        vec![T::default(); self.granted::<T>(len)]
    }

    /// An empty vector with room for `len` values.
    pub fn with_capacity<T>(&mut self, len: usize) -> Vec<T> {
        Vec::with_capacity(self.granted::<T>(len))
    }

    /// Counts bytes that are taken and given back later, such as between two epochs; allocates nothing.
    pub fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Bytes of all that was requested, allocated or not; `usize::MAX` where they are more.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Counts `len` values of `T`, and says how many of them to allocate.
    fn granted<T>(&mut self, len: usize) -> usize {
        self.bytes = self.bytes.saturating_add(len.saturating_mul(size_of::<T>()));
        match self.kind {
            BufferKind::Allocated => len,
            BufferKind::Counted => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Buffers;

    #[test]
    fn what_is_counted_is_what_would_be_allocated() {
        let take = |buffers: &mut Buffers| {
            let taken = (buffers.zeros(5), buffers.vec::<f64>(7), buffers.vec::<bool>(3), buffers.with_capacity::<usize>(2));
            (taken.0.len(), taken.1.len(), taken.2.len(), taken.3.capacity() >= 2)
        };
        let (mut allocated, mut counted) = (Buffers::allocated(), Buffers::counted());
        assert_eq!(take(&mut allocated), (5, 7, 3, true));
        assert_eq!(take(&mut counted), (0, 0, 0, false));
        assert_eq!(allocated.bytes(), 4 * 5 + 8 * 7 + 3 + size_of::<usize>() * 2);
        assert_eq!(allocated.bytes(), counted.bytes());
        assert!(counted.are_counted() && !allocated.are_counted());
    }

    #[test]
    fn more_than_can_be_addressed_is_counted_as_the_most() {
        let mut buffers = Buffers::counted();
        assert!(buffers.vec::<f64>(usize::MAX).is_empty());
        assert_eq!(buffers.bytes(), usize::MAX);
    }
}
