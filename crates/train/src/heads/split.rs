//! Flat numbers as the parts that lie in them one behind the other: a head's parameters by layer.

/// The first parts of `flat`, of these lengths.
///
/// # Panics
/// Where `flat` is shorter than all of them.
pub(crate) fn parts<const N: usize>(mut flat: &[f32], lengths: [usize; N]) -> [&[f32]; N] {
    lengths.map(|len| flat.split_off(..len).expect("a part within the numbers"))
}

/// [`parts`], to be written.
pub(crate) fn parts_mut<const N: usize>(mut flat: &mut [f32], lengths: [usize; N]) -> [&mut [f32]; N] {
    lengths.map(|len| flat.split_off_mut(..len).expect("a part within the numbers"))
}

#[cfg(test)]
mod tests {
    use super::{parts, parts_mut};

    #[test]
    fn parts_lie_one_behind_the_other_and_what_follows_is_left() {
        let mut flat = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let [first, none, last] = parts(&flat, [2, 0, 3]);
        assert_eq!((first, none, last), (&[0.0, 1.0][..], &[][..], &[2.0, 3.0, 4.0][..]));
        let [first, last] = parts_mut(&mut flat, [2, 3]);
        (first[1], last[0]) = (-1.0, -2.0);
        assert_eq!(flat, [0.0, -1.0, -2.0, 3.0, 4.0, 5.0]);
    }
}
