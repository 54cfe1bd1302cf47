use rayon::prelude::*;

/// PyTorch's bound for `normalize`: shorter rows count as zero rows.
const SHORTEST: f64 = 1e-12;

/// The rows, `[n, width]`, scaled to length 1: `x / max(‖x‖, 1e-12)`, the length in f64. Without a width there are no rows: the
/// values come back as they are.
#[must_use]
pub fn unit_rows(values: &[f32], width: usize) -> Vec<f32> {
    let mut unit = values.to_vec();
    if width == 0 {
        return unit;
    }
    unit.par_chunks_exact_mut(width).for_each(|row| {
        let length = row.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt();
        let scale = 1.0 / length.max(SHORTEST);
        row.iter_mut().for_each(|value| *value = (f64::from(*value) * scale) as f32);
    });
    unit
}

#[cfg(test)]
mod tests {
    use super::unit_rows;

    #[test]
    fn rows_get_length_one_zero_rows_stay_and_without_a_width_nothing_is_scaled() {
        assert_eq!(unit_rows(&[3.0, -4.0, 0.0, 0.0], 2), [0.6, -0.8, 0.0, 0.0]);
        assert_eq!(unit_rows(&[3.0, 4.0], 0), [3.0, 4.0]);
    }
}
