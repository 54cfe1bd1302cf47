//! Batches of images, and how a net looks at them.

use crate::{Error, ImageSize, Result};

/// Whether a forward pass learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics, which move the running ones; activations are kept for the backward pass.
    Train,
    /// Running statistics.
    Eval,
}

/// A batch of normalised images, `[rows, height, width, channels]`, NHWC; or of rows of numbers, which are images of one pixel.
#[derive(Debug, Clone, Copy)]
pub struct Images<'a> {
    /// The numbers.
    pub data: &'a [f32],
    /// Images in the batch, N.
    pub rows: usize,
    /// Of an image: height, width and channels.
    pub size: ImageSize,
}

impl<'a> Images<'a> {
    /// Wraps a batch of RGB images.
    ///
    /// # Errors
    /// [`Error::Size`] where the number of floats is not rows · height · width · 3, or there are none.
    pub fn new(data: &'a [f32], rows: usize, height: usize, width: usize) -> Result<Self> {
        Self::of_size(data, rows, ImageSize::new(height, width, 3))
    }

    /// Wraps a batch of `rows` images of any number of channels.
    ///
    /// # Errors
    /// [`Error::Size`] where the number of floats is not rows · H · W · C, or there are none.
    pub fn of_size(data: &'a [f32], rows: usize, size: ImageSize) -> Result<Self> {
        if size.batch_len(rows) != Some(data.len()) || data.is_empty() {
            return Err(Error::Size {
                what: "images",
                expected: format!("{rows} x {size} floats, more than none"),
                got: format!("{} floats", data.len()),
            });
        }
        Ok(Self { data, rows, size })
    }

    /// Wraps rows of `width` numbers each, `[N, F]`, as images of one pixel of F channels.
    ///
    /// # Errors
    /// [`Error::Size`] where they are not whole rows, or there are none.
    pub fn of_rows(data: &'a [f32], width: usize) -> Result<Self> {
        Self::of_size(data, data.len() / width.max(1), ImageSize::row(width))
    }
}
