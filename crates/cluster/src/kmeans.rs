//! k-means: k-means++ seeding and Lloyd's iterations.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;
use relata_ops::{Isa, MatRef, matmul_transposed};

/// Rows that one task takes; fixed, so that sums do not depend on the number of threads.
const PIECE_ROWS: usize = 1024;
/// Keeps these random numbers apart from others of the same seed.
const STREAM: u64 = 0x6b6d_6561_6e73;

/// How rows are clustered. By default in 8 clusters, by 300 iterations at most, as in scikit-learn's `KMeans`, and from 10 starts, as there
/// until version 1.4; seed and round are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KMeans {
    /// k.
    pub clusters: usize,
    /// Starts from different centres, of which the one of least inertia counts.
    pub restarts: usize,
    /// Lloyd's iterations of a start, at most.
    pub max_iterations: usize,
    /// Seed of the first centres.
    pub seed: u64,
    /// Keeps the draws of several clusterings of one seed apart, those of the epochs of a run for example.
    pub round: u32,
}

impl Default for KMeans {
    fn default() -> Self {
        Self { clusters: 8, restarts: 10, max_iterations: 300, seed: 0, round: 0 }
    }
}

/// Rows to be clustered, `[n, D]`.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    values: &'a [f32],
    width: usize,
    isa: Isa,
}

/// Centres `[k, D]`, and which is the nearest to each row.
#[derive(Debug, Clone)]
pub struct Clustering {
    /// Where `settled`, the means of the clusters' rows; else of the rows as the iteration before had clustered them, or without
    /// any iteration the rows that k-means++ drew. That of a cluster without rows is where it was.
    pub centres: Vec<f32>,
    /// For each row the number of its cluster, that of the nearest centre.
    pub clusters: Vec<usize>,
    /// Sum of the squared distances of the rows to their centres.
    pub inertia: f64,
    /// Lloyd's iterations.
    pub iterations: usize,
    /// Whether the last iteration moved no row.
    pub settled: bool,
}

impl<'a> Rows<'a> {
    /// Rows of `width` numbers each.
    #[must_use]
    pub fn new(values: &'a [f32], width: usize, isa: Isa) -> Self {
        Self { values, width, isa }
    }

    /// k-means++ and Lloyd's iterations until no row changes its cluster: of the restarts, the clustering of least inertia (the first
    /// of equals). A cluster that loses all its rows takes the row farthest from its centre; clusters stay empty only
    /// where fewer rows differ than there are to be clusters. `None` where there are no rows, no clusters or no restart.
    #[must_use]
    pub fn cluster(&self, settings: &KMeans) -> Option<Clustering> {
        let KMeans { clusters, restarts, max_iterations, seed, round } = *settings;
        if clusters == 0 || self.width == 0 || self.values.len() < self.width {
            return None;
        }
        let stream = |restart: usize| u64::from(round) << 32 | restart as u64;
        let all = (0..restarts).map(|restart| self.lloyd(self.plus_plus(clusters, seed, stream(restart)), max_iterations));
        all.reduce(|best, next| if next.inertia < best.inertia { next } else { best })
    }

    /// The nearest of the `centres [k, D]` to each row, the first of equals; empty where there are no centres or no D.
    #[must_use]
    pub fn nearest(&self, centres: &[f32]) -> Vec<usize> {
        if self.width == 0 || centres.len() < self.width {
            return Vec::new();
        }
        self.distances(centres).into_iter().map(|(nearest, _)| nearest).collect()
    }

    /// The nearest centre of each row, and how much farther than the row's length squared it is: the squared distance is
    /// `‖x‖² − 2 x·c + ‖c‖²`, of which the row's own part decides nothing.
    fn distances(&self, centres: &[f32]) -> Vec<(usize, f32)> {
        let (width, count) = (self.width, centres.len() / self.width);
        let halves: Vec<f32> = centres.chunks_exact(width).map(|centre| (length_squared(centre) / 2.0) as f32).collect();
        let piece = |values: &[f32]| {
            let rows = values.len() / width;
            let mut products = vec![0.0; rows * count];
            matmul_transposed(
                self.isa,
                MatRef::new(values, rows, width),
                MatRef::new(centres, count, width),
                &mut products,
                false,
            );
            let each = products.chunks_exact(count);
            each.map(|products| {
                let score = |at: usize| products[at] - halves[at];
                let best = (1..count).fold(0, |best, at| if score(at) > score(best) { at } else { best });
                (best, -2.0 * score(best))
            })
            .collect::<Vec<_>>()
        };
        let pieces: Vec<_> = self.values.par_chunks(PIECE_ROWS * width).map(piece).collect();
        pieces.concat()
    }

    /// k-means++ (Arthur & Vassilvitskii 2007): the first centre is any row, each further one a row drawn with a probability
    /// proportional to its squared distance to the nearest centre so far.
    fn plus_plus(&self, count: usize, seed: u64, stream: u64) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ STREAM);
        rng.set_stream(stream);
        let mut unit = || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let rows = self.values.len() / self.width;
        let row = |at: usize| &self.values[at * self.width..][..self.width];
        let first = ((unit() * rows as f64) as usize).min(rows - 1);
        let mut centres = row(first).to_vec();
        let mut distances = vec![f64::INFINITY; rows];
        for _ in 1..count {
            let last = &centres[centres.len() - self.width..];
            let nearer = |(distance, row): (&mut f64, &[f32])| *distance = distance.min(distance_squared(row, last));
            distances.par_iter_mut().zip(self.values.par_chunks_exact(self.width)).for_each(nearer);
            // Where fewer rows differ than there are to be centres, all distances are 0, and any row will do.
            let mut left = unit() * distances.iter().sum::<f64>();
            let drawn = distances.iter().position(|distance| {
                left -= distance;
                left < 0.0
            });
            let next = drawn.unwrap_or_else(|| farthest(&distances));
            centres.extend_from_slice(row(next));
        }
        centres
    }

    fn lloyd(&self, mut centres: Vec<f32>, max_iterations: usize) -> Clustering {
        let mut nearest = self.distances(&centres);
        let (mut iterations, mut settled) = (0, false);
        while iterations < max_iterations && !settled {
            self.move_centres(&mut centres, &mut nearest);
            let moved = self.distances(&centres);
            settled = moved.iter().zip(&nearest).all(|(new, old)| new.0 == old.0);
            nearest = moved;
            iterations += 1;
        }
        let clusters: Vec<usize> = nearest.into_iter().map(|(cluster, _)| cluster).collect();
        let inertia = self.inertia(&centres, &clusters);
        Clustering { centres, clusters, inertia, iterations, settled }
    }

    fn inertia(&self, centres: &[f32], clusters: &[usize]) -> f64 {
        let width = self.width;
        let distance = |(row, &cluster): (&[f32], &usize)| distance_squared(row, &centres[cluster * width..][..width]);
        let distances: Vec<f64> = self.values.par_chunks_exact(width).zip(clusters).map(distance).collect();
        distances.iter().sum()
    }

    /// Each centre to the mean of its rows. A centre that has none takes the row that lies farthest from its own.
    fn move_centres(&self, centres: &mut [f32], nearest: &mut [(usize, f32)]) {
        let (width, count) = (self.width, centres.len() / self.width);
        let mut sizes = vec![0_usize; count];
        nearest.iter().for_each(|(cluster, _)| sizes[*cluster] += 1);
        for empty in 0..count {
            if sizes[empty] == 0 {
                let distance = |row: usize| length_squared(&self.values[row * width..][..width]) + f64::from(nearest[row].1);
                let far = (0..nearest.len()).filter(|&row| sizes[nearest[row].0] > 1).map(|row| (row, distance(row)));
                let far = far.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(row, _)| row);
                let Some(far) = far else { break };
                sizes[nearest[far].0] -= 1;
                sizes[empty] = 1;
                nearest[far] = (empty, f32::NEG_INFINITY);
            }
        }
        let piece = |(values, nearest): (&[f32], &[(usize, f32)])| {
            let mut sums = vec![0.0; count * width];
            for (row, (cluster, _)) in values.chunks_exact(width).zip(nearest) {
                sums[cluster * width..][..width].iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
            }
            sums
        };
        // As many rows a piece as there are centres or more, so that the sums are no larger than the rows.
        let piece_rows = PIECE_ROWS.max(count);
        let pieces: Vec<Vec<f64>> =
            self.values.par_chunks(piece_rows * width).zip(nearest.par_chunks(piece_rows)).map(piece).collect();
        for (cluster, centre) in centres.chunks_exact_mut(width).enumerate().filter(|(cluster, _)| sizes[*cluster] > 0) {
            for (column, value) in centre.iter_mut().enumerate() {
                let sum: f64 = pieces.iter().map(|sums| sums[cluster * width + column]).sum();
                *value = (sum / sizes[cluster] as f64) as f32;
            }
        }
    }
}

fn farthest(distances: &[f64]) -> usize {
    (1..distances.len()).fold(0, |best, row| if distances[row] > distances[best] { row } else { best })
}

fn distance_squared(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum()
}

fn length_squared(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use relata_ops::Isa;
    use relata_testkit::hash_uniforms;

    use super::{KMeans, Rows};

    const SETTINGS: KMeans = KMeans { clusters: 2, restarts: 1, max_iterations: 300, seed: 0, round: 0 };

    #[test]
    fn an_empty_cluster_takes_the_farthest_row() {
        // Two first centres on the same spot: one of them is left without rows.
        let values = [0.0, 0.1, 10.0, 10.1];
        let rows = Rows::new(&values, 1, Isa::best());
        let found = rows.cluster(&SETTINGS).unwrap();
        assert!(found.settled && found.clusters[0] == found.clusters[1] && found.clusters[2] == found.clusters[3]);
        assert!(found.clusters[0] != found.clusters[2] && (found.inertia - 0.01).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn another_round_starts_from_other_rows() {
        let values: Vec<f32> = hash_uniforms("rows", 600).into_iter().map(|v| v as f32).collect();
        let rows = Rows::new(&values, 3, Isa::best());
        let inertia = |round| rows.cluster(&KMeans { clusters: 9, max_iterations: 1, round, ..SETTINGS }).unwrap().inertia;
        assert!(inertia(0) == inertia(0) && inertia(0) != inertia(1));
    }

    #[test]
    fn centres_are_the_means_of_their_rows_once_settled_and_one_iteration_behind_before() {
        let values: Vec<f32> = hash_uniforms("rows", 600).into_iter().map(|v| v as f32).collect();
        let rows = Rows::new(&values, 3, Isa::best());
        let means = |clusters: &[usize]| -> Vec<f32> {
            let mean = |at: usize| {
                let mine = || clusters.iter().zip(values.chunks_exact(3)).filter(move |(cluster, _)| **cluster == at / 3);
                let sum: f64 = mine().map(|(_, row)| f64::from(row[at % 3])).sum();
                (sum / mine().count() as f64) as f32
            };
            (0..27).map(mean).collect()
        };
        let after = |max_iterations| rows.cluster(&KMeans { clusters: 9, max_iterations, ..SETTINGS }).unwrap();
        let (first, second, last) = (after(1), after(2), after(300));
        assert!(!first.settled && second.centres == means(&first.clusters) && first.centres != means(&first.clusters));
        assert!(last.settled && last.centres == means(&last.clusters));
        assert_eq!(rows.nearest(&first.centres), first.clusters);
    }

    #[test]
    fn where_there_is_nothing_to_cluster_nothing_comes_back() {
        assert_eq!(Rows::new(&[1.0, 2.0], 1, Isa::best()).nearest(&[]), [0; 0]);
        assert_eq!(Rows::new(&[1.0, 2.0], 0, Isa::best()).nearest(&[1.0]), [0; 0]);
        assert!(Rows::new(&[1.0, 2.0], 0, Isa::best()).cluster(&KMeans::default()).is_none());
        assert!(Rows::new(&[], 3, Isa::best()).cluster(&SETTINGS).is_none());
        let rows = Rows::new(&[1.0, 2.0], 1, Isa::best());
        assert!(rows.cluster(&KMeans { clusters: 0, ..SETTINGS }).is_none());
        assert!(rows.cluster(&KMeans { restarts: 0, ..SETTINGS }).is_none());
    }
}
