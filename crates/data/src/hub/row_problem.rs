/// Why a row of one of the hub's files cannot become a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowProblem {
    /// The file's format is broken here.
    #[error("{reason}")]
    Unreadable {
        /// The reader's words.
        reason: String,
    },
    /// The column of images is not there, or holds something else.
    #[error("column {column} holds {got}: expected a group with the bytes of an image file")]
    NoImage {
        /// The column.
        column: &'static str,
        /// What it holds, in words.
        got: Box<str>,
    },
    /// A column of labels is not there, or holds something else.
    #[error("column {column} holds {got}: expected a whole number")]
    NoLabel {
        /// The column.
        column: &'static str,
        /// What it holds, in words.
        got: Box<str>,
    },
    /// Bytes that no decoder understands, or that are cut short.
    #[error("the image cannot be decoded: {reason}")]
    BrokenImage {
        /// The decoder's words.
        reason: String,
    },
    /// An image of another size than all of the data set have.
    #[error("the image has {width_px} x {height_px} px: expected {side_px} x {side_px}")]
    ImageSize {
        /// Its width.
        width_px: u32,
        /// Its height.
        height_px: u32,
        /// The side that it should have.
        side_px: usize,
    },
    /// A label that no class has.
    #[error("{column} is {got}: expected 0 to {}", classes - 1)]
    Label {
        /// The column.
        column: &'static str,
        /// The label found.
        got: i64,
        /// Number of classes.
        classes: usize,
    },
}
