use std::collections::BTreeMap;
use std::fs;

use relata_artifact::{Checkpoint, RunFolder, TensorRef};
use relata_testkit::datasets::{cifar10_sample, write_cifar10, write_class_folder, write_image, write_truncated};

use crate::{Place, TINY};

const FOLDER: [&str; 4] = ["data.dataset=folder", "data.path=photos", "augment.side=8", "train.batch_size=4"];
const CIFAR10: [&str; 2] = ["data.dataset=cifar10", "data.root=datasets"];

#[test]
fn a_mistyped_key_names_the_nearest_and_where_it_stands() {
    let place = Place::new();
    place.train(&["train.epoch=3"]).failed(2, &["\"train.epoch\"", "the command line", "did you mean \"train.epochs\"?"]);
    fs::write(place.path("mine.toml"), "[augment.jiter]\nhue = 0.5\n").unwrap();
    place.run(&["train", "mine.toml"]).failed(2, &["augment.jiter.hue", "mine.toml", "\"augment.jitter.hue\""]);
    fs::write(place.path("broken.toml"), "[augment\n").unwrap();
    place.run(&["train", "broken.toml"]).failed(2, &["broken.toml", "line 1"]);
    place.run(&["train", "absent.toml"]).failed(2, &["absent.toml", "No such file"]);
    assert!(!place.path("runs").exists(), "nothing is written");
}

#[test]
fn a_value_of_another_kind_names_its_key() {
    let place = Place::new();
    place.train(&["train.epochs=many"]).failed(2, &["train.epochs", "\"many\"", "a whole number"]);
    place.train(&["method.loss=cross"]).failed(2, &["method.relational.loss", "bce", "focal"]);
    place.train(&["model.backbone=conv5"]).failed(2, &["model.backbone", "conv4"]);
    place.train(&["data.dataset=cifr10"]).failed(2, &["cifr10", "did you mean \"cifar10\""]);
    place.train(&["device=cuda"]).failed(2, &["device", "no CUDA"]);
    let beyond = format!("seed={}", u64::MAX);
    place.train(&[&beyond]).failed(2, &["seed", "beyond TOML's"]);
}

#[test]
fn a_mistyped_path_is_not_sent_to_a_download() {
    let place = Place::new();
    for (dataset, expected) in [("folder", "a folder with images"), ("pack", "`data pack`")] {
        let ended = place.train(&[&format!("data.dataset={dataset}"), "data.path=phtos"]);
        let ended = ended.failed(2, &["phtos", expected, "data.path says"]);
        assert!(!ended.stderr.contains("fetch"), "{ended:?}");
    }
}

#[test]
fn a_message_that_nobody_reads_changes_no_exit_code() {
    let place = Place::new();
    let mut child = place.command(&["train", "absent.toml"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

#[test]
fn widths_without_room_are_refused_by_name() {
    let place = Place::new();
    let width = |setting: &str| place.train(&["method.kind=simclr", setting]);
    width("method.simclr.output=4611686018427387904").failed(2, &["method.simclr.output", "1 to 65536"]);
    width("method.simclr.hidden=10000000000000").failed(2, &["method.simclr.hidden", "1 to 65536"]);
}

#[test]
fn one_image_a_batch_or_one_view_an_image_is_refused() {
    let place = Place::new();
    place.run(&["train", "train.batch_size=1"]).failed(2, &["train.batch_size = 1", "2 or more"]);
    place.run(&["train", "augment.views=1"]).failed(2, &["augment.views = 1", "2 or more"]);
    place.train(&["train.epochs=1", "train.batch_size=1000000", "--out", "whole"]).succeeded();
    place.run(&["train", "data.limit=1"]).failed(2, &["1 images", "at least 2"]);
    assert!(!place.path("runs").exists());
}

#[test]
fn a_run_that_is_there_is_not_touched() {
    let place = Place::new();
    place.train(&["train.epochs=1", "--out", "run"]).succeeded();
    let before = fs::read(place.path("run/checkpoints/last.safetensors")).unwrap();
    place.train(&["--out", "run"]).failed(2, &["run", "--resume", "--overwrite", "--out"]);
    place.run(&["train", "--resume", "run", "train.batch_size=32"]).failed(2, &["train.batch_size", "32", "16"]);
    place.run(&["train", "--resume", "--out", "rum"]).failed(2, &["rum", "did you mean run"]);
    assert_eq!(fs::read(place.path("run/checkpoints/last.safetensors")).unwrap(), before);
}

#[test]
fn a_cifar_file_cut_short_is_named() {
    let place = Place::new();
    let folder = write_cifar10(&place.path("datasets"), 4);
    let file = folder.join("data_batch_3.bin");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    place.run(&[&["train"][..], &CIFAR10].concat()).failed(1, &["data_batch_3.bin", "cut short"]);
    assert!(!place.path("runs").exists());
}

#[test]
fn a_label_out_of_range_is_named() {
    let place = Place::new();
    let folder = write_cifar10(&place.path("datasets"), 4);
    let file = folder.join("data_batch_2.bin");
    let mut bytes = fs::read(&file).unwrap();
    assert_eq!(bytes[3073 + 1], cifar10_sample(1, 1, 0, 0, 0));
    bytes[3073] = 10;
    fs::write(&file, &bytes).unwrap();
    place.run(&[&["train"][..], &CIFAR10].concat()).failed(1, &["data_batch_2.bin", "record 1", "label 10", "0 to 9"]);
}

#[test]
fn a_missing_data_set_says_where_it_was_looked_for() {
    let place = Place::new();
    place.run(&[&["train"][..], &CIFAR10].concat()).failed(2, &["datasets/cifar-10-batches-bin"]);
    place.run(&["train", "data.dataset=folder"]).failed(2, &["data.path"]);
}

#[test]
fn a_broken_image_is_named_and_can_be_left_out() {
    let place = Place::new();
    write_class_folder(&place.path("photos"), &[("cat", 6), ("dog", 6)], "png");
    write_truncated(&place.path("photos/cat/torn.png"), 5, 7);
    write_truncated(&place.path("photos/dog/torn.png"), 5, 7);
    let train = [&["train", "train.epochs=1", "probe.epochs=1", "probe.k=2"][..], &FOLDER].concat();
    let ended = place.run(&[&train[..], &["--out", "strict"]].concat());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("torn.png") && ended.stderr.contains("on_bad_image"), "{}", ended.stderr);
    // Only what a run that can go on needs: fixed images and --resume, or another attempt.
    let checkpoints = fs::read_dir(place.path("strict/checkpoints")).map_or(0, Iterator::count);
    assert_eq!(checkpoints, 0);

    let listed = place.run(&["data", "verify", "folder", "data.path=photos"]);
    assert_eq!(listed.code, Some(1), "{listed:?}");
    for image in ["cat/torn.png", "dog/torn.png"] {
        assert!(listed.stdout.contains(image), "{image} is missing in: {}", listed.stdout);
    }

    let ended = place.run(&[&train[..], &["--out", "lenient", "data.on_bad_image=skip"]].concat()).succeeded();
    assert!(ended.stderr.contains("left out 2 broken images"), "{}", ended.stderr);
    assert!(fs::read_to_string(place.path("lenient/train.log")).unwrap().contains("torn.png"));
}

#[test]
fn an_empty_folder_is_refused() {
    let place = Place::new();
    fs::create_dir(place.path("photos")).unwrap();
    place.run(&[&["train"][..], &FOLDER].concat()).failed(1, &["no images in photos"]);
}

#[test]
fn unlabelled_images_cannot_be_probed() {
    let place = Place::new();
    place.train(&["train.epochs=1", "--out", "run"]).succeeded();
    for mark in 0..3 {
        write_image(&place.path(&format!("photos/{mark}.png")), 5, 7, mark);
    }
    place.run(&["probe", "run", "--data", "folder", "data.path=photos"]).failed(2, &["label"]);
}

#[test]
fn a_checkpoint_of_another_architecture_names_the_first_tensor() {
    let place = Place::new();
    let small = ["model.backbone=resnet18", "model.stem=cifar", "data.limit=4", "train.batch_size=2", "augment.side=8"];
    place.train(&[&["train.epochs=1", "--out", "run"][..], &small].concat()).succeeded();
    let config = fs::read_to_string(place.path("run/config.toml")).unwrap();
    fs::write(place.path("run/config.toml"), config.replace("stem = \"cifar\"", "stem = \"imagenet\"")).unwrap();
    let shapes = ["conv1.weight", "[64, 3, 3, 3]", "[64, 3, 7, 7]"];
    let resumed = place.run(&["train", "--resume", "run", "train.epochs=2"]);
    assert_eq!(resumed.code, Some(1), "{resumed:?}");
    assert!(shapes.iter().all(|shape| resumed.stderr.contains(shape)), "{}", resumed.stderr);
    place.run(&["export", "run"]).failed(1, &shapes);
}

#[test]
fn a_damaged_checkpoint_is_named() {
    let place = Place::new();
    place.train(&["train.epochs=1", "--out", "run"]).succeeded();
    let last = place.path("run/checkpoints/last.safetensors");
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, &bytes[..bytes.len() / 2]).unwrap();
    let resumed = place.run(&["train", "--resume", "run", "train.epochs=2"]);
    assert_eq!(resumed.code, Some(1), "{resumed:?}");
    assert!(resumed.stderr.contains("last.safetensors"), "{}", resumed.stderr);
    place.run(&["probe", "run", "--checkpoint", "epoch-0009"]).failed(2, &["epoch-0009", "epoch-0001, last"]);
}

/// Of the last checkpoint of `run`.
fn change_metadata(place: &Place, change: impl FnOnce(&mut BTreeMap<String, String>)) {
    let run = RunFolder::open(place.path("run")).unwrap();
    let mut checkpoint = Checkpoint::load(&run.checkpoint_path("last").unwrap()).unwrap();
    change(&mut checkpoint.metadata);
    let tensors: Vec<TensorRef<'_>> =
        checkpoint.tensors.iter().map(|t| TensorRef { name: &t.name, shape: &t.shape, data: &t.data }).collect();
    run.save_checkpoint("last", &tensors, &checkpoint.metadata).unwrap();
}

#[test]
fn a_loss_that_turns_nan_keeps_the_last_good_checkpoint() {
    let place = Place::new();
    place.train(&["train.epochs=1", "--out", "run"]).succeeded();
    let last = place.path("run/checkpoints/last.safetensors");
    let config = fs::read_to_string(place.path("run/config.toml")).unwrap();
    let text = config.lines().map(|line| if line.starts_with("lr = 0.001") { "lr = 1e38" } else { line });
    fs::write(place.path("run/config.toml"), text.collect::<Vec<_>>().join("\n")).unwrap();
    // The rate that it was trained at stands there too, but not in checkpoints of older versions.
    change_metadata(&place, |metadata| drop(metadata.remove("train.plan")));
    let before = fs::read(&last).unwrap();
    let ended = place.run(&["train", "--resume", "run", "train.epochs=3"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("step") && ended.stderr.contains("new run with a smaller train.lr"), "{}", ended.stderr);
    assert_eq!(fs::read(&last).unwrap(), before);
}

#[test]
fn an_unwritable_place_is_named() {
    let place = Place::new();
    fs::write(place.path("file"), "").unwrap();
    place.train(&["train.epochs=1", "--out", "file/run"]).failed(1, &["file/run", "Not a directory"]);
}

/// A disk that is full cannot be had without rights; a limit on the size of files fails at the same call.
#[cfg(target_os = "linux")]
#[test]
fn a_write_that_fails_names_the_file_and_leaves_nothing_half_written() {
    let place = Place::new();
    let relata = env!("CARGO_BIN_EXE_relata");
    // Checkpoints take 700 KB; shells count the limit in blocks of 512 or 1024 bytes.
    let script = format!("trap '' XFSZ; ulimit -f 600; exec {relata} train --out run train.epochs=1 {}", TINY.join(" "));
    let output = std::process::Command::new("sh").args(["-c", &script]).current_dir(place.path("")).output().unwrap();
    let ended = crate::Ended::new(output);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("cannot write run/checkpoints/") && ended.stderr.contains("File too large"),
        "{}",
        ended.stderr
    );
    assert_eq!(fs::read_dir(place.path("run/checkpoints")).unwrap().count(), 0);
    place.run(&["train", "--resume", "run"]).succeeded();
}

#[test]
fn images_that_a_run_was_trained_on_give_no_score() {
    let place = Place::new();
    write_cifar10(&place.path("datasets"), 24);
    relata_testkit::datasets::write_cifar100(&place.path("datasets"), 120, 40);
    let on_test =
        |more: &[&str]| place.train(&[&CIFAR10[..], &["data.split=test", "train.epochs=1", "--out", "run"], more].concat());
    for method in ["relational", "supervised"] {
        let asked = ["probe.after_train=true", "probe.k=5", &format!("method.kind={method}")];
        on_test(&asked).failed(2, &["test images of cifar10", "data.split=train", "probe.after_train=false"]);
    }
    assert!(!place.path("run").exists());
    on_test(&[]).succeeded();
    for protocol in ["knn", "finetune", "supervised"] {
        place.run(&["probe", "run", "--protocol", protocol]).failed(2, &["test images of cifar10", "--data"]);
    }
    // Validation images come from the training split, and those of another data set are others.
    let knn = ["probe", "run", "--protocol", "knn", "probe.k=5", "data.limit=0"];
    place.run(&[&knn[..], &["data.validation=30"]].concat()).succeeded();
    place.run(&[&knn[..], &["--data", "cifar100"]].concat()).succeeded();
}

#[test]
fn a_run_trained_on_test_images_is_not_scored_on_them_under_other_labels() {
    let place = Place::new();
    relata_testkit::datasets::write_cifar100(&place.path("datasets"), 120, 40);
    let data = ["data.dataset=cifar100", "data.root=datasets", "data.split=test", "data.limit=0", "train.epochs=1"];
    place.train(&[&data[..], &["--out", "run"]].concat()).succeeded();
    place.run(&["probe", "run", "--protocol", "knn", "--data", "supercifar100"]).failed(2, &["test images of supercifar100"]);
}
