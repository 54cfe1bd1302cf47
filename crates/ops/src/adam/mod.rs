//! One step of Adam over flat slices, as PyTorch's `Adam` without weight decay and without AMSGrad (Kingma & Ba, *Adam: A Method for
//! Stochastic Optimization*, 2015). With gradient g and step number t from 1:
//!
//! `m = m + (1 − beta1) · (g − m)`, `v = beta2 · v + (1 − beta2) · g²`,
//! `p −= lr / (1 − beta1^t) · m / (sqrt(v) / sqrt(1 − beta2^t) + eps)`
//!
//! Results do not depend on the number of threads or the instruction set.

#[cfg(test)]
mod tests;

use crate::Isa;
use crate::simd::multiversion;
use rayon::prelude::*;

/// Parameters that one task takes: enough that a small network is one or a few tasks.
const TASK: usize = 1 << 14;

/// Adam's settings and the number of the step to take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the mean gradient, in [0, 1).
    pub beta1: f64,
    /// Decay of the mean squared gradient, in [0, 1).
    pub beta2: f64,
    /// Added to the root.
    pub eps: f64,
    /// Number of this step; the first is 1.
    pub step: u64,
}

impl AdamStep {
    /// PyTorch's defaults: lr 1e-3, betas 0.9 and 0.999, eps 1e-8.
    #[must_use]
    pub fn number(step: u64) -> Self {
        Self { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, step }
    }
}

/// [`AdamStep`] as the loop takes it: corrections computed in f64, then rounded once.
#[derive(Clone, Copy)]
struct AdamFactors {
    gain1: f32,
    beta2: f32,
    gain2: f32,
    step_size: f32,
    root: f32,
    eps: f32,
}

/// Takes one step of Adam. All slices have one length; `m` and `v` start as zeros.
pub fn adam_step(isa: Isa, by: &AdamStep, params: &mut [f32], grads: &[f32], m: &mut [f32], v: &mut [f32]) {
    assert!(by.step > 0, "Adam counts its steps from 1");
    assert_eq!([grads.len(), m.len(), v.len()], [params.len(); 3], "Adam's buffers");
    let corrected = |beta: f64| 1.0 - beta.powf(by.step as f64);
    let factors = AdamFactors {
        gain1: (1.0 - by.beta1) as f32,
        beta2: by.beta2 as f32,
        gain2: (1.0 - by.beta2) as f32,
        step_size: (by.lr / corrected(by.beta1)) as f32,
        root: corrected(by.beta2).sqrt() as f32,
        eps: by.eps as f32,
    };
    let moments = m.par_chunks_mut(TASK).zip(v.par_chunks_mut(TASK));
    let tasks = params.par_chunks_mut(TASK).zip(grads.par_chunks(TASK)).zip(moments);
    tasks.for_each(|((params, grads), (m, v))| adam_task(isa, factors, params, grads, m, v));
}

multiversion! {
    fn adam_task(isa, by: AdamFactors, params: &mut [f32], grads: &[f32], m: &mut [f32], v: &mut [f32]) {
        for (((p, g), m), v) in params.iter_mut().zip(grads).zip(m).zip(v) {
            *m += by.gain1 * (g - *m);
            *v = by.beta2 * *v + by.gain2 * (g * g);
            *p -= by.step_size * (*m / (v.sqrt() / by.root + by.eps));
        }
    }
}
