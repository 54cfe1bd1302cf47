//! STL-10: labels, class names and folds beside three images.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relata_data::{Dataset, Split, Stl10};
use relata_fuzz::{files, place, write};

fuzz_target!(|bytes: &[u8]| {
    let [labels, names, folds] = files(bytes);
    write("stl10/train_X.bin", &[7; 3 * 27_648]);
    write("stl10/train_y.bin", labels);
    write("stl10/class_names.txt", names);
    write("stl10/fold_indices.txt", folds);
    let folder = place().join("stl10");
    if let Ok(set) = Stl10::open(&folder, Split::Train) {
        assert_eq!(set.len(), 3);
        assert!((0..3).all(|index| set.label(index).expect("labelled") < 10));
    }
    for fold in 1..=3 {
        if let Ok(set) = Stl10::fold(&folder, fold) {
            assert!((0..set.len()).all(|index| set.image(index).is_ok()));
        }
    }
});
