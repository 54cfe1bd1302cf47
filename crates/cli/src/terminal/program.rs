//! What the user calls this program.

/// How the user starts this program: `relata`, or `cargo xtask` where the commands are part of that.
pub(crate) fn program() -> &'static str {
    let path = std::env::current_exe().ok();
    let is_xtask = path.as_deref().and_then(std::path::Path::file_stem).is_some_and(|stem| stem == "xtask");
    if is_xtask { "cargo xtask" } else { "relata" }
}

/// A help text in which every `relata COMMAND` is what the user would type.
pub(crate) fn help(text: &str) -> String {
    text.replace("  relata ", &format!("  {} ", program()))
}
