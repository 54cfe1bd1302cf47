//! Both protocols at the size of CIFAR-10 with Conv-4's features: 50,000 and 10,000 rows of 64, ten classes.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use relata_probe::Compute;
use relata_probe::{Features, Knn, LinearProbe};
use relata_testkit::hash_uniform;

const WIDTH: usize = 64;
const CLASSES: usize = 10;
const TRAIN_ROWS: usize = 50_000;
const TEST_ROWS: usize = 10_000;

/// Clouds around one centre a class that overlap a little.
fn clouds(first: usize, rows: usize) -> Features {
    let value = |i: usize| {
        let (row, column) = (first + i / WIDTH, i % WIDTH);
        let centre = hash_uniform("centre", row % CLASSES * WIDTH + column);
        (centre + 2.0 * hash_uniform("noise", row * WIDTH + column)) as f32
    };
    let labels = (first..first + rows).map(|row| row % CLASSES).collect();
    let names = (0..CLASSES).map(|class| class.to_string()).collect();
    Features::new((0..rows * WIDTH).map(value).collect(), WIDTH, labels, names).expect("finite numbers")
}

fn protocols(criterion: &mut Criterion) {
    let (train, test) = (clouds(0, TRAIN_ROWS), clouds(TRAIN_ROWS, TEST_ROWS));
    let compute = Compute::new(0).expect("threads");
    let knn = || Knn::default().score(&train, &test, &compute).expect("features that fit");
    let linear = |epochs| LinearProbe { epochs, ..LinearProbe::default() }.fit(&train, &compute).expect("features that fit");
    let accuracy = linear(5).score(&test).expect("features that fit").accuracy_pct;
    assert!(accuracy > 95.0 && knn().accuracy_pct > 95.0, "clouds that hardly overlap are separated");

    let mut group = criterion.benchmark_group("cifar10-size");
    group.sample_size(10);
    group.throughput(Throughput::Elements(100 * TRAIN_ROWS as u64));
    group.bench_function("linear, rows seen in 100 epochs", |bencher| bencher.iter(|| linear(100)));
    group.throughput(Throughput::Elements(TEST_ROWS as u64));
    group.bench_function("knn, rows scored", |bencher| bencher.iter(knn));
    group.finish();
}

criterion_group!(benches, protocols);
criterion_main!(benches);
