//! The commands that steps run, and where.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Where everything is, found before the first step.
pub(super) struct Project<'a> {
    pub(super) root: &'a Path,
    /// This program. The tests may link it again, after which the system no longer knows by what path it was started.
    pub(super) program: PathBuf,
}

/// `cargo`, run in the workspace.
pub(super) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Runs `command` with this process's own output.
pub(super) fn must_pass(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_owned();
    let status = command.status().with_context(|| format!("{} cannot be started", program.display()))?;
    ensure!(status.success(), "{status}, see above");
    Ok(String::new())
}
