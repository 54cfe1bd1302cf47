//! What this process takes of the machine's memory, where Linux tells it.

/// Bytes of memory that are resident now.
pub(crate) fn resident_bytes() -> Option<usize> {
    status_bytes("VmRSS:")
}

/// The most bytes of memory that were resident at once so far; `None` where the system does not tell.
#[must_use]
pub fn peak_bytes() -> Option<usize> {
    status_bytes("VmHWM:")
}

fn status_bytes(key: &str) -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix(" kB")?.parse::<usize>().ok().map(|kib| kib * 1024)
}
