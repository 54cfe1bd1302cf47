//! PCA whitening against scikit-learn, and what it is for.

use relata_cluster::{covariance, whiten};
use relata_ops::Isa;
use relata_testkit::hash_uniforms;
use safetensors::SafeTensors;

/// Of f32 against f64, relative to the largest entry: sums of up to twelve products.
const SHARE: f64 = 1e-5;

#[test]
fn whitened_rows_are_those_of_scikit_learn_and_directions_without_width_are_zero() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/cluster/whitening.safetensors");
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |name: &str| {
        let view = file.tensor(name).unwrap();
        let floats: Vec<f32> = view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        (floats, view.shape()[1])
    };
    for case in ["odd", "half", "flat"] {
        let ((rows, width), (expected, components)) = (tensor(&format!("{case}.rows")), tensor(&format!("{case}.white")));
        let white = whiten(&rows, width, components, Isa::best());
        let largest = expected.iter().fold(0.0_f64, |most, x| most.max(f64::from(x.abs())));
        assert_eq!(white.len(), expected.len(), "{case}");
        for (at, (got, wanted)) in white.iter().zip(&expected).enumerate() {
            let error = (f64::from(*got) - f64::from(*wanted)).abs() / largest;
            assert!(error <= SHARE, "{case}, entry {at}: {got}, expected {wanted}");
        }
        if case == "flat" {
            assert!(white.chunks_exact(6).all(|row| row[4..] == [0.0, 0.0]));
        }
    }
}

fn rows(count: usize, width: usize) -> Vec<f32> {
    let values = hash_uniforms("whitening/many", count * width);
    // Neighbours lean on one another.
    let leaning = values.iter().zip(values.iter().skip(1).chain([&0.5]));
    leaning.enumerate().map(|(at, (a, b))| ((a + b) * (1 + at % width % 5) as f64) as f32).collect()
}

#[test]
fn whitened_columns_are_uncorrelated_and_of_variance_one() {
    let (count, width) = (3000, 33);
    let white = whiten(&rows(count, width), width, width, Isa::best());
    let moments = covariance(&white, width);
    for i in 0..width {
        assert!(moments.mean[i].abs() < 1e-5, "{}", moments.mean[i]);
        for j in 0..=i {
            let unbiased = moments.lower[i * width + j] * count as f64 / (count - 1) as f64;
            assert!((unbiased - f64::from(u8::from(i == j))).abs() < 1e-4, "{i}, {j}: {unbiased}");
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    use relata_cluster::{KMeans, Rows};
    let rows = rows(5000, 20);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let white = whiten(&rows, 20, 10, Isa::best());
            let settings = KMeans { clusters: 12, restarts: 2, max_iterations: 10, seed: 3, round: 1 };
            let found = Rows::new(&white, 10, Isa::best()).cluster(&settings).unwrap();
            (white, found.centres, found.clusters)
        })
    };
    assert!(on(1) == on(5));
}

#[test]
fn few_rows_or_none_do_no_harm() {
    assert!(whiten(&[], 3, 3, Isa::best()).is_empty());
    assert_eq!(whiten(&[1.0, 2.0, 3.0], 3, 2, Isa::best()), [0.0, 0.0]);
    assert!(whiten(&[1.0, 2.0, 3.0, 1.0, 2.5, 3.0], 3, 3, Isa::best()).iter().all(|value| value.is_finite()));
}
