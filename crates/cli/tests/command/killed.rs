use std::process::Stdio;
use std::thread::sleep;
use std::time::Instant;

use relata_testkit::hash_uniform;

use crate::{Place, TINY, assert_same_bits};

const KILLS: usize = 20;

#[test]
fn twenty_kills_change_no_bit() {
    let place = Place::new();
    let settings = ["data.limit=256", "train.epochs=20", "train.checkpoint_every=1", "train.log_every=1"];
    let train = |out: &'static str| [&["train", "--no-report", "--out", out][..], &TINY, &settings].concat();
    let start = Instant::now();
    place.run(&train("whole")).succeeded();
    // On average three quarters of a twentieth of the run: kills fall on starts, steps and writes of most of it, and the run is
    // not over before the last of them even where the machine was busier during the whole one.
    let longest = start.elapsed() * 3 / (2 * KILLS as u32);
    let mut alive = 0;

    for kill in 0..KILLS {
        // A run that has no configuration yet has nothing to go on with.
        let started = place.path("killed/config.toml").is_file();
        let mut arguments = train("killed");
        if started {
            arguments = vec!["train", "--no-report", "--resume", "killed"];
        }
        let mut child = place.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let share = (1.0 + hash_uniform("kill", kill)) / 2.0;
        sleep(longest.mul_f64(share));
        alive += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap(); // SIGKILL: no handler, no destructor
        child.wait().unwrap();
    }
    assert!(alive >= KILLS / 2, "{alive} of {KILLS} kills met a process that was alive");
    let ended = place.run(&["train", "--no-report", "--resume", "killed"]).succeeded();
    assert!(ended.stderr.contains("resuming"), "{}", ended.stderr);

    for name in ["last", "epoch-0005", "epoch-0010", "epoch-0015", "epoch-0020"] {
        let file = |run: &str| place.path(run).join(format!("checkpoints/{name}.safetensors"));
        assert_same_bits(&file("whole"), &file("killed"));
    }
    let leftovers = std::fs::read_dir(place.path("killed/checkpoints")).unwrap().count();
    assert_eq!(leftovers, 5, "a killed process left files behind");
}
