//! Images in ordinary folders: their layouts, the stored list of them, and the decoders of JPEG.

#[cfg(unix)]
mod index;
mod jpeg;
mod plain;
