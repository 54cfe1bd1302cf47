use super::{symmetric_eigenvalues, symmetric_eigenvectors};
use crate::test_support::noise;
use std::f64::consts::PI;

fn sorted(mut matrix: Vec<f64>, n: usize) -> Vec<f64> {
    let mut values = symmetric_eigenvalues(&mut matrix, n);
    values.sort_by(f64::total_cmp);
    values
}

#[test]
fn a_tridiagonal_matrix_has_its_known_eigenvalues() {
    // 2 on the diagonal, −1 beside it: 2 − 2 cos(k π / (n + 1)).
    let n = 9;
    let entry = |i: usize| match (i / n).abs_diff(i % n) {
        0 => 2.0,
        1 => -1.0,
        _ => 0.0,
    };
    for (k, value) in (1..).zip(sorted((0..n * n).map(entry).collect(), n)) {
        assert!((value - (2.0 - 2.0 * (f64::from(k) * PI / 10.0).cos())).abs() < 1e-13, "{k}: {value}");
    }
}

#[test]
fn a_rotated_diagonal_keeps_its_eigenvalues() {
    // A = H D H with a Householder reflection H = 1 − 2 u uᵀ.
    for n in [1, 2, 3, 40] {
        let mut u = noise("u", n);
        let length = u.iter().map(|u| u * u).sum::<f64>().sqrt();
        u.iter_mut().for_each(|u| *u /= length);
        let h = |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * u[i] * u[j];
        // Of rank half: zeros among the eigenvalues.
        let d = |k: usize| if k.is_multiple_of(2) { (k + 1) as f64 } else { 0.0 };
        let entry = |at: usize| (0..n).map(|k| h(at / n, k) * d(k) * h(k, at % n)).sum();
        let mut expected: Vec<f64> = (0..n).map(d).collect();
        expected.sort_by(f64::total_cmp);
        for (value, expected) in sorted((0..n * n).map(entry).collect(), n).into_iter().zip(expected) {
            assert!((value - expected).abs() < 1e-12 * n as f64, "{n}: {value} {expected}");
        }
    }
}

#[test]
fn eigenvectors_are_orthonormal_and_scaled_by_their_eigenvalues() {
    for n in [1, 2, 3, 17, 64] {
        let entries = noise("entries", n * n);
        let half = |i: usize, j: usize| entries[i.max(j) * n + i.min(j)];
        // Of a full matrix, of one with a direction without width, of one that is diagonal already, with equal values.
        let zeroed = |i: usize, j: usize| if i == 1 || j == 1 { 0.0 } else { half(i, j) };
        let diagonal = |i: usize, j: usize| if i == j { (i / 2) as f64 } else { 0.0 };
        for (name, entry) in [("full", &half as &dyn Fn(usize, usize) -> f64), ("zeroed", &zeroed), ("diagonal", &diagonal)] {
            let mut matrix: Vec<f64> = (0..n * n).map(|at| entry(at / n, at % n)).collect();
            let values_alone = {
                let mut values = sorted(matrix.clone(), n);
                values.reverse();
                values
            };
            let (values, vectors) = symmetric_eigenvectors(&mut matrix, n);
            let near = |got: f64, expected: f64, what: &str| {
                assert!((got - expected).abs() < 1e-12 * n as f64, "{name} {n}, {what}: {got} {expected}");
            };
            assert!(values.is_sorted_by(|a, b| a >= b));
            for (k, vector) in vectors.chunks_exact(n).enumerate() {
                near(values[k], values_alone[k], "value");
                for (other, w) in vectors.chunks_exact(n).enumerate() {
                    let product: f64 = vector.iter().zip(w).map(|(v, w)| v * w).sum();
                    near(product, f64::from(u8::from(k == other)), "product");
                }
                for i in 0..n {
                    let product: f64 = (0..n).map(|j| entry(i, j) * vector[j]).sum();
                    near(product, values[k] * vector[i], "A v");
                }
            }
        }
    }
}
