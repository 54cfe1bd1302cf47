use std::ops::Range;

/// Decoupled weight decay, in front of any optimiser's step: `p = p · (1 − lr · weight_decay)` in each of `ranges`.
///
/// With Adam's step behind it, this is PyTorch's `AdamW` (Loshchilov & Hutter, *Decoupled Weight Decay Regularization*, 2019), which
/// decays all parameters where the ranges are all of them. The factor is computed in f64 and rounded once.
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

    #[test]
    fn only_the_ranges_named_decay() {
        let mut values = [1.0, 1.0, 1.0, 1.0];
        decay(0.5, 0.5, &mut values, &[0..1, 2..3]);
        assert_eq!(values, [0.75, 1.0, 0.75, 1.0]);
    }
}
