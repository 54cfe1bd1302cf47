use rayon::prelude::*;
use relata_ops::L2Normalise;

/// PyTorch's bound for `normalize`: shorter rows count as zero rows.
const SHORTEST: f64 = 1e-12;

/// The rows, `[n, width]`, scaled to length 1: `x / max(‖x‖, 1e-12)`, the length in f64. Without a width there are no rows: the
/// values come back as they are.
#[must_use]
pub fn l2_normalised(values: &[f32], width: usize) -> Vec<f32> {
    let mut rows = values.to_vec();
    if width > 0 {
        let by = L2Normalise { width, shortest: SHORTEST };
        rows.par_chunks_exact_mut(width).for_each(|row| by.in_place(row));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::l2_normalised;

    #[test]
    fn rows_get_length_one_zero_rows_stay_and_without_a_width_nothing_is_scaled() {
        assert_eq!(l2_normalised(&[3.0, -4.0, 0.0, 0.0], 2), [0.6, -0.8, 0.0, 0.0]);
        assert_eq!(l2_normalised(&[3.0, 4.0], 0), [3.0, 4.0]);
    }
}
