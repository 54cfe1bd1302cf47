//! The definition, in f64.

/// Loss of `logits [N, C]` and its gradient, divided by `total`.
pub(super) fn loss_and_gradients(logits: &[f64], targets: &[usize], weights: &[f64], total: f64) -> (f64, Vec<f64>) {
    let classes = weights.len();
    let (mut loss, mut gradients) = (0.0, Vec::new());
    for (z, &target) in logits.chunks(classes).zip(targets) {
        // Without the largest taken away: test logits are small.
        let sum: f64 = z.iter().map(|z| z.exp()).sum();
        loss -= weights[target] * (z[target].exp() / sum).ln() / total;
        gradients.extend(z.iter().enumerate().map(|(class, z)| {
            let hit = if class == target { 1.0 } else { 0.0 };
            weights[target] * (z.exp() / sum - hit) / total
        }));
    }
    (loss, gradients)
}
