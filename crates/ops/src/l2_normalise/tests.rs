use super::L2Normalise;
use crate::test_support::{assert_close, f32s, noise, rounded};

/// Of values that are rounded once or twice, against f64, relative to the largest entry.
const TOLERANCE: f64 = 3e-7;

fn reference(x: &[f64], by: L2Normalise) -> Vec<f64> {
    let length = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt().max(by.shortest);
    x.chunks(by.width).flat_map(|row| row.iter().map(move |x| x / length(row))).collect()
}

#[test]
fn rows_are_divided_by_their_length_in_place_or_not() {
    for (rows, width) in [(1, 1), (3, 7), (70, 33), (2, 64)] {
        let by = L2Normalise { width, shortest: 1e-12 };
        let x = rounded(noise(&format!("x {rows} {width}"), rows * width));
        let (mut u, mut lengths) = (vec![f32::NAN; x.len()], vec![f64::NAN; rows]);
        by.forward(&f32s(&x), &mut u, &mut lengths);
        assert_close(&u, &reference(&x, by), TOLERANCE, &format!("{rows} x {width}"));
        let mut in_place = f32s(&x);
        by.in_place(&mut in_place);
        assert_eq!(u, in_place);
    }
}

#[test]
fn gradients_are_the_slopes_of_the_definition_for_short_rows_too() {
    for (rows, width, scale) in [(1, 2, 1.0), (3, 7, 1.0), (5, 33, 1.0), (2, 5, 1e-3)] {
        let by = L2Normalise { width, shortest: 0.1 };
        let x: Vec<f64> = rounded(noise(&format!("x {rows} {width}"), rows * width).iter().map(|x| scale * x).collect());
        let slopes = rounded(noise("slopes", x.len()));
        let (mut u, mut lengths, mut d) = (vec![0.0; x.len()], vec![0.0; rows], f32s(&slopes));
        by.forward(&f32s(&x), &mut u, &mut lengths);
        by.backward(&u, &lengths, 2.0, &mut d);
        let loss = |x: &[f64]| 2.0 * reference(x, by).iter().zip(&slopes).map(|(u, slope)| u * slope).sum::<f64>();
        let expected: Vec<f64> = (0..x.len())
            .map(|at| {
                let moved = |step: f64| {
                    let mut x = x.clone();
                    x[at] += step;
                    loss(&x)
                };
                (moved(1e-6) - moved(-1e-6)) / 2e-6
            })
            .collect();
        assert_close(&d, &expected, 1e-6, &format!("{rows} x {width}, {scale}"));
    }
}

#[test]
fn a_row_of_zeros_stays() {
    let mut x = [3.0, -4.0, 0.0, 0.0];
    L2Normalise { width: 2, shortest: 1e-12 }.in_place(&mut x);
    assert_eq!(x, [0.6, -0.8, 0.0, 0.0]);
}
