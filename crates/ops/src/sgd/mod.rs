//! One step of SGD with momentum over flat slices, as PyTorch's `SGD` without dampening and without Nesterov. With gradient g:
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

/// Takes one step of SGD. All slices have one length; `velocity` starts as zeros.
pub fn sgd_step(isa: Isa, by: &SgdStep, params: &mut [f32], grads: &[f32], velocity: &mut [f32]) {
    assert_eq!([grads.len(), velocity.len()], [params.len(); 2], "SGD's buffers");
    let [lr, momentum, weight_decay] = [by.lr, by.momentum, by.weight_decay].map(|factor| factor as f32);
    let tasks = params.par_chunks_mut(TASK).zip(grads.par_chunks(TASK)).zip(velocity.par_chunks_mut(TASK));
    tasks.for_each(|((params, grads), velocity)| sgd_task(isa, lr, momentum, weight_decay, params, grads, velocity));
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
