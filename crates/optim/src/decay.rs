use std::ops::Range;

/// Decoupled weight decay, in front of an optimiser's step: `p = p · (1 − lr · weight_decay)` in each of `ranges`.
///
/// With Adam's step behind it, this is PyTorch's `AdamW` (Loshchilov & Hutter, *Decoupled Weight Decay Regularization*, 2019), there
/// on all parameters. The factor is worked out in f64 and rounded once.
///
/// # Panics
/// Where a range leaves the parameters.
pub fn decay(lr: f64, weight_decay: f64, parameters: &mut [f32], ranges: &[Range<usize>]) {
    let kept = (1.0 - lr * weight_decay) as f32;
    for range in ranges {
        parameters[range.clone()].iter_mut().for_each(|p| *p *= kept);
    }
}

#[cfg(test)]
mod tests {
    use super::decay;
    use crate::{Adam, AdamConfig};

    /// `torch.optim.AdamW([p], lr=0.1, weight_decay=0.5)` of PyTorch 2.9.1 in float64: p from [1, −2, 0.5], gradients
    /// g_t = [0.3, −0.1, 0.0] · t for t = 1, 2, 3.
    const ADAMW: [f64; 3] = [0.579632591556, -1.437007604394, 0.428687500000];
    /// A few f32 roundings a step.
    const TOLERANCE: f64 = 1e-6;

    #[test]
    fn decay_and_adam_are_pytorchs_adamw() {
        let mut values = [1.0, -2.0, 0.5];
        let config = AdamConfig { lr: 0.1, ..AdamConfig::default() };
        let mut adam = Adam::new(config, 3);
        for t in 1..=3 {
            decay(config.lr, 0.5, &mut values, std::slice::from_ref(&(0..3)));
            adam.step(&mut values, &[0.3, -0.1, 0.0].map(|g: f32| g * t as f32));
        }
        for (ours, theirs) in values.iter().zip(ADAMW) {
            assert!((f64::from(*ours) - theirs).abs() < TOLERANCE, "{values:?} {ADAMW:?}");
        }
    }

    #[test]
    fn only_the_ranges_named_decay() {
        let mut values = [1.0, 1.0, 1.0, 1.0];
        decay(0.5, 0.5, &mut values, &[0..1, 2..3]);
        assert_eq!(values, [0.75, 1.0, 0.75, 1.0]);
    }
}
