//! Whitens and clusters points of two stretched clouds: `cargo run --release -p relata-cluster --example two_clouds`

#![allow(clippy::print_stdout)]

use relata_cluster::{Isa, KMeans, Rows, contingency, l2_normalised, optimal_assignment, whiten};

fn main() {
    // Two clouds side by side in a plane that is ten times as long as it is wide.
    let truth: Vec<usize> = (0..200).map(|i| i % 2).collect();
    let point = |i: usize| {
        let (turn, radius) = (i as f32 * 2.399_963, (i as f32 / 200.0).sqrt());
        [10.0 * radius * turn.cos(), radius * turn.sin() + 3.0 * (truth[i] as f32)]
    };
    let points: Vec<f32> = (0..200).flat_map(point).collect();
    let isa = Isa::best();
    let settings = KMeans { clusters: 2, ..KMeans::default() };
    let white = whiten(&points, 2, 2, isa);
    for (name, values) in [("as they are", points), ("whitened", white.clone()), ("whitened, length 1", l2_normalised(&white, 2))]
    {
        let Some(found) = Rows::new(&values, 2, isa).cluster(&settings) else { continue };
        let counts = contingency(&found.clusters, &truth, 2, 2);
        let stands_for = optimal_assignment(&counts);
        let right: u32 = counts.iter().zip(stands_for).filter_map(|(row, class)| class.map(|class| row[class])).sum();
        println!("{name}: {right} of 200 points in their cloud's cluster, inertia {:.1}", found.inertia);
    }
}
