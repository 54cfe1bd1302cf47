//! How fast single images come out of a data set, on one core.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use relata_data::{Cifar10, Dataset, Difficulty, Shapes, ShapesOptions, Split};

const IMAGES: usize = 1000;

fn read(c: &mut Criterion) {
    let mut group = c.benchmark_group("images");
    group.throughput(Throughput::Elements(IMAGES as u64));
    let mut each = |name: &str, dataset: &dyn Dataset| {
        let again = dataset.image(7).expect("the image can be read");
        assert_eq!(dataset.image(7).expect("the image can be read"), again, "{name}: the same index, the same image");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for index in 0..IMAGES {
                    black_box(dataset.image(index).expect("the image can be read"));
                }
            });
        });
    };
    for difficulty in [Difficulty::Plain, Difficulty::Hard] {
        let options = ShapesOptions { difficulty, ..ShapesOptions::default() };
        each(&format!("shapes {difficulty}, 32 px"), &Shapes::new(options).expect("the options are right"));
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let folder = relata_testkit::datasets::write_cifar10(folder.path(), IMAGES);
    each("cifar10", &Cifar10::open(&folder, Split::Train).expect("the folder is whole"));
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
