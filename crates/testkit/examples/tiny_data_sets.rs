//! Writes the tiny data sets of the tests into a folder: `cargo run -p relata-testkit --example tiny_data_sets -- FOLDER`

#![allow(clippy::print_stdout)]

use relata_testkit::datasets::{write_cifar10, write_class_folder, write_truncated};
use std::path::PathBuf;

fn main() {
    let Some(folder) = std::env::args().nth(1).map(PathBuf::from) else {
        println!("usage: tiny_data_sets FOLDER");
        return;
    };
    let cifar10 = write_cifar10(&folder, 20);
    write_class_folder(&folder.join("classes"), &[("cat", 3), ("dog", 2)], "png");
    write_truncated(&folder.join("broken").join("half.jpg"), 5, 7);
    println!("written: {}, {}", cifar10.display(), folder.join("classes").display());
}
