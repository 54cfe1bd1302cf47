//! `cargo xtask ci`: what must hold before a change is merged, in one command.
//!
//! How often candle is built decides how long this takes in a fresh clone, so every step uses the profile that
//! `cargo xtask` itself was built with: candle is compiled once (release, for xtask; the tests link the same build) and
//! checked once (release, for clippy; rustdoc reads the same metadata). A step in the dev profile would do both again.

mod command;
mod examples;
mod outcome;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::tidy;
use command::{Project, cargo, must_pass};
use outcome::TestOutcome;

/// The variable that names the folder of unpacked real data sets.
const DATASETS: &str = "RELATA_DATASETS";

/// What a step says about itself in the summary, or why it failed.
type Step = fn(&Project<'_>) -> Result<String>;

const STEPS: &[(&str, Step)] = &[
    ("fmt", formatting),
    ("tidy", rules),
    ("clippy", lints),
    ("tests", tests),
    ("jpeg-turbo", jpeg_turbo),
    ("docs", docs),
    ("quick run", quick_run),
    ("examples", examples::run),
];

/// Not among them, since it compiles 170 crates more, and candle again with other features of what lies below it.
const HUB_STEP: (&str, Step) = ("hub", hub_feature);

/// Runs every step in order, with that of the hub at the end where it is wanted, stops at the first that fails, and ends with
/// a summary; true where all passed.
///
/// # Errors
/// Where the system does not say by what path this program was started; a step's failure is in the summary.
pub(crate) fn run(root: &Path, hub: bool) -> Result<bool> {
    let program = std::env::current_exe().context("xtask does not know where it is")?;
    match std::env::var_os(DATASETS) {
        Some(folder) => eprintln!("ci: real data from {}", folder.display()),
        None => eprintln!("ci: {DATASETS} is not set: tests on real data will be skipped, and counted"),
    }
    let steps: Vec<_> = STEPS.iter().copied().chain(hub.then_some(HUB_STEP)).collect();
    Ok(run_steps(&steps, &Project { root, program }))
}

fn run_steps(steps: &[(&str, Step)], project: &Project<'_>) -> bool {
    let start = Instant::now();
    let mut summary = String::new();
    let mut passed = true;
    for (name, step) in steps {
        if !passed {
            summary += &format!("  -       {name:<10}          not run\n");
            continue;
        }
        eprintln!("\n=== {name}");
        let step_start = Instant::now();
        let result = step(project);
        let elapsed_s = step_start.elapsed().as_secs_f64();
        passed = result.is_ok();
        let (word, note) = match result {
            Ok(note) => ("ok", note),
            Err(error) => ("FAILED", format!("{error:#}")),
        };
        summary += &format!("  {word:<7} {name:<10} {elapsed_s:>6.1} s  {note}\n");
    }
    let word = if passed { "passed" } else { "FAILED" };
    println!("\n=== ci {word} after {:.0} s\n{summary}", start.elapsed().as_secs_f64());
    passed
}

fn formatting(project: &Project<'_>) -> Result<String> {
    must_pass(cargo(project.root).args(["fmt", "--all", "--check"])).context("`cargo fmt --all` mends it")?;
    examples::formatting(project)
}

fn rules(project: &Project<'_>) -> Result<String> {
    ensure!(tidy::run(project.root)?, "rules are broken, see above");
    Ok(String::new())
}

fn lints(project: &Project<'_>) -> Result<String> {
    must_pass(cargo(project.root).args(["clippy", "--workspace", "--all-targets", "--release", "--", "-D", "warnings"]))
}

fn docs(project: &Project<'_>) -> Result<String> {
    must_pass(cargo(project.root).args(["doc", "--workspace", "--no-deps", "--release"]).env("RUSTDOCFLAGS", "-D warnings"))
}

/// The one feature that needs tools of its own: lints, and the tests of what reads image files.
fn jpeg_turbo(project: &Project<'_>) -> Result<String> {
    for tool in ["cmake", "nasm"] {
        if Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            return Ok(format!("not built: {tool} is not installed"));
        }
    }
    let feature = ["-p", "relata-data", "--release", "--features", "jpeg-turbo"];
    must_pass(cargo(project.root).arg("clippy").args(feature).args(["--lib", "--test", "folder", "--", "-D", "warnings"]))?;
    must_pass(cargo(project.root).arg("test").args(feature).args(["--lib", "--test", "folder", "--test", "sets"]))
}

/// Tests and doc tests.
fn tests(project: &Project<'_>) -> Result<String> {
    run_tests(project, &["--workspace"])
}

/// Lints and tests of what the feature adds.
fn hub_feature(project: &Project<'_>) -> Result<String> {
    let both = ["--package", "relata-data", "--package", "relata-cli", "--features", "relata-data/hub,relata-cli/hub"];
    must_pass(cargo(project.root).arg("clippy").args(both).args(["--all-targets", "--release", "--", "-D", "warnings"]))?;
    // The other tests of the two would say nothing new.
    let data = run_tests(project, &[&both[..], &["--test", "archives", "hub::"]].concat())?;
    let cli = run_tests(project, &[&both[..], &["--test", "command", "hub::"]].concat())?;
    Ok(format!("data: {data}; cli: {cli}"))
}

/// The tests' output goes on to where it was going, and is read in passing for what was skipped.
fn run_tests(project: &Project<'_>, which: &[&str]) -> Result<String> {
    let mut command = cargo(project.root);
    command.args(["test", "--release"]).args(which).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cargo cannot be started")?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        bail!("the tests' output cannot be read")
    };
    let outcome: std::io::Result<TestOutcome> = thread::scope(|scope| {
        let errors = scope.spawn(|| pass_on(stderr, std::io::stderr()));
        let results = pass_on(stdout, std::io::stdout())?;
        match errors.join() {
            Ok(skips) => Ok(results.join(skips?)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
    let status = child.wait().context("cargo cannot be waited for")?;
    let outcome = outcome.context("the tests' output cannot be read")?;
    ensure!(status.success(), "{outcome}; {status}, see above");
    for skipped in &outcome.skipped {
        println!("skipped: {skipped}");
    }
    Ok(outcome.to_string())
}

fn pass_on(from: impl Read, mut to: impl Write) -> std::io::Result<TestOutcome> {
    let mut outcome = TestOutcome::default();
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        outcome.read(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    Ok(outcome)
}

/// The main job as a stranger runs it, made small: it must leave a report and a score for each protocol.
fn quick_run(project: &Project<'_>) -> Result<String> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let run = folder.path().join("quick");
    let mut command = Command::new(&project.program);
    command.current_dir(project.root).arg("train").args(QUICK_SETTINGS).arg("--out").arg(&run);
    must_pass(&mut command)?;
    check_run(&run)
}

/// One epoch of 256 images and one of the probe, on the embedded shapes.
const QUICK_SETTINGS: &[&str] = &["data.limit=256", "train.epochs=1", "probe.epochs=1"];

fn check_run(run: &Path) -> Result<String> {
    let report = run.join("report.html");
    let bytes = fs::metadata(&report).context("the run left no report.html")?.len();
    ensure!(bytes > 0, "report.html is empty");
    for protocol in ["linear", "knn"] {
        let score = run.join("probes").join(protocol).with_extension("json");
        let text = fs::read_to_string(&score).with_context(|| format!("the run left no probes/{protocol}.json"))?;
        ensure!(text.contains("accuracy_pct"), "probes/{protocol}.json holds no accuracy_pct");
    }
    Ok(format!("report.html of {} KiB, linear and knn scores", bytes / 1024))
}

#[cfg(test)]
mod checks {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_first_failure_stops() {
        let after: Step = |_| panic!("a step after the one that failed was run");
        let project = Project { root: Path::new("."), program: PathBuf::new() };
        assert!(!run_steps(&[("good", |_| Ok(String::new())), ("bad", |_| bail!("broken")), ("after", after)], &project));
        assert!(run_steps(&[("good", |_| Ok(String::new()))], &project));
    }

    #[test]
    fn output_is_passed_on_to_the_byte_and_read() {
        let text = b"compiling\nSKIPPED a: no data\n\xff no newline".as_slice();
        let mut copy = Vec::new();
        let outcome = pass_on(text, &mut copy).expect("memory can be read");
        assert_eq!((copy.as_slice(), outcome.skipped.len()), (text, 1));
    }

    #[test]
    fn a_run_without_report_or_scores_fails() {
        let run = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| fs::write(run.path().join(name), text).expect("is writable");
        assert!(check_run(run.path()).is_err(), "nothing there");
        write("report.html", "<html>");
        fs::create_dir(run.path().join("probes")).expect("is writable");
        write("probes/linear.json", "{\"accuracy_pct\": 50.0}");
        assert!(check_run(run.path()).is_err(), "no kNN score");
        write("probes/knn.json", "{}");
        assert!(check_run(run.path()).is_err(), "a kNN file without a score");
        write("probes/knn.json", "{\"accuracy_pct\": 50.0}");
        assert!(check_run(run.path()).is_ok());
        write("report.html", "");
        assert!(check_run(run.path()).is_err(), "an empty report");
    }
}
