//! What a run folder holds in JSON, and behind the first zero byte its configuration in TOML: metrics, scores, provenance, captions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use relata_artifact::RunFolder;
use relata_fuzz::{files, place, write};

fuzz_target!(|bytes: &[u8]| {
    let [json, config] = files(bytes);
    for name in ["metrics.jsonl", "provenance.json", "probes/x.json", "figures/views.json", "figures/neighbours.json"] {
        write(&format!("run/{name}"), json);
    }
    for name in ["views", "neighbours"] {
        write(&format!("run/figures/{name}.png"), b"");
    }
    write("run/config.toml", config);
    let run = RunFolder::open(place().join("run")).expect("it has a config.toml");
    let _ = (run.config_table(), run.provenance(), run.views(), run.neighbours());
    if let Ok(probes) = run.probes() {
        let [(name, result)] = probes.as_slice() else { panic!("one file, one score") };
        assert_eq!(name, "x");
        run.write_probe("x", result).expect("what was read can be written");
        assert_eq!(run.probes().expect("and read")[0].1.settings.len(), result.settings.len());
    }
    if let Ok(lines) = run.metrics() {
        // From the middle of the run: the lines up to there, and one more.
        let middle = lines.get(lines.len() / 2).map_or(0, |line| line.step);
        let before = lines.iter().filter(|line| line.step <= middle).count();
        let mut writer = run.resume_metrics(middle).expect("as it was read");
        let appended = lines.first().is_some_and(|line| writer.append(line).is_ok());
        assert_eq!(run.metrics().expect("what was written can be read").len(), before + usize::from(appended));
    }
});
