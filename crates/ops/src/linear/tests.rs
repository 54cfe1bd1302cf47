use super::{MatRef, matmul, matmul_of_transposed, matmul_transposed};
use crate::Isa;
use crate::test_support::{assert_close, noise};

/// Relative to the largest entry, for sums of up to some thousand products in f32.
const TOLERANCE: f64 = 3e-6;

#[test]
fn all_three_products_match_their_definitions() {
    for isa in Isa::available() {
        for (rows, inner, columns) in [(1, 1, 1), (3, 64, 256), (130, 20, 10), (65, 7, 70), (2, 512, 3), (1500, 5, 17)] {
            let a = noise("a", rows * inner);
            let b = noise("b", inner * columns);
            let mut expected = vec![0.0; rows * columns];
            for r in 0..rows {
                for i in 0..inner {
                    for o in 0..columns {
                        expected[r * columns + o] += a[r * inner + i] * b[i * columns + o];
                    }
                }
            }
            let f32s = |x: &[f64]| x.iter().map(|&x| x as f32).collect::<Vec<_>>();
            let transposed: Vec<f32> = (0..inner * columns).map(|at| b[at % inner * columns + at / inner] as f32).collect();
            let what = format!("{isa} {rows} x {inner} x {columns}");
            let mut out = vec![f32::NAN; rows * columns];
            matmul(isa, MatRef::new(&f32s(&a), rows, inner), MatRef::new(&f32s(&b), inner, columns), &mut out, false);
            assert_close(&out, &expected, TOLERANCE, &what);
            matmul_transposed(isa, MatRef::new(&f32s(&a), rows, inner), MatRef::new(&transposed, columns, inner), &mut out, true);
            let twice: Vec<f64> = expected.iter().map(|x| 2.0 * x).collect();
            assert_close(&out, &twice, TOLERANCE, &what);

            let c = noise("c", rows * columns);
            let mut expected = vec![0.0; inner * columns];
            for r in 0..rows {
                for i in 0..inner {
                    for o in 0..columns {
                        expected[i * columns + o] += a[r * inner + i] * c[r * columns + o];
                    }
                }
            }
            let mut out = vec![f32::NAN; inner * columns];
            matmul_of_transposed(isa, MatRef::new(&f32s(&a), rows, inner), MatRef::new(&f32s(&c), rows, columns), &mut out);
            assert_close(&out, &expected, TOLERANCE, &what);
        }
    }
}

#[test]
fn empty_matrices_give_zeros_or_nothing() {
    for isa in Isa::available() {
        let mut out = [f32::NAN; 6];
        matmul(isa, MatRef::new(&[], 2, 0), MatRef::new(&[], 0, 3), &mut out, false);
        assert_eq!(out, [0.0; 6]);
        out.fill(f32::NAN);
        matmul_transposed(isa, MatRef::new(&[], 2, 0), MatRef::new(&[], 3, 0), &mut out, false);
        assert_eq!(out, [0.0; 6]);
        matmul(isa, MatRef::new(&[], 0, 4), MatRef::new(&[1.0; 12], 4, 3), &mut [], false);
        matmul_transposed(isa, MatRef::new(&[1.0; 8], 2, 4), MatRef::new(&[], 0, 4), &mut [], true);
        matmul_of_transposed(isa, MatRef::new(&[], 5, 0), MatRef::new(&[1.0; 15], 5, 3), &mut []);
        out.fill(f32::NAN);
        matmul_of_transposed(isa, MatRef::new(&[], 0, 2), MatRef::new(&[], 0, 3), &mut out);
        assert_eq!(out, [0.0; 6]);
    }
}

#[test]
#[should_panic(expected = "needs more than 0 numbers")]
fn sizes_that_no_machine_can_count_are_refused() {
    let _ = MatRef::new(&[], 2, 1 << 63);
}

#[test]
#[should_panic(expected = "do not fit together")]
fn matrices_of_other_sizes_are_refused() {
    matmul(Isa::best(), MatRef::new(&[0.0; 6], 2, 3), MatRef::new(&[0.0; 8], 2, 4), &mut [0.0; 16], false);
}
