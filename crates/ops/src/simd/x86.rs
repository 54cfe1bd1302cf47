use super::vector::Simd;
use std::arch::x86_64::{
    __m256, __m512, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_mul_ps,
    _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps, _mm256_stream_ps, _mm256_sub_ps, _mm512_add_ps, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps, _mm512_stream_ps, _mm512_sub_ps,
};

macro_rules! simd {
    ($(#[$doc:meta])* $name:ident, $v:ty, $lanes:literal, $zero:ident, $splat:ident, $load:ident, $store:ident, $stream:ident, $fma:ident, $add:ident, $sub:ident, $mul:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        // SAFETY (all blocks): the caller of a `Simd` method promises the instruction set and valid pointers.
        #[allow(clippy::undocumented_unsafe_blocks)]
        impl Simd for $name {
            type V = $v;
            const LANES: usize = $lanes;
            #[inline(always)]
            unsafe fn zero() -> $v { unsafe { $zero() } }
            #[inline(always)]
            unsafe fn splat(x: f32) -> $v { unsafe { $splat(x) } }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> $v { unsafe { $load(from) } }
            #[inline(always)]
            unsafe fn store(to: *mut f32, v: $v) { unsafe { $store(to, v) } }
            #[inline(always)]
            unsafe fn stream(to: *mut f32, v: $v) { unsafe { $stream(to, v) } }
            #[inline(always)]
            unsafe fn fma(a: $v, b: $v, c: $v) -> $v { unsafe { $fma(a, b, c) } }
            #[inline(always)]
            unsafe fn add(a: $v, b: $v) -> $v { unsafe { $add(a, b) } }
            #[inline(always)]
            unsafe fn sub(a: $v, b: $v) -> $v { unsafe { $sub(a, b) } }
            #[inline(always)]
            unsafe fn mul(a: $v, b: $v) -> $v { unsafe { $mul(a, b) } }
            #[inline(always)]
            unsafe fn prefetch(line: *const f32) { unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) } }
            #[inline(always)]
            unsafe fn prefetch_l2(line: *const f32) { unsafe { _mm_prefetch::<_MM_HINT_T1>(line.cast()) } }
        }
    };
}

simd!(
    /// 16 lanes, 32 registers.
    Avx512, __m512, 16, _mm512_setzero_ps, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_stream_ps,
    _mm512_fmadd_ps, _mm512_add_ps, _mm512_sub_ps, _mm512_mul_ps
);
simd!(
    /// 8 lanes in a processor with AVX-512: for layers of few channels.
    Avx512Half, __m256, 8, _mm256_setzero_ps, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_stream_ps,
    _mm256_fmadd_ps, _mm256_add_ps, _mm256_sub_ps, _mm256_mul_ps
);
simd!(
    /// 8 lanes, 16 registers.
    Avx2, __m256, 8, _mm256_setzero_ps, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_stream_ps,
    _mm256_fmadd_ps, _mm256_add_ps, _mm256_sub_ps, _mm256_mul_ps
);
