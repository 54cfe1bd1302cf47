//! The definitions, in f64.

use super::PairLoss;

/// The definition, with the logarithms of probabilities taken through `ln_1p`.
pub(crate) fn value(loss: PairLoss, z: f64, positive: bool) -> f64 {
    let t = if positive { 1.0 } else { 0.0 };
    let bce = z.max(0.0) - z * t + (-z.abs()).exp().ln_1p();
    match loss {
        PairLoss::Bce => bce,
        PairLoss::Focal { gamma, alpha } => {
            // 1 − p_t, without cancellation.
            let missing = if positive { 1.0 / (1.0 + z.exp()) } else { 1.0 / (1.0 + (-z).exp()) };
            let alpha = f64::from(alpha);
            missing.powf(f64::from(gamma)) * (alpha * t + (1.0 - alpha) * (1.0 - t)) * bce
        }
    }
}

pub(crate) fn gradient(loss: PairLoss, z: f64, positive: bool) -> f64 {
    let p = 1.0 / (1.0 + (-z).exp());
    let t = if positive { 1.0 } else { 0.0 };
    match loss {
        PairLoss::Bce if positive => -1.0 / (1.0 + z.exp()),
        PairLoss::Bce => p,
        PairLoss::Focal { gamma, alpha } => {
            let (gamma, alpha) = (f64::from(gamma), f64::from(alpha));
            let bce = value(PairLoss::Bce, z, positive);
            let missing = if positive { 1.0 / (1.0 + z.exp()) } else { p };
            let d_missing = p / (1.0 + z.exp()) * if positive { -1.0 } else { 1.0 };
            let weight = alpha * t + (1.0 - alpha) * (1.0 - t);
            let d_bce = gradient(PairLoss::Bce, z, positive);
            let d_power = if gamma == 0.0 { 0.0 } else { gamma * missing.powf(gamma - 1.0) * d_missing };
            weight * (d_power * bce + missing.powf(gamma) * d_bce)
        }
    }
}
