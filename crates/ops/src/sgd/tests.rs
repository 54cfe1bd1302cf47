use super::{SgdStep, TASK, sgd_step};
use crate::Isa;
use crate::test_support::{assert_close, f32s, noise};

/// A few f32 roundings a step.
const TOLERANCE: f64 = 1e-6;

#[test]
fn sgd_matches_the_reference_on_every_instruction_set() {
    let n = TASK + 5;
    let by = SgdStep { lr: 0.1, momentum: 0.9, weight_decay: 5e-4 };
    for isa in Isa::available() {
        let (mut p64, mut velocity64) = (noise("p", n), vec![0.0; n]);
        let (mut p, mut velocity) = (f32s(&p64), vec![0.0; n]);
        for step in 0..4 {
            let g = noise(&format!("gradient {step}"), n);
            sgd_step(isa, &by, &mut p, &f32s(&g), &mut velocity);
            for i in 0..n {
                velocity64[i] = by.momentum * velocity64[i] + g[i] + by.weight_decay * p64[i];
                p64[i] -= by.lr * velocity64[i];
            }
        }
        assert_close(&p, &p64, TOLERANCE, &format!("parameters, {isa}"));
        assert_close(&velocity, &velocity64, TOLERANCE, &format!("velocity, {isa}"));
    }
}

#[test]
fn bits_depend_neither_on_threads_nor_on_the_instruction_set() {
    let n = 3 * TASK + 11;
    let by = SgdStep { lr: 0.1, momentum: 0.9, weight_decay: 0.0 };
    let run = |isa: Isa, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (mut p, mut velocity) = (f32s(&noise("p", n)), vec![0.0; n]);
            (0..2).for_each(|_| sgd_step(isa, &by, &mut p, &f32s(&noise("g", n)), &mut velocity));
            p.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        })
    };
    let expected = run(Isa::best(), 1);
    for isa in Isa::available() {
        assert!(run(isa, 4) == expected, "{isa}");
    }
}
