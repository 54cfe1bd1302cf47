//! The `relata` command: it reads arguments and settings, checks all of them, and then lets the other crates work.
//!
//! [`Command`] is a clap subcommand, so that a binary of one's own (`cargo xtask`, say) has the same commands as `relata`:
//!
//! ```
//! use clap::Parser;
//!
//! #[derive(Parser)]
//! struct Arguments {
//!     #[command(subcommand)]
//!     command: relata_cli::Command,
//! }
//!
//! let arguments = Arguments::parse_from(["relata", "train", "--dry-run", "train.epochs=2", "data.limit=64"]);
//! let _exit_code: std::process::ExitCode = relata_cli::run(arguments.command);
//! ```
//!
//! Rules:
//! - This is the only crate that parses arguments, prints, or decides exit codes: 0; 1 for a failure; 2 for a wrong request; 130 after
//!   Ctrl-C, SIGTERM or SIGHUP.
//! - Everything is checked before any work starts. A wrong key or name is answered with the nearest one.
//! - An error is printed once, with its whole chain and what to do next.
//! - What can be added (methods, data sets, protocols, backbones) is read from the tables of the crates that have it: no name of one stands
//!   in the code here.

mod commands;

mod config;
mod data;
mod scoring;
mod terminal;

mod error;
mod network;
mod process_memory;
mod provenance;
mod suggest;

pub use commands::{Command, run};
pub use config::{Config, ConfigError};
pub use error::{Error, Result};
pub use process_memory::peak_bytes;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
