//! Tiny data sets in the layouts of their publishers, and broken files, written into a folder of the caller's.
//!
//! Every byte is a formula of its place, so that a test can say what it should read without a copy of the data.

mod cifar10;
mod folder;

pub use cifar10::{CIFAR10_FOLDER, cifar10_label, cifar10_sample, write_cifar10};
pub use folder::{CORNER, marked_image, write_bytes, write_class_folder, write_image, write_truncated};
