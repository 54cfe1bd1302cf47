use serde::{Deserialize, Serialize};

/// How the learning rate goes from the first step to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// The same throughout: the paper's.
    #[default]
    Constant,
    /// Half a cosine from the whole rate down to zero (Loshchilov & Hutter, *SGDR*, 2017, without restarts).
    Cosine,
}

impl Schedule {
    /// What the learning rate is multiplied by in step `step`, the first being 0, of `steps`, of which the first `warmup` rise.
    ///
    /// `(step + 1) / warmup` while `step < warmup`; from there on 1, or with t = (step − warmup) / (steps − warmup) for
    /// `Cosine` `(1 + cos(π t)) / 2`. A function of its arguments alone, so that a resumed run goes on with the same bits.
    #[must_use]
    pub fn factor(self, step: u64, steps: u64, warmup: u64) -> f64 {
        if step < warmup {
            return (step + 1) as f64 / warmup as f64;
        }
        match self {
            Self::Constant => 1.0,
            Self::Cosine => {
                let done = (step - warmup) as f64 / steps.saturating_sub(warmup).max(1) as f64;
                (1.0 + (std::f64::consts::PI * done.min(1.0)).cos()) / 2.0
            }
        }
    }
}

/// Step decay: `lr` divided by 10 from epoch `⌊epochs / 2⌋` on, and by 10 again from `⌊3 · epochs / 4⌋` on; epochs count from 0. A run too
/// short for a drop has none.
#[must_use]
pub fn step_decay(lr: f64, epoch: u64, epochs: u64) -> f64 {
    let drops = [epochs / 2, (u128::from(epochs) * 3 / 4) as u64];
    drops.into_iter().filter(|&drop| drop > 0 && epoch >= drop).fold(lr, |lr, _| lr / 10.0)
}

#[cfg(test)]
mod tests {
    use super::Schedule::{Constant, Cosine};
    use super::step_decay;

    /// The epochs in which the learning rate drops.
    fn drops(epochs: u64) -> Vec<u64> {
        (1..epochs).filter(|&epoch| step_decay(1.0, epoch, epochs) < step_decay(1.0, epoch - 1, epochs)).collect()
    }

    #[test]
    fn drops_come_at_half_and_three_quarters_of_any_run() {
        assert_eq!([100, 200, 10, 4].map(drops), [[50, 75], [100, 150], [5, 7], [2, 3]]);
        assert_eq!([0, 49, 50, 74, 75, 99].map(|epoch| step_decay(1.0, epoch, 100)), [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]);
    }

    #[test]
    fn a_run_of_one_epoch_has_its_whole_rate() {
        assert_eq!([step_decay(0.1, 0, 1), step_decay(0.1, 0, 0)], [0.1, 0.1]);
    }

    #[test]
    fn a_constant_rate_without_warm_up_is_exactly_one() {
        assert!((0..100).all(|step| Constant.factor(step, 100, 0) == 1.0));
    }

    #[test]
    fn warm_up_rises_in_a_line_and_reaches_the_whole_rate() {
        for schedule in [Constant, Cosine] {
            assert_eq!([0, 1, 2, 3, 4].map(|step| schedule.factor(step, 20, 4)), [0.25, 0.5, 0.75, 1.0, 1.0]);
        }
    }

    #[test]
    fn a_cosine_falls_from_one_through_a_half_to_nothing() {
        assert_eq!(Cosine.factor(0, 10, 0), 1.0);
        assert!((Cosine.factor(5, 10, 0) - 0.5).abs() < 1e-15);
        assert!((Cosine.factor(12, 20, 4) - 0.5).abs() < 1e-15, "after its warm-up");
        // PyTorch's CosineAnnealingLR, T_max = 10, after 9 steps: 0.02447174185242318.
        assert!((Cosine.factor(9, 10, 0) - 0.024_471_741_852_423_18).abs() < 1e-15);
        assert!(Cosine.factor(10, 10, 0).abs() < 1e-15);
        assert!((1..20).all(|step| Cosine.factor(step, 20, 0) < Cosine.factor(step - 1, 20, 0)));
    }

    #[test]
    fn a_run_of_nothing_but_warm_up_stays_finite() {
        assert!((0..6).all(|step| Cosine.factor(step, 4, 9).is_finite() && Cosine.factor(step, 0, 0).is_finite()));
    }
}
