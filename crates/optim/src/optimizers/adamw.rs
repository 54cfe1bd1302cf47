use super::adam::Adam;
use crate::optimizer::OptimizerEntry;

/// AdamW in the table.
///
/// Its step is Adam's. What makes it AdamW is that weight decay shrinks the parameters beside the step instead of joining the gradient,
/// and that is how [`crate::decay`] works with every optimiser. So it needs a weight decay: with none it is Adam, and Adam with one is it.
pub const ADAMW: OptimizerEntry = OptimizerEntry {
    name: "adamw",
    title: "AdamW",
    about: "Adam with weight decay decoupled from the gradient (Loshchilov & Hutter 2019); the decay is a setting of its own",
    state: &["mean", "square"],
    needs_weight_decay: true,
    build: |settings, len| Box::new(Adam::new(settings, len)),
};

#[cfg(test)]
mod tests {
    use super::ADAMW;
    use crate::{OptimizerConfig, decay};

    /// `torch.optim.AdamW([p], lr=0.1, weight_decay=0.5)` of PyTorch 2.9.1 in float64: p from [1, −2, 0.5], gradients
    /// g_t = [0.3, −0.1, 0.0] · t for t = 1, 2, 3.
    const TORCH: [f64; 3] = [0.579632591556, -1.437007604394, 0.428687500000];
    /// A few f32 roundings a step.
    const TOLERANCE: f64 = 1e-6;

    #[test]
    fn decay_and_step_are_pytorchs_adamw() {
        let mut values = [1.0, -2.0, 0.5];
        let config = OptimizerConfig::new(&ADAMW, 0.1);
        let mut adamw = config.build(3);
        for t in 1..=3 {
            decay(config.lr, 0.5, &mut values, std::slice::from_ref(&(0..3)));
            adamw.step(config.lr, &mut values, &[0.3, -0.1, 0.0].map(|g: f32| g * t as f32));
        }
        for (ours, theirs) in values.iter().zip(TORCH) {
            assert!((f64::from(*ours) - theirs).abs() < TOLERANCE, "{values:?} {TORCH:?}");
        }
    }
}
