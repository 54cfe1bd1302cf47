use crate::layout::holds;

/// A matrix of `f32`, row-major: the first `rows · columns` numbers of a slice.
#[derive(Debug, Clone, Copy)]
pub struct MatRef<'a> {
    pub(super) data: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl<'a> MatRef<'a> {
    /// `data` as a matrix; what follows its last row is ignored.
    ///
    /// # Panics
    /// Where `data` is shorter than the matrix.
    #[must_use]
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert!(holds(data, rows, columns), "a matrix of {rows} x {columns} needs more than {} numbers", data.len());
        Self { data: &data[..rows * columns], rows, columns }
    }
}
