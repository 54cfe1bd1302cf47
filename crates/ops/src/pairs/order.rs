//! Which rows the relation head sees, and in which order.

/// One roll of a pair of views: B positive rows, then B negative rows.
///
/// Positive row b joins image b in both views; negative row b joins image b in the first view with image
/// [`RelationPair::rolled`]`(b)` in the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelationPair {
    /// The earlier view, i.
    pub first: usize,
    /// The later view, j > i.
    pub second: usize,
    /// By how many images the second view is rolled for the negatives, s in 1..B.
    pub shift: usize,
    /// Images of the batch, B.
    pub images: usize,
}

impl RelationPair {
    /// The image of the second view that meets image `b` of the first in a negative row: `(b − s) mod B`, never `b`.
    #[must_use]
    pub fn rolled(self, b: usize) -> usize {
        (b + self.images - self.shift) % self.images
    }

    /// The feature rows of each row: positives, then negatives.
    pub(super) fn feature_rows(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let pair = *self;
        let Self { first, second, images, .. } = pair;
        let positives = (0..images).map(move |b| (first * images + b, second * images + b));
        positives.chain((0..images).map(move |b| (first * images + b, second * images + pair.rolled(b))))
    }

    /// The negative rows as two runs without a wrap: (images of the first view, images of the second), the same lengths.
    pub(super) fn negative_runs(self) -> [(std::ops::Range<usize>, std::ops::Range<usize>); 2] {
        let Self { shift, images, .. } = self;
        [(shift..images, 0..images - shift), (0..shift, images - shift..images)]
    }
}

/// All pairs of views i < j of a batch, i before j, each as often in a row as there are shifts a pair (S, 1 in the paper), with
/// the roll of each: s starts at 1, grows by 1 from one to the next, and starts again at 1 when it reaches B.
///
/// The rows of number p are `2·B·p .. 2·B·(p + 1)`, positives first; there are `S·B·(K² − K)` rows. A pair's positives are there
/// S times as well, so that both targets stay equally many. Fewer than two images have no negative, so they give no pair at all.
#[derive(Debug, Clone)]
pub struct RelationPairs {
    views: usize,
    shifts: usize,
    /// Rolls of the next pair's views that there have been.
    rolled: usize,
    next: RelationPair,
}

impl RelationPairs {
    /// The pairs of `views` views (K) of `images` images (B), `shifts` (S, 1 or more) of each.
    #[must_use]
    pub fn new(views: usize, images: usize, shifts: usize) -> Self {
        let views = if images < 2 || shifts == 0 { 0 } else { views };
        Self { views, shifts, rolled: 0, next: RelationPair { first: 0, second: 1, shift: 1, images } }
    }

    /// How many those are: `S·K·(K − 1) / 2`, of two images or more.
    #[must_use]
    pub fn count(views: usize, shifts: usize) -> usize {
        shifts * views * views.saturating_sub(1) / 2
    }

    /// Rows that they make, `S·B·(K² − K)`.
    #[must_use]
    pub fn rows(views: usize, images: usize, shifts: usize) -> usize {
        if images < 2 { 0 } else { 2 * images * Self::count(views, shifts) }
    }
}

impl Iterator for RelationPairs {
    type Item = RelationPair;

    fn next(&mut self) -> Option<RelationPair> {
        let pair = self.next;
        if pair.second >= self.views {
            return None;
        }
        let next = &mut self.next;
        self.rolled += 1;
        if self.rolled == self.shifts {
            self.rolled = 0;
            next.second += 1;
        }
        if next.second == self.views {
            next.first += 1;
            next.second = next.first + 1;
        }
        next.shift += 1;
        if next.shift >= pair.images {
            next.shift = 1;
        }
        Some(pair)
    }
}
