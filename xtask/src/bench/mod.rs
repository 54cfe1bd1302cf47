//! `cargo xtask bench`: how fast the job runs here, and beside PyTorch.
//!
//! Every part (see [`timed_parts`]) is a process of its own, so that its peak of memory is its own too. With a peer the two run
//! in turns, ours, peer, ours, peer, and the ratio is taken round by round: these are what to quote, since a shared
//! machine's speed drifts from minute to minute.

mod kernels;
mod outcome;
mod report;
mod table;
mod timed_parts;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use outcome::Outcome;
use report::{Machine, Measured, Report, Row};
pub(crate) use timed_parts::{Part, PartKind, run as run_part};

/// The arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A Python with torch and torchvision: runs bench/peer_torch.py in turns with ours.
    #[arg(long, value_name = "PYTHON")]
    peer: Option<PathBuf>,
    /// Rounds of each row; medians are over them.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only rows whose name holds this, `kernels` among them.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Instruction set: avx512, avx2, portable. Default: the best there is.
    #[arg(long)]
    isa: Option<String>,
    /// Compute threads; 0: as many as the machine has.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Kernels over as many images as stay in the cache, for what they compute; without it a batch, which comes from memory.
    #[arg(long)]
    cached: bool,
    /// How the Conv-4 step grows too: K = 4, 8, 16, 32, B = 16 to 256, one thread and all.
    #[arg(long)]
    growth: bool,
    /// The Conv-4 steps of the other methods too, at their recipes' batches; a view is a row that the backbone sees. No peer.
    #[arg(long)]
    methods: bool,
    /// Writes bench.json and bench.md there.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let isa = timed_parts::isa(arguments.isa.as_deref()).map_err(|error| Usage(error.to_string()))?;
    let rows: Vec<Row> = rows(arguments).into_iter().filter(|row| row.part.name().contains(&arguments.only)).collect();
    let with_kernels = "kernels".contains(&arguments.only);
    if rows.is_empty() && !with_kernels {
        return Err(no_such_row(arguments).into());
    }
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let kernels = with_kernels.then(|| {
        eprintln!("bench: kernels");
        kernels::measure(isa, arguments.cached, arguments.rounds)
    });
    let mut report = Report { machine: machine(root, arguments.threads, isa), kernels: kernels.transpose()?, rows: Vec::new() };
    // Written with every row: a run that is cut short, after many minutes, keeps what it measured. Not before the first: what an
    // earlier run left there stands until there is something in its place.
    let write = |report: &Report| arguments.out.as_deref().map_or(Ok(()), |folder| write(folder, report));
    if report.kernels.is_some() {
        write(&report)?;
    }
    for row in rows {
        report.rows.push(measure(root, row, arguments)?);
        write(&report)?;
    }
    print!("{}", table::markdown(&report));
    if let Some(folder) = &arguments.out {
        eprintln!("bench: bench.json and bench.md written to {}", folder.display());
    }
    Ok(())
}

fn write(folder: &Path, report: &Report) -> Result<()> {
    let json = serde_json::to_string_pretty(report)? + "\n";
    for (name, content) in [("bench.json", json), ("bench.md", table::markdown(report))] {
        std::fs::write(folder.join(name), content).with_context(|| format!("{name} cannot be written"))?;
    }
    Ok(())
}

/// A mistake in the arguments.
#[derive(Debug)]
pub(crate) struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

fn no_such_row(arguments: &Arguments) -> Usage {
    let names: Vec<String> = rows(arguments).iter().map(|row| row.part.name()).collect();
    Usage(format!("no row's name holds {:?}; there are: kernels; {}", arguments.only, names.join("; ")))
}

/// The rows of the project's table of targets, those that show growth, and those of the other methods.
fn rows(arguments: &Arguments) -> Vec<Row> {
    let Arguments { threads, ref isa, growth, methods, .. } = *arguments;
    let part = |kind, backbone: &str, views, batch, side, steps| Part {
        kind,
        backbone: backbone.into(),
        method: timed_parts::DEFAULT_METHOD.into(),
        views,
        batch,
        side,
        steps,
        threads,
        isa: isa.clone(),
    };
    let row = |part, must_reach, peer_steps| Row { part, must_reach, peer_steps: Some(peer_steps) };
    let mut rows = vec![
        row(part(PartKind::Pipeline, "conv4", 32, 64, 32, 12), Some(4.0), 5),
        row(part(PartKind::Pipeline, "conv4", 4, 64, 32, 100), Some(4.0), 20),
        row(part(PartKind::Step, "conv4", 4, 64, 32, 40), Some(3.0), 20),
        row(part(PartKind::Step, "conv4", 32, 64, 32, 10), Some(4.0), 6),
        row(part(PartKind::Step, "resnet32", 4, 64, 32, 8), Some(1.4), 6),
        row(part(PartKind::Step, "resnet18", 4, 16, 96, 8), Some(1.4), 6),
        row(part(PartKind::Augment, "conv4", 4, 64, 32, 20), Some(20.0), 4),
        row(part(PartKind::Augment, "conv4", 4, 64, 96, 20), Some(10.0), 4),
    ];
    if growth {
        for (views, batch) in [(8, 64), (16, 64), (4, 16), (4, 32), (4, 128), (4, 256)] {
            rows.push(row(part(PartKind::Step, "conv4", views, batch, 32, 20), None, 6));
        }
        for views in [4, 32] {
            rows.push(row(Part { threads: 1, ..part(PartKind::Step, "conv4", views, 64, 32, 10) }, None, 6));
        }
    }
    if methods {
        for (method, views) in timed_parts::other_methods() {
            let part = Part { method: method.into(), ..part(PartKind::Step, "conv4", views, 128, 32, 40) };
            rows.push(Row { part, must_reach: None, peer_steps: None });
        }
    }
    rows
}

fn measure(root: &Path, row: Row, arguments: &Arguments) -> Result<Measured> {
    let name = row.part.name();
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for round in 1..=arguments.rounds {
        eprintln!("bench: {name}, round {round}/{}", arguments.rounds);
        ours.push(outcome_of(timed_parts::command(&row.part)?).with_context(|| name.clone())?);
        if let Some((python, steps)) = arguments.peer.as_ref().zip(row.peer_steps) {
            peer.push(best_of_peer(root, python, &row.part, steps)?);
        }
    }
    Ok(Measured { name, row, ours, peer })
}

/// The peer at its best setting: a step is tried with one thread and with all; a pipeline shares the cores between its
/// training process and its workers; augmentation has one thread.
fn best_of_peer(root: &Path, python: &Path, part: &Part, steps: usize) -> Result<Outcome> {
    let Part { kind, ref backbone, views, batch, side, threads, .. } = *part;
    let all = timed_parts::threads(threads);
    let settings = match kind {
        PartKind::Augment => vec![(1, 0)],
        PartKind::Step if all == 1 => vec![(1, 0)],
        PartKind::Step => vec![(all, 0), (1, 0)],
        PartKind::Pipeline => vec![(all.div_ceil(2), (all / 2).max(1))],
    };
    let mut best: Option<Outcome> = None;
    for (threads, workers) in settings {
        let mut command = Command::new(python);
        command.arg("-B").arg(root.join("bench/peer_torch.py")).arg(kind.name()).args(["--backbone", backbone]);
        let numbers = [
            ("--views", views),
            ("--batch", batch),
            ("--side", side),
            ("--steps", steps),
            ("--threads", threads),
            ("--workers", workers),
        ];
        for (flag, value) in numbers {
            command.arg(flag).arg(value.to_string());
        }
        let outcome = outcome_of(command).context("the peer; it needs torch and torchvision, as bench/peer_torch.py says")?;
        if best.as_ref().is_none_or(|best| best.views_per_s < outcome.views_per_s) {
            best = Some(outcome);
        }
    }
    best.context("the peer has no setting")
}

/// Runs a process that ends with one line of JSON.
fn outcome_of(mut command: Command) -> Result<Outcome> {
    let program = command.get_program().to_owned();
    let output = command.output().with_context(|| format!("{} cannot be started", program.display()))?;
    if !output.status.success() {
        bail!("{} failed ({}):\n{}", program.display(), output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next_back().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("{} printed {line:?}, no result", program.display()))
}

fn machine(root: &Path, threads: usize, isa: relata_ops::Isa) -> Machine {
    let cpu_info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu_info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let git = Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(root).output();
    let commit = git.ok().filter(|output| output.status.success());
    Machine {
        processor: model.map_or("unknown processor", |(_, name)| name).to_owned(),
        threads: timed_parts::threads(threads),
        isa: isa.to_string(),
        commit: commit.map_or("unknown commit".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned()),
    }
}
