//! Vectors of f32 in three widths, and the choice among them at run time.
//!
//! An [`Isa`] can only be had by asking the processor, so holding one is the proof that its instructions exist here;
//! that is what makes the kernels' safe fronts sound.

mod groups;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod stream;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use groups::{by_channel_group, group, group_mut};
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
pub(crate) use portable::Portable;
pub(crate) use stream::{LINE, end_streaming, stream_group, worth_streaming};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512, Avx512Half};

use std::fmt;

/// An instruction set that this processor has.
///
/// [`Isa::best`] is what to use; [`Isa::available`] lists the slower ones too, for tests and benchmarks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Portable,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// The widest one that this processor has.
    #[must_use]
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// All that this processor has, widest first; the portable form is always among them.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
            {
                all.push(Self(Level::Avx512));
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.push(Self(Level::Avx2));
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            all.push(Self(Level::Neon));
        }
        all.push(Self(Level::Portable));
        all
    }

    /// `avx512`, `avx2`, `neon` or `portable`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            #[cfg(target_arch = "aarch64")]
            Level::Neon => "neon",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
        }
    }

    pub(crate) fn level(self) -> Level {
        self.0
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A vector of `LANES` f32 and the few things that the convolution tiles do with it.
///
/// # Safety
/// Every method may only be called where the implementor's instruction set exists; pointers must be valid for
/// `LANES` floats, and need no alignment.
pub(crate) trait Simd: Copy {
    type V: Copy;
    const LANES: usize;
    unsafe fn zero() -> Self::V;
    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, v: Self::V);
    /// A non-temporal [`Simd::store`], where there is one; `to` is on a vector's border.
    unsafe fn stream(to: *mut f32, v: Self::V);
    /// `a · b + c`
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// Prefetches a cache line; any address will do.
    unsafe fn prefetch(line: *const f32);
    /// The same into L2 alone, for a line that is read only after L1 has held much else.
    unsafe fn prefetch_l2(line: *const f32);
}

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
