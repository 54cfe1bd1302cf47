//! Channels in groups whose length the compiler knows, so that each becomes a vector.

/// The channels of a row in fixed groups, so that the compiler knows the length of the inner loop.
macro_rules! by_channel_group {
    ($channels:expr, $group:ident, $from:ident, $body:block) => {{
        let channels = $channels;
        let mut $from = 0;
        while channels - $from >= 16 {
            const $group: usize = 16;
            $body
            $from += $group;
        }
        while channels - $from >= 8 {
            const $group: usize = 8;
            $body
            $from += $group;
        }
        while $from < channels {
            const $group: usize = 1;
            $body
            $from += $group;
        }
    }};
}
pub(crate) use by_channel_group;

/// `G` floats of a slice as an array.
#[inline(always)]
pub(crate) fn group<const G: usize>(from: &[f32]) -> &[f32; G] {
    from[..G].try_into().expect("a slice of G floats")
}

/// `G` floats of a slice as a mutable array.
#[inline(always)]
pub(crate) fn group_mut<const G: usize>(from: &mut [f32]) -> &mut [f32; G] {
    (&mut from[..G]).try_into().expect("a slice of G floats")
}
