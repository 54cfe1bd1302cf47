use super::{AdamStep, TASK, adam_step};
use crate::Isa;
use crate::test_support::{assert_close, f32s, noise};

/// A few f32 roundings a step.
const TOLERANCE: f64 = 1e-6;

/// The papers' forms, with the corrections written out on both means.
fn adam_reference(by: &AdamStep, p: &mut f64, g: f64, m: &mut f64, v: &mut f64) {
    *m = by.beta1 * *m + (1.0 - by.beta1) * g;
    *v = by.beta2 * *v + (1.0 - by.beta2) * g * g;
    let mean = *m / (1.0 - by.beta1.powi(by.step as i32));
    let square = *v / (1.0 - by.beta2.powi(by.step as i32));
    *p -= by.lr * mean / (square.sqrt() + by.eps);
}

#[test]
fn three_steps_checked_by_hand() {
    // beta1 = beta2 = 0.5, lr = 0.1, eps = 0, gradients 2, −2, 4:
    // m = 1, −0.5, 1.75 and v = 2, 3, 9.5; corrected by 1/2, 3/4, 7/8: m̂ = 2, −2/3, 2 and v̂ = 4, 4, 76/7.
    let (mut p, mut m, mut v) = ([1.0f32], [0.0], [0.0]);
    let expected = [1.0 - 0.1, 0.9 + 0.1 / 3.0, 0.9 + 0.1 / 3.0 - 0.2 / (76.0f64 / 7.0).sqrt()];
    for (step, (g, expected)) in [2.0, -2.0, 4.0].into_iter().zip(expected).enumerate() {
        let by = AdamStep { lr: 0.1, beta1: 0.5, beta2: 0.5, eps: 0.0, step: step as u64 + 1 };
        adam_step(Isa::best(), &by, &mut p, &[g], &mut m, &mut v);
        assert_close(&p, &[expected], TOLERANCE, &format!("step {}", by.step));
    }
    assert_eq!((m, v), ([1.75], [9.5]));
}

#[test]
fn adam_matches_the_reference_on_every_instruction_set() {
    let n = TASK + 37;
    for isa in Isa::available() {
        let (mut p64, mut m64, mut v64) = (noise("p", n), vec![0.0; n], vec![0.0; n]);
        let (mut p, mut m, mut v) = (f32s(&p64), vec![0.0; n], vec![0.0; n]);
        for step in 1..=5 {
            let by = AdamStep::number(step);
            let g = noise(&format!("gradient {step}"), n);
            adam_step(isa, &by, &mut p, &f32s(&g), &mut m, &mut v);
            for i in 0..n {
                adam_reference(&by, &mut p64[i], g[i], &mut m64[i], &mut v64[i]);
            }
        }
        assert_close(&p, &p64, TOLERANCE, &format!("parameters, {isa}"));
        assert_close(&m, &m64, TOLERANCE, &format!("m, {isa}"));
        assert_close(&v, &v64, TOLERANCE, &format!("v, {isa}"));
    }
}

#[test]
fn a_parameter_without_gradient_stays_where_it_is() {
    let (mut p, mut m, mut v) = ([0.75f32], [0.0], [0.0]);
    adam_step(Isa::best(), &AdamStep::number(1), &mut p, &[0.0], &mut m, &mut v);
    assert_eq!((p, m, v), ([0.75], [0.0], [0.0]));
}

#[test]
fn bits_depend_neither_on_threads_nor_on_the_instruction_set() {
    let n = 3 * TASK + 11;
    let run = |isa: Isa, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (mut p, mut m, mut v) = (f32s(&noise("p", n)), vec![0.0; n], vec![0.0; n]);
            for step in 1..=2 {
                adam_step(isa, &AdamStep::number(step), &mut p, &f32s(&noise("g", n)), &mut m, &mut v);
            }
            p.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        })
    };
    let expected = run(Isa::best(), 1);
    for isa in Isa::available() {
        assert!(run(isa, 4) == expected, "{isa}");
    }
}
