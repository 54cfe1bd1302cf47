//! Tiny data sets in the layouts of their publishers, and broken files, written into a folder of the caller's.
//!
//! Every byte is a formula of its place, so that a test can say what it should read without a copy of the data.

mod cifar10;
mod cifar100;
mod folder;
mod stl10;
mod tiny;

pub use cifar10::{CIFAR10_FOLDER, cifar10_label, cifar10_sample, write_cifar10};
pub use cifar100::{CIFAR100_FOLDER, cifar100_labels, write_cifar100};
pub use folder::{CORNER, marked_image, write_bytes, write_class_folder, write_image, write_truncated};
pub use stl10::{STL10_FOLDER, stl10_label, write_stl10};
pub use tiny::{TINY_CLASSES, TINY_FOLDER, TinyVal, write_huge_jpeg, write_tiny};
