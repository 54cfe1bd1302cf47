//! Vectors of f32 in three widths, and the choice among them at run time.
//!
//! An [`Isa`] can only be had by asking the processor, so holding one is the proof that its instructions exist here;
//! that is what makes the kernels' safe fronts sound.

mod groups;
mod isa;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod stream;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use groups::{by_channel_group, group, group_mut};
pub use isa::Isa;
pub(crate) use isa::Level;
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
pub(crate) use portable::Portable;
pub(crate) use stream::{LINE, end_streaming, stream_group, worth_streaming};
pub(crate) use vector::Simd;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512, Avx512Half};

/// Makes one function out of a plain body: compiled once for each instruction set, and chosen by the `Isa` given first.
///
/// The body is ordinary safe Rust; the compiler vectorises it again for each set of features. It contracts no products
/// and sums, so all forms of such a body give the same bits.
macro_rules! multiversion {
    ($(#[$doc:meta])* $vis:vis fn $name:ident $(<$(const $g:ident : $gt:ty),+>)? (isa, $($arg:ident : $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$doc])*
        $vis fn $name $(<$(const $g: $gt),+>)? (isa: $crate::Isa, $($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body $(<$(const $g: $gt),+>)? ($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512 $(<$(const $g: $gt),+>)? ($($arg: $ty),*) $(-> $ret)? { body $(::<$($g),+>)? ($($arg),*) }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2 $(<$(const $g: $gt),+>)? ($($arg: $ty),*) $(-> $ret)? { body $(::<$($g),+>)? ($($arg),*) }

            match isa.level() {
                // SAFETY: an `Isa` of this level exists only where the processor has these features.
                #[cfg(target_arch = "x86_64")]
                $crate::simd::Level::Avx512 => unsafe { avx512 $(::<$($g),+>)? ($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::simd::Level::Avx2 => unsafe { avx2 $(::<$($g),+>)? ($($arg),*) },
                // Vectors of NEON are in every build for these processors.
                #[cfg(target_arch = "aarch64")]
                $crate::simd::Level::Neon => body $(::<$($g),+>)? ($($arg),*),
                $crate::simd::Level::Portable => body $(::<$($g),+>)? ($($arg),*),
            }
        }
    };
}
pub(crate) use multiversion;
