//! Project tasks: relata's own commands, and beside them `ci`, `tidy`, `bench` and `fixtures`.
//!
//! `cargo xtask <command>` builds in release, since training in anything else would only be waited for.

// Tasks are a program: what they find goes to stdout, what they are doing to stderr.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;
mod ci;
mod fixtures;
mod tidy;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Relata: self-supervised training by relational reasoning, and the project's own tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    #[command(flatten)]
    Relata(relata_cli::Command),
    /// Formatting, rules, lints, tests, docs and a quick run: what must pass before a merge.
    #[command(after_help = "Examples:\n  RELATA_DATASETS=~/datasets cargo xtask ci\n  cargo xtask ci --hub")]
    Ci {
        /// Also lints and tests the feature hub, which is off by default and compiles 170 crates more
        #[arg(long)]
        hub: bool,
    },
    /// The project's own rules: arrows between crates, file sizes, names, unsafe.
    #[command(after_help = "Example: cargo xtask tidy")]
    Tidy,
    /// How fast kernels, augmentation, step and pipeline run here, and beside PyTorch.
    #[command(after_help = "Example: cargo xtask bench --peer venv/bin/python --out bench-results\n\
                            Ten minutes with a peer; close other programs first, and quote the ratios, not the rates.")]
    Bench(bench::Arguments),
    /// One part of the bench in a process of its own.
    #[command(hide = true)]
    BenchPart(bench::Part),
    /// Makes the numeric fixtures again, from PyTorch.
    #[command(after_help = "Example: cargo xtask fixtures --python venv/bin/python")]
    Fixtures {
        /// A Python that has torch, torchvision and numpy; each script names its versions.
        #[arg(long, default_value = "python3")]
        python: PathBuf,
    },
}

fn main() -> ExitCode {
    let root = root();
    match Arguments::parse().task {
        Task::Relata(command) => relata_cli::run(command),
        Task::Ci { hub } => exit_code(ci::run(root, hub)),
        Task::Tidy => exit_code(tidy::run(root)),
        Task::Bench(arguments) => exit_code(bench::run(root, &arguments).map(|()| true)),
        Task::BenchPart(part) => exit_code(bench::run_part(&part).map(|()| true)),
        Task::Fixtures { python } => exit_code(fixtures::run(root, &python).map(|()| true)),
    }
}

/// The workspace's root, wherever in it the task was called.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

fn exit_code(passed: Result<bool>) -> ExitCode {
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // A reader that is gone changes no exit code.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            // A wrong request is 2, a failure 1, as relata's own commands have it.
            if error.is::<bench::Usage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}
