//! How fast the processor can multiply and add at best: independent chains of fused multiply-adds that stay in
//! registers. Kernels are measured against it, in the same run.

use crate::Isa;
#[cfg(target_arch = "aarch64")]
use crate::simd::Neon;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};
use crate::simd::{Level, Portable, Simd};
use std::hint::black_box;

/// Chains at once: more than latency times units (4 · 2) of today's processors, fewer than the 16 registers of AVX2.
const CHAINS: usize = 12;

/// Runs `rounds` of multiply-adds on one thread and returns how many floating-point operations these were, a multiply-add
/// counted as two. Whoever calls it holds the clock.
#[must_use]
pub fn multiply_add_at_peak(isa: Isa, rounds: usize) -> u64 {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
    fn avx512(rounds: usize) -> f32 {
        // SAFETY: this function is only called where the processor has its features.
        unsafe { chains::<Avx512>(rounds) }
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn avx2(rounds: usize) -> f32 {
        // SAFETY: as above.
        unsafe { chains::<Avx2>(rounds) }
    }
    let (sum, lanes) = match isa.level() {
        // SAFETY: an `Isa` of this level exists only where the processor has these features.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => (unsafe { avx512(rounds) }, Avx512::LANES),
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => (unsafe { avx2(rounds) }, Avx2::LANES),
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Level::Neon => (unsafe { chains::<Neon>(rounds) }, Neon::LANES),
        // SAFETY: the portable form needs nothing.
        Level::Portable => (unsafe { chains::<Portable>(rounds) }, Portable::LANES),
    };
    black_box(sum);
    (2 * CHAINS * lanes * rounds) as u64
}

/// # Safety
/// The processor has the instructions of `S`.
#[inline(always)]
unsafe fn chains<S: Simd>(rounds: usize) -> f32 {
    // SAFETY: the caller's promise; the array has room for a vector.
    unsafe {
        let (half, one) = (S::splat(black_box(0.5)), S::splat(black_box(1.0)));
        let mut chains = [S::zero(); CHAINS];
        for _ in 0..rounds {
            for x in &mut chains {
                *x = S::fma(*x, half, one);
            }
        }
        let mut sum = [0.0f32; 16];
        for x in chains {
            let total = S::add(S::load(sum.as_ptr()), x);
            S::store(sum.as_mut_ptr(), total);
        }
        sum[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_ends_at_its_fixed_point_and_is_counted() {
        // x = x / 2 + 1 tends to 2.
        // SAFETY: the portable form needs nothing.
        let sum = unsafe { chains::<Portable>(64) };
        assert!((sum - 2.0 * CHAINS as f32).abs() < 1e-4, "{sum}");
        for isa in Isa::available() {
            let one = multiply_add_at_peak(isa, 1);
            assert!(one >= 2 * CHAINS as u64 * 4, "{isa}");
            assert_eq!(multiply_add_at_peak(isa, 1000), 1000 * one);
        }
    }
}
