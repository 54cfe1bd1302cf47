//! A square that is not seen: torchvision's `RandomErasing`.

use crate::step::*;

settings! {
    /// `[augment.cutout]`: torchvision's `RandomErasing(p, scale=(area, area), ratio=(1, 1), value=0)` behind the normalisation: one square
    /// of the data set's mean colour.
    CutoutConfig {
        /// Probability of a cut-out. Default 0: the paper's pretraining has none, its fine-tuning 0.5.
        p: f64 = 0.0,
        /// The square's share of the view's area; its side is rounded to pixels. Default 0.111: the reference's for STL-10; it takes
        /// 0.25 for CIFAR-10 and 0.0625 for CIFAR-100.
        area: f64 = 0.111,
    }
}

impl Step for CutoutConfig {
    type Drawn = Option<CropBox>;
    type Change = Infallible;
    const WORDS: Range<usize> = 60..63;

    fn validate(&self, _side_px: usize) -> Result<()> {
        check("augment.cutout.area", self.area > 0.0 && self.area < 1.0, self.area, "above 0, below 1")
    }

    fn summary(&self, _name: &str) -> String {
        format!("cut-out of {} (p {})", self.area, self.p)
    }

    /// torchvision's `RandomErasing.get_params` for a square: none where it would be as large as the view, or no pixel.
    fn draw(&self, words: Words<'_>, sizes: Sizes) -> Option<CropBox> {
        let side = (self.area.sqrt() * sizes.side_px as f64).round_ties_even() as usize;
        (words.happens(self.p) && (1..sizes.side_px).contains(&side)).then(|| CropBox {
            top_px: words.below(1, sizes.side_px - side + 1),
            left_px: words.below(2, sizes.side_px - side + 1),
            height_px: side,
            width_px: side,
        })
    }

    fn check(part: Option<CropBox>, sizes: Sizes) -> Result<()> {
        let side_px = sizes.side_px;
        match part {
            Some(crop) if !crop.fits(side_px, side_px) => Err(Error::CropOutside { crop, width_px: side_px, height_px: side_px }),
            _ => Ok(()),
        }
    }

    fn finish(part: Option<CropBox>, side_px: usize, view: &mut [f32]) {
        if let Some(part) = part {
            let rows = view.chunks_exact_mut(side_px * 3).skip(part.top_px).take(part.height_px);
            rows.for_each(|row| row[part.left_px * 3..][..part.width_px * 3].fill(0.0));
        }
    }
}
