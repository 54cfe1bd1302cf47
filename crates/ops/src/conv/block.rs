//! How many output channels a tile holds in registers at once, by instruction set; functions compiled for each, and matrices laid out
//! in such blocks.

use super::geometry::Store;
use crate::Isa;
use crate::simd::{LINE, Level};

/// Which tile a layer uses: how many output channels are in registers at once, and in what vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Block {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2x1,
    #[cfg(target_arch = "x86_64")]
    Avx2x2,
    #[cfg(target_arch = "x86_64")]
    Avx512Half,
    #[cfg(target_arch = "x86_64")]
    Avx512x1,
    #[cfg(target_arch = "x86_64")]
    Avx512x2,
    #[cfg(target_arch = "x86_64")]
    Avx512x4,
    #[cfg(target_arch = "aarch64")]
    Neonx2,
    #[cfg(target_arch = "aarch64")]
    Neonx4,
}

impl Block {
    /// The most output channels of any block.
    pub(crate) const WIDEST: usize = 64;

    pub(crate) fn pick(isa: Isa, channels_out: usize) -> Self {
        match isa.level() {
            Level::Portable => Self::Portable,
            #[cfg(target_arch = "aarch64")]
            Level::Neon if channels_out > 8 => Self::Neonx4,
            #[cfg(target_arch = "aarch64")]
            Level::Neon => Self::Neonx2,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 if channels_out > 8 => Self::Avx2x2,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Self::Avx2x1,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => match channels_out {
                0..=8 => Self::Avx512Half,
                9..=16 => Self::Avx512x1,
                17..=32 => Self::Avx512x2,
                _ => Self::Avx512x4,
            },
        }
    }

    /// Output channels a block.
    pub(crate) fn width(self) -> usize {
        match self {
            Self::Portable => 8,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2x1 | Self::Avx512Half => 8,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2x2 | Self::Avx512x1 => 16,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512x2 => 32,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512x4 => 64,
            #[cfg(target_arch = "aarch64")]
            Self::Neonx2 => 8,
            #[cfg(target_arch = "aarch64")]
            Self::Neonx4 => 16,
        }
    }

    /// How blocks of pixels of `channels_out` store: non-temporally only where each is whole, and whole lines.
    pub(super) fn store(self, store: Store, channels_out: usize) -> Store {
        let whole = channels_out.is_multiple_of(self.width()) && self.width().is_multiple_of(LINE);
        if store == Store::NonTemporal && !whole { Store::Overwrite } else { store }
    }

    /// Blocks that cover `channels_out`, the last one perhaps in part.
    pub(crate) fn count(self, channels_out: usize) -> usize {
        channels_out.div_ceil(self.width())
    }
}

/// `[rows, columns]` into `[block][rows][width]`, the last block filled up with zeros.
pub(crate) fn pack_columns(matrix: &[f32], columns: usize, width: usize, packed: &mut [f32]) {
    let rows = matrix.len() / columns;
    for (block, part) in packed.chunks_exact_mut(rows * width).enumerate() {
        let lanes = width.min(columns - block * width);
        for (row, to) in matrix.chunks_exact(columns).zip(part.chunks_exact_mut(width)) {
            to[..lanes].copy_from_slice(&row[block * width..][..lanes]);
            to[lanes..].fill(0.0);
        }
    }
}

/// As [`pack_columns`] with the matrix transposed, `[columns, inner]`: into `[block][inner][width]`.
pub(crate) fn pack_rows(matrix: &[f32], inner: usize, width: usize, packed: &mut [f32]) {
    let columns = matrix.len() / inner;
    packed[columns / width * width * inner..].fill(0.0);
    for (column, row) in matrix.chunks_exact(inner).enumerate() {
        let part = &mut packed[column / width * width * inner..];
        for (i, value) in row.iter().enumerate() {
            part[i * width + column % width] = *value;
        }
    }
}

/// The way back from [`pack_columns`].
pub(crate) fn unpack_columns(packed: &[f32], columns: usize, width: usize, matrix: &mut [f32]) {
    let rows = matrix.len() / columns;
    for (block, part) in packed.chunks_exact(rows * width).enumerate() {
        let lanes = width.min(columns - block * width);
        for (row, from) in matrix.chunks_exact_mut(columns).zip(part.chunks_exact(width)) {
            row[block * width..][..lanes].copy_from_slice(&from[..lanes]);
        }
    }
}

/// `$body` for NR_REGS = `$nr_regs` vectors of one kind, with its instructions allowed.
macro_rules! compiled {
    ($name:ident, $features:literal, $simd:ty, $nr_regs:literal, $body:ident[$($form:expr),*]($($arg:ident : $ty:ty),*)) => {
        #[target_feature(enable = $features)]
        unsafe fn $name($($arg: $ty),*) {
            // SAFETY: the caller's promise is passed on.
            unsafe { $body::<$simd, $nr_regs $(, $form)*>($($arg),*) }
        }
    };
}

/// A function of a block and of `$body`'s arguments, which runs `$body` compiled for that block.
macro_rules! by_block {
    ($(#[$doc:meta])* $name:ident, $body:ident[$($form:expr),*]($($arg:ident : $ty:ty),*)) => {
        $(#[$doc])*
        pub(crate) unsafe fn $name(block: Block, $($arg: $ty),*) {
            use $crate::conv::block::compiled;
            use $crate::simd;
            #[cfg(target_arch = "x86_64")]
            compiled!(avx2x1, "avx2,fma", simd::Avx2, 1, $body[$($form),*]($($arg: $ty),*));
            #[cfg(target_arch = "x86_64")]
            compiled!(avx2x2, "avx2,fma", simd::Avx2, 2, $body[$($form),*]($($arg: $ty),*));
            #[cfg(target_arch = "x86_64")]
            compiled!(half, "avx512f,avx512vl,avx2,fma", simd::Avx512Half, 1, $body[$($form),*]($($arg: $ty),*));
            #[cfg(target_arch = "x86_64")]
            compiled!(avx512x1, "avx512f,avx512vl,avx2,fma", simd::Avx512, 1, $body[$($form),*]($($arg: $ty),*));
            #[cfg(target_arch = "x86_64")]
            compiled!(avx512x2, "avx512f,avx512vl,avx2,fma", simd::Avx512, 2, $body[$($form),*]($($arg: $ty),*));
            #[cfg(target_arch = "x86_64")]
            compiled!(avx512x4, "avx512f,avx512vl,avx2,fma", simd::Avx512, 4, $body[$($form),*]($($arg: $ty),*));
            #[cfg(target_arch = "aarch64")]
            compiled!(neonx2, "neon", simd::Neon, 2, $body[$($form),*]($($arg: $ty),*));
            #[cfg(target_arch = "aarch64")]
            compiled!(neonx4, "neon", simd::Neon, 4, $body[$($form),*]($($arg: $ty),*));
            // SAFETY: a block of a kind is only picked by an `Isa` that has its instructions; buffers are the caller's promise.
            unsafe {
                match block {
                    Block::Portable => $body::<simd::Portable, 1 $(, $form)*>($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Block::Avx2x1 => avx2x1($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Block::Avx2x2 => avx2x2($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Block::Avx512Half => half($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Block::Avx512x1 => avx512x1($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Block::Avx512x2 => avx512x2($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    Block::Avx512x4 => avx512x4($($arg),*),
                    #[cfg(target_arch = "aarch64")]
                    Block::Neonx2 => neonx2($($arg),*),
                    #[cfg(target_arch = "aarch64")]
                    Block::Neonx4 => neonx4($($arg),*),
                }
            }
        }
    };
}

pub(super) use {by_block, compiled};
