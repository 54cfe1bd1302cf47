//! `relata`: the commands of `relata_cli`, and nothing else.

use std::process::ExitCode;

use clap::Parser;

/// Self-supervised vision training by relational reasoning: unlabelled images in, a backbone out, and honest figures of how
/// good its features are.
#[derive(Parser)]
#[command(
    name = "relata",
    version,
    after_help = "A first run, with nothing to download:\n  relata train\n\nEvery command has --help with examples"
)]
struct Arguments {
    #[command(subcommand)]
    command: relata_cli::Command,
}

fn main() -> ExitCode {
    relata_cli::run(Arguments::parse().command)
}
