use std::fs;

use relata_artifact::Checkpoint;
use relata_model::BackboneInfo;

use crate::{Place, assert_same_bits};

fn trained() -> Place {
    let place = Place::new();
    place.train(&["train.epochs=1", "--out", "run"]).succeeded();
    place
}

#[test]
fn a_run_exported_and_imported_has_the_same_weights() {
    let place = trained();
    place.run(&["export", "run", "--out", "conv4.safetensors"]).succeeded();
    let exported = Checkpoint::load(&place.path("conv4.safetensors")).unwrap();
    assert_eq!(exported.tensor("layer1.conv.weight").unwrap().shape, [8, 3, 3, 3]);
    place.run(&["import", "conv4.safetensors", "--out", "again.safetensors"]).succeeded();
    assert_same_bits(&place.path("conv4.safetensors"), &place.path("again.safetensors"));

    place.run(&["import", "conv4.safetensors", "--backbone", "conv4", "--out", "imported"]).succeeded();
    let ended = place.run(&["probe", "imported", "--protocol", "knn", "data.limit=100", "probe.k=9"]).succeeded();
    assert!(ended.stdout.contains("knn"), "{ended:?}");
    place.run(&["import", "conv4.safetensors", "--backbone", "resnet8", "--out", "x.safetensors"]).failed(1, &["conv1.weight"]);
    assert!(!place.path("x.safetensors").exists());
}

#[test]
fn what_the_command_line_says_of_imported_weights_wins_over_their_file() {
    let place = trained();
    place.run(&["export", "run", "--out", "conv4.safetensors"]).succeeded();
    let info = |file: &str| {
        let metadata = relata_artifact::read_checkpoint_metadata(&place.path(file)).unwrap();
        BackboneInfo::from_metadata(&metadata).unwrap().unwrap()
    };
    let own = info("conv4.safetensors");
    let import =
        |more: &[&str], out: &str| place.run(&[&["import", "conv4.safetensors", "--out", out], more].concat()).succeeded().stderr;
    assert!(!import(&[], "same.safetensors").contains("note:"));
    assert_eq!(info("same.safetensors"), own);
    import(&["augment.side=96", "augment.mean=[0.5, 0.25, 0.125]", "--data", "stl10"], "other");
    let other = info("other/checkpoints/last.safetensors");
    assert_eq!((other.side, other.mean, other.std), (96, [0.5, 0.25, 0.125], own.std));
    let config = fs::read_to_string(place.path("other/config.toml")).unwrap();
    assert!(config.contains("side = 96") && config.contains("dataset = \"stl10\""), "{config}");
}

#[test]
fn weights_that_say_nothing_of_their_images_are_imported_with_a_note() {
    let place = trained();
    place.run(&["export", "run", "--out", "conv4.safetensors"]).succeeded();
    let known = Checkpoint::load(&place.path("conv4.safetensors")).unwrap();
    let tensors: Vec<_> =
        known.tensors.iter().map(|t| relata_artifact::TensorRef { name: &t.name, shape: &t.shape, data: &t.data }).collect();
    relata_artifact::save_checkpoint(&place.path("bare.safetensors"), &tensors, &[].into()).unwrap();
    let import = |more: &[&str]| {
        let arguments = ["import", "bare.safetensors", "--backbone", "conv4", "--out", "x.safetensors"];
        place.run(&[&arguments[..], more].concat()).succeeded().stderr
    };
    assert!(import(&[]).contains("without --data, images will be prepared as those of shapes (32 px"));
    assert_eq!(import(&["--data", "cifar10"]), "");
}

#[test]
fn features_come_in_three_formats() {
    let place = trained();
    for out in ["f.safetensors", "f.npy", "f.csv"] {
        let ended = place.run(&["embed", "run", "--split", "train", "--out", out]).succeeded();
        assert!(ended.stdout.contains("64 x 64"), "{ended:?}");
    }
    assert_eq!(fs::read_to_string(place.path("f.csv")).unwrap().lines().count(), 65);
    let images = fs::read_to_string(place.path("f.images.csv")).unwrap();
    assert!(images.starts_with("label,class,source\n") && images.lines().count() == 65, "{images}");
    place.run(&["embed", "run", "--out", "f.pt"]).failed(2, &["f.pt", ".npy"]);
    place.run(&["embed", "run", "--split", "Test", "--out", "f.npy"]).failed(2, &["split", "test"]);
}

#[test]
fn a_folder_without_a_test_split_is_embedded_whole() {
    let place = trained();
    for name in ["a.png", "b.jpg", "c.webp"] {
        relata_testkit::datasets::write_image(&place.path("photos").join(name), 40, 35, 1);
    }
    let embed = ["embed", "run", "--data", "folder", "data.path=photos"];
    let ended = place.run(&[&embed[..], &["--out", "f.csv"]].concat()).succeeded();
    assert!(ended.stdout.contains("3 x 64") && ended.stderr.contains("--split train"), "{ended:?}");
    let ended = place.run(&[&embed[..], &["--split", "train", "--out", "f.npy"]].concat()).succeeded();
    assert_eq!(ended.stdout, "f.npy: 3 x 64\nf.images.csv: what each of the 3 rows is\n");
    let rows = fs::read_to_string(place.path("f.images.csv")).unwrap();
    let ends: Vec<bool> =
        rows.lines().zip(["source", "a.png", "b.jpg", "c.webp"]).map(|(line, end)| line.ends_with(end)).collect();
    assert_eq!(ends, [true; 4], "{rows}");
    place.run(&[&embed[..], &["--split", "test", "--out", "g.csv"]].concat()).failed(2, &["no test split"]);
}

#[test]
fn images_are_drawn_beside_their_neighbours() {
    let place = trained();
    let embed = ["embed", "run", "--neighbours", "3"];
    let ended = place.run(&[&embed[..], &["--images", "5,0", "--out", "alike.png"]].concat()).succeeded();
    assert_eq!(ended.stdout.lines().count(), 3, "{ended:?}");
    assert!(ended.stdout.contains("alike.png: 2 images, each with its 3 nearest of shapes, train split"), "{ended:?}");
    assert!(fs::read(place.path("alike.png")).unwrap().starts_with(b"\x89PNG"));
    // A training image is not its own neighbour: 4 images, so at most 3.
    let ended =
        place.run(&["embed", "run", "--split", "train", "--neighbours", "50", "--out", "all.png", "data.limit=4"]).succeeded();
    assert!(ended.stdout.contains("4 images, each with its 3 nearest"), "{ended:?}");
    // Nor is it in the split that holds the same images without their labels.
    let bare = ["--split", "unlabelled", "--images", "0,1,2,3", "--out", "bare.png", "data.limit=4"];
    let ended = place.run(&[&["embed", "run", "--neighbours", "50"], &bare[..]].concat()).succeeded();
    assert!(ended.stdout.contains("4 images, each with its 3 nearest"), "{ended:?}");
    place.run(&[&embed[..], &["--out", "alike.npy"]].concat()).failed(2, &["alike.npy", ".png"]);
    place.run(&[&embed[..], &["--images", "2000", "--out", "x.png"]].concat()).failed(1, &["2000"]);
    place.run(&["embed", "run", "--neighbours", "0", "--out", "x.png"]).failed(2, &["--neighbours"]);
}

#[test]
fn a_probe_writes_its_result_under_a_name_that_says_what_it_is() {
    let place = trained();
    let probe = ["probe", "run", "probe.epochs=1", "probe.k=5"];
    place.run(&[&probe[..], &["--protocol", "all"]].concat()).succeeded();
    place.run(&[&probe[..], &["--protocol", "knn", "--checkpoint", "epoch-0001"]].concat()).succeeded();
    for result in ["linear-epochs=1", "knn-k=5", "logistic", "kmeans", "retrieval", "knn-epoch-0001-k=5"] {
        let text = fs::read_to_string(place.path(&format!("run/probes/{result}.json"))).unwrap();
        for field in [
            "\"protocol\"",
            "\"data\": \"shapes\"",
            "\"split\": \"test\"",
            "\"baseline_random_pct\"",
            "\"test_images\": 2000",
            "\"effective_rank\"",
            "\"alignment\"",
        ] {
            assert!(text.contains(field), "{field} is missing in {text}");
        }
    }
    assert!(place.path("run/figures/neighbours.png").is_file() && place.path("run/figures/neighbours.json").is_file());
    let seeds = ["--protocol", "linear", "--seeds", "1,2", "probe.label_fraction=0.25"];
    let ended = place.run(&[&probe[..], &seeds].concat()).succeeded();
    assert!(ended.stdout.contains(" ± "), "{ended:?}");
    let text = fs::read_to_string(place.path("run/probes/linear-epochs=1-label_fraction=0.25-seeds=1+2.json")).unwrap();
    assert!(text.contains("accuracy_by_seed_pct") && text.contains("\"label_fraction\": 0.25"), "{text}");
    place.run(&[&probe[..], &["--seeds", "1,1"]].concat()).failed(2, &["seeds", "each once"]);
    let training = ["--protocol", "linear,supervised,finetune", "probe.label_fraction=0.05"];
    let epochs = ["probe.supervised.epochs=1", "probe.finetune.epochs=2"];
    let ended = place.run(&[&probe[..], &training, &epochs].concat()).succeeded();
    let rows: Vec<_> = ended.stdout.lines().skip(1).map(|line| line.split_whitespace().next().unwrap_or_default()).collect();
    assert_eq!(rows[..3], ["linear", "supervised", "finetune"], "{ended:?}");
    let text = |name: &str| fs::read_to_string(place.path(&format!("run/probes/{name}.json"))).unwrap();
    assert!(text("linear-epochs=1-label_fraction=0.05").contains("baseline_supervised_pct"));
    assert!(text("finetune-epochs=2-label_fraction=0.05").contains("baseline_random_pct"));
    assert!(!text("supervised-label_fraction=0.05-epochs=1").contains("baseline_"));
    place.run(&["probe", "run", "--protocol", "liner"]).failed(2, &["liner", "linear, knn, logistic"]);
    place.run(&["probe", "run", "train.lr=1"]).failed(2, &["train.lr=1", "probe.*"]);
}

#[test]
fn features_from_files_are_scored_without_a_run() {
    let place = trained();
    for (split, out) in [("train", "train.npy"), ("test", "test.safetensors")] {
        place.run(&["embed", "run", "--split", split, "--out", out, "data.limit=200"]).succeeded();
    }
    let files = ["probe", "--features", "train.npy", "--test-features", "test.safetensors"];
    // Embedded labels have names, those beside an .npy file none: the names of the one serve both.
    let ended = place.run(&[&files[..], &["--protocol", "knn,retrieval", "--out", "scores", "probe.k=3"]].concat()).succeeded();
    assert!(ended.stdout.contains("result: scores/knn.json") && ended.stdout.contains("retrieval"), "{ended:?}");
    let text = fs::read_to_string(place.path("scores/knn.json")).unwrap();
    assert!(text.contains("\"k\": 3") && text.contains("\"train_features\": \"train.npy\""), "{text}");
    place.run(&[&files[..], &["--protocol", "finetune"]].concat()).failed(2, &["finetune", "features alone"]);
    place.run(&[&files[..], &["run"]].concat()).failed(2, &["not both"]);
    place.run(&[&files[..], &["--test-labels", "none.npy"]].concat()).failed(2, &["none.npy"]);
    place.run(&[&files[..], &["--labels", "train.npy"]].concat()).failed(1, &["train.npy", "shape"]);
    place.run(&["probe", "--features", "train.npy"]).failed(2, &["--test-features"]);
    place.run(&["probe"]).failed(2, &["RUN"]);
}

#[test]
fn reports_are_made_again_and_compared() {
    let place = trained();
    fs::remove_file(place.path("run/report.html")).unwrap();
    assert_eq!(place.run(&["report", "run"]).succeeded().stdout, "run/report.html\n");
    place.train(&["train.epochs=1", "--out", "other", "seed=2", "--no-report"]).succeeded();
    place.run(&["report", "run", "other", "--out", "both.html"]).succeeded();
    assert!(place.path("both.html").is_file() && place.path("other/report.html").is_file());
    place.run(&["report", "run", "--out", "copy.html"]).succeeded();
    assert_eq!(fs::read(place.path("copy.html")).unwrap(), fs::read(place.path("run/report.html")).unwrap());
    place.run(&["report", "rum"]).failed(2, &["rum", "did you mean run"]);
}

#[test]
fn data_sets_are_listed_verified_and_shown() {
    let place = Place::new();
    let listed = place.run(&["data", "list"]).succeeded().stdout;
    assert!(listed.lines().count() >= 3 && listed.contains("shapes") && listed.contains("cifar10"), "{listed}");
    assert!(listed.contains("cifar-100-binary.tar.gz") && !listed.contains("not readable"), "{listed}");
    let verified = place.run(&["data", "verify", "shapes"]).succeeded().stdout;
    assert!(verified.contains("shapes test: 2000 images, 0 broken, 32 x 32 px, 10 classes of 200 images each"), "{verified}");
    let sheet =
        place.run(&["data", "preview", "shapes", "--images", "3", "--rows", "4", "--out", "shapes.png"]).succeeded().stdout;
    assert!(sheet.starts_with("shapes.png: 12 images of 10000; 4 classes of 10 from top to bottom:\ndisc\n"), "{sheet}");
    let unlabelled = place.run(&["data", "preview", "shapes", "data.split=unlabelled", "--out", "all.png"]).succeeded().stdout;
    assert!(unlabelled.contains("160 images of 10000, without labels"), "{unlabelled}");
    place.run(&["data", "preview", "shapes", "--views", "--images", "3", "--out", "views.png"]).succeeded();
    for png in ["shapes.png", "all.png", "views.png"] {
        assert!(fs::read(place.path(png)).unwrap().starts_with(b"\x89PNG"));
    }
    let stats = place.run(&["data", "stats", "shapes", "data.limit=1000"]).succeeded().stdout;
    let (images, settings) = stats.trim_end().split_once('\n').unwrap();
    assert_eq!(images, "shapes train: 1000 images, 1024000 pixels");
    // What it prints can be given to training as it stands.
    let settings: Vec<&str> = settings.split(" augment.std").collect();
    place.run(&["train", "--dry-run", settings[0], &format!("augment.std{}", settings[1])]).succeeded();
    place.run(&["data", "verify", "shaps"]).failed(2, &["did you mean \"shapes\""]);
}

#[test]
fn a_packed_folder_is_trained_on_as_the_folder_is() {
    let place = Place::new();
    relata_testkit::datasets::write_class_folder(&place.path("photos"), &[("cat", 25), ("dog", 25)], "png");
    let packed = place.run(&["data", "pack", "folder", "data.path=photos", "--out", "photos.pack"]).succeeded().stdout;
    assert!(packed.contains("photos.pack: 50 images in") && packed.contains("times as fast"), "{packed}");
    let settings = ["train.epochs=1", "augment.side=32", "probe.epochs=1", "data.limit=0"];
    place.train(&[&settings[..], &["data.dataset=folder", "data.path=photos", "--out", "unpacked"]].concat()).succeeded();
    place.train(&[&settings[..], &["data.dataset=pack", "data.path=photos.pack", "--out", "packed"]].concat()).succeeded();
    let [one, other] =
        ["unpacked", "packed"].map(|run| Checkpoint::load(&place.path(run).join("checkpoints/last.safetensors")).unwrap());
    assert!(one.tensor("backbone.layer1.conv.weight").unwrap() == other.tensor("backbone.layer1.conv.weight").unwrap());

    let whole = fs::read(place.path("photos.pack")).unwrap();
    let verify = ["data", "verify", "pack", "data.path=photos.pack"];
    assert!(place.run(&verify).succeeded().stdout.contains("photos.pack train: 40 images, 0 broken"));
    let mut damaged = whole.clone();
    damaged[64] ^= 1;
    fs::write(place.path("photos.pack"), damaged).unwrap();
    let ended = place.run(&verify);
    assert!(ended.code == Some(1) && ended.stdout.contains("broken: photos.pack, cat/000.png"), "{ended:?}");
    fs::write(place.path("photos.pack"), &whole[..whole.len() / 2]).unwrap();
    place.run(&verify).failed(1, &["photos.pack", "pack the images again"]);
}

#[test]
fn every_command_shows_an_example() {
    let place = Place::new();
    let commands: [&[&str]; 14] = [
        &["train"],
        &["compare"],
        &["probe"],
        &["embed"],
        &["report"],
        &["data"],
        &["data", "list"],
        &["data", "fetch"],
        &["data", "stats"],
        &["data", "verify"],
        &["data", "preview"],
        &["data", "pack"],
        &["import"],
        &["export"],
    ];
    for command in commands {
        let help = place.run(&[command, &["--help"]].concat()).succeeded().stdout;
        assert!(help.contains("Example") && help.contains(&format!("relata {}", command.join(" "))), "{help}");
    }
}

#[test]
fn unknown_arguments_are_a_wrong_request() {
    let place = Place::new();
    for arguments in [&["tarin"][..], &["train", "--ot", "x"], &["train", "--resume", "--overwrite"], &[]] {
        let ended = place.run(arguments);
        assert_eq!(ended.code, Some(2), "{ended:?}");
    }
}

#[test]
fn a_data_set_is_unpacked_from_its_archive_or_named_with_its_address() {
    let place = Place::new();
    let root = "data.root=sets";
    place.run(&["data", "verify", "cifar100", root]).failed(2, &["cifar-100-binary", "https://www.cs.toronto.edu", "data fetch"]);
    place.run(&["data", "fetch", "shapes", root]).failed(2, &["needs no download"]);
    place.run(&["data", "fetch", "slim", root]).failed(2, &["SlimageNet64"]);
    fs::create_dir(place.path("sets")).unwrap();
    fs::write(place.path("sets/tiny-imagenet-200.zip"), b"half a download").unwrap();
    for action in ["fetch", "verify"] {
        place
            .run(&["data", action, "tiny", root])
            .failed(1, &["tiny-imagenet-200.zip", "90528d7ca1a48142e341f4ef8d21d0de", "download"]);
    }
}

#[test]
fn what_is_wrong_with_a_data_set_is_said_once_and_with_what_helps() {
    let place = Place::new();
    let photos = place.path("photos");
    relata_testkit::datasets::write_class_folder(&photos, &[("cat", 10)], "png");
    let verify = ["data", "verify", "folder", "data.path=photos"];
    assert!(place.run(&verify).succeeded().stdout.contains("photos train: 8 images, 0 broken, 5 x 7 px, 1 class of 8 images,"));
    relata_testkit::datasets::write_truncated(&photos.join("cat/000.png"), 50, 70);
    let ended = place.run(&verify);
    let line = ended.stdout.lines().find(|line| line.starts_with("broken: ")).unwrap();
    assert!(line.starts_with("broken: cannot decode photos/cat/000.png: "), "{line}");
    assert!(ended.stderr.contains("on_bad_image=skip") && !ended.stderr.contains("missing"), "{}", ended.stderr);

    relata_testkit::datasets::write_stl10(&place.path("sets"), 2);
    fs::remove_file(place.path("sets/stl10_binary/test_y.bin")).unwrap();
    // A fold is no whole, and of ten images there are none.
    let ended = place.run(&["data", "verify", "stl10", "data.root=sets", "data.stl10_fold=3"]);
    assert!(ended.stdout.contains("stl10 train: 2 images, 0 broken"), "{}", ended.stdout);
    assert!(ended.stderr.contains("missing") && !ended.stderr.contains("on_bad_image"), "{}", ended.stderr);
    place.run(&["data", "fetch", "stl10", "data.root=sets"]).failed(2, &["stl10_binary", "lacks test_y.bin", "move it away"]);
}

#[test]
fn with_images_held_out_scores_come_from_them_and_the_test_split_waits() {
    let place = Place::new();
    let settings = ["data.limit=64", "data.validation=300", "train.epochs=1", "train.batch_size=16", "probe.k=5"];
    let protocols = "probe.protocols=[\"knn\"]";
    let ended = place.run(&[&["train", "--out", "run", protocols][..], &settings].concat()).succeeded();
    assert!(ended.stdout.starts_with("protocol  validation accuracy"), "{}", ended.stdout);
    let result = |name: &str| fs::read_to_string(place.path(&format!("run/probes/{name}.json"))).unwrap();
    let validation = result("knn-validation");
    for field in ["\"split\": \"validation\"", "\"test_images\": 300", "\"train_images\": 64"] {
        assert!(validation.contains(field) && !validation.contains("notes"), "{field} is missing in {validation}");
    }
    assert!(!place.path("run/probes/knn.json").exists(), "the test split was not looked at");
    let provenance = fs::read_to_string(place.path("run/provenance.json")).unwrap();
    assert!(provenance.contains("\"validation\"") && !provenance.contains("\"test\""), "{provenance}");
    let page = fs::read_to_string(place.path("run/report.html")).unwrap();
    assert!(page.contains("(validation)") && page.contains("validation split"));
    place.run(&["embed", "run", "--split", "validation", "--out", "v.csv"]).succeeded();
    assert_eq!(fs::read_to_string(place.path("v.csv")).unwrap().lines().count(), 301);

    let again = place.run(&["train", "--resume", "run"]).succeeded();
    assert!(!again.stderr.contains("features of"), "the score is there already: {}", again.stderr);
    place.run(&["probe", "run", "data.validation=0"]).succeeded();
    assert!(result("knn-test").contains("\"split\": \"test\""), "and now, once");
    place.run(&["probe", "run", "data.validation=200"]).succeeded();
    assert!(result("knn-validation=200").contains("it has seen some of them"));
    assert_eq!(result("knn-validation"), validation);
}

#[test]
fn images_that_cannot_be_held_out_are_refused_before_any_work() {
    let place = Place::new();
    place.train(&["--out", "run", "data.validation=9991"]).failed(2, &["9991", "10 classes", "9990 can be spared"]);
    for mark in 0..6 {
        relata_testkit::datasets::write_image(&place.path(&format!("photos/{mark}.png")), 5, 7, mark);
    }
    let folder = ["data.dataset=folder", "data.path=photos", "augment.side=8", "data.validation=2"];
    place.train(&[&["--out", "run"][..], &folder].concat()).failed(2, &["no label"]);
    assert!(!place.path("run").exists());
    place.train(&["--out", "run", "train.epochs=1"]).succeeded();
    let embed = ["embed", "run", "--split", "validation", "--out", "v.csv"];
    place.run(&embed).failed(2, &["data.validation"]);
}
