/// What the learning rate is multiplied with in `epoch`, from 0, of `epochs`: 1, from the epoch `⌊epochs / 2⌋` on 1/10, from
/// `⌊3 · epochs / 4⌋` on 1/100. They are shares of the epochs asked for, whatever their number.
pub(super) fn lr_factor(epoch: usize, epochs: usize) -> f64 {
    let drops = [epochs / 2, 3 * epochs / 4];
    drops.into_iter().filter(|&drop| drop > 0 && epoch >= drop).fold(1.0, |factor, _| factor / 10.0)
}

#[cfg(test)]
mod tests {
    use super::lr_factor;

    /// The epochs, from 0, in which the learning rate falls.
    fn drops(epochs: usize) -> Vec<usize> {
        (1..epochs).filter(|&epoch| lr_factor(epoch, epochs) < lr_factor(epoch - 1, epochs)).collect()
    }

    #[test]
    fn drops_come_at_half_and_three_quarters_of_any_run() {
        assert_eq!(drops(100), [50, 75]);
        assert_eq!(drops(200), [100, 150]);
        assert_eq!(drops(10), [5, 7]);
        assert_eq!(drops(4), [2, 3]);
        let factors = [0, 49, 50, 74, 75, 99].map(|epoch| lr_factor(epoch, 100));
        assert_eq!(factors, [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]);
    }

    #[test]
    fn a_run_of_one_epoch_has_its_full_rate() {
        assert_eq!(lr_factor(0, 1), 1.0);
    }
}
