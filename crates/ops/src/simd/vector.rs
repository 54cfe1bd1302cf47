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
