//! tiny-ImageNet's lists: `wnids.txt`, `words.txt`, `val_annotations.txt`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relata_data::{Dataset, Split, Tiny};
use relata_fuzz::{files, place, write};

fuzz_target!(|bytes: &[u8]| {
    let [wnids, words, annotations] = files(bytes);
    for name in ["val/images/a.JPEG", "val/images/b.JPEG", "train/n1/images/a.JPEG", "train/n2/images/a.JPEG"] {
        write(&format!("tiny/{name}"), b"");
    }
    write("tiny/wnids.txt", wnids);
    write("tiny/words.txt", words);
    write("tiny/val/val_annotations.txt", annotations);
    for split in Split::ALL {
        if let Ok(set) = Tiny::open(&place().join("tiny"), split) {
            assert_eq!(set.len(), 2);
            assert!(split == Split::Unlabelled || (0..2).all(|i| set.label(i).expect("labelled") < set.class_names().len()));
        }
    }
});
