//! Records of CIFAR-10 and CIFAR-100, and their lists of class names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relata_data::{Cifar10, Cifar100, Cifar100Labels, Dataset, Split};
use relata_fuzz::{place, write};

fuzz_target!(|bytes: &[u8]| {
    let Some((&names, bytes)) = bytes.split_first() else { return };
    let (names, records) = bytes.split_at(bytes.len().min(usize::from(names)));
    write("cifar10/batches.meta.txt", names);
    write("cifar10/test_batch.bin", records);
    for name in ["fine", "coarse"] {
        write(&format!("cifar100/{name}_label_names.txt"), names);
    }
    write("cifar100/train.bin", records);
    let all: [Result<Box<dyn Dataset>, _>; 3] = [
        Cifar10::open(&place().join("cifar10"), Split::Test).map(|set| Box::new(set) as _),
        Cifar100::open(&place().join("cifar100"), Split::Train, Cifar100Labels::Fine).map(|set| Box::new(set) as _),
        Cifar100::open(&place().join("cifar100"), Split::Train, Cifar100Labels::Coarse).map(|set| Box::new(set) as _),
    ];
    for set in all.into_iter().flatten() {
        let last = set.len() - 1;
        set.image(last).expect("what opens has whole records");
        assert!(set.label(last).expect("labelled") < set.class_names().len());
        assert!(set.image(last + 1).is_err() && set.label(last + 1).is_none());
    }
});
