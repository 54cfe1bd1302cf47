//! Features in files: written for other tools, read from them.

mod feature_file;
mod pair;
mod read;
mod write;

mod csv;
mod npy;
mod safetensors;

#[cfg(test)]
mod tests;

pub use feature_file::FeatureFile;
pub use pair::labelled_pair;
pub use write::{check_export_path, write_features};
