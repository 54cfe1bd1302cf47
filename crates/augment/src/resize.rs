use relata_data::Image;

use crate::crop_box::CropBox;

/// For each position along one side of a view, which pixels of the source it mixes and with which weights.
///
/// Bilinear with antialiasing as in PyTorch's `interpolate(mode="bilinear", antialias=True)`: a triangle filter as wide as
/// the step between outputs where the image shrinks, two neighbours where it grows; weights are normalised at the borders.
#[derive(Debug, Default)]
pub(crate) struct Taps {
    /// Source pixels mixed into each output.
    per_output: usize,
    /// First source pixel of each output; first + per_output never exceeds the source.
    first: Vec<u32>,
    /// `[outputs, per_output]`; unused taps weigh 0.
    weights: Vec<f32>,
}

impl Taps {
    /// Taps from `source` pixels to `outputs` pixels. O(outputs · taps); allocates only to grow.
    pub(crate) fn fill(&mut self, source: usize, outputs: usize) {
        let step = source as f64 / outputs as f64;
        self.first.clear();
        self.weights.clear();
        if source == 1 {
            self.per_output = 1;
            self.first.resize(outputs, 0);
            self.weights.resize(outputs, 1.0);
        } else if source <= outputs {
            self.fill_growing(step, source, outputs);
        } else {
            self.fill_shrinking(step, source, outputs);
        }
    }

    /// Two neighbours an output, the nearest pixel twice beyond the outermost centres.
    fn fill_growing(&mut self, step: f64, source: usize, outputs: usize) {
        self.per_output = 2;
        let last_first = (source - 2) as f64;
        for output in 0..outputs {
            let position = step * (output as f64 + 0.5) - 0.5;
            // Truncated, not floored: the same from 0 on, and below 0 the first pixel is meant.
            let first = smaller(position, last_first) as u32;
            let second = smaller(larger(position - f64::from(first), 0.0), 1.0);
            self.first.push(first);
            self.weights.extend([(1.0 - second) as f32, second as f32]);
        }
    }

    /// A triangle of `step` pixels to either side.
    fn fill_shrinking(&mut self, step: f64, source: usize, outputs: usize) {
        // No more pixel centres than this lie less than `step` from any position.
        self.per_output = ((2.0 * step).ceil() as usize).min(source);
        let last_first = source - self.per_output;
        let narrowing = 1.0 / step;
        for output in 0..outputs {
            let center = step * (output as f64 + 0.5);
            let low = (center - step + 0.5).max(0.0) as usize;
            let high = ((center + step + 0.5) as usize).min(source);
            let first = low.min(last_first);
            let start = self.weights.len();
            let mut total = 0.0;
            for pixel in first..first + self.per_output {
                let distance = (pixel as f64 + 0.5 - center).abs() * narrowing;
                let weight = if (low..high).contains(&pixel) && distance < 1.0 { 1.0 - distance } else { 0.0 };
                total += weight;
                self.weights.push(weight as f32);
            }
            let inverse = (1.0 / total) as f32;
            self.weights[start..].iter_mut().for_each(|weight| *weight *= inverse);
            self.first.push(first as u32);
        }
    }

    /// Moves the window of outputs by `offset` (positive: towards the end); outputs that leave the range weigh nothing.
    pub(crate) fn shift(&mut self, offset: isize) {
        let (outputs, taps) = (self.first.len(), self.per_output);
        let kept = outputs.saturating_sub(offset.unsigned_abs());
        let (from, to) = if offset < 0 { (0, outputs - kept) } else { (outputs - kept, 0) };
        self.first.copy_within(from..from + kept, to);
        self.weights.copy_within(from * taps..(from + kept) * taps, to * taps);
        let empty = if offset < 0 { 0..to } else { kept..outputs };
        self.first[empty.clone()].fill(0);
        self.weights[empty.start * taps..empty.end * taps].fill(0.0);
    }

    /// Exchanges first and last output.
    pub(crate) fn reverse(&mut self) {
        self.first.reverse();
        let (taps, outputs) = (self.per_output, self.first.len());
        for output in 0..outputs / 2 {
            for tap in 0..taps {
                self.weights.swap(output * taps + tap, (outputs - 1 - output) * taps + tap);
            }
        }
    }
}

/// Which part of an image becomes a view, and from which of its pixels each of the view's is mixed.
#[derive(Debug, Default)]
pub(crate) struct Sampling {
    pub(crate) part: CropBox,
    pub(crate) x: Taps,
    pub(crate) y: Taps,
}

impl Sampling {
    /// The whole part, resized to `side`.
    pub(crate) fn fill(&mut self, part: CropBox, side: usize) {
        self.part = part;
        self.x.fill(part.width_px, side);
        self.y.fill(part.height_px, side);
    }
}

/// Source rows that go through the horizontal pass together: as many sums that do not wait for each other, and one weight for all.
const ROWS: usize = 4;

/// Working memory of a resize.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Source rows in [0, 1], three floats a pixel, each row one float longer: a pixel is read as four floats, the fourth of no use.
    source: [Vec<f32>; ROWS],
    /// The same rows resized, four floats a pixel, padded to whole vectors.
    resized: [Vec<[f32; 4]>; ROWS],
    /// All rows of the crop after the horizontal pass, `[crop height, 3, padded side]`.
    horizontal: Vec<f32>,
}

/// Pixels split into planes at a time.
const LANES: usize = 16;

impl Rows {
    /// Floats for a crop of this size.
    pub(crate) fn len(width_px: usize, height_px: usize, side: usize) -> usize {
        let padded = side.next_multiple_of(LANES);
        ROWS * (width_px * 3 + 1 + padded * 4) + height_px * padded * 3
    }

    /// Resizes the box of the image to `side` x `side` and writes it to three planes, `[side, side]` each, values in [0, 1].
    ///
    /// The flip and the padding are in the taps.
    #[inline(always)]
    pub(crate) fn resize(&mut self, image: &Image, crop: CropBox, side: usize, x: &Taps, y: &Taps, planes: &mut [Vec<f32>; 3]) {
        let padded = side.next_multiple_of(LANES);
        self.source.iter_mut().for_each(|row| row.resize(crop.width_px * 3 + 1, 0.0));
        self.resized.iter_mut().for_each(|row| row.resize(padded, [0.0; 4]));
        self.horizontal.resize(crop.height_px * padded * 3, 0.0);
        let stride = image.width_px() * 3;
        let mut rows = image.rgb()[crop.top_px * stride..].chunks(stride);
        for out in self.horizontal.chunks_mut(ROWS * padded * 3) {
            // Fewer rows at the end of the crop: those of the group before are gone through once more, and not kept.
            for (row, source) in rows.by_ref().take(out.len() / (padded * 3)).zip(&mut self.source) {
                floats_from_bytes(&row[crop.left_px * 3..][..crop.width_px * 3], source);
            }
            mix_pixels(x, &self.source, &mut self.resized);
            for (row, out) in self.resized.iter().zip(out.chunks_exact_mut(padded * 3)) {
                planes_from_pixels(row, out);
            }
        }
        mix_rows(y, &self.horizontal, side, padded, planes);
    }
}

#[inline(always)]
fn floats_from_bytes(bytes: &[u8], floats: &mut [f32]) {
    for (float, &byte) in floats.iter_mut().zip(bytes) {
        *float = f32::from(byte) * (1.0 / 255.0);
    }
}

/// The horizontal pass.
#[inline(always)]
fn mix_pixels(taps: &Taps, source: &[Vec<f32>; ROWS], out: &mut [Vec<[f32; 4]>; ROWS]) {
    let (floats, pixels) = (source[0].len(), out[0].len());
    let source = source.each_ref().map(|row| &row[..floats]);
    let mut out = out.each_mut().map(|row| &mut row[..pixels]);
    let weights = taps.weights.chunks_exact(taps.per_output);
    for (output, (&first, weights)) in taps.first.iter().zip(weights).enumerate() {
        let mut sums = [[0.0; 4]; ROWS];
        for (tap, &weight) in weights.iter().enumerate() {
            let at = (first as usize + tap) * 3;
            for (sum, row) in sums.iter_mut().zip(&source) {
                let pixel = &row[at..at + 4];
                for lane in 0..4 {
                    sum[lane] += weight * pixel[lane];
                }
            }
        }
        for (sum, out) in sums.iter().zip(&mut out) {
            out[output] = *sum;
        }
    }
}

#[inline(always)]
fn planes_from_pixels(pixels: &[[f32; 4]], planes: &mut [f32]) {
    let side = pixels.len();
    let (red, rest) = planes.split_at_mut(side);
    let (green, blue) = rest.split_at_mut(side);
    let blue = &mut blue[..side];
    // An index, not zipped iterators: so it becomes vector shuffles.
    for i in 0..side {
        red[i] = pixels[i][0];
        green[i] = pixels[i][1];
        blue[i] = pixels[i][2];
    }
}

/// The vertical pass: each output row is a weighted sum of whole rows.
#[inline(always)]
fn mix_rows(taps: &Taps, rows: &[f32], side: usize, padded: usize, planes: &mut [Vec<f32>; 3]) {
    let weights = taps.weights.chunks_exact(taps.per_output);
    for (output, (&first, weights)) in taps.first.iter().zip(weights).enumerate() {
        for (channel, plane) in planes.iter_mut().enumerate() {
            let row = |tap: usize| &rows[((first as usize + tap) * 3 + channel) * padded..][..side];
            let out = &mut plane[output * side..][..side];
            match *weights {
                [w] => out.iter_mut().zip(row(0)).for_each(|(out, &v)| *out = w * v),
                [w0, w1] => {
                    out.iter_mut().zip(row(0)).zip(row(1)).for_each(|((out, &a), &b)| *out = w0 * a + w1 * b);
                }
                _ => {
                    out.fill(0.0);
                    for (tap, &w) in weights.iter().enumerate() {
                        out.iter_mut().zip(row(tap)).for_each(|(out, &v)| *out += w * v);
                    }
                }
            }
        }
    }
}

fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

fn smaller(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

#[cfg(test)]
mod tests;
