use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Names one view: the same key on the same image is the same view, on whatever thread and in whatever order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ViewKey {
    /// The run's seed.
    pub seed: u64,
    /// The epoch, from 0.
    pub epoch: u32,
    /// The image's index in its data set.
    pub image: u64,
    /// The view's number among the K of its image.
    pub view: u32,
}

impl ViewKey {
    /// The generator of this view's random numbers, for views of one's own making. The same key gives the same stream, and no two
    /// keys share any.
    #[must_use]
    pub fn generator(self) -> ChaCha8Rng {
        generator(Purpose::View, self)
    }

    /// The first words of [`ViewKey::generator`]. Blocks of 16 words are made four at a time.
    pub(crate) fn words<const COUNT: usize>(self) -> [u32; COUNT] {
        let mut rng = self.generator();
        std::array::from_fn(|_| rng.next_u32())
    }
}

/// What random numbers are for; no two purposes share any.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    View = 1,
    Order = 2,
}

/// The key goes whole into ChaCha8's 256-bit key, so two different keys never share a stream.
fn generator(purpose: Purpose, key: ViewKey) -> ChaCha8Rng {
    let mut bytes = [0; 32];
    bytes[0..8].copy_from_slice(&key.seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&key.image.to_le_bytes());
    bytes[16..20].copy_from_slice(&key.epoch.to_le_bytes());
    bytes[20..24].copy_from_slice(&key.view.to_le_bytes());
    bytes[24..32].copy_from_slice(&(purpose as u64).to_le_bytes());
    ChaCha8Rng::from_seed(bytes)
}

/// The random words of one step of one view. Every step has words of its own, so that switching one off leaves what the others
/// draw as it was; the first says whether the step happens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words<'a>(pub(crate) &'a [u32]);

impl Words<'_> {
    /// Uniform in [0, 1), in steps of 2^-32.
    fn unit(self, index: usize) -> f64 {
        f64::from(self.0[index]) * (1.0 / 4_294_967_296.0)
    }

    /// Uniform in [low, high).
    pub(crate) fn uniform(self, index: usize, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit(index)
    }

    /// Uniform in 0..count; the bias is below count / 2^32.
    pub(crate) fn below(self, index: usize, count: usize) -> usize {
        ((u64::from(self.0[index]) * count as u64) >> 32) as usize
    }

    /// True with probability p, by the first word; always for 1, never for 0.
    pub(crate) fn happens(self, p: f64) -> bool {
        self.unit(0) < p
    }
}

/// The order in which an epoch visits the images 0..len: a Fisher-Yates shuffle keyed by seed and epoch.
#[must_use]
pub fn epoch_order(seed: u64, epoch: u32, len: usize) -> Vec<usize> {
    let mut rng = generator(Purpose::Order, ViewKey { seed, epoch, image: 0, view: 0 });
    let mut order: Vec<usize> = (0..len).collect();
    for last in (1..len).rev() {
        let drawn = (u128::from(rng.next_u64()) * (last as u128 + 1)) >> 64;
        order.swap(last, drawn as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::{ViewKey, epoch_order};

    #[test]
    fn an_order_holds_every_image_once() {
        for len in [0, 1, 2, 7, 1000] {
            let mut order = epoch_order(3, 4, len);
            order.sort_unstable();
            assert!(order.into_iter().eq(0..len));
        }
    }

    #[test]
    fn an_order_follows_seed_and_epoch() {
        assert_eq!(epoch_order(3, 4, 100), epoch_order(3, 4, 100));
        assert_ne!(epoch_order(3, 4, 100), epoch_order(3, 5, 100));
        assert_ne!(epoch_order(3, 4, 100), epoch_order(4, 4, 100));
    }

    #[test]
    fn every_image_reaches_every_position() {
        let mut counts = [[0; 5]; 5];
        for epoch in 0..5000 {
            for (position, image) in epoch_order(9, epoch, 5).into_iter().enumerate() {
                counts[position][image] += 1;
            }
        }
        // 1000 expected, standard deviation 28.
        assert!(counts.iter().flatten().all(|count| (860..=1140).contains(count)), "{counts:?}");
    }

    /// Frozen: these words decide every view, so a change of generator or layout would change every published run.
    /// The numbers come from a ChaCha8 written out in Python with the key's fields packed as in `generator`.
    #[test]
    fn the_words_of_a_key_never_change() {
        let words: [u32; 64] = ViewKey { seed: 1, epoch: 2, image: 3, view: 4 }.words();
        assert_eq!(
            [words[0], words[1], words[15], words[16], words[63]],
            [3_508_830_302, 1_767_358_544, 4_112_415_492, 1_622_606_593, 1_205_305_625]
        );
        assert_eq!(epoch_order(1, 2, 8), [1, 7, 5, 2, 3, 6, 4, 0]);
    }
}
