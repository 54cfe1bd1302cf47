//! One step of Adam, and one of SGD with momentum, over flat slices.
//!
//! Adam with gradient g, step number t from 1, without weight decay and without AMSGrad, as PyTorch's `Adam`
//! (Kingma & Ba, *Adam: A Method for Stochastic Optimization*, 2015):
//!
//! `m = m + (1 − beta1) · (g − m)`, `v = beta2 · v + (1 − beta2) · g²`,
//! `p −= lr / (1 − beta1^t) · m / (sqrt(v) / sqrt(1 − beta2^t) + eps)`
//!
//! SGD as PyTorch's, without dampening and without Nesterov:
//!
//! `velocity = momentum · velocity + g + weight_decay · p`, `p −= lr · velocity`
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

/// SGD's settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdStep {
    /// Learning rate.
    pub lr: f64,
    /// Share of the last velocity that is kept, in [0, 1).
    pub momentum: f64,
    /// L2 penalty.
    pub weight_decay: f64,
}

/// [`AdamStep`] as the loop takes it: corrections worked out in f64, then rounded once.
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

/// Takes one step of SGD. All slices have one length; `velocity` starts as zeros.
pub fn sgd_step(isa: Isa, by: &SgdStep, params: &mut [f32], grads: &[f32], velocity: &mut [f32]) {
    assert_eq!([grads.len(), velocity.len()], [params.len(); 2], "SGD's buffers");
    let [lr, momentum, weight_decay] = [by.lr, by.momentum, by.weight_decay].map(|factor| factor as f32);
    let tasks = params.par_chunks_mut(TASK).zip(grads.par_chunks(TASK)).zip(velocity.par_chunks_mut(TASK));
    tasks.for_each(|((params, grads), velocity)| sgd_task(isa, lr, momentum, weight_decay, params, grads, velocity));
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

multiversion! {
    fn sgd_task(
        isa, lr: f32, momentum: f32, weight_decay: f32, params: &mut [f32], grads: &[f32], velocity: &mut [f32],
    ) {
        for ((p, g), velocity) in params.iter_mut().zip(grads).zip(velocity) {
            *velocity = momentum * *velocity + (g + weight_decay * *p);
            *p -= lr * *velocity;
        }
    }
}
