//! Warnings of the libraries (images that were left out, say): shown at once, and kept for the run's log.

use std::io::{self, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::output;

static KEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LEFT_OUT: AtomicUsize = AtomicUsize::new(0);

/// What the user was warned of.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    /// In the libraries' words.
    pub(crate) lines: Vec<String>,
    /// Images that cannot be read and were left out.
    pub(crate) left_out: usize,
}

/// Starts to listen. A second call, or a subscriber that is there already, changes nothing.
pub(crate) fn listen() {
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).without_time().with_target(false);
    let _ = subscriber.with_level(false).with_ansi(false).with_writer(|| Lines).try_init();
}

/// Counts an image that was left out.
pub(crate) fn count_left_out() {
    LEFT_OUT.fetch_add(1, Ordering::Relaxed);
}

/// The warnings since the last call.
pub(crate) fn take() -> Warnings {
    let lines = KEPT.lock().map(|mut kept| std::mem::take(&mut *kept)).unwrap_or_default();
    Warnings { lines, left_out: LEFT_OUT.swap(0, Ordering::Relaxed) }
}

/// Takes one event a call, as the subscriber hands them over.
struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes).trim().to_owned();
        output::note(format!("warning: {text}"));
        if let Ok(mut kept) = KEPT.lock() {
            kept.push(text);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
